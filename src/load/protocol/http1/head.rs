//! The head of an HTTP/1.1 request as bytes (RFC 9112, 3).

use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION, TRANSFER_ENCODING};

use crate::load::protocol::outgoing::Outgoing;
use crate::plan::connection::KeepAlive;
use crate::plan::proxy::ProxyServer;
use crate::plan::step::DefaultHeaders;

/// The lines of the headers that are sent by default: the same bytes for every request.
const AGENT: &str = concat!("user-agent: loadgate/", env!("CARGO_PKG_VERSION"), "\r\n");
const ANYTHING: &str = "accept: */*\r\n";
const BOTH: &str = concat!("user-agent: loadgate/", env!("CARGO_PKG_VERSION"), "\r\naccept: */*\r\n");

/// Writes the head, to its empty line. A body is always sent with its length: whoever asks for a
/// `transfer-encoding` gets none. A proxy that the request goes through is told its whole URL.
pub(super) fn write(
    outgoing: &Outgoing<'_>,
    keep_alive: KeepAlive,
    proxy: Option<&ProxyServer>,
    out: &mut Vec<u8>,
) {
    let mut put = |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    match proxy {
        None => put(&[outgoing.method.as_str(), " ", &outgoing.path, " HTTP/1.1\r\n"]),
        // A proxy is told the whole URL (RFC 9112, 3.2.2).
        Some(proxy) => {
            let origin = ["http://", outgoing.origin.authority()];
            put(&[outgoing.method.as_str(), " ", origin[0], origin[1], &outgoing.path, " HTTP/1.1\r\n"]);
            if let Some(value) =
                proxy.authorization.as_deref().filter(|_| outgoing.header(&PROXY_AUTHORIZATION).is_none())
            {
                put(&["proxy-authorization: ", value, "\r\n"]);
            }
        }
    }
    if outgoing.header(&HOST).is_none() {
        put(&["host: ", outgoing.origin.authority(), "\r\n"]);
    }
    put(&[lines(outgoing.defaults)]);
    for (name, value) in &outgoing.headers {
        if ***name != TRANSFER_ENCODING {
            put(&[name.as_typed(), ": ", value, "\r\n"]);
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

fn lines(defaults: DefaultHeaders) -> &'static str {
    match (defaults.user_agent, defaults.accept) {
        (true, true) => BOTH,
        (true, false) => AGENT,
        (false, true) => ANYTHING,
        (false, false) => "",
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use hyper::Method;
    use hyper::header::AUTHORIZATION;
    use url::Url;

    use super::*;
    use crate::load::protocol::origin::Origin;
    use crate::load::protocol::outgoing::Payload;
    use crate::plan::step::FieldName;

    const NONE: DefaultHeaders = DefaultHeaders { user_agent: false, accept: false, authorization: false };
    static TOKEN: FieldName = FieldName::of(AUTHORIZATION, "Authorization");
    static PLACE: FieldName = FieldName::of(HOST, "HOST");

    fn head_with(
        defaults: DefaultHeaders,
        method: Method,
        headers: Vec<(&FieldName, std::borrow::Cow<'_, str>)>,
        body: &'static str,
    ) -> String {
        let origin = Rc::new(Origin::of(&Url::parse("http://[::1]:8080").unwrap()).unwrap());
        let payload = Payload::of(body.as_bytes());
        let outgoing = Outgoing { origin, method, path: "/a?b=1".into(), headers, defaults, payload };
        let mut out = Vec::new();
        write(&outgoing, KeepAlive::Kept, None, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn head(
        method: Method,
        headers: Vec<(&FieldName, std::borrow::Cow<'_, str>)>,
        body: &'static str,
    ) -> String {
        head_with(NONE, method, headers, body)
    }

    #[test]
    fn who_asks_and_what_is_accepted_is_said_unless_the_configuration_says_it() {
        let agent = format!("user-agent: loadgate/{}\r\n", env!("CARGO_PKG_VERSION"));
        let host = "GET /a?b=1 HTTP/1.1\r\nhost: [::1]:8080\r\n";
        for (user_agent, accept, said) in [
            (true, true, format!("{agent}accept: */*\r\n")),
            (true, false, agent.clone()),
            (false, true, "accept: */*\r\n".to_owned()),
            (false, false, String::new()),
        ] {
            let defaults = DefaultHeaders { user_agent, accept, ..NONE };
            assert_eq!(head_with(defaults, Method::GET, vec![], ""), format!("{host}{said}\r\n"));
        }
    }

    #[test]
    fn a_head_has_what_it_needs_and_nothing_else() {
        assert_eq!(head(Method::GET, vec![], ""), "GET /a?b=1 HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n");
        let token = vec![(&TOKEN, "Bearer x".into())];
        assert_eq!(
            head(Method::POST, token, "{}"),
            "POST /a?b=1 HTTP/1.1\r\nhost: [::1]:8080\r\nAuthorization: Bearer x\r\ncontent-length: 2\r\n\r\n"
        );
        assert!(head(Method::POST, vec![], "").contains("content-length: 0\r\n"));
    }

    #[test]
    fn a_proxy_is_told_the_whole_url_and_who_asks() {
        let proxy = ProxyServer::parse("http://u:p@proxy:3128", "here").unwrap();
        let origin = Rc::new(Origin::of(&Url::parse("http://a.example").unwrap()).unwrap());
        let (method, payload) = (Method::GET, Payload::default());
        let outgoing =
            Outgoing { origin, method, path: "/x?y".into(), headers: Vec::new(), defaults: NONE, payload };
        let mut out = Vec::new();
        write(&outgoing, KeepAlive::Kept, Some(&proxy), &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "GET http://a.example/x?y HTTP/1.1\r\nproxy-authorization: Basic dTpw\r\nhost: a.example\r\n\r\n"
        );
    }

    #[test]
    fn a_configured_host_replaces_ours() {
        let text = head(Method::GET, vec![(&PLACE, "other.example".into())], "");
        assert_eq!(text, "GET /a?b=1 HTTP/1.1\r\nHOST: other.example\r\n\r\n");
    }
}
