//! Where a redirect leads, and what is sent there (RFC 9110, 15.4).

use std::borrow::Cow;
use std::rc::Rc;

use hyper::Method;
use hyper::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, LOCATION,
    TRANSFER_ENCODING,
};

use super::origin::{Origin, path_of, shown};
use super::outgoing::{Outgoing, Payload};
use super::response::Response;
use crate::load::measure::outcome::{Failure, FailureKind};

/// Whether a response sends its request elsewhere.
pub fn is_redirect(response: &Response) -> bool {
    matches!(response.status, 301 | 302 | 303 | 307 | 308) && response.headers.contains_key(LOCATION)
}

/// The request that a redirect asks for. 303 asks for a GET; so do 301 and 302 after a POST, as every
/// browser has it; 307 and 308 repeat the request as it was. Another host gets no `authorization` and no `cookie`.
pub fn follow<'a>(outgoing: Outgoing<'a>, response: &Response) -> Result<Outgoing<'a>, Failure> {
    let (origin, path) = leads_to(&outgoing, response)?;
    let Outgoing { origin: from, mut method, mut headers, mut payload, .. } = outgoing;
    let becomes_get = match response.status {
        303 => method != Method::HEAD,
        301 | 302 => method == Method::POST,
        _ => false,
    };
    if becomes_get {
        method = Method::GET;
        payload = Payload::default();
        let of_body = [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_LANGUAGE, TRANSFER_ENCODING];
        headers.retain(|(name, _)| !of_body.contains(name));
    }
    if origin != from {
        headers.retain(|(name, _)| ![AUTHORIZATION, COOKIE, HOST].contains(name));
    }
    Ok(Outgoing { origin, method, path: Cow::Owned(path), headers, payload })
}

fn leads_to(outgoing: &Outgoing<'_>, response: &Response) -> Result<(Rc<Origin>, String), Failure> {
    let location = response.headers.get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let location = location.unwrap_or_default();
    let fail = |reason: String| {
        Failure::new(
            FailureKind::Protocol,
            format!("the redirect to `{}` leads nowhere: {reason}", shown(&location)),
        )
    };
    let from = outgoing.origin.url(&outgoing.path).map_err(|error| fail(error.to_string()))?;
    let url = from.join(&location).map_err(|error| fail(error.to_string()))?;
    // The same scheme, name and port is the same place, a socket too.
    let same = url.scheme() == from.scheme()
        && url.host() == from.host()
        && url.port_or_known_default() == from.port_or_known_default();
    let origin = if same { outgoing.origin.clone() } else { Rc::new(Origin::of(&url).map_err(fail)?) };
    Ok((origin, path_of(&url)))
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;
    use hyper::header::HeaderValue;
    use url::Url;

    use super::*;

    fn sent(method: Method) -> Outgoing<'static> {
        static NAMES: [hyper::header::HeaderName; 2] = [AUTHORIZATION, CONTENT_TYPE];
        Outgoing {
            origin: Rc::new(Origin::of(&Url::parse("http://a.example:8080").unwrap()).unwrap()),
            method,
            path: "/deep/page?x=1".into(),
            headers: vec![(&NAMES[0], "Bearer x".into()), (&NAMES[1], "text/plain".into())],
            payload: Payload::of("body"),
        }
    }

    fn answer(status: u16, location: &str) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_str(location).unwrap());
        Response::new(status, headers, bytes::Bytes::new())
    }

    #[test]
    fn what_is_sent_again_depends_on_status_and_method() {
        for (status, method, next, body) in [
            (301, Method::POST, Method::GET, 0),
            (302, Method::POST, Method::GET, 0),
            (302, Method::PUT, Method::PUT, 4),
            (303, Method::DELETE, Method::GET, 0),
            (303, Method::HEAD, Method::HEAD, 4),
            (307, Method::POST, Method::POST, 4),
            (308, Method::PATCH, Method::PATCH, 4),
        ] {
            let followed = follow(sent(method.clone()), &answer(status, "/next")).unwrap();
            assert_eq!((&followed.method, followed.payload.length()), (&next, body), "{status} {method}");
            assert_eq!(followed.header(&CONTENT_TYPE).is_some(), body > 0, "{status} {method}");
            assert!(followed.header(&AUTHORIZATION).is_some());
        }
    }

    #[test]
    fn a_location_is_read_from_where_it_was_said() {
        for (location, authority, path) in [
            ("next", "a.example:8080", "/deep/next"),
            ("?y=2", "a.example:8080", "/deep/page?y=2"),
            ("//b.example/z#top", "b.example", "/z"),
            ("https://a.example:8080/", "a.example:8080", "/"),
        ] {
            let followed = follow(sent(Method::GET), &answer(302, location)).unwrap();
            assert_eq!((followed.origin.authority(), &*followed.path), (authority, path), "{location}");
            let home = followed.origin == sent(Method::GET).origin;
            assert_eq!(followed.header(&AUTHORIZATION).is_some(), home, "{location}");
        }
        let failure = follow(sent(Method::GET), &answer(302, "gopher://x/")).unwrap_err();
        assert!(failure.message.contains("`gopher`"), "{}", failure.message);
        let failure = follow(sent(Method::GET), &answer(302, "unix:/run/secret.sock")).unwrap_err();
        assert!(failure.message.contains("`unix`"), "{}", failure.message);
    }

    #[test]
    fn only_some_statuses_with_a_location_are_redirects() {
        assert!(
            is_redirect(&answer(308, "/"))
                && !is_redirect(&answer(304, "/"))
                && !is_redirect(&answer(200, "/"))
        );
        assert!(!is_redirect(&Response::new(302, HeaderMap::new(), bytes::Bytes::new())));
    }
}
