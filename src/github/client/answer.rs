//! One answer of the API: its status, what its headers say about another attempt or page, its bytes. Pure.

use std::time::Duration;

use hyper::HeaderMap;
use serde::Deserialize;

use super::error::ClientError;
use crate::report::text::{printable, shorten};

/// The most characters of GitHub's words that are told.
const LONGEST_MESSAGE: usize = 300;
/// How long to wait where GitHub limits requests and does not say until when.
const UNSAID: Duration = Duration::from_mins(1);

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// How long GitHub asks to wait; none where it does not limit this request.
    pub(super) limited: Option<Duration>,
    /// Whether there is another page.
    pub(super) more: bool,
    pub(super) bytes: Vec<u8>,
}

/// Why the API said no.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    message: String,
    errors: Vec<serde_json::Value>,
}

impl Answer {
    /// `now_s` is the time in seconds since the Unix epoch, in which one of the headers counts.
    pub(super) fn new(status: u16, headers: &HeaderMap, bytes: Vec<u8>, now_s: u64) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let number = |name: &str| text(name).and_then(|text| text.trim().parse::<u64>().ok());
        let asked = number("retry-after").map(Duration::from_secs);
        let spent = number("x-ratelimit-remaining") == Some(0);
        let reset = number("x-ratelimit-reset")
            .filter(|_| spent)
            .map(|at| Duration::from_secs(at.saturating_sub(now_s)));
        let limited = match status {
            429 => Some(asked.or(reset).unwrap_or(UNSAID)),
            403 => asked.or(reset),
            _ => None,
        };
        Self { status, limited, more: text("link").is_some_and(|link| link.contains("rel=\"next\"")), bytes }
    }

    /// Whether the server, or a proxy before it, could not do its work.
    pub(super) fn is_broken(&self) -> bool {
        self.status >= 500
    }

    /// The answer, if it is no refusal.
    pub(super) fn accepted(self, request: &str) -> Result<Self, ClientError> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        Err(ClientError::Refused {
            request: request.to_owned(),
            status: self.status,
            message: shorten(&printable(&self.words()), LONGEST_MESSAGE),
        })
    }

    /// What it says in words: a message, and what exactly is wrong.
    fn words(&self) -> String {
        let Ok(refusal) = serde_json::from_slice::<Refusal>(&self.bytes) else {
            return "no reason given".to_owned();
        };
        let details = refusal.errors.iter().filter_map(|error| {
            error.get("message").and_then(|message| message.as_str()).or_else(|| error.as_str())
        });
        let words: Vec<_> = std::iter::once(refusal.message.as_str()).chain(details).collect();
        let words = words.join(": ");
        words.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| (hyper::header::HeaderName::from_static(name), value.parse().unwrap()));
        Answer::new(status, &headers.collect(), body.as_bytes().to_vec(), 1_000)
    }

    #[test]
    fn a_limit_says_how_long_to_wait() {
        let limited = |status, headers: &[_]| answer(status, headers, "").limited.map(|it| it.as_secs());
        assert_eq!(limited(429, &[("retry-after", "7")]), Some(7));
        assert_eq!(limited(429, &[]), Some(60));
        assert_eq!(limited(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1030")]), Some(30));
        assert_eq!(limited(403, &[("x-ratelimit-remaining", "5"), ("x-ratelimit-reset", "1030")]), None);
        assert_eq!(limited(403, &[]), None);
        assert_eq!(limited(200, &[("retry-after", "7")]), None);
    }

    #[test]
    fn a_refusal_says_why_in_the_words_of_the_api() {
        let body = r#"{"message":"Validation Failed","errors":[{"code":"custom","message":"body is too long"},"x"]}"#;
        let error = answer(422, &[], body).accepted("POST /x").unwrap_err();
        assert_eq!(
            error.to_string(),
            "GitHub answered 422 to POST /x: Validation Failed: body is too long: x"
        );
        assert!(error.is_too_long() && !error.is_forbidden());
        let error = answer(502, &[], "<html>").accepted("GET /x").unwrap_err();
        assert_eq!(error.to_string(), "GitHub answered 502 to GET /x: no reason given");
    }

    #[test]
    fn only_a_next_page_is_more() {
        let more = |link| answer(200, &[("link", link)], "").more;
        assert!(more("<https://x/?page=2>; rel=\"next\", <https://x/?page=9>; rel=\"last\""));
        assert!(!more("<https://x/?page=1>; rel=\"prev\""));
    }
}
