//! The head of an HTTP/1.1 request as bytes (RFC 9112, 3).

use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};

use crate::load::protocol::outgoing::Outgoing;
use crate::plan::connection::KeepAlive;

/// Writes the head, to its empty line. A body is always sent with its length: whoever asks for a
/// `transfer-encoding` gets none.
pub(super) fn write(outgoing: &Outgoing<'_>, keep_alive: KeepAlive, out: &mut Vec<u8>) {
    let mut put = |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    put(&[outgoing.method.as_str(), " ", &outgoing.path, " HTTP/1.1\r\n"]);
    if outgoing.header(&HOST).is_none() {
        put(&["host: ", outgoing.origin.authority(), "\r\n"]);
    }
    for (name, value) in &outgoing.headers {
        if **name != TRANSFER_ENCODING {
            put(&[name.as_str(), ": ", value, "\r\n"]);
        }
    }
    if outgoing.tells_length() && outgoing.header(&CONTENT_LENGTH).is_none() {
        put(&["content-length: ", &outgoing.payload.length().to_string(), "\r\n"]);
    }
    if keep_alive == KeepAlive::Closed && outgoing.header(&CONNECTION).is_none() {
        put(&["connection: close\r\n"]);
    }
    put(&["\r\n"]);
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use hyper::Method;
    use hyper::header::{AUTHORIZATION, HeaderName};
    use url::Url;

    use super::*;
    use crate::load::protocol::origin::Origin;
    use crate::load::protocol::outgoing::Payload;

    fn head(
        method: Method,
        headers: Vec<(&HeaderName, std::borrow::Cow<'_, str>)>,
        body: &'static str,
    ) -> String {
        let origin = Origin::of(&Url::parse("http://[::1]:8080").unwrap()).unwrap();
        let payload = Payload::of(body.as_bytes());
        let outgoing = Outgoing { origin: Rc::new(origin), method, path: "/a?b=1".into(), headers, payload };
        let mut out = Vec::new();
        write(&outgoing, KeepAlive::Kept, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_head_has_what_it_needs_and_nothing_else() {
        assert_eq!(head(Method::GET, vec![], ""), "GET /a?b=1 HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n");
        let token = vec![(&AUTHORIZATION, "Bearer x".into())];
        assert_eq!(
            head(Method::POST, token, "{}"),
            "POST /a?b=1 HTTP/1.1\r\nhost: [::1]:8080\r\nauthorization: Bearer x\r\ncontent-length: 2\r\n\r\n"
        );
        assert!(head(Method::POST, vec![], "").contains("content-length: 0\r\n"));
    }

    #[test]
    fn a_configured_host_replaces_ours() {
        let text = head(Method::GET, vec![(&HOST, "other.example".into())], "");
        assert_eq!(text, "GET /a?b=1 HTTP/1.1\r\nhost: other.example\r\n\r\n");
    }
}
