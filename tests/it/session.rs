//! The session that runs are made of: windows, a load that changes, an observer that has seen enough.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use loadgate::config::file;
use loadgate::load::machine::Service;
use loadgate::load::measure::outcome::FailureKind;
use loadgate::load::measure::recording::Recording;
use loadgate::load::measure::run::Window;
use loadgate::load::{Aim, LoadError, Observer, Session, Wish, generate, tls};
use loadgate::plan::load::{Load, Shape};
use loadgate::plan::{Plan, Selection};

use futures_util::FutureExt;

use crate::fault_server::{FaultServer, Mode};
use crate::harness::Demo;

const MINUTE: Duration = Duration::from_mins(1);
const WINDOW: Duration = Duration::from_millis(400);

/// A minute of `load` on `/health`.
fn plan(demo: &Demo, load: &str) -> Arc<Plan> {
    resolve(&demo.url, load, "{users: {u: {wait: 5ms, steps: [{get: /health}]}}}")
}

fn resolve(url: &str, load: &str, scenario: &str) -> Arc<Plan> {
    let text = format!(
        "version: 1\nname: session\nenvironments: {{here: {{host: '{url}', load: {load}}}}}\n\
         scenarios: {{s: {scenario}}}\n"
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
    let aim = Aim { url: demo.url.parse().expect("a URL"), service: Service::Elsewhere };
    let run = generate(&plan, aim, &mut observer, std::future::pending()).await.expect("a run");
    assert_eq!(observer.0, 1, "it is not asked again");
    assert!(run.interrupted.is_none() && run.duration < MINUTE);
    let (sent, connects) = counts(&run.total);
    assert!(sent > 0 && connects == 4, "{sent} sent over {connects} connections");
}

/// Two classes of unequal weight and tasks; an iteration keeps its user for 500 ms.
const MIXED: &str = "{
  users: {a: {weight: 2, tasks: {x: 3, y: 1}}, b: {weight: 1, tasks: {z: 1}}},
  tasks: {
    x: [{get: /health}, {wait: 500ms}],
    y: [{get: '/health?y'}, {wait: 500ms}],
    z: [{get: '/health?z'}, {wait: 500ms}]}}";

/// What the plan's own load came to with so many workers.
async fn whole(plan: &Arc<Plan>, url: &url::Url, workers: usize) -> Recording {
    let mut session = Session::start(plan.clone(), url, workers).expect("workers");
    let mut all = session.window(plan.load.shape.duration()).await.expect("a window");
    all.merge(&session.stop(Duration::from_secs(5)).await.expect("an end"));
    all
}

/// The iterations of every task, and how many arrivals of each endpoint found no user, whoever is to blame for it.
fn dealt(recording: &Recording) -> (Vec<u64>, Vec<u64>) {
    let dropped = FailureKind::Dropped.index();
    let endpoints = recording.endpoints.iter();
    (
        recording.tasks.iter().map(|task| task.iterations).collect(),
        endpoints
            .flat_map(|split| [&split.steady, &split.rest])
            .map(|tally| tally.failed[dropped] + tally.not_started)
            .collect::<Vec<_>>()
            .chunks(2)
            .map(|halves| halves.iter().sum())
            .collect(),
    )
}

/// Failures of kind `dropped`, which are due to the service and not to the generator.
fn dropped(recording: &Recording) -> u64 {
    let kind = FailureKind::Dropped.index();
    recording.endpoints.iter().map(|split| split.steady.failed[kind] + split.rest.failed[kind]).sum()
}

/// Whether something in a run was so late that an arrival may have found other users than planned.
fn came_late(recording: &Recording, most: Duration) -> bool {
    let health = &recording.health;
    [&health.lag, &health.wake.steady, &health.wake.rest].iter().any(|times| times.longest() > Some(most))
        || !health.standstills.is_empty()
}

#[tokio::test]
async fn a_plan_drops_the_same_arrivals_and_deals_the_same_tasks_with_any_number_of_workers() {
    tls::install_provider();
    let demo = Demo::start(&[]);
    let url = demo.url.parse().expect("a URL");
    // An arrival every 200 ms keeps a user for 500 ms: 2.5 users are busy, so 3 suffice; with 2, every third
    // arrival finds none. Between an end and the next arrival lie 100 ms. A run in which something came later than
    // that says nothing about who found a user, and is made again, if need be until it is left out.
    let margin = Duration::from_millis(80);
    for (most, turned_away) in [(3, 0), (2, 5)] {
        let plan = resolve(&demo.url, &format!("{{arrivals: 5/s, run_time: 3s, max_users: {most}}}"), MIXED);
        let (plan, url) = (&plan, &url);
        let mut counted: [Option<Recording>; 4] = Default::default();
        for _ in 0..10 {
            let again = [1, 2, 4, 8]
                .into_iter()
                .zip(&mut counted)
                .filter(|(_, run)| run.as_ref().is_none_or(|run| came_late(run, margin)));
            let again = again.map(|(workers, run)| async move {
                *run = Some(whole(plan, url, workers).await);
            });
            futures_util::future::join_all(again).await;
        }
        let counted = counted.map(|run| run.expect("it was made"));
        for run in &counted {
            let (tasks, away) = dealt(run);
            assert_eq!(run.health.due + dropped(run), 15, "no arrival is lost: {tasks:?} {away:?}");
        }
        let in_time: Vec<_> = counted.iter().filter(|run| !came_late(run, margin)).map(dealt).collect();
        for (tasks, away) in &in_time {
            assert_eq!(away.iter().sum::<u64>(), turned_away, "{in_time:?}");
            assert_eq!(tasks.iter().sum::<u64>(), 15 - turned_away, "{in_time:?}");
            assert!(tasks.iter().all(|iterations| *iterations > 0), "no class is left out: {in_time:?}");
        }
        assert!(in_time.windows(2).all(|two| two[0] == two[1]), "{most} users: {in_time:?}");
    }
}

#[tokio::test]
async fn users_of_any_number_of_workers_together_have_the_mix_to_within_one_deck() {
    tls::install_provider();
    let demo = Demo::start(&[]);
    let url = demo.url.parse().expect("a URL");
    let weights = [4, 2, 1];
    let scenario = "{users: {u: {wait: 3ms, tasks: {x: 4, y: 2, z: 1}}}, tasks: {x: [{get: /health}], \
                    y: [{get: '/health?y'}], z: [{get: '/health?z'}]}}";
    let plan = resolve(&demo.url, "{users: 11, run_time: 300ms}", scenario);
    for workers in [1, 2, 4, 8] {
        let (tasks, _) = dealt(&whole(&plan, &url, workers).await);
        let decks = tasks.iter().sum::<u64>() / 7;
        let within = |(dealt, weight): (&u64, u64)| (decks * weight..=(decks + 1) * weight).contains(dealt);
        assert!(decks > 0 && tasks.iter().zip(weights).all(within), "{workers} workers: {tasks:?}");
    }
}

#[tokio::test]
async fn whoever_stops_waiting_for_a_window_loses_nothing() {
    tls::install_provider();
    let server = FaultServer::start(Mode::ByPath);
    let scenario = "{users: {u: {wait: 1ms, steps: [{get: /fine}]}}}";
    let plan = resolve(&server.url(""), "{users: 4, run_time: 60s}", scenario);
    let mut session = Session::start(plan, &server.url("").parse().expect("a URL"), 2).expect("workers");
    let (mut counted, _) = counts(&session.window(Duration::from_millis(100)).await.expect("a window"));
    for _ in 0..20 {
        // Workers are asked, and nobody waits for what they answer.
        if let Some(window) = session.window(Duration::ZERO).now_or_never() {
            counted += counts(&window.expect("a window")).0;
        }
    }
    counted += counts(&session.stop(Duration::from_secs(5)).await.expect("an end")).0;
    assert_eq!(counted, server.requests() as u64);
}

#[tokio::test]
async fn a_worker_that_could_not_start_says_why() {
    tls::install_provider();
    let demo = Demo::start(&[]);
    let nowhere: url::Url = "http://127.0.0.1:1".parse().expect("a URL");
    let bad = url::Url::parse("mailto:nobody").expect("a URL");
    let plan = plan(&demo, "{users: 4, run_time: 60s}");
    let load = || plan.load.clone();
    assert!(Session::start(plan.clone(), &nowhere, 2).is_ok(), "it is not the service that is asked");
    let mut session = Session::start(plan.clone(), &bad, 2).expect("threads");
    let error = session.window(WINDOW).await.map(drop).expect_err("no worker");
    assert!(matches!(error, LoadError::Target(_)), "{error:?}");
    let mut session = Session::start(plan.clone(), &bad, 2).expect("threads");
    let error = loop {
        // A worker hears of it, or has ended before.
        if let Err(error) = session.set_load(load()).await {
            break error;
        }
        tokio::task::yield_now().await;
    };
    assert!(matches!(error, LoadError::Target(_)), "{error:?}");
}

#[tokio::test]
async fn messages_are_counted_in_the_window_in_which_they_came() {
    tls::install_provider();
    let server = FaultServer::start(Mode::ByPath);
    let scenario = "{users: {u: {wait: 5ms, steps: [{websocket: /ticks, steps: [{hold: 60s}]}]}}}";
    let plan = resolve(&server.url(""), "{users: 2, run_time: 60s}", scenario);
    let mut session = Session::start(plan, &server.url("").parse().expect("a URL"), 2).expect("workers");
    let mut came = 0;
    // The sockets are open all the time, and nothing ends in a window.
    for window in 0..4 {
        let recording = session.window(WINDOW).await.expect("a window");
        let steady = &recording.endpoints[0].steady;
        assert!(steady.messages_in > 0, "window {window}");
        // A text of four bytes is a frame of six.
        assert!(window == 0 || steady.bytes_in == 6 * steady.messages_in, "window {window}: {steady:?}");
        came += steady.messages_in;
    }
    let rest = session.stop(Duration::from_secs(5)).await.expect("an end");
    let ended = &rest.endpoints[0];
    came += ended.steady.messages_in + ended.rest.messages_in;
    assert_eq!(came, server.messages() as u64, "what the server sent is what was read");
}
