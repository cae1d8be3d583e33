//! The cookies of one user (RFC 6265).

use cookie_store::{CookieStore, RawCookie};
use hyper::HeaderMap;
use hyper::header::SET_COOKIE;

use super::origin::Origin;
use super::outgoing::Outgoing;

/// What servers have asked a user to keep. A user that was asked for nothing holds no memory for it.
#[derive(Debug, Default)]
pub struct Jar(Option<Box<CookieStore>>);

impl Jar {
    /// The value of `cookie` for a request that goes there, where there is one.
    pub fn header(&self, origin: &Origin, path: &str) -> Option<String> {
        let store = self.0.as_ref()?;
        let url = origin.url(path).ok()?;
        let pairs: Vec<String> =
            store.get_request_values(&url).map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Keeps what the response to a request asks to be kept.
    pub fn keep(&mut self, outgoing: &Outgoing<'_>, headers: &HeaderMap) {
        if !headers.contains_key(SET_COOKIE) {
            return;
        }
        let Ok(url) = outgoing.origin.url(&outgoing.path) else { return };
        let asked = headers.get_all(SET_COOKIE).iter().filter_map(|value| {
            let text = std::str::from_utf8(value.as_bytes()).ok()?;
            RawCookie::parse(text.to_owned()).ok()
        });
        self.0.get_or_insert_default().store_response_cookies(asked, &url);
    }
}
