//! WebSockets and the messages awaited on them.

use std::time::Duration;

use crate::config::node::Node;
use crate::config::problem::Problem;
use crate::plan::EndpointKind;
use crate::plan::credentials;
use crate::plan::step::{Receive, Since, WebSocket};

use super::address::{self, Speaks};
use super::compilation::{Compilation, Place, Within};
use super::unit;

/// How long a message is waited for where nothing else is said.
const WITHIN: Duration = Duration::from_secs(30);

impl<'a> Compilation<'a> {
    /// A WebSocket step: `value` is its address, or a mapping with the address and its settings.
    pub fn websocket(&mut self, step: &'a Node, value: &'a Node, place: Place<'a>) -> Option<WebSocket> {
        let key = &step.entry("websocket")?.0;
        if place.websocket == Within::Inside {
            let problem = Problem::at(key.span, "a WebSocket inside of another");
            self.problems.push(problem.hint("a user has one WebSocket at a time: put the step after it"));
        }
        let url = self.template(value, place.sight())?;
        self.secrets.extend(credentials::secrets_in(url.source()));
        let checked = address::check(&url, Speaks::WebSocket).map_err(|problem| problem.at(value.span));
        self.keep(checked);
        let name = self.endpoint_name(step, || format!("WS {}", address::name(&url)));
        let endpoint = self.endpoint(name, EndpointKind::WebSocket, value.span);
        let query = self.fields(step.get("query"), place.sight());
        let (headers, defaults) = self.headers(step, (&url, None), place);
        let subprotocol = step.get("subprotocol").and_then(Node::scalar).map(str::to_owned);
        let record = self.metric(step.get("record"));
        let timeout = unit::duration(step.get("timeout"));
        let inside = Place { websocket: Within::Inside, ..place };
        let steps = self.inner_steps(step, key, inside);
        Some(WebSocket { endpoint, url, query, headers, defaults, subprotocol, record, timeout, steps })
    }

    /// A `receive` step.
    pub fn receive(&mut self, node: &'a Node, place: Place<'a>) -> Receive {
        let matches = node.get("where").and_then(|text| self.expression(text, place.sight().message()));
        let since = match node.get("since").and_then(Node::scalar) {
            Some("open") => Since::Open,
            Some("step") => Since::Step,
            _ => Since::LastSend,
        };
        Receive {
            matches,
            within: unit::duration(node.get("within")).unwrap_or(WITHIN),
            record: self.metric(node.get("record")),
            since,
            captures: self.captures(node),
        }
    }
}
