//! The character encoding of a body. What the configuration says is UTF-8, so a body whose `content-type` names
//! another charset is compared as UTF-8, too: as browsers read it (WHATWG Encoding: ISO-8859-1 is windows-1252).

use encoding_rs::{Encoding, UTF_8};
use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;

/// The charset that a body is said to have, where it is one that has to be converted.
#[derive(Debug, Clone, Copy)]
pub struct Charset {
    encoding: &'static Encoding,
    /// Whether the body is JSON, which is UTF-8 whatever is said (RFC 8259, 8.1 and 11). Servlet containers, above
    /// all, write `charset=ISO-8859-1` beside it.
    json: bool,
}

impl Charset {
    /// That of a body with these headers. Of an unknown one the bytes stay as they are, and so they do of one that
    /// browsers refuse to read.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(CONTENT_TYPE)?.as_bytes();
        let encoding = Encoding::for_label_no_replacement(label(content_type)?)?;
        (encoding != UTF_8).then(|| Self { encoding, json: is_json(content_type) })
    }

    /// Whether a body is the same in UTF-8. JSON in UTF-16 is not, although it may look valid: no JSON has a NUL in it.
    pub fn is_same(self, body: &[u8]) -> bool {
        if self.encoding.is_ascii_compatible() && body.is_ascii() {
            return true;
        }
        self.json && std::str::from_utf8(body).is_ok() && memchr::memchr(0, body).is_none()
    }

    /// The most bytes that so many bytes become.
    pub fn most(self, bytes: usize) -> usize {
        self.encoding.new_decoder().max_utf8_buffer_length(bytes).unwrap_or(usize::MAX)
    }

    /// A body in UTF-8; what is not valid in its charset becomes U+FFFD. A byte order mark weighs more than what the
    /// header says, and is left out.
    pub fn to_utf8(self, body: &[u8]) -> Vec<u8> {
        self.encoding.decode(body).0.into_owned().into_bytes()
    }
}

/// Whether a content type is that of JSON: a subtype `json`, or one that ends with `+json` (RFC 6839, 3.1).
fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let subtype = essence.rsplit(|byte| matches!(byte, b'/' | b'+')).next().unwrap_or_default();
    subtype.eq_ignore_ascii_case(b"json")
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
        match Charset::of(&headers) {
            Some(charset) if !charset.is_same(body) => charset.to_utf8(body),
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
        // Browsers do not read this one, and what they show instead would be no body at all.
        assert_eq!(read("text/plain; charset=iso-2022-kr", b"hello"), b"hello");
    }

    #[test]
    fn json_is_utf_8_whatever_its_charset_is_said_to_be() {
        let json = "[\"Größe\"]".as_bytes();
        let utf_16: Vec<u8> = "[1]".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for kind in ["application/json", "application/problem+json", "text/JSON", "application/hal+Json "] {
            assert_eq!(read(&format!("{kind};charset=ISO-8859-1"), json), json, "{kind}");
            // What is not UTF-8 is what the header says, or nothing.
            assert_eq!(read(&format!("{kind};charset=ISO-8859-1"), b"[\"Gr\xf6\xdfe\"]"), json, "{kind}");
            assert_eq!(read(&format!("{kind};charset=utf-16le"), &utf_16), b"[1]", "{kind}");
        }
        assert_eq!(read("application/jsonp; charset=latin1", "ä".as_bytes()), "Ã¤".as_bytes());
    }
}
