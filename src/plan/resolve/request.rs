//! HTTP requests: address, headers, body, and what is made of the response.

use std::time::Duration;

use hyper::Method;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};

use crate::config::node::{Node, Value};
use crate::config::problem::Problem;
use crate::plan::EndpointKind;
use crate::plan::credentials;
use crate::plan::step::{Body, DefaultHeaders, FieldName, HeaderValue, Poll, Redirects, Request};
use crate::plan::user::Wait;
use crate::template::Template;

use super::address::{self, Leads, Speaks};
use super::compilation::{Compilation, Place, Stage};
use super::{connection, text, unit, wait};

/// From the end of one request of a poll to the start of the next, where nothing is said.
const POLL_EVERY: Duration = Duration::from_secs(1);
static CONTENT_TYPE_NAME: FieldName = FieldName::of(CONTENT_TYPE, "content-type");
static AUTHORIZATION_NAME: FieldName = FieldName::of(AUTHORIZATION, "authorization");

/// How long a poll goes on, where nothing is said.
const POLL_TIMEOUT: Duration = Duration::from_mins(1);

/// Where a header of a class goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goes {
    /// Wherever the request goes.
    Everywhere,
    /// To the target, and to the origins that are part of the service.
    Home,
    /// It stays behind.
    Nowhere,
}

impl<'a> Compilation<'a> {
    /// A request; `step` is the step and the address in it.
    pub fn request(
        &mut self,
        method: &Method,
        (step, address): (&'a Node, &'a Node),
        place: Place<'a>,
    ) -> Option<Request> {
        let url = self.template(address, place.sight())?;
        self.secrets.extend(credentials::secrets_in(url.source()));
        let checked = address::check(&url, Speaks::Http).map_err(|problem| problem.at(address.span));
        self.keep(checked);
        let name = self.endpoint_name(step, || format!("{method} {}", address::name(&url)));
        let (body, content_type) = self.body(step, place);
        let (headers, defaults) = self.headers(step, (&url, content_type.as_deref()), place);
        Some(Request {
            endpoint: self.endpoint(name, EndpointKind::Http, address.span),
            method: method.clone(),
            url,
            query: self.fields(step.get("query"), place.sight()),
            headers,
            defaults,
            body,
            expect: self.expectations(step.get("expect"), place.sight()),
            captures: self.captures(step),
            record: self.metric(step.get("record")),
            poll: step.get("poll").and_then(|poll| self.poll(poll, place)),
            timeout: unit::duration(step.get("timeout")),
            redirects: self.redirects(step.get("redirects")),
        })
    }

    fn redirects(&mut self, node: Option<&Node>) -> Redirects {
        let Some(node) = node else { return Redirects::default() };
        self.problems.extend(connection::wrong_redirects(node));
        connection::redirects(node)
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
    /// the step, under its authorisation; and which of those that are sent by default are left to it. Null takes one
    /// away.
    pub fn headers(
        &mut self,
        step: &'a Node,
        (url, content_type): (&Template, Option<&str>),
        place: Place<'a>,
    ) -> (Vec<(FieldName, HeaderValue)>, DefaultHeaders) {
        let mut headers: Vec<(FieldName, HeaderValue)> = Vec::new();
        let mut defaults = DefaultHeaders { user_agent: true, accept: true, authorization: true };
        let written_before = self.written.len();
        let default = content_type.and_then(|text| Template::compile(text).ok());
        headers.extend(default.map(|text| (CONTENT_TYPE_NAME.clone(), HeaderValue::Text(text))));
        let of_class = place.headers.map_or(&[][..], Node::entries).iter();
        let of_step = step.get("headers").map_or(&[][..], Node::entries).iter();
        let said = of_class.map(|entry| (entry, place.stage)).chain(of_step.map(|it| (it, Stage::Iteration)));
        for ((key, value), stage) in said {
            let name = FieldName::typed(&key.name).ok_or_else(|| {
                Problem::at(key.span, format!("`{}` is not the name of a header", key.name))
                    .hint("write letters, digits and `-`, such as `X-Request-Id`")
            });
            let Some(name) = self.keep(name) else { continue };
            let goes = match stage {
                Stage::Start => self.goes(&name, value, (url, content_type)),
                Stage::Iteration => Goes::Everywhere,
            };
            if goes == Goes::Nowhere {
                continue;
            }
            defaults.user_agent &= *name != USER_AGENT;
            defaults.accept &= *name != ACCEPT;
            defaults.authorization &= *name != AUTHORIZATION;
            if *name == CONTENT_TYPE && content_type.is_some_and(|text| text.starts_with("multipart/")) {
                let problem =
                    Problem::at(key.span, "`multipart` says its own `content-type`, with the boundary");
                self.problems.push(problem.hint("leave this header out"));
                continue;
            }
            headers.retain(|(known, _)| **known != *name);
            if value.value != Value::Null {
                let value = self.template(value, place.sight());
                let holds_secret = value.as_ref().is_some_and(|value| self.holds_secret(value));
                let name = if holds_secret { name.holding_secret() } else { name };
                let value =
                    value.map(if goes == Goes::Home { HeaderValue::AtHome } else { HeaderValue::Text });
                headers.extend(value.map(|value| (name, value)));
            }
        }
        self.in_headers.extend_from_slice(&self.written[written_before..]);
        if let Some(value) = self.authorization(step, place) {
            headers.retain(|(known, _)| **known != AUTHORIZATION);
            headers.push((AUTHORIZATION_NAME.clone(), value));
            defaults.authorization = false;
        }
        (headers, defaults)
    }

    /// Where a request of `on_start` may take this header of its class. Nowhere where the header reads what is captured
    /// only later, or the body says it of itself. What says who asks goes home alone: a user most often logs in there,
    /// and a service for that refuses to be told twice. So does what may hold a secret, unless the step itself
    /// says the origin: an address that is made of values may have been said by a service.
    fn goes(
        &mut self,
        name: &FieldName,
        value: &Node,
        (url, content_type): (&Template, Option<&str>),
    ) -> Goes {
        if **name == CONTENT_TYPE && content_type.is_some() {
            return Goes::Nowhere;
        }
        let template = text::template(self.sources, value).and_then(Result::ok);
        let captured =
            template.as_ref().is_some_and(|it| it.names().iter().any(|read| self.names.is_given(read)));
        let says_who = name.says_who();
        let leads = address::leads(url, self.host.as_ref());
        let holds_secret = template.is_some_and(|it| self.holds_secret(&it));
        let goes = match leads {
            _ if captured => Goes::Nowhere,
            Leads::Elsewhere if says_who => Goes::Home,
            Leads::Anywhere if says_who || holds_secret => Goes::Home,
            Leads::Home | Leads::Elsewhere | Leads::Anywhere => Goes::Everywhere,
        };
        if goes != Goes::Everywhere && value.value != Value::Null {
            self.withheld.insert(name.as_typed().to_owned());
        }
        goes
    }

    fn authorization(&mut self, step: &'a Node, place: Place<'a>) -> Option<HeaderValue> {
        let written_before = self.written.len();
        if let Some(token) = step.get("bearer") {
            let token = self.template(token, place.sight());
            self.in_headers.extend_from_slice(&self.written[written_before..]);
            return token.map(HeaderValue::Bearer);
        }
        let basic = step.get("basic")?;
        let user = self.template(basic.get("user")?, place.sight());
        let password = match basic.get("password") {
            Some(password) => self.template(password, place.sight()),
            None => Template::compile("").ok(),
        };
        self.in_basic.extend_from_slice(&self.written[written_before..]);
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
            let fields = self.fields(Some(form), place.sight());
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
