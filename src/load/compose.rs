//! From a step of the plan and the values of a user to a request ready to go.

use std::borrow::Cow;

use base64::Engine;
use bytes::Bytes;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, USER_AGENT};

use super::measure::outcome::{Failure, FailureKind};
use super::perform::unrendered;
use super::protocol::address;
use super::protocol::origin::Located;
use super::protocol::outgoing::{AUTHORIZED, Outgoing, Payload};
use super::virtual_user::VirtualUser;
use crate::plan::step::{Body, DefaultHeaders, FieldName, HeaderValue, Piece, Request};
use crate::template::{Scope, Template};

/// The headers of a request: names of the plan, values of the plan or rendered.
pub(super) type Headers<'a> = Vec<(&'a FieldName, Cow<'a, str>)>;

static ENCODINGS: FieldName = FieldName::of(ACCEPT_ENCODING, "accept-encoding");

impl VirtualUser {
    /// The request that a step asks for now.
    pub(super) fn compose<'a>(&self, request: &'a Request) -> Result<Outgoing<'a>, Failure> {
        let Located { origin, path, authorization } = self.locate(&request.url, &request.query)?;
        let payload = payload(&request.body, &self.scope)?;
        let at_home = || self.trusted(request.redirects.to.as_deref()).is_part_of_service(&origin);
        let (mut headers, defaults) = headers(&request.headers, request.defaults, &self.scope, at_home)?;
        if let Some(encodings) = &self.worker.plan.http.accept_encoding
            && headers.iter().all(|(name, _)| ***name != ACCEPT_ENCODING)
        {
            headers.push((&ENCODINGS, encodings.clone().into()));
        }
        if let Some(value) = authorization.filter(|_| defaults.authorization) {
            headers.push((&AUTHORIZED, value.into()));
        }
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

/// Renders headers, each name of which stands once, and says which of those that are sent by default are left to it.
/// Whether the request goes home is asked where a header goes only there; without such a header, its default is sent.
pub(super) fn headers<'a>(
    headers: &'a [(FieldName, HeaderValue)],
    mut defaults: DefaultHeaders,
    scope: &Scope,
    goes_home: impl Fn() -> bool,
) -> Result<(Headers<'a>, DefaultHeaders), Failure> {
    let mut rendered = Headers::with_capacity(headers.len());
    for (name, value) in headers {
        if matches!(value, HeaderValue::AtHome(_)) && !goes_home() {
            defaults.authorization |= **name == AUTHORIZATION;
            defaults.user_agent |= **name == USER_AGENT;
            defaults.accept |= **name == ACCEPT;
            continue;
        }
        rendered.push((name, header(name, value, scope)?));
    }
    Ok((rendered, defaults))
}

fn header<'a>(name: &FieldName, value: &'a HeaderValue, scope: &Scope) -> Result<Cow<'a, str>, Failure> {
    let text = |template: &'a Template| template.text(scope).map_err(|error| unrendered(&error));
    let value = match value {
        HeaderValue::Text(template) | HeaderValue::AtHome(template) => text(template)?,
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
