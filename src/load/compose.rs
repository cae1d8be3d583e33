//! From a step of the plan and the values of a user to a request ready to go.

use std::borrow::Cow;
use std::rc::Rc;

use base64::Engine;
use bytes::Bytes;
use hyper::header::{ACCEPT_ENCODING, HeaderName};

use super::measure::outcome::{Failure, FailureKind};
use super::perform::unrendered;
use super::protocol::origin::Origin;
use super::protocol::outgoing::{Outgoing, Payload};
use super::virtual_user::VirtualUser;
use crate::plan::step::{Body, HeaderValue, Piece, Request};
use crate::template::{Scope, Template};

/// The headers of a request: names of the plan, values of the plan or rendered.
pub(super) type Headers<'a> = Vec<(&'a HeaderName, Cow<'a, str>)>;

static ENCODINGS: HeaderName = ACCEPT_ENCODING;

impl VirtualUser {
    /// The request that a step asks for now.
    pub(super) fn compose<'a>(&self, request: &'a Request) -> Result<Outgoing<'a>, Failure> {
        let (origin, path) = self.locate(&request.url, &request.query)?;
        let payload = payload(&request.body, &self.scope)?;
        let mut headers = headers(&request.headers, &self.scope)?;
        if let Some(encodings) = &self.worker.plan.http.accept_encoding
            && headers.iter().all(|(name, _)| **name != ENCODINGS)
        {
            headers.push((&ENCODINGS, encodings.clone().into()));
        }
        Ok(Outgoing { origin, method: request.method.clone(), path, headers, payload })
    }

    /// Renders a URL and its query, percent-encoded where they need it.
    pub(super) fn locate<'a>(
        &self,
        url: &'a Template,
        query: &[(String, Template)],
    ) -> Result<(Rc<Origin>, Cow<'a, str>), Failure> {
        let rendered = url.text(&self.scope).map_err(|error| unrendered(&error))?;
        let (origin, mut path) = self.worker.base.resolve(rendered)?;
        if !query.is_empty() {
            path = extended(&path, &form(query, &self.scope)?).into();
        }
        let clean = path.bytes().all(stands);
        Ok((origin, if clean { path } else { encode(&path).into() }))
    }
}

/// Renders headers; each name stands once.
pub(super) fn headers<'a>(
    headers: &'a [(HeaderName, HeaderValue)],
    scope: &Scope,
) -> Result<Headers<'a>, Failure> {
    headers.iter().map(|(name, value)| Ok((name, header(name, value, scope)?))).collect()
}

fn header<'a>(name: &HeaderName, value: &'a HeaderValue, scope: &Scope) -> Result<Cow<'a, str>, Failure> {
    let text = |template: &'a Template| template.text(scope).map_err(|error| unrendered(&error));
    let value = match value {
        HeaderValue::Text(template) => text(template)?,
        HeaderValue::Bearer(token) => format!("Bearer {}", text(token)?).into(),
        HeaderValue::Basic { user, password } => {
            let pair = format!("{}:{}", text(user)?, text(password)?);
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)).into()
        }
    };
    // A line break in a value would begin another header.
    if value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        let message = format!("the value of header `{name}` has a control character");
        return Err(Failure::new(FailureKind::Capture, message));
    }
    Ok(value)
}

fn payload(body: &Body, scope: &Scope) -> Result<Payload, Failure> {
    match body {
        Body::Empty => Ok(Payload::default()),
        Body::Fixed(bytes) => Ok(Payload::of(bytes.clone())),
        Body::Json(template) => template.render(scope).map(Payload::of).map_err(|error| unrendered(&error)),
        Body::Raw(template) => template.render(scope).map(Payload::of).map_err(|error| unrendered(&error)),
        Body::Form(fields) => form(fields, scope).map(Payload::of),
        Body::Multipart(pieces) => {
            pieces.iter().map(|piece| self::piece(piece, scope)).collect::<Result<_, _>>().map(Payload::new)
        }
    }
}

fn piece(piece: &Piece, scope: &Scope) -> Result<Bytes, Failure> {
    let render = |template: &Template| template.render(scope).map_err(|error| unrendered(&error));
    match piece {
        Piece::Fixed(bytes) => Ok(bytes.clone()),
        Piece::Rendered(template) => render(template).map(Bytes::from),
        Piece::Name(template) => render(template).map(|name| crate::plan::step::quoted(&name).into()),
    }
}

fn form(fields: &[(String, Template)], scope: &Scope) -> Result<String, Failure> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields {
        form.append_pair(name, &value.text(scope).map_err(|error| unrendered(&error))?);
    }
    Ok(form.finish())
}

/// A path with more behind its query. A fragment is for whoever asks, not for the server.
fn extended(path: &str, query: &str) -> String {
    let path = path.split('#').next().unwrap_or(path);
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}{query}")
}

/// Whether a byte can stand in a path or query of every version of HTTP (RFC 3986; the URL standard encodes
/// the same).
fn stands(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'`' | b'#')
}

/// Percent-encodes what cannot stand in a request line; what is encoded already stays so. A fragment is for
/// whoever asks, not for the server.
fn encode(path: &str) -> String {
    let path = path.split('#').next().unwrap_or(path);
    path.bytes().fold(String::with_capacity(path.len()), |mut out, byte| {
        if stands(byte) {
            out.push(char::from(byte));
        } else {
            out.extend(["%".to_owned(), format!("{byte:02X}")]);
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::{encode, extended};

    #[test]
    fn a_query_is_added_before_a_fragment() {
        assert_eq!(extended("/frag?a=1#top", "b=2"), "/frag?a=1&b=2");
        assert_eq!(extended("/frag#top?", "b=2"), "/frag?b=2");
    }

    #[test]
    fn a_path_is_encoded_where_it_must_be_and_loses_its_fragment() {
        for (path, wanted) in [
            ("/a b?q=ä", "/a%20b?q=%C3%A4"),
            ("/a\"b<c>`?x=%20|^", "/a%22b%3Cc%3E%60?x=%20|^"),
            ("/frag?a=1#top", "/frag?a=1"),
        ] {
            assert_eq!(encode(path), wanted);
        }
    }
}
