//! Answers as they leave the service: JSON bodies, and every refusal with its status and one sentence.

use axum::{
    body::Body,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;
use thiserror::Error;

/// Why a request does not get what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Refusal {
    #[error("a valid bearer token is needed")]
    Unauthorized,
    /// The request cannot be read at all.
    #[error("{0}")]
    Malformed(String),
    /// The request can be read and asks for something that cannot be.
    #[error("{0}")]
    Invalid(String),
    #[error("no such build")]
    NoBuild,
    #[error("no such route")]
    NoRoute,
    #[error("this route does not answer to this method")]
    Method,
    #[error("this route speaks WebSocket version 13 only")]
    NotWebSocket,
    #[error("the request body is too large")]
    TooLarge,
    #[error("the service failed, as its script demands")]
    Scripted,
    #[error("all workers are busy and the queue is full")]
    Full,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NoBuild | Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotWebSocket => StatusCode::UPGRADE_REQUIRED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Scripted => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Full => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The headers that go with the status.
    fn headers(&self) -> &'static [(HeaderName, &'static str)] {
        match self {
            Self::Unauthorized => &[(WWW_AUTHENTICATE, "Bearer")],
            Self::NotWebSocket => &[(UPGRADE, "websocket"), (SEC_WEBSOCKET_VERSION, "13")],
            Self::Full => &[(RETRY_AFTER, "1")],
            _ => &[],
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = json(&serde_json::json!({ "error": self.to_string() }));
        *response.status_mut() = self.status();
        for (name, value) in self.headers() {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// A body with status 200.
pub(super) fn json(body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => json_text(bytes),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A body that is JSON already, with status 200.
pub(super) fn json_text(body: impl Into<Body>) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body.into()).into_response()
}
