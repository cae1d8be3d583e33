//! What a result counts is what the server's own log says, whatever the server does to connections. A few seeds here;
//! `COUNT_SEEDS=50 cargo test --test it counts -- --nocapture` runs more and prints the sums.
//!
//! Sent are *ok* + *failed* + what was sent again + *unfinished*, without what got no connection. A server that reads
//! whatever reaches it has read exactly these. One that closes or resets idle connections, or dies, may lose the one
//! request that is on its way on each connection it ends; then the difference is at most the number of those.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use loadgate::config::file;
use loadgate::load::measure::outcome::FailureKind;
use loadgate::load::measure::recording::{Recording, Tally};
use loadgate::load::{Session, tls};
use loadgate::plan::{Plan, Selection};

use crate::fault_server::{ChaosServer, Speaks, Temper};
use crate::harness::{alone, poll_until};

const USERS: u64 = 4;
const WINDOW: Duration = Duration::from_millis(130);
const WINDOWS: u32 = 3;

/// How many seeds are run.
fn seeds() -> u64 {
    std::env::var("COUNT_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// What was counted on both sides, of one run or of several.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    ok: u64,
    reset: u64,
    /// No connection could be made.
    connect: u64,
    /// A WebSocket that closed, or a step on it that failed by that.
    closed: u64,
    other: u64,
    retried_on_close: u64,
    retried_on_refusal: u64,
    unfinished: u64,
    messages_in: u64,
    messages_out: u64,
    read: u64,
    answered: u64,
    cut: u64,
    refused: u64,
    /// Requests that may have been lost on their way.
    lost_at_most: u64,
    sent: u64,
    heard: u64,
    sent_in_vain: u64,
}

impl Counts {
    /// Requests that were sent, each try for itself.
    fn tries(&self) -> u64 {
        self.ok + self.reset + self.other + self.retried_on_close + self.retried_on_refusal + self.unfinished
    }

    fn add(&mut self, it: &Self) {
        for (sum, one) in self.all().into_iter().zip(it.to_owned().all()) {
            *sum += *one;
        }
    }

    fn all(&mut self) -> [&mut u64; 18] {
        [
            &mut self.ok,
            &mut self.reset,
            &mut self.connect,
            &mut self.closed,
            &mut self.other,
            &mut self.retried_on_close,
            &mut self.retried_on_refusal,
            &mut self.unfinished,
            &mut self.messages_in,
            &mut self.messages_out,
            &mut self.read,
            &mut self.answered,
            &mut self.cut,
            &mut self.refused,
            &mut self.lost_at_most,
            &mut self.sent,
            &mut self.heard,
            &mut self.sent_in_vain,
        ]
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tries {} of {self:?}", self.tries())
    }
}

fn plan(server: &ChaosServer, speaks: Speaks) -> Arc<Plan> {
    let version = if speaks == Speaks::Http2 { "2" } else { "1.1" };
    let steps = match speaks {
        Speaks::WebSocket => {
            "{websocket: /, steps: [{repeat: 5, steps: [{send: {text: well}}, {receive: {within: 9s}}]}]}"
        }
        Speaks::Http1 | Speaks::Http2 => {
            "{get: /, name: x, on_failure: continue}, {post: /, raw: x, name: x, on_failure: continue}, \
             {put: /, raw: x, name: x, on_failure: continue}"
        }
    };
    let text = format!(
        "version: 1\nname: counts\ntimeout: 20s\nhttp: {{version: '{version}'}}\n\
         environments: {{here: {{host: 'http://{}', users: {USERS}, run_time: 60s}}}}\n\
         scenarios: {{s: {{users: {{u: {{wait: 0ms..1ms, steps: [{steps}]}}}}}}}}\n",
        server.address
    );
    let config = file::parse("test", &text, Path::new(".")).expect("YAML");
    let selection = Selection { environment: None, scenario: None };
    Arc::new(Plan::resolve(&config, &selection, &|_| None).expect("a plan"))
}

/// Both sides of one run, in windows, so that sockets are open over several of them.
async fn run(speaks: Speaks, temper: Temper, seed: u64) -> Counts {
    let server = ChaosServer::start(speaks, temper, seed);
    let plan = plan(&server, speaks);
    let url = format!("http://{}", server.address).parse().expect("a URL");
    let mut all = Recording::new(plan.endpoints.len(), 0, plan.tasks.len());
    let mut session = Session::start(plan, &url, 2).expect("workers");
    for _ in 0..WINDOWS {
        all.merge(&session.window(WINDOW).await.expect("a window"));
    }
    all.merge(&session.stop(Duration::from_secs(10)).await.expect("an end"));
    poll_until(Duration::from_secs(30), "every connection is at its end", || server.is_quiet());
    let mut both = Tally::default();
    for split in &all.endpoints {
        both.merge(&split.steady);
        both.merge(&split.rest);
    }
    let failed = |kind: FailureKind| both.failed[kind.index()];
    let of = |count: &AtomicU64| count.load(SeqCst);
    let (reset, connect) = (failed(FailureKind::Reset), failed(FailureKind::Connect));
    let closed = failed(FailureKind::WebsocketClose);
    let log = &server.chaos.log;
    Counts {
        ok: both.ok,
        reset,
        connect,
        closed,
        other: both.failures() - reset - connect - closed,
        retried_on_close: both.retried_on_close,
        retried_on_refusal: both.retried_on_refusal,
        unfinished: all.unfinished,
        messages_in: both.messages_in,
        messages_out: both.messages_out,
        read: of(&log.read),
        answered: of(&log.answered),
        cut: of(&log.cut),
        refused: of(&log.refused),
        lost_at_most: of(&log.ended) + of(&log.restarts) * USERS,
        sent: of(&log.sent),
        heard: of(&log.heard),
        sent_in_vain: of(&log.sent_in_vain),
    }
}

/// Runs the seeds one after the other, checks each, and tells the sums.
fn campaign(speaks: Speaks, temper: Temper, check: impl Fn(u64, &Counts)) -> String {
    let _alone = alone();
    tls::install_provider();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut sum = Counts::default();
    for seed in 0..seeds() {
        let counts = runtime.block_on(run(speaks, temper, seed));
        assert!(counts.ok > 0 && counts.other == 0, "seed {seed}: {counts}");
        check(seed, &counts);
        sum.add(&counts);
    }
    format!("{speaks:?} {temper:?}, {} seeds: {sum}", seeds())
}

fn check_requests(temper: Temper) -> impl Fn(u64, &Counts) {
    move |seed, it| {
        let (tries, lost) = (it.tries(), it.tries().saturating_sub(it.read));
        assert!(tries >= it.read, "seed {seed}: more was read than sent: {it}");
        let undone = it.reset + it.retried_on_close + it.retried_on_refusal;
        match temper {
            Temper::Cutting => {
                assert_eq!((tries, it.ok), (it.read, it.answered), "seed {seed}: {it}");
                assert_eq!(undone, it.cut + it.refused, "seed {seed}: {it}");
            }
            Temper::Wild => {
                assert!(lost <= it.lost_at_most, "seed {seed}: {lost} lost: {it}");
                // An answer may be lost in a reset, and then the request counts as one that was cut off.
                let unheard = it.answered - it.ok;
                assert!(
                    unheard <= it.lost_at_most && unheard <= undone,
                    "seed {seed}: {unheard} unheard: {it}"
                );
            }
        }
    }
}

#[test]
fn requests_over_http1_are_counted_as_the_server_counts_them() {
    for temper in [Temper::Cutting, Temper::Wild] {
        eprintln!("{}", campaign(Speaks::Http1, temper, check_requests(temper)));
    }
}

#[test]
fn requests_over_http2_are_counted_as_the_server_counts_them() {
    for temper in [Temper::Cutting, Temper::Wild] {
        eprintln!("{}", campaign(Speaks::Http2, temper, check_requests(temper)));
    }
}

#[test]
fn messages_are_counted_as_the_server_counts_them() {
    let cutting = campaign(Speaks::WebSocket, Temper::Cutting, |seed, it| {
        assert_eq!((it.ok, it.reset), (it.read, 0), "seed {seed}: {it}");
        assert_eq!((it.messages_in, it.messages_out), (it.sent, it.heard), "seed {seed}: {it}");
    });
    let wild = campaign(Speaks::WebSocket, Temper::Wild, |seed, it| {
        assert!((it.ok..=it.ok + it.reset + it.unfinished).contains(&it.read), "seed {seed}: {it}");
        let (unread, unheard) = (it.sent - it.messages_in, it.messages_out - it.heard);
        assert!(unread <= it.sent_in_vain, "seed {seed}: {unread} unread: {it}");
        // A user waits for an answer before it says more.
        assert!(unheard <= it.lost_at_most, "seed {seed}: {unheard} unheard: {it}");
    });
    eprintln!("{cutting}\n{wild}");
}
