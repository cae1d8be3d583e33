//! Words that other tools have, or a later version will have, and what does the same here.

use crate::config::schema::Shape;
use crate::metric::{Metric, Percentile};

/// What to write in place of an action of a step that is none of those there are.
pub(super) fn action(typed: &str, mut known: impl Iterator<Item = &'static str>) -> Option<String> {
    if let Some(words) = of_others(typed) {
        return Some(words.to_owned());
    }
    let is_method = typed.len() > 2 && typed.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    let is_known = known.any(|name| name.eq_ignore_ascii_case(typed));
    (is_method && !is_known).then(|| {
        format!("any method is written `request: {{method: {typed}, path: /path}}`; those that have a key of their own are written in lower case")
    })
}

/// What does the same as a step of another tool.
fn of_others(typed: &str) -> Option<&'static str> {
    match typed {
        "events" | "sse" | "stream" => Some(
            "server-sent events are not read as events in this version: a request ends with its response, or at its \
             `timeout`; `websocket` steps wait for messages",
        ),
        "grpc" => Some(
            "gRPC is not spoken in this version: a step is one of get, post, put, patch, delete, head, options, request, \
             websocket",
        ),
        "graphql" => Some(
            "write GraphQL as the request that it is: `post: /graphql` with `json: {query: \"…\", variables: {…}}`",
        ),
        "request" | "method" | "http" | "url" => Some(
            "the method is the key, and the path its value: `get: /path`; methods with a key: get, post, put, patch, \
             delete, head, options; any other is written `request: {method: PROPFIND, path: /path}`",
        ),
        _ => None,
    }
}

/// What to write in place of a key that a mapping does not have.
pub(super) fn key(typed: &str, shape: &Shape) -> Option<String> {
    let judges = shape.key("error_rate").is_some() && shape.key("p95").is_some();
    let number = typed.trim_start_matches("connect_").strip_prefix('p').unwrap_or_default();
    // One of two digits is most likely a slip.
    let percentile = number.len() > 2 && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if judges && percentile {
        let known = Percentile::ALL.map(|known| Metric::Response(known).name()).join(", ");
        return Some(format!("percentiles that can be judged: {known} (`p999` is 99.9 %)"));
    }
    let counts = ["errors", "error_count", "failures", "failed", "max_errors", "failed_requests"];
    if judges && counts.contains(&typed) {
        return Some(
            "failures are judged as a share of all requests: `error_rate: 1%`; `error_rate: 0%` allows none"
                .to_owned(),
        );
    }
    if shape.key("get").is_some() {
        return of_others(typed).map(str::to_owned);
    }
    None
}
