//! Paths of the API, every part of them encoded. Pure.

use std::fmt;

use url::form_urlencoded::byte_serialize;

/// A path with its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route(String);

impl Route {
    /// A path of these parts.
    pub(super) fn new<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        Self(parts.into_iter().flat_map(|part| ["/".to_owned(), encoded(part)]).collect())
    }

    /// The same with a parameter.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        let sign = if self.0.contains('?') { '&' } else { '?' };
        Self(format!("{}{sign}{name}={}", self.0, encoded(value)))
    }

    /// As it is sent.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.split('?').next().unwrap_or_default())
    }
}

/// A part of a path, or a value of a query: whatever could be read as more than text is encoded.
fn encoded(part: &str) -> String {
    // In a path, a plus is a plus; and two dots alone would lead elsewhere.
    let safe: String = byte_serialize(part.as_bytes()).collect::<String>().replace('+', "%20");
    if safe == "." || safe == ".." { safe.replace('.', "%2E") } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_encoded() {
        let route = Route::new(["repos", "a b", "x/y?z#", ".."]).with("head", "me:a+b").with("page", "2");
        assert_eq!(route.as_str(), "/repos/a%20b/x%2Fy%3Fz%23/%2E%2E?head=me%3Aa%2Bb&page=2");
        assert_eq!(route.to_string(), "/repos/a%20b/x%2Fy%3Fz%23/%2E%2E");
    }
}
