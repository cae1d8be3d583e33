//! Tokens that carry their user and prove themselves, so that the service remembers none of them.
//! A token is `<user id, base64url>.<check over it, base64url>`. The key is public: it guards nothing.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;

/// Issues tokens and reads them back.
#[derive(Debug)]
pub(super) struct Keyring(hmac::Key);

impl Keyring {
    pub(super) fn new() -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, b"the demo service keeps no secrets"))
    }

    /// The token of a user; the same one every time.
    pub(super) fn issue(&self, user: &str) -> String {
        let check = hmac::sign(&self.0, user.as_bytes());
        format!("{}.{}", URL_SAFE_NO_PAD.encode(user), URL_SAFE_NO_PAD.encode(check))
    }

    /// The user of the request's bearer token, if it has a valid one.
    pub(super) fn bearer(&self, headers: &HeaderMap) -> Option<String> {
        let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") { self.verify(token.trim()) } else { None }
    }

    fn verify(&self, token: &str) -> Option<String> {
        let (user, check) = token.split_once('.')?;
        let [user, check] = [user, check].map(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let (user, check) = (user?, check?);
        hmac::verify(&self.0, &user, &check).ok()?;
        String::from_utf8(user).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(header: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, header.parse().unwrap())]);
        Keyring::new().bearer(&headers)
    }

    #[test]
    fn a_token_is_read_back_by_any_instance_of_the_service() {
        let token = Keyring::new().issue("load-7 é");
        assert_eq!(caller(&format!("Bearer {token}")).as_deref(), Some("load-7 é"));
        assert_eq!(caller(&format!("bearer {token}")).as_deref(), Some("load-7 é"));
    }

    #[test]
    fn a_forged_or_foreign_token_is_nobody() {
        let token = Keyring::new().issue("one");
        let (user, check) = token.split_once('.').unwrap();
        let other = URL_SAFE_NO_PAD.encode("two");
        for header in [
            format!("Bearer {other}.{check}"),
            format!("Bearer {user}."),
            format!("Bearer {user}"),
            format!("Basic {token}"),
            token.clone(),
            "Bearer ".into(),
        ] {
            assert_eq!(caller(&header), None, "{header}");
        }
        assert_eq!(Keyring::new().bearer(&HeaderMap::new()), None);
    }
}
