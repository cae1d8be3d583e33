//! The cookies of one user (RFC 6265).

use std::cmp::Reverse;
use std::sync::Arc;

use cookie_store::{Cookie, CookieDomain, CookieStore, StoreAction};
use hyper::HeaderMap;
use hyper::header::SET_COOKIE;
use url::{Host, Url};

use super::origin::Origin;
use crate::load::measure::outcome::Failure;
use crate::load::memory::{Budget, Hold};

/// The most cookies a user keeps, and the most bytes of one, as browsers have it (RFC 6265, 6.1, asks for at
/// least 50 of 4,096 bytes a host). The oldest makes room.
const MOST: usize = 50;
const LONGEST: usize = 4_096;
/// What a cookie needs, beside its texts.
const COOKIE: usize = 512;

/// What servers have asked a user to keep. A user that was asked for nothing holds no memory for it.
#[derive(Debug, Default)]
pub struct Jar(Option<Box<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    store: CookieStore,
    /// Every cookie, the one that was made first in front.
    order: Vec<Place>,
    hold: Hold,
}

/// What makes a cookie this one and no other.
#[derive(Debug)]
struct Place {
    domain: String,
    path: String,
    name: String,
    /// About how many bytes it holds.
    size: usize,
}

impl Place {
    /// That of a cookie that was read from this text.
    fn of(cookie: &Cookie<'_>, text: &str) -> Self {
        // The names stand here as well.
        Self {
            size: 2 * text.len() + COOKIE,
            domain: cookie.domain.as_cow().unwrap_or_default().into_owned(),
            path: cookie.path.to_string(),
            name: cookie.name().to_owned(),
        }
    }

    fn is_of(&self, cookie: &Cookie<'_>) -> bool {
        self.name == cookie.name()
            && self.path == *cookie.path
            && self.domain == cookie.domain.as_cow().unwrap_or_default()
    }
}

impl Jar {
    /// The value of `cookie` for a request to a path, where there is one. Longer paths come first, then what was made
    /// earlier (RFC 6265, 5.4): of several cookies of one name, servers take the first.
    pub fn header(&self, origin: &Origin, path: &str) -> Option<String> {
        let kept = self.0.as_ref()?;
        let url = origin.url(path).ok()?;
        let mut cookies = kept.store.matches(&url);
        if cookies.len() > 1 {
            cookies.sort_by_cached_key(|cookie| (Reverse(cookie.path.len()), kept.made(cookie)));
        }
        let mut header = String::new();
        for cookie in cookies {
            let between = if header.is_empty() { "" } else { "; " };
            header.extend([between, cookie.name(), "=", cookie.value()]);
        }
        (!header.is_empty()).then_some(header)
    }

    /// Keeps what the response from a path asks to be kept. Where the budget has no room for it, the newest of all are
    /// left out, and it is a failure.
    pub fn keep(
        &mut self,
        (origin, path): (&Origin, &str),
        headers: &HeaderMap,
        budget: &Arc<Budget>,
    ) -> Result<(), Failure> {
        if !headers.contains_key(SET_COOKIE) {
            return Ok(());
        }
        let Ok(url) = origin.url(path) else { return Ok(()) };
        let asked = headers.get_all(SET_COOKIE).iter();
        let asked = asked.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok());
        for text in asked.filter(|text| text.len() <= LONGEST) {
            self.0.get_or_insert_default().add(text, &url);
        }
        self.0.as_mut().map_or(Ok(()), |kept| kept.settle(budget))
    }
}

impl Kept {
    /// When a cookie was made, in their order.
    fn made(&self, cookie: &Cookie<'_>) -> Option<usize> {
        self.order.iter().position(|place| place.is_of(cookie))
    }

    fn add(&mut self, text: &str, url: &Url) {
        let Ok(cookie) = Cookie::parse(text, url) else { return };
        if !may_be_set(&cookie, url) {
            return;
        }
        let (place, made) = (Place::of(&cookie, text), self.made(&cookie));
        match self.store.insert(cookie.into_owned(), url) {
            Ok(StoreAction::Inserted) => self.order.push(place),
            Ok(StoreAction::ExpiredExisting) => {
                self.store.remove(&place.domain, &place.path, &place.name);
                if let Some(made) = made {
                    self.order.remove(made);
                }
            }
            // One that is set again keeps its place (RFC 6265, 5.3, step 11).
            Ok(StoreAction::UpdatedExisting) => {
                if let Some(made) = made {
                    self.order[made].size = place.size;
                }
            }
            Err(_) => {}
        }
        if self.order.len() > MOST {
            let oldest = self.order.remove(0);
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, place: &Place) {
        self.store.remove(&place.domain, &place.path, &place.name);
    }

    /// Holds all cookies; where there is no room for them, only the oldest for which there is.
    fn settle(&mut self, budget: &Arc<Budget>) -> Result<(), Failure> {
        let mut settled = Ok(());
        loop {
            let size = self.order.iter().map(|place| place.size).sum();
            let held = self.hold.set_for(budget, size, || "keep cookies".to_owned());
            settled = settled.and(held.clone());
            if held.is_ok() {
                return settled;
            }
            let Some(newest) = self.order.pop() else { return settled };
            self.forget(&newest);
        }
    }
}

/// Whether a server may set a cookie, beside what RFC 6265 asks: no other host takes one for a whole top-level domain,
/// and a name that promises something keeps it (RFC 6265bis, 4.1.3).
fn may_be_set(cookie: &Cookie<'_>, url: &Url) -> bool {
    let promises = |prefix: &str| {
        cookie.name().get(..prefix.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(prefix))
    };
    let secure = cookie.secure() == Some(true) && is_secure(url);
    let top_level = match &cookie.domain {
        CookieDomain::Suffix(domain) => !domain.contains('.') && url.host_str() != Some(domain),
        _ => false,
    };
    let for_host_alone = matches!(cookie.domain, CookieDomain::HostOnly(_))
        && cookie.path.is_from_path_attr()
        && *cookie.path == *"/";
    !top_level && (!promises("__Secure-") || secure) && (!promises("__Host-") || (secure && for_host_alone))
}

/// Whether nobody between can read what is sent: over TLS, or on this machine.
fn is_secure(url: &Url) -> bool {
    url.scheme() == "https"
        || match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    /// What is sent to `to` after `from` has set these.
    fn sent(from: &str, set: &[&str], to: &str) -> String {
        let mut jar = Jar::default();
        let place = |url: &str| {
            let url = Url::parse(url).unwrap();
            (Origin::of(&url).unwrap(), url.path().to_owned())
        };
        let (origin, path) = place(from);
        for text in set {
            let mut headers = HeaderMap::new();
            headers.insert(SET_COOKIE, HeaderValue::from_bytes(text.as_bytes()).unwrap());
            jar.keep((&origin, &path), &headers, &Budget::new(1 << 20)).unwrap();
        }
        let (origin, path) = place(to);
        jar.header(&origin, &path).unwrap_or_default()
    }

    #[test]
    fn longer_paths_come_first_and_then_what_was_made_earlier() {
        let set = [
            "sid=root; Path=/",
            "sid=app; Path=/app",
            "sid=deep; Path=/app/deep",
            "z=1; Path=/",
            "a=2; Path=/",
        ];
        let site = "http://a.example/set";
        assert_eq!(sent(site, &set, "http://a.example/app/deep/y"), "sid=deep; sid=app; sid=root; z=1; a=2");
        assert_eq!(sent(site, &set, "http://a.example/application"), "sid=root; z=1; a=2");
        // One that is set again keeps its place; one that was gone meanwhile does not.
        assert_eq!(sent(site, &["z=1", "a=2", "z=3"], "http://a.example/"), "z=3; a=2");
        assert_eq!(sent(site, &["z=1", "a=2", "z=; Max-Age=0", "z=3"], "http://a.example/"), "a=2; z=3");
    }

    #[test]
    fn a_value_is_sent_as_it_was_set() {
        for (set, value) in [
            ("a=Größe", "a=Größe"),
            ("a=\"in quotes\"", "a=\"in quotes\""),
            ("a=b=c==", "a=b=c=="),
            ("a=%20+", "a=%20+"),
            ("a=", "a="),
            (" a = b ; Path=/", "a=b"),
            ("a=1; Max-Age=0", ""),
            ("a=1; Max-Age=-1", ""),
            ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", ""),
            ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", "a=1"),
            ("a=1; Expires=nonsense", "a=1"),
        ] {
            assert_eq!(sent("http://a.example/x", &[set], "http://a.example/x"), value, "{set}");
        }
    }

    #[test]
    fn a_cookie_goes_only_where_it_may() {
        for (from, set, to, goes) in [
            ("http://a.example/", "c=1", "http://b.a.example/", false),
            ("http://a.example/", "c=1", "http://a.example:81/", true),
            ("http://b.a.example/", "c=1; Domain=a.example", "http://c.a.example/", true),
            ("http://b.a.example/", "c=1; Domain=.a.example", "http://a.example/", true),
            ("http://b.a.example/", "c=1; Domain=other.example", "http://other.example/", false),
            ("http://b.a.example/", "c=1; Domain=example", "http://b.a.example/", false),
            ("http://localhost/", "c=1; Domain=localhost", "http://localhost/", true),
            ("http://10.0.0.1/", "c=1; Domain=0.0.1", "http://10.0.0.1/", false),
            ("http://10.0.0.1/", "c=1; Domain=10.0.0.1", "http://10.0.0.1/", true),
            ("http://[::1]/", "c=1", "http://[::1]/", true),
            ("https://a.example/", "c=1; Secure", "http://a.example/", false),
            ("https://a.example/", "c=1; Secure", "https://a.example/", true),
            ("http://127.0.0.1/", "c=1; Secure", "http://127.0.0.1/", true),
            ("https://a.example/", "__Secure-c=1; Secure", "https://a.example/", true),
            ("https://a.example/", "__Secure-c=1", "https://a.example/", false),
            ("http://a.example/", "__Secure-c=1; Secure", "https://a.example/", false),
            ("https://a.example/", "__Host-c=1; Secure; Path=/", "https://a.example/", true),
            ("https://a.example/", "__Host-c=1; Secure", "https://a.example/", false),
            (
                "https://a.example/",
                "__Host-c=1; Secure; Path=/; Domain=a.example",
                "https://a.example/",
                false,
            ),
            ("http://a.example/deep/x", "c=1", "http://a.example/", false),
            ("http://a.example/deep/x", "c=1", "http://a.example/deep/y", true),
        ] {
            assert_eq!(!sent(from, &[set], to).is_empty(), goes, "{set} from {from} to {to}");
        }
    }

    #[test]
    fn the_oldest_cookie_makes_room() {
        let set: Vec<String> = (0..=MOST).map(|number| format!("c{number}=1")).collect();
        let mut set: Vec<&str> = set.iter().map(String::as_str).collect();
        let long = format!("long={}", "x".repeat(LONGEST));
        set.extend(["c1=2", &long]);
        let value = sent("http://a.example/", &set, "http://a.example/deep/page");
        let pairs: Vec<&str> = value.split("; ").collect();
        assert_eq!((pairs.len(), pairs[0], pairs[MOST - 1]), (MOST, "c1=2", "c50=1"));
    }

    #[test]
    fn cookies_count_against_the_budget_until_their_user_is_gone() {
        let budget = Budget::new(256 << 10);
        let origin = Origin::of(&Url::parse("http://a.example/").unwrap()).unwrap();
        let mut headers = HeaderMap::new();
        for number in 0..10_000 {
            let cookie = format!("c{number}={}", "x".repeat(4_000));
            headers.append(SET_COOKIE, HeaderValue::from_str(&cookie).unwrap());
        }
        let (mut first, mut second) = (Jar::default(), Jar::default());
        let kept = |jar: &Jar| jar.header(&origin, "/").map_or(0, |header| header.split("; ").count());
        let failure = first.keep((&origin, "/"), &headers, &budget).unwrap_err();
        assert!(failure.message.contains("needed to keep cookies"), "{}", failure.message);
        // 8,500 bytes each, 30 of which fit into 256 KiB.
        assert_eq!((kept(&first), budget.used()), (30, 256 << 10));
        second.keep((&origin, "/"), &headers, &budget).unwrap_err();
        assert_eq!(kept(&second), 1, "what is small is free");
        drop(first);
        second.keep((&origin, "/"), &headers, &Budget::new(0)).unwrap_err();
        drop(second);
        assert_eq!(budget.used(), 0);
        // What few cookies hold is not counted.
        let mut few = HeaderMap::new();
        few.insert(SET_COOKIE, HeaderValue::from_static("sid=1"));
        Jar::default().keep((&origin, "/"), &few, &Budget::new(0)).unwrap();
    }
}
