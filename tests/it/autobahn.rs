//! The WebSocket against the client cases of Autobahn|Testsuite: its server sends frames that are right, odd or
//! wrong, one case a connection, and judges what our socket makes of them.
//!
//! This goes past the binary on purpose: a client that echoes everything needs nothing of loadgate but its socket.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loadgate::load::measure::phases::Phases;
use loadgate::load::measure::sample::Phases as Parts;
use loadgate::load::memory::Budget;
use loadgate::load::protocol::connect::Connector;
use loadgate::load::protocol::origin::Origin;
use loadgate::load::protocol::websocket::{Arrived, Kind, Looked, Opening, Socket};
use loadgate::load::target::free_address;
use loadgate::load::timer::Timer;
use loadgate::load::tls::{Clients, Purpose, Trust};
use loadgate::plan::connection::{Tls, Version};
use loadgate::plan::load::{Load, Model, Shape, StopAfter};
use serde_json::Value;
use tokio::runtime::LocalOptions;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use url::Url;

use crate::external::Server;
use crate::harness::{Workspace, alone, poll_until};

/// Where test.sh installs the suite.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/autobahn/bin/kosoku");
const AGENT: &str = "loadgate";
/// How long all cases may take together.
const DEADLINE: Duration = Duration::from_secs(80);
/// How long the suite may take to write down what it saw.
const REPORT: Duration = Duration::from_secs(10);
/// Compression is not offered, so nothing of it can be tested.
const LEFT_OUT: [&str; 2] = ["12.*", "13.*"];
/// The last to run is 10: a run that was cut short lacks it.
const SECTIONS: [&str; 9] = ["1", "10", "2", "3", "4", "5", "6", "7", "9"];

/// The suite's server and a client for it.
struct Suite {
    workspace: Workspace,
    server: Server,
    connector: Connector,
    origin: Origin,
}

impl Suite {
    fn start() -> Self {
        let workspace = Workspace::new();
        let address = free_address().expect("a free port").to_string();
        let mut command = Command::new(PROGRAM);
        command.args(["--mode", "fuzzingserver", &address, "--outdir"]).arg(workspace.path("report"));
        command.args(LEFT_OUT.iter().flat_map(|cases| ["--exclude", cases]));
        let server = Server::start(command, address);
        let url = Url::parse(&format!("ws://{}", server.address)).expect("a URL");
        let origin = Origin::of(&url).expect("an origin");
        let trust = Trust::new(|| Clients::new(&Tls::default(), Version::One));
        Self {
            workspace,
            server,
            connector: Connector::new(Arc::new(trust), timer(), Arc::default()),
            origin,
        }
    }

    async fn open(&self, path: &str) -> Socket {
        let request = format!("ws://{}{path}", self.server.address).into_client_request().expect("a request");
        let stream = self
            .connector
            .open(&self.origin, Purpose::WebSocket, 0, &mut Parts::default())
            .await
            .expect("a connection");
        let limits = (64 << 20, &Budget::new(1 << 30));
        match Socket::open((request, &[]), stream, limits, Box::new(|_, _| {})).await.expect("a handshake") {
            Opening::Open(socket, _) => socket,
            Opening::Elsewhere(_) => panic!("redirected"),
            Opening::Refused(refused) => panic!("{:?}", refused.0),
        }
    }

    async fn every_case(&self) {
        let mut counter = self.open("/getCaseCount").await;
        let Ok(Looked::Taken(answer)) = counter.receive(&mut 0, |_| true).await else {
            panic!("no number of cases");
        };
        let cases: u32 = serde_json::from_slice(&answer.payload).expect("a number");
        for case in 1..=cases {
            echo(self.open(&format!("/runCase?case={case}&agent={AGENT}")).await).await;
        }
    }

    /// Runs the cases, as far as time allows, and asks for the report; it says what is wrong where one hangs.
    async fn run(&self) {
        drop(timeout(DEADLINE, self.every_case()).await);
        let report = async { echo(self.open(&format!("/updateReports?agent={AGENT}")).await).await };
        drop(timeout(REPORT, report).await);
    }

    /// What the suite thinks of every case, by its number.
    fn judgement(&self) -> Value {
        let mut index = Value::Null;
        poll_until(REPORT, "the suite writes its report", || {
            index = self.report("index.json");
            !index.is_null()
        });
        index[AGENT].take()
    }

    /// A file of the report; null while it is not written whole.
    fn report(&self, name: &str) -> Value {
        let text = std::fs::read(self.workspace.path("report").join(name)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Why the suite does not like a case; none where it does.
    fn complaint(&self, case: &str, verdict: &Value) -> Option<String> {
        let fine = |key: &str| ["OK", "NON-STRICT", "INFORMATIONAL"].iter().any(|word| verdict[key] == *word);
        if fine("behavior") && fine("behaviorClose") {
            return None;
        }
        let report = self.report(verdict["reportfile"].as_str().expect("a file"));
        let [what, close] = ["result", "resultClose"].map(|key| report[key].clone());
        Some(format!("{case}: {} {what}; close {} {close}", verdict["behavior"], verdict["behaviorClose"]))
    }
}

/// A timer that runs. Nothing of it is measured here.
fn timer() -> Timer {
    let load = Load {
        model: Model::Closed,
        shape: Shape::constant_at(1.0, DEADLINE),
        warmup: Duration::ZERO,
        drain: Duration::ZERO,
        stop: StopAfter::Request,
    };
    let timer = Timer::new(Phases::of_load(&load, Instant::now())).expect("a timer");
    tokio::task::spawn_local(timer.clone().run());
    timer
}

/// Sends back what arrives, as what it arrived, until the server has enough.
async fn echo(mut socket: Socket) {
    while let Ok(Looked::Taken(arrived)) = socket.receive(&mut 0, |_| true).await {
        if socket.send(same(arrived)).await.is_err() {
            return;
        }
    }
}

fn same(arrived: Arrived) -> Message {
    match arrived.kind {
        Kind::Text => Message::Text(arrived.payload.try_into().expect("a text is UTF-8")),
        Kind::Binary => Message::Binary(arrived.payload),
    }
}

#[test]
fn every_case_of_the_autobahn_suite_but_compression_is_handled_as_the_rfc_asks() {
    let _alone = alone();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build_local(LocalOptions::default()).expect("a runtime");
    let suite = runtime.block_on(async {
        let suite = Suite::start();
        suite.run().await;
        suite
    });
    let judgement = suite.judgement();
    let verdicts = judgement.as_object().expect("verdicts");
    let complaints: Vec<String> =
        verdicts.iter().filter_map(|(case, verdict)| suite.complaint(case, verdict)).collect();
    assert!(complaints.is_empty(), "of {} cases\n{}", verdicts.len(), complaints.join("\n"));
    let sections: BTreeSet<&str> = verdicts.keys().filter_map(|case| case.split('.').next()).collect();
    assert_eq!(sections, BTreeSet::from(SECTIONS), "a suite that ran in part proves nothing");
}
