//! What a server can do wrong over HTTP/2, each on a server of its own.

use serde_json::{Value, json};

use crate::external::whole;
use crate::fault_server::{FaultServer, Mode};
use crate::harness::Workspace;
use crate::suffering::{Fault, Next, suffer};

/// Servers with one fault each, and what becomes of it.
#[derive(Default)]
struct Suite {
    servers: Vec<FaultServer>,
    faults: Vec<Fault>,
}

impl Suite {
    fn server(&mut self, fault: &'static str) -> (Value, String) {
        let server = FaultServer::start(Mode::Http2(fault));
        let urls = (json!({"get": server.url("/fault")}), server.url("/fine"));
        self.servers.push(server);
        urls
    }

    fn no_failure(mut self, fault: &'static str, next: Next) -> Self {
        let (step, fine) = self.server(fault);
        self.faults.push(Fault::no_failure(fault, step, fine, next));
        self
    }

    /// A request that is sent again, which this field counts.
    fn sent_again(mut self, fault: &'static str, field: &'static str) -> Self {
        let (step, fine) = self.server(fault);
        self.faults.push(Fault::sent_again(fault, step, fine, (field, Next::Opens)));
        self
    }

    /// Likewise, of an upload.
    fn sends_upload_again(mut self, fault: &'static str, field: &'static str) -> Self {
        let (step, fine) = self.server(fault);
        self.faults.push(Fault::sent_again(fault, upload(&step["get"]), fine, (field, Next::Opens)));
        self
    }

    fn fails(mut self, fault: &'static str, how: (&'static str, &'static str)) -> Self {
        let (step, fine) = self.server(fault);
        self.faults.push(Fault::fails(fault, step, fine, how));
        self
    }

    /// Likewise, after an upload.
    fn fails_to_upload(mut self, fault: &'static str, how: (&'static str, &'static str)) -> Self {
        let (step, fine) = self.server(fault);
        let step = upload(&step["get"]);
        self.faults.push(Fault::fails(fault, step, fine, how));
        self
    }

    /// Likewise, and the connection stays.
    fn fails_and_keeps(mut self, fault: &'static str, how: (&'static str, &'static str)) -> Self {
        let (step, fine) = self.server(fault);
        let step = upload(&step["get"]);
        self.faults.push(Fault::fails_apart(fault, step, fine, how));
        self
    }

    fn suffer(&self) {
        let host = FaultServer::start(Mode::ByPath);
        suffer(&host, json!({"http": {"version": "2"}}), &self.faults);
        for (server, fault) in self.servers.iter().zip(&self.faults) {
            // The last one may not be gone yet.
            assert!(server.most_open() <= 3, "{}: {} connections at once", fault.name, server.most_open());
        }
    }
}

/// A body larger than the window a server begins with.
fn upload(url: &Value) -> Value {
    json!({"post": url, "raw": "{{ 'upload ' * 100000 }}"})
}

#[test]
fn a_connection_that_the_server_gives_up_fails_only_what_was_on_it() {
    Suite::default()
        .no_failure("idle-goaway", Next::Opens)
        .no_failure("idle-close", Next::Opens)
        .no_failure("goaway-then-the-rest", Next::Opens)
        .no_failure("interim", Next::Keeps)
        .no_failure("pings", Next::Keeps)
        .fails("goaway-within", ("reset", "the connection ended"))
        // A POST, for a GET is sent again where the connection was not new.
        .fails_to_upload("cut-before", ("reset", ""))
        .fails("cut-headers", ("reset", "the connection ended"))
        .fails("cut-body", ("reset", "the connection ended"))
        .fails("cut-data", ("reset", "the connection ended"))
        .fails("tcp-reset", ("reset", "connection reset"))
        .fails("closed-at-once", ("reset", "the connection"))
        .suffer();
}

#[test]
fn a_stream_that_the_server_resets_says_with_which_code() {
    Suite::default()
        .fails("reset-before-no-error", ("reset", "reset the stream: NO_ERROR"))
        .fails("reset-before-protocol-error", ("reset", "reset the stream: PROTOCOL_ERROR"))
        .fails("reset-before-internal-error", ("reset", "reset the stream: INTERNAL_ERROR"))
        .fails("reset-before-cancel", ("reset", "reset the stream: CANCEL"))
        .fails("reset-before-enhance-your-calm", ("reset", "reset the stream: ENHANCE_YOUR_CALM"))
        .fails("reset-within-no-error", ("reset", "reset the stream: NO_ERROR before the end"))
        .fails("reset-within-protocol-error", ("reset", "reset the stream: PROTOCOL_ERROR"))
        .fails("reset-within-internal-error", ("reset", "reset the stream: INTERNAL_ERROR"))
        .fails("reset-within-refused", ("reset", "reset the stream: REFUSED_STREAM"))
        .fails("reset-within-cancel", ("reset", "reset the stream: CANCEL"))
        .fails("reset-within-enhance-your-calm", ("reset", "reset the stream: ENHANCE_YOUR_CALM"))
        .no_failure("whole-then-reset", Next::Keeps)
        .fails_and_keeps("early", ("status", "status 413"))
        .suffer();
}

#[test]
fn what_stalls_is_a_timeout() {
    let timeout = ("timeout", "no complete response within 300ms");
    Suite::default()
        .fails_to_upload("no-window", timeout)
        .fails("silent", timeout)
        .fails("headers-and-silence", timeout)
        .fails("no-streams", timeout)
        .suffer();
}

#[test]
fn what_is_no_http2_is_a_breach_of_protocol() {
    Suite::default()
        .fails("no-preface", ("protocol", "the answer is no HTTP/2"))
        .fails("http1", ("protocol", "`http: {version: 1.1}` speaks HTTP/1.1"))
        .fails("bad-settings", ("protocol", "a rule of HTTP/2: PROTOCOL_ERROR"))
        // Whichever of the window and `max_body` is passed first.
        .fails("no-flow-control", ("protocol", ""))
        .fails("window-overflow", ("protocol", "a rule of HTTP/2: FLOW_CONTROL_ERROR"))
        .fails("window-of-nothing", ("protocol", "a rule of HTTP/2: PROTOCOL_ERROR"))
        .fails("huge-frame", ("protocol", "a rule of HTTP/2: FRAME_SIZE_ERROR"))
        .fails("hpack-garbage", ("protocol", "a rule of HTTP/2: PROTOCOL_ERROR"))
        .fails("no-status", ("protocol", "a rule of HTTP/2: PROTOCOL_ERROR"))
        .fails("long-body", ("protocol", "`max_body`"))
        .fails("endless-headers", ("protocol", "a rule of HTTP/2: ENHANCE_YOUR_CALM"))
        .fails("endless-continuation", ("protocol", "a rule of HTTP/2: ENHANCE_YOUR_CALM"))
        .fails("data-on-stream-0", ("protocol", "a rule of HTTP/2: PROTOCOL_ERROR"))
        .fails("data-of-an-idle-stream", ("protocol", "a rule of HTTP/2: PROTOCOL_ERROR"))
        .fails("data-before-headers", ("protocol", "a rule of HTTP/2: PROTOCOL_ERROR"))
        .fails("push", ("protocol", "a rule of HTTP/2: PROTOCOL_ERROR"))
        .fails("too-short", ("protocol", "a rule of HTTP/2: PROTOCOL_ERROR"))
        .fails("too-long", ("protocol", "a rule of HTTP/2: PROTOCOL_ERROR"))
        .suffer();
}

#[test]
fn what_the_server_has_not_processed_is_sent_again_whatever_it_asks_for() {
    Suite::default()
        .sent_again("goaway-before", "retried_on_refusal")
        .sent_again("goaway-error", "retried_on_refusal")
        .sent_again("reset-before-refused", "retried_on_refusal")
        .sends_upload_again("goaway-before", "retried_on_refusal")
        .sends_upload_again("reset-before-refused", "retried_on_refusal")
        .suffer();
}

#[test]
fn a_stream_that_meets_the_close_of_an_idle_connection_is_sent_again() {
    Suite::default()
        .sent_again("kept-cut-before", "retried_on_close")
        .sent_again("kept-reset-before", "retried_on_close")
        .suffer();
}

#[test]
fn a_server_that_refuses_every_time_fails_after_the_second_try() {
    for fault in ["every-reset-before-refused", "every-goaway-before"] {
        let server = FaultServer::start(Mode::Http2(fault));
        let config = json!({
            "version": 1, "name": "refused", "http": {"version": "2"},
            "environments": {"here": {"host": server.url(""), "users": 1, "run_time": "1s"}},
            "scenarios": {"s": {"users": {"u": {"wait": "10s", "steps": [{"repeat": 5, "steps": [
                {"post": "/x", "raw": "x", "name": "step", "on_failure": "continue"}]}]}}}},
        });
        let finished = Workspace::with_config(&config.to_string()).run(&["run", "--quiet"]);
        let result = finished.result().unwrap_or_else(|| panic!("no result\n{}", finished.stderr));
        let step = whole(&result, "step");
        assert_eq!(step["failed"], json!({"reset": 5}), "{fault}: {}", result["failures"]);
        assert_eq!(step["retried_on_refusal"], 5, "{fault}");
        assert_eq!(server.requests(), 10, "{fault}");
    }
}
