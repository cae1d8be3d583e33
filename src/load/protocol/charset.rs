//! The character encoding of a body. What the configuration says is UTF-8, so a body whose `content-type` names
//! another charset is compared as UTF-8, too: as browsers read it (WHATWG Encoding: ISO-8859-1 is windows-1252).

use encoding_rs::{Encoding, UTF_8};
use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;

/// The charset of a body, where it is one that has to be converted. Of an unknown one the bytes stay as they are.
pub fn of(headers: &HeaderMap) -> Option<&'static Encoding> {
    let label = label(headers.get(CONTENT_TYPE)?.as_bytes())?;
    Encoding::for_label(label).filter(|encoding| *encoding != UTF_8)
}

/// Whether bytes in this charset are the same in UTF-8.
pub fn is_same(charset: &'static Encoding, body: &[u8]) -> bool {
    charset.is_ascii_compatible() && body.is_ascii()
}

/// The most bytes that so many bytes become.
pub fn most(charset: &'static Encoding, bytes: usize) -> usize {
    charset.new_decoder().max_utf8_buffer_length(bytes).unwrap_or(usize::MAX)
}

/// A body in UTF-8; what is not valid in its charset becomes U+FFFD. A byte order mark weighs more than what the
/// header says, and is left out.
pub fn to_utf8(charset: &'static Encoding, body: &[u8]) -> Vec<u8> {
    charset.decode(body).0.into_owned().into_bytes()
}

/// The value of the parameter `charset` of a content type (RFC 9110, 8.3.1).
fn label(content_type: &[u8]) -> Option<&[u8]> {
    let parameters = content_type.split(|byte| *byte == b';').skip(1);
    let mut charset = parameters.filter_map(|parameter| {
        let equals = parameter.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (parameter[..equals].trim_ascii(), parameter[equals + 1..].trim_ascii());
        name.eq_ignore_ascii_case(b"charset").then_some(value)
    });
    let value = charset.next()?;
    Some(value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::super::incoming::keep;
    use super::*;

    fn read(content_type: &str, body: &[u8]) -> Vec<u8> {
        let mut headers = HeaderMap::new();
        keep(&mut headers, "content-type", content_type.as_bytes());
        match of(&headers) {
            Some(charset) if !is_same(charset, body) => to_utf8(charset, body),
            _ => body.to_vec(),
        }
    }

    #[test]
    fn a_body_is_compared_in_utf_8_whatever_its_charset_is() {
        for (content_type, body) in [
            ("text/html; charset=ISO-8859-1", &b"Gr\xf6\xdfe"[..]),
            ("text/html;charset=\"windows-1252\"", b"Gr\xf6\xdfe"),
            ("text/html; q=1; Charset=latin1", b"Gr\xf6\xdfe"),
            ("text/html; charset=utf-16le", b"G\0r\0\xf6\0\xdf\0e\0"),
            ("text/html; charset=utf-16", b"\xfe\xff\0G\0r\0\xf6\0\xdf\0e"),
            ("text/html; charset=utf-8", "Größe".as_bytes()),
            ("text/html; charset=iso-8859-1", "\u{feff}Größe".as_bytes()),
            ("text/html; charset=martian", "Größe".as_bytes()),
            ("text/html", "Größe".as_bytes()),
        ] {
            assert_eq!(read(content_type, body), "Größe".as_bytes(), "{content_type}");
        }
        assert_eq!(read("text/plain; charset=shift_jis", b"\x93\xfa\x96\x7b"), "日本".as_bytes());
        assert_eq!(read("text/plain; charset=windows-1252", b"5 \x80"), "5 €".as_bytes());
    }
}
