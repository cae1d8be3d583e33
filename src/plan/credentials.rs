//! The user and the password that a URL may hold (`http://user:password@host`): what is sent for them, what of them is a
//! secret, and a URL without them.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;

/// The user and the password of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The value of `authorization` (RFC 7617).
    pub authorization: String,
    /// What must appear nowhere: the password, or the user where there is no password, as it is written and as it is
    /// sent.
    pub secrets: Vec<String>,
}

impl Credentials {
    /// Those of a URL, where it has any; they stand percent-encoded in it.
    pub fn of(url: &Url) -> Option<Self> {
        let (user, password) = (url.username(), url.password());
        if user.is_empty() && password.is_none() {
            return None;
        }
        let pair = [&decode(user)[..], b":", &decode(password.unwrap_or(""))].concat();
        let authorization = format!("Basic {}", STANDARD.encode(pair));
        Some(Self { authorization, secrets: secrets(user, password) })
    }

    /// Takes them out of a URL.
    pub fn take(url: &mut Url) -> Option<Self> {
        let found = Self::of(url)?;
        // Both succeed wherever a URL has them.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Some(found)
    }
}

/// What is secret of the user and the password in the text of a URL, whose parts may be templates: those are not known
/// here.
pub fn secrets_in(url: &str) -> Vec<String> {
    let Some((at, end)) = userinfo(url) else { return Vec::new() };
    let (user, password) = match url[at..end].split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (&url[at..end], None),
    };
    secrets(user, password).into_iter().filter(|secret| !secret.contains("{{")).collect()
}

/// A text without the user and the password of the URL that it is, and without the `@` behind them.
pub fn without(url: &str) -> Cow<'_, str> {
    match userinfo(url) {
        Some((at, end)) => format!("{}{}", &url[..at], &url[end + 1..]).into(),
        None => url.into(),
    }
}

/// Where the user and the password stand in a URL: from behind `//` to the `@`, which is the last one before the path.
fn userinfo(url: &str) -> Option<(usize, usize)> {
    let at = url.find("://")? + 3;
    let end = at + url[at..].find(['/', '?', '#', '\\']).unwrap_or(url.len() - at);
    let sign = url[at..end].rfind('@')?;
    Some((at, at + sign))
}

fn secrets(user: &str, password: Option<&str>) -> Vec<String> {
    // A token stands alone, as the user, as often as not.
    let written = password.filter(|password| !password.is_empty()).unwrap_or(user);
    let mut secrets = vec![written.to_owned(), String::from_utf8_lossy(&decode(written)).into_owned()];
    secrets.dedup();
    secrets.retain(|secret| !secret.is_empty());
    secrets
}

/// What percent-encoding stands for; a `%` that begins none is itself.
fn decode(text: &str) -> Vec<u8> {
    let (bytes, mut at) = (text.as_bytes(), 0);
    let mut decoded = Vec::with_capacity(bytes.len());
    while let Some(byte) = bytes.get(at) {
        let pair =
            text.get(at + 1..at + 3).filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let value = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).filter(|_| *byte == b'%');
        decoded.push(value.unwrap_or(*byte));
        at += if value.is_some() { 3 } else { 1 };
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_decoded_before_they_are_sent() {
        let of = |url: &str| Credentials::of(&Url::parse(url).unwrap()).map(|found| found.authorization);
        // base64 of `alice:p@ss`, of `:x`, of `only:`, of `ü:é%`.
        assert_eq!(of("http://alice:p%40ss@a/"), Some("Basic YWxpY2U6cEBzcw==".into()));
        assert_eq!(of("http://:x@a/"), Some("Basic Ong=".into()));
        assert_eq!(of("http://only@a/"), Some("Basic b25seTo=".into()));
        assert_eq!(of("http://ü:é%@a/"), Some("Basic w7w6w6kl".into()));
        assert_eq!(of("http://a/"), None);
    }

    #[test]
    fn a_password_is_a_secret_as_it_is_written_and_as_it_is_sent() {
        let mut url = Url::parse("http://alice:p%40ss@a/x").unwrap();
        let taken = Credentials::take(&mut url).unwrap();
        assert_eq!((taken.secrets, url.as_str()), (vec!["p%40ss".into(), "p@ss".into()], "http://a/x"));
        assert_eq!(secrets_in("https://t0ken@{{ host }}/x"), ["t0ken"]);
        assert_eq!(secrets_in("https://u:{{ env('P') }}@a/x"), [""; 0]);
        assert_eq!(secrets_in("/x/@y"), [""; 0]);
    }

    #[test]
    fn a_url_is_shown_without_them() {
        for (url, shown) in [
            ("http://u:p@ss@b/x?y=@", "http://b/x?y=@"),
            ("ws://{{ user }}:{{ pw }}@b", "ws://b"),
            ("http://b/@x", "http://b/@x"),
            ("/x", "/x"),
        ] {
            assert_eq!(without(url), shown);
        }
    }
}
