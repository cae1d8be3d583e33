//! Where a redirect leads, and what is sent there (RFC 9110, 15.4).
//!
//! A service may be told by anybody who can make it redirect where to send its clients. So another origin gets nothing
//! that was meant for the first one: no body, no header that holds a secret. Nor does a redirect lead to an address
//! from which a machine in a cloud gives away its own credentials. The configuration names origins that are part of
//! the service: `http: {redirects: {to: [ORIGIN]}}`.

use std::borrow::Cow;
use std::rc::Rc;

use hyper::Method;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION,
    TRANSFER_ENCODING, USER_AGENT,
};
use url::Url;

use super::address;
use super::link_local;
use super::origin::{Origin, path_of, shown};
use super::outgoing::{AUTHORIZED, Outgoing, Payload};
use super::response::Response;
use crate::load::measure::outcome::{Failure, FailureKind};
use crate::plan::credentials::Credentials;

/// What the plan says about redirects.
pub struct Trusted<'p> {
    /// The target.
    pub target: &'p Rc<Origin>,
    /// The origins that get what the target would get.
    pub to: &'p [Url],
}

impl Trusted<'_> {
    fn names(&self, origin: &Origin) -> bool {
        self.to.iter().filter_map(|url| Origin::of(url).ok()).any(|named| named == *origin)
    }

    /// Whether an origin gets what is for the target alone.
    pub fn is_part_of_service(&self, origin: &Origin) -> bool {
        *origin == **self.target || self.names(origin)
    }

    /// Whether another origin gets what the first one got. The target does not get what was meant for a third party
    /// that redirects to it, unless that one is part of the service.
    fn entrusts(&self, from: &Origin, to: &Origin) -> bool {
        self.names(to) || *to == **self.target && self.names(from)
    }
}

/// Whether a response sends its request elsewhere. To clients, an empty `Location` is none.
pub fn is_redirect(response: &Response) -> bool {
    let leads =
        || response.headers.get(LOCATION).is_some_and(|value| !value.as_bytes().trim_ascii().is_empty());
    matches!(response.status, 301 | 302 | 303 | 307 | 308) && leads()
}

/// The request that a redirect asks for. 303 asks for a GET; so do 301 and 302 after a POST, as every
/// browser has it; 307 and 308 repeat the request as it was. Another origin that `http.redirects.to` does not name gets
/// neither a body, for which the redirect fails, nor headers that are for the first one alone, such as those that hold
/// a secret; `user-agent` and `accept` get their defaults back.
pub fn follow<'a>(
    outgoing: Outgoing<'a>,
    response: &Response,
    trusted: &Trusted<'_>,
) -> Result<Outgoing<'a>, Failure> {
    let Destination { origin, path, authorization } = leads_to(&outgoing, response, trusted)?;
    let Outgoing { origin: from, mut method, mut headers, mut payload, mut defaults, .. } = outgoing;
    let becomes_get = match response.status {
        303 => method != Method::HEAD,
        301 | 302 => method == Method::POST,
        _ => false,
    };
    if becomes_get {
        method = Method::GET;
        payload = Payload::default();
        let of_body = [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_LANGUAGE, TRANSFER_ENCODING];
        headers.retain(|(name, _)| !of_body.contains(&***name));
    }
    if !origin.is_same(&from) {
        headers.retain(|(name, _)| ***name != HOST);
        if !trusted.entrusts(&from, &origin) {
            if !payload.is_empty() {
                return Err(carries_body(&origin));
            }
            headers.retain(|(name, _)| {
                let stays = name.stays_behind();
                defaults.user_agent |= stays && ***name == USER_AGENT;
                defaults.accept |= stays && ***name == ACCEPT;
                !stays
            });
        }
    }
    if let Some(value) = authorization
        && headers.iter().all(|(name, _)| ***name != AUTHORIZATION)
    {
        headers.push((&AUTHORIZED, value.into()));
        defaults.authorization = false;
    }
    Ok(Outgoing { origin, method, path: Cow::Owned(path), headers, defaults, payload })
}

fn carries_body(origin: &Origin) -> Failure {
    let url = origin.to_string();
    // The configuration that allows it stands last: where a message is shortened, its end stays.
    let message = format!(
        "a redirect with a body to another origin; to allow it: `http: {{redirects: {{to: [{url}]}}}}`"
    );
    Failure::new(FailureKind::Protocol, message)
}

/// Where a redirect leads.
struct Destination {
    origin: Rc<Origin>,
    path: String,
    /// What the user and the password of the `Location` become.
    authorization: Option<String>,
}

/// Resolves the `Location` of a response. Its bytes are percent-encoded one by one where they cannot stand in a request
/// line, whatever their encoding is.
fn leads_to(
    outgoing: &Outgoing<'_>,
    response: &Response,
    trusted: &Trusted<'_>,
) -> Result<Destination, Failure> {
    let location = response.headers.get(LOCATION).map_or(&b""[..], |value| value.as_bytes()).trim_ascii();
    let reference = address::encode(location);
    let fail = |reason: String| {
        let text = String::from_utf8_lossy(location);
        Failure::new(
            FailureKind::Protocol,
            format!("the redirect to `{}` leads nowhere: {reason}", shown(&text)),
        )
    };
    let from = &outgoing.origin;
    let whole = match reference.strip_prefix("//") {
        Some(_) => Cow::Owned(format!("{}:{reference}", from.scheme())),
        None => Cow::Borrowed(reference.as_str()),
    };
    if let Some(relative) = relative(&whole, from) {
        // A reference that is nothing but a fragment leads to the same page.
        let path = if relative.is_empty() {
            outgoing.path.to_string()
        } else {
            address::join(&outgoing.path, relative)
        };
        return Ok(Destination { origin: from.clone(), path, authorization: None });
    }
    let parse = |text: &str| Url::parse(text).map_err(|error| fail(error.to_string()));
    let (url, path) = match address::split(&whole) {
        Some((head, rest)) => {
            let rest = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
            (parse(head)?, address::join("/", &rest))
        }
        None => parse(&whole).map(|url| (url.clone(), path_of(&url)))?,
    };
    let origin = Origin::of(&url).map_err(fail)?;
    let authorization = Credentials::of(&url).map(|found| found.authorization);
    Ok(Destination { origin: known(origin, from, trusted)?, path, authorization })
}

/// The part of a reference that is relative to where it was said; none where it names an origin. One with the scheme of
/// that place and without `//` is relative as well, as clients have it that are not strict (RFC 3986, 5.2.2).
fn relative<'r>(reference: &'r str, from: &Origin) -> Option<&'r str> {
    let Some(scheme) = address::scheme(reference) else { return Some(reference) };
    let rest = &reference[scheme.len() + 1..];
    let slashes = rest.bytes().take_while(|byte| matches!(byte, b'/' | b'\\')).count();
    (scheme.eq_ignore_ascii_case(from.scheme()) && slashes < 2).then_some(rest)
}

/// The origin that a server named, as the plan knows it: the one it came from and the target keep their connections. A
/// socket, which is called `localhost`, is meant only where the socket says so itself.
fn known(origin: Origin, from: &Rc<Origin>, trusted: &Trusted<'_>) -> Result<Rc<Origin>, Failure> {
    if from.is_same(&origin) {
        return Ok(from.clone());
    }
    if **trusted.target == origin {
        return Ok(trusted.target.clone());
    }
    if trusted.names(&origin) {
        return Ok(Rc::new(origin));
    }
    if link_local::is_named(&origin) {
        return Err(link_local::refused(&origin));
    }
    Ok(Rc::new(origin.named_by_server()))
}

#[cfg(test)]
mod tests {
    use super::super::origin::NamedBy;
    use std::sync::LazyLock;

    use super::*;
    use crate::plan::step::{DefaultHeaders, FieldName};
    use hyper::HeaderMap;
    use hyper::header::{HeaderName, HeaderValue};

    fn origin(url: &str) -> Rc<Origin> {
        Rc::new(Origin::of(&Url::parse(url).unwrap()).unwrap())
    }

    /// What a redirect of a request leads to, where the plan names these origins.
    fn followed_with(
        outgoing: Outgoing<'static>,
        response: &Response,
        to: &[&str],
    ) -> Result<Outgoing<'static>, Failure> {
        let target = origin("http://a.example:8080");
        let to: Vec<Url> = to.iter().map(|url| Url::parse(url).unwrap()).collect();
        super::follow(outgoing, response, &Trusted { target: &target, to: &to })
    }

    fn follow(outgoing: Outgoing<'static>, response: &Response) -> Result<Outgoing<'static>, Failure> {
        followed_with(outgoing, response, &[])
    }

    fn sent(method: Method) -> Outgoing<'static> {
        static NAMES: [FieldName; 2] =
            [FieldName::of(AUTHORIZATION, "authorization"), FieldName::of(CONTENT_TYPE, "content-type")];
        let reads = method == Method::GET;
        Outgoing {
            origin: origin("http://a.example:8080"),
            method,
            path: "/deep/page?x=1".into(),
            headers: vec![(&NAMES[0], "Bearer x".into()), (&NAMES[1], "text/plain".into())],
            defaults: DefaultHeaders { user_agent: true, accept: true, authorization: true },
            payload: if reads { Payload::default() } else { Payload::of("body") },
        }
    }

    fn answer(status: u16, location: &str) -> Response {
        answer_of(status, location.as_bytes())
    }

    fn answer_of(status: u16, location: &[u8]) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_bytes(location).unwrap());
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
            let home = followed.origin.is_same(&sent(Method::GET).origin);
            assert_eq!(followed.header(&AUTHORIZATION).is_some(), home, "{location}");
        }
        let failure = follow(sent(Method::GET), &answer(302, "gopher://x/")).unwrap_err();
        assert!(failure.message.contains("`gopher`"), "{}", failure.message);
        let failure = follow(sent(Method::GET), &answer(302, "unix:/run/secret.sock")).unwrap_err();
        assert!(failure.message.contains("`unix`"), "{}", failure.message);
    }

    #[test]
    fn a_location_is_sent_as_it_was_said_whatever_its_encoding() {
        for (location, path) in [
            (&b"/caf\xe9"[..], "/caf%E9"),
            ("/café?q=ü".as_bytes(), "/caf%C3%A9?q=%C3%BC"),
            (b"/a b?c d#e f", "/a%20b?c%20d"),
            (b"  ?only=query ", "/deep/page?only=query"),
            (b"#top", "/deep/page?x=1"),
            (b"/{x}|y^'", "/{x}|y^'"),
            (b"../up/./x", "/up/x"),
            (b"http://A.EXAMPLE:8080/%2e%2e/x", "/%2e%2e/x"),
            (b"http://a.example:8080?q", "/?q"),
            (b"http:/x/y", "/x/y"),
            (b"HTTP:x", "/deep/x"),
            (b"http:?q", "/deep/page?q"),
            (b"http:", "/deep/page?x=1"),
        ] {
            let followed = follow(sent(Method::GET), &answer_of(302, location)).unwrap();
            assert_eq!(
                (followed.origin.authority(), &*followed.path),
                ("a.example:8080", path),
                "{location:?}"
            );
        }
        let abroad =
            follow(sent(Method::GET), &answer_of(302, "http://bücher.example/x".as_bytes())).unwrap();
        assert_eq!(abroad.origin.authority(), "xn--bcher-kva.example");
        let user = follow(sent(Method::GET), &answer(302, "http://u:p@b.example/")).unwrap();
        assert_eq!((user.origin.authority(), user.header(&AUTHORIZATION)), ("b.example", Some("Basic dTpw")));
    }

    #[test]
    fn another_origin_gets_neither_body_nor_secrets_unless_the_plan_names_it() {
        static KEY: FieldName = FieldName::of(HeaderName::from_static("x-api-key"), "x-api-key");
        static OTHER: LazyLock<FieldName> =
            LazyLock::new(|| FieldName::typed("x-other").unwrap().holding_secret());
        static AGENT: LazyLock<FieldName> =
            LazyLock::new(|| FieldName::typed("user-agent").unwrap().holding_secret());
        let request = |method: Method| {
            let mut request = sent(method);
            request.headers.push((&KEY, "public".into()));
            request.headers.extend([(&*OTHER, "s3".into()), (&*AGENT, "s3".into())]);
            request.defaults.user_agent = false;
            request
        };
        let names = |outgoing: &Outgoing<'_>| {
            outgoing.headers.iter().map(|(name, _)| name.as_typed().to_owned()).collect::<Vec<_>>()
        };
        for location in ["http://b.example/", "http://a.example/", "https://a.example:8080/"] {
            let failure = follow(request(Method::POST), &answer(307, location)).unwrap_err();
            let wanted = location.trim_end_matches('/');
            assert!(
                failure.message.contains(&format!("redirects: {{to: [{wanted}]}}")),
                "{}",
                failure.message
            );
            let read = follow(request(Method::POST), &answer(302, location)).unwrap();
            assert_eq!(names(&read), [""; 0], "{location}");
            assert!(read.defaults.user_agent, "{location}");
            let allowed = followed_with(request(Method::POST), &answer(308, location), &[location]).unwrap();
            assert_eq!((names(&allowed).len(), allowed.payload.length()), (5, 4), "{location}");
            assert!(!allowed.defaults.user_agent, "{location}");
        }
        let home = follow(request(Method::POST), &answer(307, "/next")).unwrap();
        assert_eq!((names(&home).len(), home.payload.length()), (5, 4));
    }

    #[test]
    fn the_target_does_not_get_what_was_meant_for_a_third_party() {
        let from = |url: &str, method: Method| Outgoing { origin: origin(url), ..sent(method) };
        let home = "http://a.example:8080";
        for status in [302, 303] {
            let back =
                follow(from("https://idp.example", Method::GET), &answer(status, &format!("{home}/cb")))
                    .unwrap();
            assert_eq!(
                (back.header(&AUTHORIZATION), back.origin.named_by),
                (None, NamedBy::Plan),
                "{status}"
            );
        }
        let failure = follow(from("https://idp.example", Method::POST), &answer(307, &format!("{home}/cb")))
            .unwrap_err();
        assert!(failure.message.contains("redirects: {to: [http://a.example:8080]}"), "{}", failure.message);
        for named in ["https://idp.example", home] {
            let trusted = from("https://idp.example", Method::POST);
            let back = followed_with(trusted, &answer(307, home), &[named]).unwrap();
            assert_eq!(
                (back.header(&AUTHORIZATION), back.payload.length()),
                (Some("Bearer x"), 4),
                "{named}"
            );
        }
    }

    #[test]
    fn a_third_party_does_not_lead_to_the_socket_of_the_target() {
        let target =
            super::super::origin::Base::new(&Url::parse("unix:/run/app.sock").unwrap(), None).unwrap().origin;
        let trusted = Trusted { target: &target, to: &[] };
        let lead = |from: &Rc<Origin>| {
            let outgoing = Outgoing { origin: from.clone(), ..sent(Method::GET) };
            super::follow(outgoing, &answer(302, "http://localhost/x"), &trusted).unwrap().origin
        };
        assert_eq!(*lead(&target), *target);
        assert_ne!(*lead(&origin("http://b.example")), *target);
    }

    #[test]
    fn a_redirect_does_not_lead_to_the_credentials_of_a_machine() {
        for host in [
            "169.254.169.254",
            "[fe80::1]",
            "[::ffff:169.254.1.1]",
            "metadata.google.internal.",
            "metadata.goog",
            "168.63.129.16",
        ] {
            let location = format!("http://{host}/latest");
            let failure = follow(sent(Method::GET), &answer(302, &location)).unwrap_err();
            assert!(failure.message.contains("redirects: {to:"), "{}", failure.message);
            assert!(followed_with(sent(Method::GET), &answer(302, &location), &[&location]).is_ok());
        }
        // A service may be called so; its address is looked at when it is connected to.
        let namesake = follow(sent(Method::GET), &answer(302, "http://metadata/latest")).unwrap();
        assert_eq!(namesake.origin.named_by, NamedBy::Server);
        let elsewhere = follow(sent(Method::GET), &answer(302, "http://b.example/")).unwrap();
        assert_eq!(elsewhere.origin.named_by, NamedBy::Server);
        let back = follow(elsewhere, &answer(302, "http://a.example:8080/")).unwrap();
        assert_eq!(back.origin.named_by, NamedBy::Plan);
    }

    #[test]
    fn only_some_statuses_with_a_location_are_redirects() {
        assert!(
            is_redirect(&answer(308, "/"))
                && !is_redirect(&answer(304, "/"))
                && !is_redirect(&answer(200, "/"))
        );
        assert!(!is_redirect(&answer(302, " ")), "an empty location is none");
        assert!(!is_redirect(&Response::new(302, HeaderMap::new(), bytes::Bytes::new())));
    }
}
