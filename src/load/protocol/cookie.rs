//! The cookies of one user (RFC 6265).

use std::cell::Cell;
use std::cmp::Reverse;
use std::sync::Arc;

use cookie_store::{Cookie, CookieDomain, CookieStore, StoreAction};
use hyper::HeaderMap;
use hyper::header::SET_COOKIE;
use url::{Host, Url};

use super::origin::Origin;
use crate::load::measure::outcome::Failure;
use crate::load::memory::{Budget, Hold};

/// The most cookies of one domain that a user keeps, and the most bytes of one (RFC 6265, 6.1, asks for at least 50 of
/// 4,096 bytes).
const MOST_OF_DOMAIN: usize = 50;
const LONGEST: usize = 4_096;
/// The most cookies that a user keeps in all.
const MOST: usize = 500;
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
    /// How often cookies have been set or sent.
    uses: Cell<u64>,
}

/// What makes a cookie this one and no other.
#[derive(Debug)]
struct Place {
    domain: String,
    path: String,
    name: String,
    /// About how many bytes it holds.
    size: usize,
    /// Which use was the last in which it was set or sent.
    used: Cell<u64>,
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
            used: Cell::new(0),
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
        let found = kept.store.matches(&url).into_iter();
        let mut cookies: Vec<_> = found.map(|cookie| (cookie, kept.made(cookie))).collect();
        cookies.sort_by_key(|(cookie, made)| (Reverse(cookie.path.len()), *made));
        let now = kept.next_use();
        let mut header = String::new();
        for (cookie, made) in cookies {
            if let Some(place) = made.and_then(|made| kept.order.get(made)) {
                place.used.set(now);
            }
            let between = if header.is_empty() { "" } else { "; " };
            header.extend([between, cookie.name(), "=", cookie.value()]);
        }
        (!header.is_empty()).then_some(header)
    }

    /// Keeps what the response from a path asks to be kept. What the budget has no room for is left out, as if it had not
    /// been sent (RFC 6265, 5.3, allows that), and is a failure; what is kept already stays as it is.
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
        let mut result = Ok(());
        for text in asked.filter(|text| text.len() <= LONGEST) {
            result = result.and(self.0.get_or_insert_default().add(text, &url, budget));
        }
        result
    }
}

impl Kept {
    /// When a cookie was made, in their order.
    fn made(&self, cookie: &Cookie<'_>) -> Option<usize> {
        self.order.iter().position(|place| place.is_of(cookie))
    }

    fn next_use(&self) -> u64 {
        self.uses.set(self.uses.get() + 1);
        self.uses.get()
    }

    fn add(&mut self, text: &str, url: &Url, budget: &Arc<Budget>) -> Result<(), Failure> {
        let Ok(cookie) = Cookie::parse(text, url) else { return Ok(()) };
        if !may_be_set(&cookie, url) {
            return Ok(());
        }
        let (place, made) = (Place::of(&cookie, text), self.made(&cookie));
        let evicted = if made.is_none() && !cookie.is_expired() { self.excess(&place.domain) } else { None };
        // There must be room for it before anything is thrown out for it.
        let less: usize = [made, evicted].into_iter().flatten().map(|at| self.order[at].size).sum();
        let more = if cookie.is_expired() { 0 } else { place.size };
        self.hold.set_for(budget, self.size() - less + more, || "keep cookies".to_owned())?;
        place.used.set(self.next_use());
        match self.store.insert(cookie.into_owned(), url) {
            Ok(StoreAction::Inserted) => {
                if let Some(evicted) = evicted {
                    let evicted = self.order.remove(evicted);
                    self.forget(&evicted);
                }
                self.order.push(place);
            }
            Ok(StoreAction::ExpiredExisting) => {
                self.forget(&place);
                if let Some(made) = made {
                    self.order.remove(made);
                }
            }
            // One that is set again keeps its place (RFC 6265, 5.3, step 11).
            Ok(StoreAction::UpdatedExisting) => {
                if let Some(made) = made {
                    self.order[made] = place;
                }
            }
            Err(_) => {}
        }
        // What was not kept after all gives its room back.
        self.hold.set(budget, self.size())
    }

    fn size(&self) -> usize {
        self.order.iter().map(|place| place.size).sum()
    }

    /// Which cookie makes room for another one of a domain, where there are too many: one that has expired, else the one
    /// that was not set or sent for the longest time (RFC 6265, 5.3). Of those that were sent together, it is the newest:
    /// a user that logged in began with the cookie of its session.
    fn excess(&self, domain: &str) -> Option<usize> {
        let of_domain = |place: &&Place| place.domain == domain;
        let is_domain_full = self.order.iter().filter(of_domain).count() >= MOST_OF_DOMAIN;
        if !is_domain_full && self.order.len() < MOST {
            return None;
        }
        let places = self.order.iter().enumerate();
        let candidates = places.filter(|(_, place)| !is_domain_full || place.domain == domain);
        let last =
            candidates.min_by_key(|(at, place)| (!self.is_expired(place), place.used.get(), Reverse(*at)));
        last.map(|(at, _)| at)
    }

    fn is_expired(&self, place: &Place) -> bool {
        self.store.get_any(&place.domain, &place.path, &place.name).is_none_or(Cookie::is_expired)
    }

    fn forget(&mut self, place: &Place) {
        self.store.remove(&place.domain, &place.path, &place.name);
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

    fn site(url: &str) -> Origin {
        Origin::of(&Url::parse(url).unwrap()).unwrap()
    }

    fn set(jar: &mut Jar, origin: &Origin, texts: &[String], budget: &Arc<Budget>) -> Result<(), Failure> {
        let mut headers = HeaderMap::new();
        for text in texts {
            headers.append(SET_COOKIE, HeaderValue::from_str(text).unwrap());
        }
        jar.keep((origin, "/"), &headers, budget)
    }

    #[test]
    fn the_cookie_that_was_not_used_for_the_longest_time_makes_room() {
        let texts: Vec<String> = (0..=MOST_OF_DOMAIN).map(|number| format!("c{number}=1")).collect();
        let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let long = format!("long={}", "x".repeat(LONGEST));
        texts.extend(["c1=2", &long]);
        let value = sent("http://a.example/", &texts, "http://a.example/deep/page");
        let pairs: Vec<&str> = value.split("; ").collect();
        assert_eq!((pairs.len(), pairs[0], pairs[49]), (MOST_OF_DOMAIN, "c1=2", "c50=1"));
    }

    #[test]
    fn a_session_outlives_what_is_set_after_it_and_what_others_set() {
        let (budget, ours, other) =
            (Budget::new(1 << 30), site("http://a.example/"), site("http://b.example/"));
        let mut jar = Jar::default();
        let many = |from: usize| (from..from + 49).map(|number| format!("c{number}=1")).collect::<Vec<_>>();
        set(&mut jar, &ours, &["sid=1".to_owned()], &budget).unwrap();
        set(&mut jar, &ours, &many(0), &budget).unwrap();
        // All 50 are sent, and the newest of them makes room.
        assert!(jar.header(&ours, "/").unwrap().ends_with("c48=1"));
        set(&mut jar, &ours, &["new=1".to_owned()], &budget).unwrap();
        let header = jar.header(&ours, "/").unwrap();
        assert!(header.starts_with("sid=1; ") && header.ends_with("c47=1; new=1"), "{header}");
        // Where it is not sent meanwhile, what is older than the others is not used for the longest time.
        (0..10).for_each(|round| set(&mut jar, &other, &many(100 * round), &budget).unwrap());
        assert!(jar.header(&ours, "/").unwrap().starts_with("sid=1; "));
        assert_eq!(jar.header(&other, "/").unwrap().split("; ").count(), MOST_OF_DOMAIN);
    }

    #[test]
    fn what_has_expired_makes_room_first() {
        let (budget, ours) = (Budget::new(1 << 30), site("http://a.example/"));
        let mut jar = Jar::default();
        let texts: Vec<String> = (0..50).map(|number| format!("c{number}=1; Max-Age=1000000")).collect();
        set(&mut jar, &ours, &texts, &budget).unwrap();
        let kept = jar.0.as_mut().unwrap();
        assert_eq!(kept.excess("a.example"), Some(0));
        // As if its time had passed: the store keeps what has expired.
        let url = Url::parse("http://a.example/").unwrap();
        kept.store.insert(Cookie::parse("c30=; Max-Age=0; Path=/", &url).unwrap(), &url).unwrap();
        assert_eq!(kept.excess("a.example"), Some(30));
        assert_eq!(kept.excess("b.example"), None);
    }

    #[test]
    fn a_cookie_for_which_there_is_no_room_throws_none_out() {
        let (budget, ours) = (Budget::new(128 << 10), site("http://a.example/"));
        let mut jar = Jar::default();
        let large = |name: &str, bytes: usize| format!("{name}={}", "x".repeat(bytes));
        // 50 of 2,528 bytes and a bit more are 126,400 and a bit more, and 128 KiB are 131,072.
        let texts: Vec<String> = (10..60).map(|number| large(&format!("c{number}"), 1_000)).collect();
        set(&mut jar, &ours, &texts, &budget).unwrap();
        let before = jar.header(&ours, "/").unwrap();
        // One in the place of another, and one that is set again, with more than there is room for.
        for name in ["new", "c10", "c59"] {
            set(&mut jar, &ours, &[large(name, 4_000)], &budget).unwrap_err();
            assert_eq!(jar.header(&ours, "/").unwrap(), before, "{name}");
        }
        // What is smaller has room, and so has what ends one.
        set(&mut jar, &ours, &[large("c10", 4_000), large("new", 900)], &budget).unwrap_err();
        set(&mut jar, &ours, &["c11=; Max-Age=0".to_owned()], &budget).unwrap();
        let after = jar.header(&ours, "/").unwrap();
        assert!(
            after.starts_with("c10=x") && !after.contains("c11=") && after.contains("; new=x"),
            "{after}"
        );
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
