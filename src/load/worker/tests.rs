//! What a worker counts, and how it ends. Nobody listens on the address that it is given.

use std::path::Path;
use std::time::Instant;

use super::super::perform::InFlight;
use super::super::pool::Sent;
use super::*;
use crate::config::file;
use crate::load::measure::recording::Split;
use crate::load::protocol::name::{Names, Use};
use crate::plan::Selection;

/// The plan of an open load, all of whose arrivals take these steps.
fn plan(load: &str, steps: &str) -> Arc<Plan> {
    let text = format!(
        "version: 1\nname: open\nenvironments: {{here: {{host: 'http://127.0.0.1:1', load: {load}}}}}\n\
         scenarios: {{s: {{users: {{u: {{steps: {steps}}}}}}}}}\n"
    );
    let config = file::parse("test", &text, Path::new(".")).unwrap();
    Arc::new(Plan::resolve(&config, &Selection::default(), &|_| None).unwrap())
}

/// The first worker of a run whose load began at a moment. Must be called inside a runtime.
fn worker_of(plan: Arc<Plan>, origin: Instant, pool: Arc<Pool>, workers: usize) -> Rc<Worker> {
    let setup = Setup {
        target: "http://127.0.0.1:1".parse().unwrap(),
        share: Share { worker: 0, of: workers },
        assignment: Assignment { generation: 0, load: plan.load.clone(), origin },
        trust: Arc::new(Trust::of(plan.clone())),
        identifiers: 0,
        pool,
        budget: Budget::of(plan.limits.max_memory),
        plan,
    };
    Rc::new(Worker::new(setup, Journal::default()).unwrap())
}

/// One that is alone in its run, and its inbox.
fn alone(plan: Arc<Plan>, origin: Instant) -> (Rc<Worker>, Inbox) {
    let (pool, mut inboxes) = Pool::new(1, 0, 1);
    (worker_of(plan, origin, pool, 1), inboxes.remove(0))
}

/// 100 arrivals a second for 10 seconds, all of which ask for the same.
fn worker(origin: Instant) -> (Rc<Worker>, Inbox) {
    alone(plan("{arrivals: 100/s, run_time: 10s, max_users: 2}", "[{get: /a}]"), origin)
}

fn ago(seconds: u64) -> Instant {
    clock::now().checked_sub(Duration::from_secs(seconds)).unwrap()
}

/// Lets everybody else have a turn.
async fn turns() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

/// What was due, what was started, and what was not, by its endpoint.
fn counted(recording: &Recording) -> (u64, u64, u64) {
    let tally = &recording.endpoints[0];
    (recording.health.due, recording.health.started, tally.steady.not_started + tally.rest.not_started)
}

#[test]
fn arrivals_that_are_still_on_their_way_to_a_worker_when_it_ends_were_due_and_not_started() {
    runtime().unwrap().block_on(async {
        let (worker, inbox) = worker(clock::now());
        worker.spawn(Lobby::new(worker.clone()).receive(inbox));
        let arrival = Arrival { due: clock::now(), class: 0, task: Some(TaskId(0)) };
        for _ in 0..3 {
            assert!(worker.pool.send(0, Sent { arrival, claimed: 0 }));
        }
        worker.dismiss().await.unwrap();
        assert_eq!(counted(&worker.take()), (3, 0, 3));
        assert!(!worker.pool.send(0, Sent { arrival, claimed: 0 }), "nobody takes it in any more");
    });
}

#[test]
fn a_request_that_is_cut_off_is_unfinished_and_took_no_longer_than_its_response() {
    runtime().unwrap().block_on(async {
        let (worker, _inbox) = worker(clock::now());
        drop(InFlight::begin(&worker, EndpointId(0), clock::now()));
        assert_eq!(worker.take().unfinished, 1);
        let mut answered = InFlight::begin(&worker, EndpointId(0), ago(5));
        answered.answered_at(ago(4));
        drop(answered);
        let recording = worker.take();
        assert_eq!(recording.unfinished, 1);
        let Split { steady, rest } = &recording.endpoints[0];
        let time = steady.unfinished.longest().or(rest.unfinished.longest()).unwrap();
        assert!(time < Duration::from_secs(4), "{time:?}: what is made of a response is not its time");
    });
}

#[test]
fn lookups_without_an_end_keep_nothing_from_being_done_aside() {
    let runtime = runtime().unwrap();
    let (end, ends) = std::sync::mpsc::channel::<()>();
    let ends = Arc::new(std::sync::Mutex::new(ends));
    let begun = Rc::new(Cell::new(0));
    let count = begun.clone();
    let names = Rc::new(Names::new(Box::new(move |_, _| {
        count.set(count.get() + 1);
        let ends = ends.clone();
        Box::pin(async move {
            let _ = tokio::task::spawn_blocking(move || drop(ends.lock().map(|ends| ends.recv()))).await;
            Ok(Vec::new())
        })
    })));
    runtime.block_on(async {
        for number in 0..2_000 {
            let (names, purpose) = (names.clone(), [Use::Connect, Use::Check][number % 2]);
            tokio::task::spawn_local(async move {
                let _ = names.addresses(&format!("{number}.test"), 80, purpose).await;
            });
        }
        while begun.get() < name::MOST_THREADS {
            tokio::task::yield_now().await;
        }
        turns().await;
        assert_eq!(Aside::default().run(|| 7).await, Some(7));
        assert_eq!(begun.get(), name::MOST_THREADS);
    });
    drop(end);
    runtime.shutdown_background();
}

#[test]
fn arrivals_for_a_worker_that_has_ended_were_due_and_not_started() {
    runtime().unwrap().block_on(async {
        // There is no place for a user, but on the other worker one is free.
        let (pool, _) = Pool::new(1, 0, 2);
        pool.free(1, 0);
        let mut plan = Arc::into_inner(plan("{arrivals: 100/s, run_time: 10s}", "[{get: /a}]")).unwrap();
        let Model::Open { max_users, .. } = &mut plan.load.model else { panic!("an open model") };
        *max_users = 0;
        let worker = worker_of(Arc::new(plan), ago(5), pool, 2);
        worker.spawn(Lobby::new(worker.clone()).open());
        turns().await;
        worker.dismiss().await.unwrap();
        let (due, started, not_started) = counted(&worker.take());
        // 250 are this worker's.
        assert!(due >= 250 && started == 0 && not_started == due, "{due} {started} {not_started}");
    });
}

#[test]
fn arrivals_that_are_due_while_a_worker_stands_still_beyond_the_end_of_the_load_were_not_started() {
    runtime().unwrap().block_on(async {
        let (worker, _inbox) = worker(ago(11));
        worker.spawn(Lobby::new(worker.clone()).open());
        turns().await;
        assert_eq!(counted(&worker.take()), (1_000, 0, 1_000));
        worker.dismiss().await.unwrap();
        assert_eq!(counted(&worker.take()), (0, 0, 0), "each is counted once");
    });
}

/// What a worker hands over that has begun and is ended without time to drain, with its origin.
fn ended_at_once(seconds_ago: u64) -> (Instant, Recording) {
    runtime().unwrap().block_on(async {
        let origin = ago(seconds_ago);
        let (worker, inbox) = worker(origin);
        let crew = Crew::new(worker, inbox);
        turns().await;
        let (commands, orders) = mpsc::channel(1);
        let (reply, answer) = oneshot::channel();
        commands.try_send(Command::Finish(Duration::ZERO, reply)).unwrap();
        obey(crew, orders).await.unwrap();
        (origin, answer.await.unwrap())
    })
}

#[test]
fn what_is_overdue_at_the_end_of_the_load_was_not_started_also_where_nothing_may_drain() {
    // The worker is behind by the whole load: a few arrivals have had their turn.
    let (_, recording) = ended_at_once(10);
    let (due, started, not_started) = counted(&recording);
    assert_eq!((due, started + not_started), (1_000, 1_000), "{started} {not_started}");
    assert!(not_started > 0);
}

#[test]
fn what_is_overdue_when_the_load_is_cut_short_was_not_started_and_what_comes_later_was_not_due() {
    let (origin, recording) = ended_at_once(5);
    let at_most = (origin.elapsed().as_secs_f64() * 100.0).ceil() as u64 + 1;
    let (due, started, not_started) = counted(&recording);
    assert!((500..=at_most.min(1_000)).contains(&due), "{due}");
    assert!(started + not_started == due && not_started > 0, "{due} {started} {not_started}");
}

#[test]
fn an_iteration_that_begins_late_is_an_excuse_for_its_lateness_and_until_it_ends() {
    // One arrival, five seconds late.
    let load = "{arrivals: 0.1/s, run_time: 10s, max_users: 1}";
    runtime().unwrap().block_on(async {
        let late = |steps: &str| {
            let (worker, _) = alone(plan(load, steps), ago(5));
            worker.spawn(Lobby::new(worker.clone()).open());
            worker
        };
        let (now, secs) = (clock::now(), Duration::from_secs);
        let worker = late("[{wait: 1h}, {get: /a}]");
        turns().await;
        assert!(worker.pool.catches_up(now + secs(49)) && !worker.pool.catches_up(now + secs(3_000)));
        worker.dismiss().await.unwrap();
        // Nobody listens, so this one ends.
        let worker = late("[{get: /a}]");
        while worker.take().tasks[0].iterations == 0 {
            assert!(now.elapsed() < secs(20), "the iteration does not end");
            tokio::task::yield_now().await;
        }
        turns().await;
        assert!(!worker.pool.catches_up(now + secs(49)));
        worker.dismiss().await.unwrap();
    });
}

/// What becomes of a worker that does this beside everything else.
fn beside(task: impl Future<Output = io::Result<()>> + 'static) -> LoadError {
    runtime().unwrap().block_on(async {
        let (worker, _inbox) = worker(clock::now());
        // One that ends as it was told to is no reason to stop.
        worker.spawn(async { Ok(()) });
        worker.spawn(task);
        worker.failed().await
    })
}

#[test]
fn a_task_that_panics_or_fails_ends_the_worker_and_says_why() {
    let panicked = beside(async { panic!("no place {}", 7) });
    assert_eq!(
        panicked.to_string(),
        "a part of the generator failed, which is a bug in loadgate: no place 7"
    );
    let refused = beside(async { Err(io::Error::other("no more timers")) });
    assert!(matches!(refused, LoadError::System(_)), "{refused:?}");
}

#[test]
fn users_are_seated_exactly_by_weight_and_mixed_from_the_start() {
    // 1:1:3 of 10 users: 2, 2, 6; every five in a row hold one, one and three.
    let seats = seats(10, &[1, 1, 3]);
    for five in seats.chunks(5) {
        assert_eq!([0, 1, 2].map(|class| five.iter().filter(|seat| **seat == class).count()), [1, 1, 3]);
    }
}
