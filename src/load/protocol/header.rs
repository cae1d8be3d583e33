//! The headers of a response as texts. What a server repeats is one list (RFC 9110, 5.3), so everything that looks at a
//! header sees all its lines, joined with `, `. `set-cookie` is the exception that the RFC makes: its values have commas
//! in them, so each line stays one of its own.

use std::borrow::Cow;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue, SET_COOKIE};

/// A value as text: UTF-8 where it is valid, else ISO-8859-1, in which every byte is a character.
pub fn text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.into(),
        Err(_) => value.as_bytes().iter().map(|byte| char::from(*byte)).collect::<String>().into(),
    }
}

/// All lines of a header as one text, those of `set-cookie` below each other; none where there are none.
pub fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<_> = headers.get_all(name).iter().map(text).collect();
    let between = if *name == SET_COOKIE { "\n" } else { ", " };
    (!lines.is_empty()).then(|| lines.join(between))
}

/// What a capture takes: all lines as one text, and of `set-cookie` the first.
pub fn captured(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    if *name == SET_COOKIE {
        return headers.get(SET_COOKIE).map(|value| text(value).into_owned());
    }
    joined(headers, name)
}

/// Whether a header is this: all of it, or one of its lines.
pub fn is(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let mut lines = headers.get_all(name).iter();
    lines.any(|line| text(line) == wanted) || joined(headers, name).is_some_and(|all| all == wanted)
}

/// About how many bytes headers hold.
pub fn size(headers: &HeaderMap) -> usize {
    /// What a map needs for one of them, beside its texts.
    const ENTRY: usize = 128;
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ENTRY).sum()
}

#[cfg(test)]
mod tests {
    use super::super::incoming::keep;
    use super::*;

    fn headers(lines: &[(&str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            keep(&mut headers, name, value);
        }
        headers
    }

    #[test]
    fn what_is_repeated_is_one_list_and_cookies_are_not() {
        let headers = headers(&[
            ("X-D", b"a"),
            ("set-cookie", b"a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"),
            ("x-d", b"b, c"),
            ("set-cookie", b"b=2"),
            ("x-e", b""),
        ]);
        let [d, e, f] = ["x-d", "x-e", "x-f"].map(HeaderName::from_static);
        assert_eq!(joined(&headers, &d).as_deref(), Some("a, b, c"));
        assert_eq!(captured(&headers, &d).as_deref(), Some("a, b, c"));
        assert_eq!((joined(&headers, &e).as_deref(), joined(&headers, &f)), (Some(""), None));
        let cookies = "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT\nb=2";
        assert_eq!(joined(&headers, &SET_COOKIE).as_deref(), Some(cookies));
        assert_eq!(captured(&headers, &SET_COOKIE).as_deref(), cookies.split('\n').next());
        for (name, wanted, held) in [
            (&d, "a, b, c", true),
            (&d, "a", true),
            (&d, "c", false),
            (&SET_COOKIE, "b=2", true),
            (&e, "", true),
            (&f, "", false),
        ] {
            assert_eq!(is(&headers, name, wanted), held, "{name} {wanted}");
        }
    }

    #[test]
    fn a_value_is_text_in_utf_8_and_in_latin_1() {
        let headers = headers(&[("x-a", "Größe".as_bytes()), ("x-b", b"Gr\xf6\xdfe")]);
        assert_eq!(joined(&headers, &HeaderName::from_static("x-a")).as_deref(), Some("Größe"));
        assert_eq!(joined(&headers, &HeaderName::from_static("x-b")).as_deref(), Some("Größe"));
    }
}
