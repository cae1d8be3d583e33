//! What the routes read from a request: the caller, a JSON body, a page. Nothing here answers by itself:
//! a bad request is refused at the end of its latency, like any other answer.

use std::convert::Infallible;

use axum::{
    body::Bytes,
    extract::{
        FromRequestParts, Query,
        rejection::{BytesRejection, QueryRejection},
    },
    http::{StatusCode, request::Parts},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{answer::Refusal, service::Shared};

/// The builds on a page, unless the request says otherwise, and the most it may say.
const PAGE_SIZE: usize = 20;
const LARGEST_PAGE: usize = 100;

/// The user of the bearer token.
pub(super) struct Caller(Option<String>);

impl Caller {
    pub(super) fn user(self) -> Result<String, Refusal> {
        self.0.ok_or(Refusal::Unauthorized)
    }
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, service: &Shared) -> Result<Self, Infallible> {
        Ok(Self(service.keyring.bearer(&parts.headers)))
    }
}

/// A body as it arrived.
pub(super) type Body = Result<Bytes, BytesRejection>;

/// Reads a JSON body: what is no JSON is malformed, JSON of another shape is invalid.
pub(super) fn read<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    let bytes = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge,
        _ => Refusal::Malformed(rejection.body_text()),
    })?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let sentence = format!("the body does not fit: {error}");
        if error.is_data() { Refusal::Invalid(sentence) } else { Refusal::Malformed(sentence) }
    })
}

/// Refuses a size or number of `what` that is zero or above the most.
pub(super) fn check(what: &str, size: usize, most: usize) -> Result<(), Refusal> {
    match size {
        0 => Err(Refusal::Invalid(format!("`{what}` is empty or zero"))),
        size if size > most => Err(Refusal::Invalid(format!("`{what}` has {size}, at most {most} is taken"))),
        _ => Ok(()),
    }
}

/// A query for a page, as it arrived.
pub(super) type PageQuery = Result<Query<PageWish>, QueryRejection>;

/// The page wished for, counted from 1.
#[derive(Deserialize)]
pub(super) struct PageWish {
    page: Option<usize>,
    page_size: Option<usize>,
}

/// One page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paging {
    /// Counted from 1.
    pub(super) page: usize,
    pub(super) page_size: usize,
}

impl Paging {
    pub(super) fn read(query: PageQuery) -> Result<Self, Refusal> {
        let Query(wish) = query.map_err(|rejection| Refusal::Malformed(rejection.body_text()))?;
        let paging = Self { page: wish.page.unwrap_or(1), page_size: wish.page_size.unwrap_or(PAGE_SIZE) };
        check("page", paging.page, usize::MAX)?;
        check("page_size", paging.page_size, LARGEST_PAGE)?;
        Ok(paging)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Shape {
        #[expect(dead_code, reason = "only its shape is of interest")]
        chains: Vec<u64>,
    }

    fn refusal(body: &'static str) -> Refusal {
        read::<Shape>(Ok(Bytes::from_static(body.as_bytes()))).unwrap_err()
    }

    #[test]
    fn what_is_no_json_is_malformed_and_other_shapes_are_invalid() {
        for body in ["", "{", "prompt=x"] {
            assert!(matches!(refusal(body), Refusal::Malformed(_)), "{body}");
        }
        for body in ["{}", r#"{"chains": 1}"#, r#"{"chains": [-1]}"#, "[]x"] {
            assert!(matches!(refusal(body), Refusal::Invalid(_)), "{body}");
        }
        assert!(refusal("{}").to_string().contains("`chains`"));
    }

    #[test]
    fn a_page_and_its_size_have_defaults_and_bounds() {
        let paging = |page, page_size| Paging::read(Ok(Query(PageWish { page, page_size })));
        assert_eq!(paging(None, None), Ok(Paging { page: 1, page_size: 20 }));
        assert_eq!(paging(Some(3), Some(100)), Ok(Paging { page: 3, page_size: 100 }));
        for (page, size) in [(Some(0), None), (None, Some(0)), (None, Some(101))] {
            assert!(matches!(paging(page, size), Err(Refusal::Invalid(_))));
        }
    }
}
