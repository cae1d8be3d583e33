//! Many faults in one run: a user for each, who meets it again and again, and after each time asks for something
//! that is fine.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::external::{count, samples, steady, whole};
use crate::fault_server::FaultServer;
use crate::harness::Workspace;

/// More than this is no small memory.
const MOST_MB: f64 = 150.0;
/// A run that takes longer has waited for something it should have given up.
const IN_TIME: Duration = Duration::from_secs(15);

/// What the request after a fault finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It must open a connection.
    Opens,
    /// It uses the one that is there.
    Keeps,
}

/// Where the result counts what was sent again.
const RETRIED: [&str; 2] = ["retried_on_close", "retried_on_refusal"];

/// One fault, and what becomes of it.
pub struct Fault {
    pub name: String,
    step: Value,
    /// Where the request after it goes.
    fine: String,
    ends: Ends,
}

enum Ends {
    Well(Next),
    /// The step fails with this kind, and this is said.
    Badly(&'static str, &'static str, Next),
    /// A WebSocket opens, and what happens on it fails.
    BadlyOnceOpen(&'static str, &'static str),
    /// The step is sent again, which is counted in this field, and ends well.
    WellAtLast(&'static str, Next),
}

impl Fault {
    fn new(name: &str, mut step: Value, fine: String, ends: Ends) -> Self {
        step["name"] = name.into();
        step["on_failure"] = "continue".into();
        Self { name: name.to_owned(), step, fine, ends }
    }

    /// A step that is no failure after all.
    pub fn no_failure(name: &str, step: Value, fine: String, next: Next) -> Self {
        Self::new(name, step, fine, Ends::Well(next))
    }

    /// A step that is sent again, which this field counts, and is no failure then.
    pub fn sent_again(name: &str, step: Value, fine: String, (field, next): (&'static str, Next)) -> Self {
        Self::new(name, step, fine, Ends::WellAtLast(field, next))
    }

    /// A step that fails with this kind, and a message with this in it.
    pub fn fails(name: &str, step: Value, fine: String, (kind, says): (&'static str, &'static str)) -> Self {
        Self::new(name, step, fine, Ends::Badly(kind, says, Next::Opens))
    }

    /// Likewise, but the connection of `fine` is another one, and stays.
    pub fn fails_apart(
        name: &str,
        step: Value,
        fine: String,
        (kind, says): (&'static str, &'static str),
    ) -> Self {
        Self::new(name, step, fine, Ends::Badly(kind, says, Next::Keeps))
    }

    /// A WebSocket that opens and then fails with this kind, and a message with this in it.
    pub fn fails_once_open(
        name: &str,
        step: Value,
        fine: String,
        (kind, says): (&'static str, &'static str),
    ) -> Self {
        Self::new(name, step, fine, Ends::BadlyOnceOpen(kind, says))
    }

    fn after(&self) -> String {
        format!("after {}", self.name)
    }

    fn steps(&self) -> Value {
        // A connection that is closed behind an answer is closed by then.
        json!([self.step, {"wait": "30ms"}, {"get": self.fine, "name": self.after(), "timeout": "5s"}])
    }

    /// What is not as it should be.
    fn wrong(&self, result: &Value) -> Vec<String> {
        let (endpoint, after) = (whole(result, &self.name), steady(result, &self.after()));
        let failed = endpoint["failed"].as_object().expect("kinds");
        let kinds: Vec<&str> = failed.keys().map(String::as_str).collect();
        let (ok, failures) = (count(&endpoint["ok"]), failed.values().map(count).sum::<u64>());
        let (asked, opened) = (count(&after["ok"]), count(&after["phases"]["connect_ms"]["n"]));
        let said = samples(result, &self.name);
        let retried = RETRIED.map(|field| count(&endpoint[field]));
        let once_each = |wanted: &str| {
            // The first request of the user may have had no connection to lose.
            let counted =
                |field: &str, count: u64| field == wanted && (ok.saturating_sub(1)..=ok).contains(&count);
            RETRIED.iter().zip(retried).all(|(field, count)| count == 0 || counted(field, count))
        };
        let sent_again = retried.iter().sum::<u64>();
        let (as_it_should, says, next) = match self.ends {
            Ends::WellAtLast(field, next) => {
                (ok > 1 && kinds.is_empty() && sent_again > 0 && once_each(field), "", next)
            }
            _ if sent_again > 0 => (false, "", Next::Keeps),
            Ends::Well(next) => (ok > 0 && kinds.is_empty(), "", next),
            Ends::Badly(kind, says, next) => (ok == 0 && kinds == [kind], says, next),
            // The end of the run may find one open.
            Ends::BadlyOnceOpen(kind, says) => (
                kinds == [kind] && (ok.saturating_sub(1)..=ok).contains(&failures) && tallied(endpoint, kind),
                says,
                Next::Keeps,
            ),
        };
        let reused = match next {
            Next::Opens => opened == asked,
            Next::Keeps => opened <= 1,
        };
        let wrong = [
            (!as_it_should, format!("ends otherwise: {endpoint} {said}")),
            (!said.contains(says), format!("does not say `{says}` but {said}")),
            (asked < 2, format!("ends the run: {asked} requests after it")),
            (
                whole(result, &self.after())["failed"] != json!({}),
                format!("fails what comes after: {}", samples(result, &self.after())),
            ),
            (!reused, format!("{asked} requests after it open {opened} connections")),
        ];
        let wrong = wrong.into_iter().filter(|(wrong, _)| *wrong);
        wrong.map(|(_, what)| format!("{} {what}", self.name)).collect()
    }
}

/// Whether what failed on a socket is counted there as well.
fn tallied(endpoint: &Value, kind: &str) -> bool {
    let (failures, sockets) = (&endpoint["failed"][kind], &endpoint["websocket"]);
    match kind {
        "websocket_close" => sockets["unexpected_closes"] == *failures,
        "missing_message" => sockets["missing_messages"] == *failures,
        _ => true,
    }
}

/// Runs them all against a server for two seconds, and checks what became of each. `more` are keys at the top of
/// the configuration.
pub fn suffer(server: &FaultServer, more: Value, faults: &[Fault]) -> Value {
    let users: Map<String, Value> = (0..)
        .zip(faults)
        .map(|(number, fault): (u32, _)| {
            (format!("user{number}"), json!({"wait": "20ms", "steps": fault.steps()}))
        })
        .collect();
    let mut config = json!({
        "version": 1,
        "name": "faults",
        "timeout": "300ms",
        "max_body": "1MiB",
        "environments": {"here": {"host": server.url(""), "users": faults.len()}},
        "load": {"run_time": "2s"},
        "thresholds": {"error_rate": "1%"},
        "scenarios": {"s": {"users": users}},
    });
    if let Value::Object(more) = more {
        config.as_object_mut().expect("a mapping").extend(more);
    }
    let finished = Workspace::with_config(&config.to_string()).run(&["run", "--quiet"]);
    let code = if faults.iter().all(|fault| matches!(fault.ends, Ends::Well(_) | Ends::WellAtLast(..))) {
        0
    } else {
        3
    };
    let result = finished.result().unwrap_or_else(|| panic!("no result\n{}", finished.stderr));
    let wrong: Vec<String> = faults.iter().flat_map(|fault| fault.wrong(&result)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(finished.took < IN_TIME, "{:?}", finished.took);
    assert!(finished.ended_with(code), "{code}: {}", finished.stdout);
    assert!(result["generator"]["rss_mb"].as_f64() < Some(MOST_MB), "{}", result["generator"]);
    result
}
