//! HTTP requests: address, headers, body, and what is made of the response.

use std::time::Duration;

use hyper::Method;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};

use crate::config::node::{Node, Value};
use crate::config::problem::Problem;
use crate::plan::EndpointKind;
use crate::plan::step::{Body, HeaderValue, Poll, Request};
use crate::plan::user::Wait;
use crate::template::Template;

use super::address::{self, Speaks};
use super::compilation::{Compilation, Place};
use super::{unit, wait};

/// From the end of one request of a poll to the start of the next, where nothing is said.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// How long a poll goes on, where nothing is said.
const POLL_TIMEOUT: Duration = Duration::from_mins(1);

impl<'a> Compilation<'a> {
    /// A request; `step` is the step and the address in it.
    pub fn request(
        &mut self,
        method: &Method,
        (step, address): (&'a Node, &'a Node),
        place: Place<'a>,
    ) -> Option<Request> {
        let url = self.template(address, place.sight())?;
        let checked = address::check(&url, Speaks::Http).map_err(|problem| problem.at(address.span));
        self.keep(checked);
        let name = self.endpoint_name(step, || format!("{method} {}", address::name(&url)));
        let (body, content_type) = self.body(step, place);
        Some(Request {
            endpoint: self.endpoint(name, EndpointKind::Http, address.span),
            method: method.clone(),
            url,
            query: self.templates(step.get("query"), place.sight()),
            headers: self.headers(step, content_type.as_deref(), place),
            body,
            expect: self.expectations(step.get("expect"), place.sight()),
            captures: self.captures(step),
            record: self.metric(step.get("record")),
            poll: step.get("poll").and_then(|poll| self.poll(poll, place)),
            timeout: unit::duration(step.get("timeout")),
            redirects: unit::parsed(step.get("redirects")),
        })
    }

    /// The name of an endpoint: the one given, else the one made.
    pub fn endpoint_name(&mut self, step: &Node, made: impl FnOnce() -> String) -> String {
        let Some((node, name)) = step.get("name").and_then(|node| Some((node, node.scalar()?))) else {
            return made();
        };
        if name.contains("{{") {
            let problem =
                Problem::at(node.span, "the name of an endpoint cannot change from request to request");
            self.problems
                .push(problem.hint("write what changes as `{id}`: all these requests are one endpoint"));
        }
        name.to_owned()
    }

    /// The headers of a request: what the body says of itself, under those of the class, under those of
    /// the step, under its authorisation. Null takes one away.
    pub fn headers(
        &mut self,
        step: &'a Node,
        content_type: Option<&str>,
        place: Place<'a>,
    ) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
        let asked_before = self.environment.len();
        let default = content_type.and_then(|text| Template::compile(text).ok());
        headers.extend(default.map(|text| (CONTENT_TYPE, HeaderValue::Text(text))));
        for node in [place.headers, step.get("headers")].into_iter().flatten() {
            for (key, value) in node.entries() {
                let name = HeaderName::from_bytes(key.name.as_bytes()).map_err(|_| {
                    Problem::at(key.span, format!("`{}` is not the name of a header", key.name))
                        .hint("write letters, digits and `-`, such as `X-Request-Id`")
                });
                let Some(name) = self.keep(name) else { continue };
                if name == CONTENT_TYPE && content_type.is_some_and(|text| text.starts_with("multipart/")) {
                    let problem =
                        Problem::at(key.span, "`multipart` says its own `content-type`, with the boundary");
                    self.problems.push(problem.hint("leave this header out"));
                    continue;
                }
                headers.retain(|(known, _)| *known != name);
                if value.value != Value::Null {
                    let value = self.template(value, place.sight());
                    headers.extend(value.map(|value| (name, HeaderValue::Text(value))));
                }
            }
        }
        if let Some(value) = self.authorization(step, place) {
            headers.retain(|(known, _)| *known != AUTHORIZATION);
            headers.push((AUTHORIZATION, value));
        }
        self.in_headers.extend_from_slice(&self.environment[asked_before..]);
        headers
    }

    fn authorization(&mut self, step: &'a Node, place: Place<'a>) -> Option<HeaderValue> {
        if let Some(token) = step.get("bearer") {
            return self.template(token, place.sight()).map(HeaderValue::Bearer);
        }
        let basic = step.get("basic")?;
        let user = self.template(basic.get("user")?, place.sight());
        let password = match basic.get("password") {
            Some(password) => self.template(password, place.sight()),
            None => Template::compile("").ok(),
        };
        Some(HeaderValue::Basic { user: user?, password: password? })
    }

    /// The body, and the content type it has where no header says otherwise.
    fn body(&mut self, step: &'a Node, place: Place<'a>) -> (Body, Option<String>) {
        if let Some((_, json)) = step.entry("json") {
            let json = self.json(json, place.sight());
            let fixed = json.constant().map(|text| Body::Fixed(text.to_owned().into()));
            return (fixed.unwrap_or(Body::Json(json)), Some("application/json".into()));
        }
        if let Some(form) = step.get("form") {
            let fields = self.templates(Some(form), place.sight());
            return (Body::Form(fields), Some("application/x-www-form-urlencoded".into()));
        }
        if let Some(raw) = step.get("raw").and_then(|raw| self.template(raw, place.sight())) {
            return (Body::Raw(raw), Some("text/plain; charset=utf-8".into()));
        }
        if let Some(fields) = step.get("multipart") {
            let (body, content_type) = self.multipart(fields, place);
            return (body, Some(content_type));
        }
        let file = step.get("file").and_then(|file| self.file(file));
        (file.map_or(Body::Empty, Body::Fixed), None)
    }

    fn poll(&mut self, node: &'a Node, place: Place<'a>) -> Option<Poll> {
        let until = node.get("until").and_then(|text| self.expression(text, place.sight().response()));
        let every = match node.get("every").and_then(wait::pause) {
            Some(wait) => self.keep(wait)?,
            None => Wait::Constant(POLL_EVERY),
        };
        let timeout = unit::duration(node.get("timeout")).unwrap_or(POLL_TIMEOUT);
        Some(Poll { until: until?, every, timeout })
    }
}
