//! The cookies of one user (RFC 6265).

use std::collections::VecDeque;

use cookie_store::{Cookie, CookieStore};
use hyper::HeaderMap;
use hyper::header::SET_COOKIE;
use url::Url;

use super::origin::Origin;

/// The most cookies a user keeps, and the most bytes of one, as browsers have it (RFC 6265, 6.1, asks for at
/// least 50 of 4,096 bytes a host). The oldest makes room.
const MOST: usize = 50;
const LONGEST: usize = 4_096;

/// What servers have asked a user to keep. A user that was asked for nothing holds no memory for it.
#[derive(Debug, Default)]
pub struct Jar(Option<Box<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    store: CookieStore,
    /// Domain, path and name of every cookie, the oldest first.
    order: VecDeque<(String, String, String)>,
}

impl Jar {
    /// The value of `cookie` for a request to a path, where there is one.
    pub fn header(&self, origin: &Origin, path: &str) -> Option<String> {
        let kept = self.0.as_ref()?;
        let url = origin.url(path).ok()?;
        let pairs: Vec<String> =
            kept.store.get_request_values(&url).map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Keeps what the response from a path asks to be kept.
    pub fn keep(&mut self, origin: &Origin, path: &str, headers: &HeaderMap) {
        if !headers.contains_key(SET_COOKIE) {
            return;
        }
        let Ok(url) = origin.url(path) else { return };
        let asked = headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        for text in asked.filter(|text| text.len() <= LONGEST) {
            self.0.get_or_insert_default().add(text, &url);
        }
    }
}

impl Kept {
    fn add(&mut self, text: &str, url: &Url) {
        let Ok(cookie) = Cookie::parse(text, url) else { return };
        let place = |cookie: &Cookie<'_>| {
            let domain = cookie.domain.as_cow().unwrap_or_default().into_owned();
            (domain, cookie.path.to_string(), cookie.name().to_owned())
        };
        let key = place(&cookie);
        if self.store.insert(cookie.into_owned(), url).is_err() {
            return;
        }
        self.order.retain(|known| *known != key);
        self.order.push_back(key);
        if self.order.len() > MOST
            && let Some((domain, path, name)) = self.order.pop_front()
        {
            self.store.remove(&domain, &path, &name);
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn the_oldest_cookie_makes_room_and_one_set_again_is_new() {
        let origin = Origin::of(&Url::parse("http://a.example").unwrap()).unwrap();
        let mut jar = Jar::default();
        let mut set = |text: String| {
            let mut headers = HeaderMap::new();
            headers.insert(SET_COOKIE, HeaderValue::from_str(&text).unwrap());
            jar.keep(&origin, "/", &headers);
        };
        (0..MOST).for_each(|number| set(format!("c{number}=1")));
        set("c0=2".into());
        set("new=3".into());
        set(format!("long={}", "x".repeat(LONGEST)));
        let value = jar.header(&origin, "/deep/page").unwrap();
        let mut pairs: Vec<&str> = value.split("; ").collect();
        pairs.sort_unstable();
        assert_eq!(pairs.len(), MOST);
        assert!(pairs.contains(&"c0=2") && pairs.contains(&"new=3") && !value.contains("c1=1"), "{value}");
    }
}
