//! Asks a service whether it is ready, until it says so with 2xx.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use reqwest::{Client, StatusCode};
use url::Url;

use crate::load::tls;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
const ONE_REQUEST: Duration = Duration::from_secs(2);

/// The last answer of a service that is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was never asked.
    None,
    /// This status.
    Status(StatusCode),
    /// No answer, for this reason.
    Failure(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("gave no answer"),
            Self::Status(status) => write!(f, "answered {}", status.as_u16()),
            Self::Failure(reason) => write!(f, "gave no answer ({reason})"),
        }
    }
}

/// A client for one short question: no proxy, no retry, no redirect.
pub(super) fn client() -> reqwest::Result<Client> {
    tls::install_provider();
    Client::builder()
        .no_proxy()
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ONE_REQUEST)
        .build()
}

/// Asks until the answer is 2xx; `last` always holds the latest other answer.
pub(super) async fn until_ready(client: &Client, url: &Url, last: &mut Answer) {
    let mut pause = FIRST_PAUSE;
    loop {
        *last = match client.get(url.clone()).send().await {
            Ok(response) if response.status().is_success() => return,
            Ok(response) => Answer::Status(response.status()),
            Err(error) => Answer::Failure(innermost(&error)),
        };
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The innermost cause says most: "connection refused" rather than "error sending request".
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
