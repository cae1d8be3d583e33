//! From a step of the plan and the values of a user to a request ready to go.

use std::borrow::Cow;

use base64::Engine;
use bytes::Bytes;
use hyper::header::ACCEPT_ENCODING;

use super::measure::outcome::{Failure, FailureKind};
use super::perform::unrendered;
use super::protocol::address;
use super::protocol::origin::Located;
use super::protocol::outgoing::{AUTHORIZED, Outgoing, Payload};
use super::virtual_user::VirtualUser;
use crate::plan::step::{Body, FieldName, HeaderValue, Piece, Request};
use crate::template::{Scope, Template};

/// The headers of a request: names of the plan, values of the plan or rendered.
pub(super) type Headers<'a> = Vec<(&'a FieldName, Cow<'a, str>)>;

static ENCODINGS: FieldName = FieldName::of(ACCEPT_ENCODING, "accept-encoding");

impl VirtualUser {
    /// The request that a step asks for now.
    pub(super) fn compose<'a>(&self, request: &'a Request) -> Result<Outgoing<'a>, Failure> {
        let Located { origin, path, authorization } = self.locate(&request.url, &request.query)?;
        let payload = payload(&request.body, &self.scope)?;
        let mut headers = headers(&request.headers, &self.scope)?;
        if let Some(encodings) = &self.worker.plan.http.accept_encoding
            && headers.iter().all(|(name, _)| ***name != ACCEPT_ENCODING)
        {
            headers.push((&ENCODINGS, encodings.clone().into()));
        }
        if let Some(value) = authorization.filter(|_| request.defaults.authorization) {
            headers.push((&AUTHORIZED, value.into()));
        }
        let defaults = request.defaults;
        Ok(Outgoing { origin, method: request.method.clone(), path, headers, defaults, payload })
    }

    /// Renders a URL and its query, percent-encoded where they need it.
    pub(super) fn locate<'a>(
        &self,
        url: &'a Template,
        query: &[(String, Template)],
    ) -> Result<Located<'a>, Failure> {
        let rendered = url.text(&self.scope).map_err(|error| unrendered(&error))?;
        let mut located = self.worker.base.resolve(rendered)?;
        if !query.is_empty() {
            located.path = extended(&located.path, &form(query, &self.scope)?).into();
        }
        if !address::is_clean(&located.path) {
            located.path = address::encode(located.path.as_bytes()).into();
        }
        Ok(located)
    }
}

/// Renders headers; each name stands once.
pub(super) fn headers<'a>(
    headers: &'a [(FieldName, HeaderValue)],
    scope: &Scope,
) -> Result<Headers<'a>, Failure> {
    headers.iter().map(|(name, value)| Ok((name, header(name, value, scope)?))).collect()
}

fn header<'a>(name: &FieldName, value: &'a HeaderValue, scope: &Scope) -> Result<Cow<'a, str>, Failure> {
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
        let message = format!("the value of header `{}` has a control character", name.as_typed());
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

#[cfg(test)]
mod tests {
    use super::extended;

    #[test]
    fn a_query_is_added_before_a_fragment() {
        assert_eq!(extended("/frag?a=1#top", "b=2"), "/frag?a=1&b=2");
        assert_eq!(extended("/frag#top?", "b=2"), "/frag?b=2");
    }
}
