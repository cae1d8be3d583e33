//! Addresses of requests: a path on the target, or a whole URL; and how an endpoint is named after one.

use url::Url;

use crate::config::node::Span;
use crate::config::problem::Problem;
use crate::plan::credentials;
use crate::template::Template;

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// Requests.
    Http,
    /// WebSockets.
    WebSocket,
}

/// An address that leads nowhere.
#[derive(Debug)]
pub(super) struct BadAddress(String, &'static str);

impl BadAddress {
    /// The problem, at its place.
    pub fn at(self, span: Span) -> Problem {
        Problem::at(span, self.0).hint(self.1)
    }
}

impl Speaks {
    fn schemes(self) -> [&'static str; 2] {
        match self {
            Self::Http => ["http", "https"],
            Self::WebSocket => ["ws", "wss"],
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Http => "write a path from `/`, or a whole URL with `http://` or `https://`",
            Self::WebSocket => "write a path from `/`, or a whole URL with `ws://` or `wss://`",
        }
    }
}

/// Whether an address can lead anywhere, as far as can be seen before it is rendered.
pub(super) fn check(url: &Template, speaks: Speaks) -> Result<(), BadAddress> {
    let text = url.source();
    let shown = credentials::hidden(text);
    if text.starts_with('/') || text.starts_with("{{") {
        return Ok(());
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(BadAddress(format!("`{shown}` is neither a path nor a URL"), speaks.hint()));
    };
    if !speaks.schemes().contains(&scheme) {
        return Err(BadAddress(format!("a URL with `{scheme}://` cannot be used here"), speaks.hint()));
    }
    let valid = !rest.starts_with('/') && (url.constant().is_none() || Url::parse(text).is_ok());
    valid.then_some(()).ok_or_else(|| BadAddress(format!("`{shown}` is not a URL"), speaks.hint()))
}

/// Where an address leads, as far as can be seen before it is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leads {
    /// To the target.
    Home,
    /// To an origin that is written out, and is not known to be the target.
    Elsewhere,
    /// Only the run says where.
    Anywhere,
}

/// Where an address leads; `host` is the URL of the target, where it is known.
pub(super) fn leads(url: &Template, host: Option<&Url>) -> Leads {
    let text = url.source().trim_start();
    if text.starts_with('/') {
        return Leads::Home;
    }
    let Some((scheme, rest)) = text.split_once("://") else { return Leads::Anywhere };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or(rest);
    // A template in it may stand for anything.
    if scheme.contains("{{") || authority.contains("{{") {
        return Leads::Anywhere;
    }
    let scheme = match &*scheme.to_ascii_lowercase() {
        "ws" => "http",
        "wss" => "https",
        _ => scheme,
    };
    let origin = Url::parse(&format!("{scheme}://{authority}")).map(|url| url.origin());
    let is_home =
        host.is_some_and(|host| origin.is_ok_and(|origin| origin.is_tuple() && origin == host.origin()));
    if is_home { Leads::Home } else { Leads::Elsewhere }
}

/// What an address is called in the name of its endpoint: the path, after the host where that is not the
/// target's; without user, password and query, each `{{ … }}` written `{}`.
pub(super) fn name(url: &Template) -> String {
    let pattern = url.pattern();
    let path = credentials::without(pattern.split(['?', '#']).next().unwrap_or(""));
    path.split_once("://").map_or(&*path, |(_, rest)| rest).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_named_after_its_path_without_what_changes() {
        for (url, wanted) in [
            ("/a/b?page=1", "/a/b"),
            ("/a/{{ x }}/{{ y ~ '?' }}?q={{ z }}", "/a/{}/{}"),
            ("https://other.example/x#top", "other.example/x"),
            ("{{ base }}/x", "{}/x"),
            ("https://bob:s3cr3t@other.example/@x", "other.example/@x"),
            ("https://{{ user }}:{{ password }}@other.example", "other.example"),
        ] {
            assert_eq!(name(&Template::compile(url).unwrap()), wanted, "{url}");
        }
    }

    #[test]
    fn where_an_address_leads_is_known_where_it_is_written_out() {
        let host = Url::parse("https://a.test/v1").unwrap();
        for (url, wanted) in [
            ("/x", Leads::Home),
            ("https://a.test/x", Leads::Home),
            ("https://A.test:443?{{ q }}", Leads::Home),
            ("wss://u:p@a.test", Leads::Home),
            ("http://a.test/", Leads::Elsewhere),
            ("https://a.test.evil/", Leads::Elsewhere),
            ("https://b.test/{{ x }}", Leads::Elsewhere),
            ("https://{{ x }}/", Leads::Anywhere),
            ("https://a.test{{ x }}/", Leads::Anywhere),
            ("https://a.test:{{ port }}/", Leads::Anywhere),
            ("{{ x }}://a.test/", Leads::Anywhere),
            ("{{ url }}", Leads::Anywhere),
        ] {
            let url = Template::compile(url).unwrap();
            assert_eq!(leads(&url, Some(&host)), wanted, "{}", url.source());
            assert_eq!(leads(&url, None) == Leads::Home, url.source() == "/x", "{}", url.source());
        }
    }

    #[test]
    fn addresses_are_paths_or_urls_of_the_right_kind() {
        let problem =
            |url: &str, speaks| check(&Template::compile(url).unwrap(), speaks).err().map(|bad| bad.0);
        for url in ["/x", "{{ next }}", "http://a/b", "https://{{ host }}/b"] {
            assert_eq!(problem(url, Speaks::Http), None, "{url}");
        }
        assert_eq!(problem("wss://a/b", Speaks::WebSocket), None);
        for url in ["x", "ftp://a", "ws://a", "http:///x", "http://a:b/"] {
            assert!(problem(url, Speaks::Http).is_some(), "{url}");
        }
    }
}
