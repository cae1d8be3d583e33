//! One rule for what is sent of an address, whether it is a path, a whole URL or the `Location` of a response: the path
//! and the query are sent as they are written, and only what cannot stand in a request line is percent-encoded. A
//! library for URLs would change them as a browser does: it removes dot segments, makes `/` of `\`, and encodes braces.
//! A service behind a gateway, or one whose links are signed, sees the difference. Only the host is made uniform, by
//! that library.

/// Cuts a URL into what names its origin (`https://user@host:80`) and what is asked for there. None where it does not
/// begin with a scheme and `//`.
pub fn split(url: &str) -> Option<(&str, &str)> {
    let scheme = scheme(url)?;
    let authority = url[scheme.len()..].strip_prefix("://")?;
    let length = authority.find(['/', '?', '#', '\\']).unwrap_or(authority.len());
    Some(url.split_at(url.len() - authority.len() + length))
}

/// The scheme of a URL; none where the text is a reference without one (RFC 3986, 3.1).
pub fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once(':')?;
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(valid)).then_some(scheme)
}

/// Whether a path can be sent as it is.
pub fn is_clean(path: &str) -> bool {
    path.bytes().all(stands)
}

/// Whether a byte can stand in a path or query of every version of HTTP (RFC 3986; the URL standard encodes
/// the same).
fn stands(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'`' | b'#')
}

/// Percent-encodes what cannot stand in a request line; what is encoded already stays so. A fragment is for
/// whoever asks, not for the server. Bytes need not be UTF-8: those of Latin-1 are sent as they came.
pub fn encode(path: &[u8]) -> String {
    let path = path.split(|byte| *byte == b'#').next().unwrap_or(path);
    path.iter().fold(String::with_capacity(path.len()), |mut out, byte| {
        if stands(*byte) {
            out.push(char::from(*byte));
        } else {
            out.extend(["%".to_owned(), format!("{byte:02X}")]);
        }
        out
    })
}

/// The path and query that a relative reference leads to from a path and query (RFC 3986, 5.2). The reference has no
/// scheme, no host and no fragment, and is not empty.
pub fn join(base: &str, reference: &str) -> String {
    let (base_path, _) = base.split_once('?').unwrap_or((base, ""));
    let (path, query) = match reference.find('?') {
        Some(at) => reference.split_at(at),
        None => (reference, ""),
    };
    if path.is_empty() {
        return format!("{base_path}{query}");
    }
    let whole = if path.starts_with('/') {
        path.to_owned()
    } else {
        let folder = base_path.rfind('/').map_or("/", |end| &base_path[..=end]);
        format!("{folder}{path}")
    };
    without_dots(&whole) + query
}

/// Removes dot segments (RFC 3986, 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                // A path that ends in dots names a folder.
                if last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_encoded_where_it_must_be_and_loses_its_fragment() {
        for (path, wanted) in [
            ("/a b?q=ä", "/a%20b?q=%C3%A4"),
            ("/a\"b<c>`?x=%20|^", "/a%22b%3Cc%3E%60?x=%20|^"),
            ("/frag?a=1#top", "/frag?a=1"),
            ("/v1/../a/{x}|y^z?q='1'\\", "/v1/../a/{x}|y^z?q='1'\\"),
        ] {
            assert_eq!(encode(path.as_bytes()), wanted);
        }
        assert_eq!(encode(b"/caf\xe9"), "/caf%E9", "Latin-1");
    }

    #[test]
    fn a_url_is_cut_behind_its_host() {
        for (url, origin, rest) in [
            ("http://a.example:80/x/../y", "http://a.example:80", "/x/../y"),
            ("ws://a?q=http://b/", "ws://a", "?q=http://b/"),
            ("https://u:p@[::1]#top", "https://u:p@[::1]", "#top"),
            ("http://a\\b", "http://a", "\\b"),
        ] {
            assert_eq!(split(url), Some((origin, rest)), "{url}");
        }
        assert_eq!(
            (split("/x"), split("//a/x"), split("mailto:x"), split("1a://b")),
            (None, None, None, None)
        );
    }

    #[test]
    fn references_lead_where_rfc_3986_says() {
        // RFC 3986, 5.4, with the base `/b/c/d;p?q`.
        for (reference, wanted) in [
            ("g", "/b/c/g"),
            ("./g", "/b/c/g"),
            ("g/", "/b/c/g/"),
            ("/g", "/g"),
            ("?y", "/b/c/d;p?y"),
            ("g?y", "/b/c/g?y"),
            (";x", "/b/c/;x"),
            (".", "/b/c/"),
            ("./", "/b/c/"),
            ("..", "/b/"),
            ("../g", "/b/g"),
            ("../../g", "/g"),
            ("../../../g", "/g"),
            ("/./g", "/g"),
            ("/../g", "/g"),
            ("g..", "/b/c/g.."),
            ("./../g", "/b/g"),
            ("g/./h", "/b/c/g/h"),
            ("g/../h", "/b/c/h"),
            ("g?y/../x", "/b/c/g?y/../x"),
            ("//g", "//g"),
        ] {
            assert_eq!(join("/b/c/d;p?q", reference), wanted, "{reference}");
        }
        assert_eq!(join("/", "?a"), "/?a");
    }
}
