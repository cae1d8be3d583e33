//! The session that runs are made of: windows, a load that changes, an observer that has seen enough.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use loadgate::config::file;
use loadgate::load::measure::recording::Recording;
use loadgate::load::measure::run::Window;
use loadgate::load::{Observer, Session, Wish, generate, tls};
use loadgate::plan::load::{Load, Shape};
use loadgate::plan::{Plan, Selection};

use crate::harness::Demo;

const MINUTE: Duration = Duration::from_mins(1);
const WINDOW: Duration = Duration::from_millis(400);

/// A minute of `load` on `/health`.
fn plan(demo: &Demo, load: &str) -> Arc<Plan> {
    let text = format!(
        "version: 1\nname: session\nenvironments: {{here: {{host: '{}', load: {load}}}}}\n\
         scenarios: {{s: {{users: {{u: {{wait: 5ms, steps: [{{get: /health}}]}}}}}}}}\n",
        demo.url
    );
    let config = file::parse("test", &text, Path::new(".")).expect("YAML");
    Arc::new(
        Plan::resolve(&config, &Selection { environment: None, scenario: None }, &|_| None).expect("a plan"),
    )
}

/// Successes and opened connections, whatever the phase.
fn counts(recording: &Recording) -> (u64, u64) {
    let tally = &recording.endpoints[0];
    assert_eq!(tally.steady.failures() + tally.rest.failures(), 0);
    (tally.steady.ok + tally.rest.ok, tally.steady.connect.count() + tally.rest.connect.count())
}

/// Load, none, load again: what is sent follows, and nobody connects twice.
async fn pauses_and_goes_on(load: &str, level: f64, users: u64) {
    tls::install_provider();
    let demo = Demo::start(&[]);
    let plan = plan(&demo, load);
    let at = |level| Load { shape: Shape::constant_at(level, MINUTE), ..plan.load.clone() };
    let mut session = Session::start(plan.clone(), &demo.url.parse().expect("a URL"), 2).expect("workers");

    let (sent, connects) = counts(&session.window(WINDOW).await.expect("a window"));
    assert!(sent > 0 && (1..=users).contains(&connects), "{sent} sent over {connects} connections");

    session.set_load(at(0.0)).await.expect("a change");
    session.window(WINDOW).await.expect("what was still under way");
    let idle = session.window(WINDOW).await.expect("a window");
    assert_eq!(counts(&idle), (0, 0), "nothing is sent without load");

    session.set_load(at(level)).await.expect("a change");
    let (again, reconnects) = counts(&session.window(WINDOW).await.expect("a window"));
    assert!(
        again > 0 && reconnects + connects <= users,
        "{again} sent, {connects} and {reconnects} connections"
    );
    let rest = session.stop(Duration::from_secs(5)).await.expect("an end");
    assert_eq!(rest.unfinished, 0);
}

#[tokio::test]
async fn users_and_their_connections_live_on_between_loads() {
    pauses_and_goes_on("{users: 4, run_time: 60s}", 4.0, 4).await;
}

#[tokio::test]
async fn visitors_of_the_open_model_live_on_between_loads() {
    pauses_and_goes_on("{arrivals: 50/s, run_time: 60s, max_users: 8}", 50.0, 8).await;
}

/// Has seen enough after one window.
struct Impatient(usize);

impl Observer for Impatient {
    fn window(&mut self, _: &Window, _: &Recording) -> Wish {
        self.0 += 1;
        Wish::Stop
    }
}

#[tokio::test]
async fn an_observer_that_has_seen_enough_ends_the_load() {
    tls::install_provider();
    let demo = Demo::start(&[]);
    let plan = plan(&demo, "{users: 4, run_time: 60s}");
    let mut observer = Impatient(0);
    let url = demo.url.parse().expect("a URL");
    let run = generate(&plan, &url, &mut observer, std::future::pending()).await.expect("a run");
    assert_eq!(observer.0, 1, "it is not asked again");
    assert!(run.interrupted.is_none() && run.duration < MINUTE);
    let (sent, connects) = counts(&run.total);
    assert!(sent > 0 && connects == 4, "{sent} sent over {connects} connections");
}
