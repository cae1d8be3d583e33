//! The server's half of the WebSocket handshake (RFC 6455, section 4.2), done on a request of the router.

use axum::{
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderValue, Response, StatusCode,
        header::{
            CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
        },
    },
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use super::answer::Refusal;

/// Both buffers of a socket: small, since there are many sockets and little on each.
const BUFFER: usize = 4 * 1024;

/// The largest message taken.
const LARGEST_MESSAGE: usize = 1024 * 1024;

/// An open socket, seen from the server.
pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A request that asked properly for a WebSocket.
pub(super) struct Handshake {
    accept: HeaderValue,
    upgrade: OnUpgrade,
}

impl Handshake {
    /// Reads the request's wish for a socket. A request that is no handshake is told what to speak;
    /// one with a broken key is malformed.
    pub(super) fn read(request: &mut Request) -> Result<Self, Refusal> {
        let headers = request.headers();
        let wished = names(headers, &CONNECTION, "upgrade")
            && names(headers, &UPGRADE, "websocket")
            && names(headers, &SEC_WEBSOCKET_VERSION, "13");
        if !wished {
            return Err(Refusal::NotWebSocket);
        }
        let accept = accept(headers)?;
        Ok(Self { accept, upgrade: hyper::upgrade::on(request) })
    }

    /// The answer that switches protocols, and the connection it switches.
    pub(super) fn agree(self) -> (Response<Body>, OnUpgrade) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().extend([
            (CONNECTION, HeaderValue::from_static("upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_ACCEPT, self.accept),
        ]);
        (response, self.upgrade)
    }
}

/// The socket on a connection once it has switched; `None` when the client left before.
pub(super) async fn open(upgrade: OnUpgrade) -> Option<Socket> {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_write_buffer_size(BUFFER + 2 * LARGEST_MESSAGE)
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE));
    let connection = TokioIo::new(upgrade.await.ok()?);
    Some(WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await)
}

/// Whether a header holds a word in its list of words.
fn names(headers: &HeaderMap, header: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|found| found.trim().eq_ignore_ascii_case(word))
}

/// The proof that the key was read; a key is sixteen bytes in base64.
fn accept(headers: &HeaderMap) -> Result<HeaderValue, Refusal> {
    let malformed = || Refusal::Malformed("`Sec-WebSocket-Key` is not sixteen bytes in base64".into());
    let key = headers.get(SEC_WEBSOCKET_KEY).ok_or_else(malformed)?.as_bytes();
    let proper = key.len() == 24 && key.ends_with(b"==");
    if !proper {
        return Err(malformed());
    }
    HeaderValue::try_from(derive_accept_key(key)).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request {
        let mut request = Request::new(Body::empty());
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        request
    }

    const UPGRADED: [(&str, &str); 3] =
        [("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket"), ("sec-websocket-version", "13")];

    fn refusal(headers: &[(&str, &str)]) -> Refusal {
        Handshake::read(&mut request(headers)).err().unwrap()
    }

    #[test]
    fn the_key_is_answered_as_in_the_example_of_the_rfc() {
        let headers = [&UPGRADED[..], &[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")]].concat();
        let (response, _) = Handshake::read(&mut request(&headers)).ok().unwrap().agree();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_request_that_is_no_handshake_is_told_to_upgrade() {
        for missing in 0..UPGRADED.len() {
            let mut headers = UPGRADED.to_vec();
            headers.remove(missing);
            assert_eq!(refusal(&headers), Refusal::NotWebSocket);
        }
        let mut old = UPGRADED;
        old[2].1 = "8";
        assert_eq!(refusal(&old), Refusal::NotWebSocket);
    }

    #[test]
    fn a_missing_or_short_key_is_malformed() {
        assert!(matches!(refusal(&UPGRADED), Refusal::Malformed(_)));
        let headers = [&UPGRADED[..], &[("sec-websocket-key", "short==")]].concat();
        assert!(matches!(refusal(&headers), Refusal::Malformed(_)));
    }
}
