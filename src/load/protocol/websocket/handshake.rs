//! The opening handshake of a WebSocket (RFC 6455, 4.1): written in one piece, and its response decoded by what
//! decodes every HTTP/1.1 response. A library would do it as well; the one that carries the messages refuses
//! `Connection: keep-alive, Upgrade`, which the RFC allows and servers send, and passes over an extension that
//! nobody offered.

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{
    CONNECTION, HeaderName, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{HeaderMap, Method, Request, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::load::measure::outcome::{Failure, FailureKind};
use crate::load::memory::Budget;
use crate::load::protocol::http::broken;
use crate::load::protocol::http1::decoder::Decoder;
use crate::load::protocol::incoming::{Headers, Keep, Sieve, Wants};
use crate::load::protocol::redirect::is_redirect;
use crate::load::protocol::response::Response;
use crate::load::protocol::stream::Stream;
use crate::plan::step::FieldName;

/// Bytes that are read at once.
const READ: usize = 4 * 1024;

/// Names that some servers only know in these letters.
const SPELT: [(HeaderName, &str); 7] = [
    (header::HOST, "Host"),
    (CONNECTION, "Connection"),
    (UPGRADE, "Upgrade"),
    (SEC_WEBSOCKET_VERSION, "Sec-WebSocket-Version"),
    (SEC_WEBSOCKET_KEY, "Sec-WebSocket-Key"),
    (SEC_WEBSOCKET_PROTOCOL, "Sec-WebSocket-Protocol"),
    (ORIGIN, "Origin"),
];

/// What a server says to a handshake.
pub(super) enum Answer {
    /// It agrees.
    Agreed(Agreed),
    /// It redirects.
    Elsewhere(Box<Response>),
    /// It does not agree, or not to what was asked for: the failure that this is, and the headers of its answer.
    Refused(Box<(Failure, HeaderMap)>),
}

/// A server that has agreed.
pub(super) struct Agreed {
    /// The headers of its answer.
    pub headers: HeaderMap,
    /// What came behind it in the same packet: the beginning of the first message.
    pub rest: Vec<u8>,
}

/// Shakes hands on an open connection. Names of headers are written as in `spelt`, where they are in it.
pub(super) async fn shake(
    request: &Request<()>,
    spelt: &[&FieldName],
    stream: &mut Stream,
    budget: &Arc<Budget>,
) -> Result<Answer, Failure> {
    stream.write_all(&head(request, spelt)).await.map_err(|error| broken(&error))?;
    stream.flush().await.map_err(|error| broken(&error))?;
    let events = Cell::new(None);
    let wants =
        Wants { headers: Headers::All, body: Keep::Excerpt, limit: u64::MAX, budget, events: &events };
    let (mut decoder, mut sieve) = (Decoder::new(&Method::GET, wants.headers), Sieve::new(wants));
    let mut rest = Vec::with_capacity(READ);
    // The status is known once the whole head is there; what another status says at length is of no use.
    while decoder.status == 0 {
        if stream.read_buf(&mut rest).await.map_err(|error| broken(&error))? == 0 {
            let message = "the connection was closed before the answer to the handshake";
            return Err(Failure::new(FailureKind::Reset, message));
        }
        let used = decoder.feed(&rest, &mut sieve)?;
        rest.drain(..used);
        sieve.waits(rest.capacity())?;
    }
    let response = Response::new(decoder.status, decoder.headers, Bytes::new());
    if is_redirect(&response) {
        return Ok(Answer::Elsewhere(Box::new(response)));
    }
    Ok(match verify(request.headers(), response.status, &response.headers) {
        Ok(()) => Answer::Agreed(Agreed { headers: response.headers, rest }),
        Err(failure) => Answer::Refused(Box::new((failure, response.headers))),
    })
}

fn head(request: &Request<()>, typed: &[&FieldName]) -> Vec<u8> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let mut head = format!("GET {path} HTTP/1.1\r\n").into_bytes();
    let headers = request.headers();
    let mut put = |name: &str, value: &[u8]| head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    let spelling =
        |name: &HeaderName| typed.iter().find(|typed| ****typed == *name).map(|typed| typed.as_typed());
    for (name, spelt) in &SPELT {
        let written = spelling(name).unwrap_or(spelt);
        headers.get_all(name).iter().for_each(|value| put(written, value.as_bytes()));
    }
    for (name, value) in headers.iter().filter(|(name, _)| SPELT.iter().all(|(spelt, _)| spelt != name)) {
        put(spelling(name).unwrap_or(name.as_str()), value.as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Whether the answer agrees to what was asked for: names and tokens in any case, among others, on any line.
fn verify(asked: &HeaderMap, status: u16, answer: &HeaderMap) -> Result<(), Failure> {
    let breach = |what: String| {
        Err(Failure::new(FailureKind::Protocol, format!("the answer to the handshake {what}")))
    };
    if status != 101 {
        return Err(Failure::new(FailureKind::Status, format!("status {status}, expected 101")));
    }
    for (name, wanted) in [(UPGRADE, "websocket"), (CONNECTION, "upgrade")] {
        if !tokens(answer, &name).any(|token| token.eq_ignore_ascii_case(wanted)) {
            return breach(format!("has no `{name}: {wanted}`"));
        }
    }
    let key = asked.get(SEC_WEBSOCKET_KEY).map_or(&b""[..], |key| key.as_bytes());
    let accept = answer.get(SEC_WEBSOCKET_ACCEPT).map(|accept| accept.as_bytes().trim_ascii());
    if accept != Some(derive_accept_key(key).as_bytes()) {
        return breach("has the wrong `Sec-WebSocket-Accept`, so another request was answered".into());
    }
    if let Some(extension) = tokens(answer, &SEC_WEBSOCKET_EXTENSIONS).next() {
        return breach(format!("has the extension `{extension}`, which nobody offered"));
    }
    let mut agreed = tokens(answer, &SEC_WEBSOCKET_PROTOCOL);
    match (tokens(asked, &SEC_WEBSOCKET_PROTOCOL).next(), agreed.next(), agreed.next()) {
        (None, None, _) => Ok(()),
        (None, Some(agreed), _) => breach(format!("has the subprotocol `{agreed}`, which nobody asked for")),
        (Some(_), Some(agreed), None)
            if tokens(asked, &SEC_WEBSOCKET_PROTOCOL).any(|wanted| wanted == agreed) =>
        {
            Ok(())
        }
        (Some(wanted), ..) => {
            let message = format!("the server did not agree to subprotocol `{wanted}`");
            Err(Failure::new(FailureKind::Protocol, message))
        }
    }
}

/// The items of a list, over all lines of a header.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    /// The answer to that key (RFC 6455, 1.3).
    const ACCEPT: (&str, &str) = ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        headers
    }

    /// What is wrong with an answer to a request with these headers beside the key; nothing where nothing is.
    fn complaint(asked: &[(&str, &str)], status: u16, answer: &[(&str, &str)]) -> String {
        let asked = headers(&[&[("sec-websocket-key", KEY)], asked].concat());
        verify(&asked, status, &headers(answer)).map_or_else(|failure| failure.message, |()| String::new())
    }

    #[test]
    fn names_and_tokens_count_in_any_case_among_others_and_on_any_line() {
        for connection in ["Upgrade", "upgrade", "keep-alive, Upgrade", "Upgrade,Keep-Alive"] {
            let answer = [("UPGRADE", "WebSocket"), ("Connection", connection), ACCEPT];
            assert_eq!(complaint(&[], 101, &answer), "", "{connection}");
        }
        let lines =
            [("upgrade", "websocket"), ("connection", "keep-alive"), ("connection", "Upgrade"), ACCEPT];
        assert_eq!(complaint(&[], 101, &lines), "");
    }

    #[test]
    fn an_answer_that_does_not_agree_says_in_what() {
        let (upgrade, connection) = (("upgrade", "websocket"), ("connection", "Upgrade"));
        let protocol = ("sec-websocket-protocol", "chat, superchat");
        let extension = ("sec-websocket-extensions", "permessage-deflate");
        for (asked, status, answer, says) in [
            (vec![], 307, vec![upgrade, connection, ACCEPT], "status 307, expected 101"),
            (vec![], 101, vec![connection, ACCEPT], "no `upgrade: websocket`"),
            (vec![], 101, vec![upgrade, ("connection", "close"), ACCEPT], "no `connection: upgrade`"),
            (vec![], 101, vec![upgrade, connection], "Sec-WebSocket-Accept"),
            (vec![], 101, vec![upgrade, connection, ("sec-websocket-accept", "x")], "Sec-WebSocket-Accept"),
            (vec![], 101, vec![upgrade, connection, ACCEPT, extension], "permessage-deflate"),
            (vec![], 101, vec![upgrade, connection, ACCEPT, protocol], "nobody asked for"),
            (vec![protocol], 101, vec![upgrade, connection, ACCEPT], "did not agree to subprotocol `chat`"),
            (vec![protocol], 101, vec![upgrade, connection, ACCEPT, protocol], "did not agree"),
        ] {
            let said = complaint(&asked, status, &answer);
            assert!(said.contains(says), "{said}");
        }
        let superchat = ("sec-websocket-protocol", "superchat");
        assert_eq!(complaint(&[protocol], 101, &[upgrade, connection, ACCEPT, superchat]), "");
    }

    #[test]
    fn a_head_has_every_header_once_and_the_ones_of_the_handshake_as_servers_spell_them() {
        let mut request = Request::new(());
        *request.uri_mut() = "ws://localhost/chat?room=1".parse().unwrap();
        *request.headers_mut() = headers(&[
            ("x-token", "1"),
            ("sec-websocket-key", KEY),
            ("host", "localhost"),
            ("connection", "Upgrade"),
        ]);
        let typed = FieldName::typed("X-Token").unwrap();
        let head = String::from_utf8(head(&request, &[&typed])).unwrap();
        assert!(
            head.starts_with("GET /chat?room=1 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"),
            "{head}"
        );
        assert!(head.ends_with(&format!("Sec-WebSocket-Key: {KEY}\r\nX-Token: 1\r\n\r\n")), "{head}");
    }
}
