//! The user and the password that a URL may hold (`http://user:password@host`): what is sent for them, what of them is a
//! secret, and a URL without them.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;

/// What to do where a user or a password ends the host that it stands before.
pub const ENCODE: &str = "percent-encode the user and the password: `%40` for `@`, `%2F` for `/`, `%3A` for `:`, \
                          `%3F` for `?`, `%23` for `#`, `%25` for `%`";

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

/// A text as messages show it, without what may be a user and a password in it: also where their `#`, `?` or `/` is not
/// percent-encoded, so that the text means something else. Of a path, which has neither, nothing is left out.
pub fn hidden(url: &str) -> Cow<'_, str> {
    let is_path = url.trim_start().starts_with('/');
    let Some(sign) = url.rfind('@').filter(|_| !is_path) else { return url.into() };
    let at = authority(url).min(sign);
    let mark = if is_raw(url) { "***@" } else { "" };
    format!("{}{mark}{}", &url[..at], &url[sign + 1..]).into()
}

/// Whether an `@` stands behind what ends the host of a URL, as it does where `#`, `?` or `/` in a password is not
/// percent-encoded.
pub fn is_raw(url: &str) -> bool {
    let at = authority(url);
    let end = url[at..].find(['/', '?', '#', '\\']).map(|found| at + found);
    end.is_some_and(|end| url[end..].contains('@'))
}

/// Whether an `@` in the path of the URL of a host most likely ends a user and a password that are not percent-encoded, so
/// that their first part is taken for the host, and the rest for a path that everybody may read. Where they are known,
/// as in `http://user:pass@word/x@host`, any further `@` is one too many. Otherwise a `:` must stand before it, as it does
/// before a password, and more than the port of a path that begins with an `@`: `https://cdn.example/lib@1.2` and
/// `http://localhost:8080/@scope` are what they look like.
pub fn is_cut_off(url: &str) -> bool {
    let rest = &url[authority(url)..];
    let (host, path) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
    let Some(sign) = path.rfind('@') else { return false };
    let behind_address = host.rfind(']').map_or(host, |bracket| &host[bracket..]);
    let has_colon = behind_address.contains(':') || path[..sign].contains(':');
    let begins_segment = |at: usize| path[..at].ends_with(['/', '\\']);
    let is_segment = path.match_indices('@').all(|(at, _)| begins_segment(at));
    host.contains('@') || (has_colon && !is_segment)
}

/// Where the user and the password stand in a URL: from behind `//` to the `@`, which is the last one before the path.
/// A URL within another one, as in `/login?next=http://user@host`, is none of ours.
fn userinfo(url: &str) -> Option<(usize, usize)> {
    let at = Some(authority(url)).filter(|at| *at > 0)?;
    let end = at + url[at..].find(['/', '?', '#', '\\']).unwrap_or(url.len() - at);
    let sign = url[at..end].rfind('@')?;
    Some((at, at + sign))
}

/// Where a text goes on behind its scheme and `://`; 0 where it does not begin with them.
fn authority(url: &str) -> usize {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    scheme.filter(|scheme| is_scheme(scheme.trim_start())).map_or(0, |scheme| scheme.len() + 3)
}

/// Whether a text is a scheme, or a template that stands for one.
fn is_scheme(text: &str) -> bool {
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let template = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    match template {
        Some(inner) => !inner.contains("}}"),
        None => text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(valid),
    }
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
        for url in
            ["/x/@y", "/go?to=http://bob@x/", "{{ a }}/go?to=http://bob@x/", "{{ a }}{{ b ~ '://bob@x' }}"]
        {
            assert_eq!((secrets_in(url), &*without(url)), (Vec::new(), url));
        }
        assert_eq!(secrets_in("{{ scheme }}://u:p4ss@a/"), ["p4ss"]);
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

    #[test]
    fn an_at_sign_in_the_path_of_a_host_may_end_a_password() {
        for url in [
            "http://us:p@ssw0rd-Q9/x@127.0.0.1:1",
            "http://us:p@h/@x",
            "http://us:12/34@h",
            "http://us:/34@h",
            "http://corp\\alice:s3cret@h",
            "http://corp/alice:s3cret@h",
            "http://[::1]:1/a@b",
            "https://t0k@n/x@h",
        ] {
            assert!(is_cut_off(url), "{url}");
        }
        for url in [
            "http://us:p@h/x",
            "http://us:p@h",
            "http://h:8080/@scope",
            "http://h:8080/a/@b/@c/d",
            "https://h/@x",
            "https://cdn.example/lib@1.2/x@y",
            "http://[::1]/a@b",
            "http://h/a:b/@c",
            "http://h:1/a:b",
        ] {
            assert!(!is_cut_off(url), "{url}");
        }
    }

    #[test]
    fn a_message_shows_no_password_even_where_it_is_not_encoded() {
        for (url, shown) in [
            ("http://u:pa#ss@b:80", "http://***@b:80"),
            ("http://u:pa/s@s@b", "http://***@b"),
            ("http://u:pa?ss@b/x", "http://***@b/x"),
            ("u:p/w@b", "***@b"),
            ("u:p://w@b", "***@b"),
            ("http://u:p@b/x", "http://b/x"),
            ("http://b/x", "http://b/x"),
            ("/x/@y", "/x/@y"),
        ] {
            assert_eq!(hidden(url), shown, "{url}");
        }
    }
}
