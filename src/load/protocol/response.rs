//! A response as far as a step looks at it: checked against what is expected, mined for captures.

use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use hyper::HeaderMap;
use minijinja::Value;
use regex::bytes::Regex;

use super::body::{self, Match, Unpacked};
use super::{excerpt, header};
use crate::load::measure::outcome::{Failure, FailureKind};
use crate::load::memory::{Budget, Hold};
use crate::plan::step::{Capture, Expectation, Extract, Visibility};
use crate::template::{Document, Found, JsonTemplate, Query, Scope, collect_texts, json_text};

/// A whole response. Its body is parsed once, when something first asks.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; empty where nothing looks at it.
    pub body: Bytes,
    /// In a box: most responses are never parsed, and all are moved.
    json: OnceCell<Box<Result<Document, String>>>,
    /// What its body holds, and what its headers hold.
    holds: (Hold, Hold),
    /// What is held for the value that expressions see, and about how many bytes of it are JSON.
    shown: (Hold, usize),
    /// What patterns found in its body, where that has been looked for.
    matches: Vec<Match>,
}

impl Response {
    /// A response, not parsed yet.
    pub fn new(status: u16, headers: HeaderMap, body: Bytes) -> Self {
        let (holds, shown) = Default::default();
        Self { status, headers, body, json: OnceCell::new(), holds, shown, matches: Vec::new() }
    }

    /// The same, whose body and whose headers hold so much until it is gone.
    #[must_use]
    pub fn holding(self, hold: Hold, head: Hold) -> Self {
        Self { holds: (hold, head), ..self }
    }

    /// Takes the body, and what it holds.
    pub fn take_body(&mut self) -> (Bytes, Hold) {
        (std::mem::take(&mut self.body), std::mem::take(&mut self.holds.0))
    }

    /// Gives it its body, decoded.
    pub fn unpacked(&mut self, unpacked: Unpacked) {
        (self.body, self.holds.0, self.shown) = (unpacked.body, unpacked.hold, unpacked.value);
        self.matches = unpacked.matches;
        self.json = unpacked.json.map(|json| OnceCell::from(Box::new(json))).unwrap_or_default();
    }

    /// The body of a WebSocket message, as if it were a response.
    pub fn of_message(body: Bytes) -> Self {
        Self::new(0, HeaderMap::new(), body)
    }

    /// Whether all expectations hold: that of the status first, in whatever order they are written.
    pub fn check(&self, expectations: &[Expectation], scope: &Scope) -> Result<(), Failure> {
        if let Some(wanted) = self.other_status(expectations) {
            return Err(self.unexpected_status(&wanted, &self.excerpt()));
        }
        expectations.iter().try_for_each(|expectation| self.expect(expectation, scope))
    }

    /// Checks what is known without the body.
    pub fn check_status(&self, expectations: &[Expectation]) -> Result<(), Failure> {
        self.other_status(expectations).map_or(Ok(()), |wanted| Err(self.unexpected_status(&wanted, "")))
    }

    /// What the status should have been; none where it is that. Where no expectation names any, 400 and above is a
    /// failure.
    fn other_status(&self, expectations: &[Expectation]) -> Option<String> {
        let is_of_status = |expectation: &&Expectation| matches!(expectation, Expectation::Status(_));
        let mut named = expectations.iter().filter(is_of_status).peekable();
        if named.peek().is_none() {
            return (self.status >= 400).then(|| "below 400".to_owned());
        }
        named.find(|expectation| !expectation.names(self.status)).map(status_text)
    }

    /// What a capture asks for.
    pub fn capture(&self, capture: &Capture) -> Result<Value, Failure> {
        let fail =
            |reason: String| Failure::new(FailureKind::Capture, format!("`{}`: {reason}", capture.name));
        self.extract(&capture.from).map_err(fail)
    }

    /// What its [`value`](Self::value) holds from now on, also when the response is gone.
    pub fn show(&mut self, budget: &Arc<Budget>) -> Result<Hold, Failure> {
        let (mut hold, json) = std::mem::take(&mut self.shown);
        hold.set(budget, json.saturating_add(header::size(&self.headers)))?;
        Ok(hold)
    }

    /// What its [`message_value`](Self::message_value) holds from now on, also when the message is gone.
    pub fn show_message(&mut self, budget: &Arc<Budget>) -> Result<Hold, Failure> {
        let (mut hold, json) = std::mem::take(&mut self.shown);
        hold.set(budget, if json == 0 { self.body.len() } else { json })?;
        Ok(hold)
    }

    /// What expressions see as `message`: its JSON, else its text.
    pub fn message_value(&self) -> Value {
        match self.json().and_then(Document::value) {
            Ok(value) => value.clone(),
            Err(_) => Value::from(String::from_utf8_lossy(&self.body).into_owned()),
        }
    }

    /// What expressions see as `response`: `{status, headers, json}`.
    pub fn value(&self) -> Value {
        let headers = self.headers.keys().filter_map(|name| {
            Some((name.as_str().to_owned(), Value::from(header::joined(&self.headers, name)?)))
        });
        let json = self.json().and_then(Document::value).cloned().unwrap_or_else(|_| Value::from(()));
        Value::from_pairs([
            ("status", Value::from(self.status)),
            ("headers", Value::from_pairs(headers)),
            ("json", json),
        ])
    }

    fn expect(&self, expectation: &Expectation, scope: &Scope) -> Result<(), Failure> {
        let fail = |message: String| Err(Failure::new(FailureKind::Expectation, message));
        let render =
            |error: crate::template::RenderError| Failure::new(FailureKind::Capture, error.to_string());
        match expectation {
            // It has been checked before all others.
            Expectation::Status(_) => Ok(()),
            Expectation::Contains(text) => {
                let wanted = text.render(scope).map_err(render)?;
                if wanted.is_empty() {
                    // Every body contains it, so it says nothing of this one.
                    fail("`contains` became an empty text, which every body contains".to_owned())
                } else if contains(&self.body, wanted.as_bytes()) {
                    Ok(())
                } else {
                    fail(format!("the body does not contain `{wanted}`"))
                }
            }
            Expectation::Header(name, template) => {
                let wanted = template.render(scope).map_err(render)?;
                match header::joined(&self.headers, name) {
                    Some(_) if header::is(&self.headers, name, &wanted) => Ok(()),
                    Some(found) => fail(format!("header `{name}` is `{found}`, not `{wanted}`")),
                    None => fail(format!("no header `{name}`; `{wanted}` was expected")),
                }
            }
            Expectation::Json { path, text, value } => self.expect_json((path, text), value, scope),
            Expectation::That(expression) => {
                // What cannot be looked at is not as expected: the answer is at fault, not the plan.
                let wrong = match expression.holds(scope) {
                    Ok(true) => return Ok(()),
                    Ok(false) => format!("`{}` does not hold", expression.source()),
                    Err(error) => format!("`{}` does not hold: {}", expression.source(), error.message),
                };
                fail(format!("{wrong}{}", self.excerpt()))
            }
        }
    }

    fn expect_json(
        &self,
        (path, text): (&Query, &str),
        value: &JsonTemplate,
        scope: &Scope,
    ) -> Result<(), Failure> {
        let fail = |message: String| Failure::new(FailureKind::Expectation, message);
        let wanted =
            value.render(scope).map_err(|error| Failure::new(FailureKind::Capture, error.to_string()))?;
        let found = self.find(path, text).map_err(fail)?;
        if Document::new(wanted.clone().into()).is_ok_and(|wanted| found.is_same_as(&wanted)) {
            return Ok(());
        }
        Err(fail(format!("`{text}` is {}, not {wanted}", json_text(found.value()))))
    }

    /// The texts that captures marked as secret would keep, whether or not anything else of the response is as
    /// expected: a message about what is not may show them.
    pub fn secrets(&self, captures: &[Capture]) -> Vec<String> {
        let mut texts = Vec::new();
        for capture in captures.iter().filter(|capture| capture.visibility == Visibility::Secret) {
            if let Ok(value) = self.extract(&capture.from) {
                collect_texts(&value, &mut texts);
            }
        }
        texts
    }

    fn extract(&self, from: &Extract) -> Result<Value, String> {
        match from {
            Extract::Json { path, text } => self.find(path, text).map(|found| found.value().clone()),
            Extract::Header(name) => header::captured(&self.headers, name)
                .map(Value::from)
                .ok_or_else(|| format!("no header `{name}`")),
            Extract::Regex { pattern, group } => self
                .place(pattern, *group)
                .and_then(|place| self.body.get(place))
                .map(|found| Value::from(String::from_utf8_lossy(found).into_owned()))
                .ok_or_else(|| format!("`{pattern}` finds nothing in the body{}", self.excerpt())),
        }
    }

    /// Where in the body the first match of a pattern has this group.
    pub(super) fn place(&self, pattern: &Regex, group: usize) -> Option<Range<usize>> {
        let is_it = |(known, of, _): &&Match| *of == group && known.as_str() == pattern.as_str();
        match self.matches.iter().find(is_it) {
            Some((_, _, place)) => place.clone(),
            None => body::search(pattern, group, &self.body),
        }
    }

    fn find<'r>(&'r self, path: &'r Query, text: &str) -> Result<Found<'r>, String> {
        let found = self.json().and_then(|json| json.first(path));
        let found = found.map_err(|error| format!("the body is not JSON: {error}{}", self.excerpt()))?;
        found.ok_or_else(|| format!("`{text}` finds nothing{}", self.excerpt()))
    }

    fn json(&self) -> Result<&Document, &str> {
        let json = self.json.get_or_init(|| Box::new(Document::new(self.body.clone())));
        (**json).as_ref().map_err(String::as_str)
    }

    fn unexpected_status(&self, wanted: &str, excerpt: &str) -> Failure {
        Failure::new(FailureKind::Status, format!("status {}, expected {wanted}{excerpt}", self.status))
    }

    /// The beginning of the body, for the end of a message.
    fn excerpt(&self) -> String {
        let text = excerpt::beginning(&self.body, 400);
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() {
            String::new()
        } else {
            format!(": {}", line.chars().take(120).collect::<String>())
        }
    }
}

/// The statuses that an expectation names.
fn status_text(expectation: &Expectation) -> String {
    let Expectation::Status(ranges) = expectation else { return String::new() };
    let one =
        |(low, high): &(u16, u16)| if low == high { low.to_string() } else { format!("{low}–{high}") };
    ranges.iter().map(one).collect::<Vec<_>>().join(" or ")
}

fn contains(body: &[u8], wanted: &[u8]) -> bool {
    memchr::memmem::find(body, wanted).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{Seeds, Template};

    #[test]
    fn an_empty_text_is_in_no_body() {
        let scope = Scope::new(Arc::default(), Seeds::both(1));
        let contains = [Expectation::Contains(Template::compile("{{ '' }}").unwrap())];
        let response = Response::new(200, HeaderMap::new(), Bytes::from_static(b"gone"));
        let failure = response.check(&contains, &scope).unwrap_err();
        assert!(failure.message.contains("an empty text"), "{}", failure.message);
    }

    #[test]
    fn expressions_see_headers_by_their_names() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", hyper::header::HeaderValue::from_static("text/html"));
        let seen = Response::new(200, headers, Bytes::new()).value().get_attr("headers").unwrap();
        assert_eq!(seen.get_attr("content-type").unwrap().as_str(), Some("text/html"));
    }

    #[test]
    fn a_status_is_judged_alike_before_and_after_the_rest_is_known() {
        let scope = Scope::new(Arc::default(), Seeds::both(1));
        let of = |status| Expectation::Status(vec![status]);
        let text = || Expectation::Contains(Template::compile("none").unwrap());
        for (status, expectations, wanted) in [
            (399, vec![], None),
            (400, vec![], Some("below 400")),
            (200, vec![of((200, 299))], None),
            (404, vec![of((404, 404))], None),
            (204, vec![of((200, 200))], Some("200")),
            (500, vec![of((200, 299))], Some("200–299")),
            (500, vec![text()], Some("below 400")),
            // Whatever is written first.
            (500, vec![text(), of((200, 200))], Some("200")),
        ] {
            let response = Response::new(status, HeaderMap::new(), Bytes::from_static(b"gone"));
            let (known, all) = (response.check_status(&expectations), response.check(&expectations, &scope));
            let wanted = wanted.map(|wanted| format!("status {status}, expected {wanted}"));
            assert_eq!(known.err().map(|failure| failure.message), wanted);
            assert_eq!(all.err().map(|failure| failure.message), wanted.map(|it| format!("{it}: gone")));
        }
    }
}
