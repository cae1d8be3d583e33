//! The JSON bodies of answers that succeed. Pure.

use std::{fmt::Write as _, sync::LazyLock, time::Duration};

use serde::Serialize;

use super::{
    builds::{Build, Counts, Page},
    course::{Progress, Status},
    request::Paging,
};

/// A token for a user.
#[derive(Serialize)]
pub(super) struct TokenView {
    pub(super) access_token: String,
    pub(super) token_type: &'static str,
    pub(super) user_id: String,
}

/// One build at one moment.
#[derive(Serialize)]
pub(super) struct BuildView<'a> {
    build_id: &'a str,
    status: Status,
    progress: u32,
    prompt: &'a str,
    chains: &'a [u64],
}

impl<'a> BuildView<'a> {
    pub(super) fn at(build: &'a Build, uptime: Duration) -> Self {
        let Progress { status, percent } = build.at(uptime);
        Self {
            build_id: &build.id,
            status,
            progress: percent,
            prompt: &build.order.prompt,
            chains: &build.order.chains,
        }
    }
}

/// One page of builds at one moment.
#[derive(Serialize)]
pub(super) struct PageView<'a> {
    builds: Vec<BuildView<'a>>,
    page: usize,
    page_size: usize,
    pages: usize,
    total: usize,
}

impl<'a> PageView<'a> {
    pub(super) fn at(page: &'a Page, paging: Paging, uptime: Duration) -> Self {
        Self {
            builds: page.builds.iter().map(|build| BuildView::at(build, uptime)).collect(),
            page: paging.page,
            page_size: paging.page_size,
            pages: page.total.div_ceil(paging.page_size),
            total: page.total,
        }
    }
}

/// A user's counts.
#[derive(Serialize)]
pub(super) struct StatsView {
    pub(super) user_id: String,
    pub(super) builds: Counts,
}

/// The code of a build, some kilobytes, as a JSON object. Only the id differs between builds.
pub(super) fn code_text(build: &Build) -> String {
    // An id is `build-` and digits: nothing in it needs escaping.
    format!(r#"{{"build_id":"{}","language":"solidity","code":{}}}"#, build.id, *CODE)
}

/// The code as a JSON string.
static CODE: LazyLock<String> = LazyLock::new(|| serde_json::Value::String(contract()).to_string());

/// A contract that keeps forty counters; long enough to make a download worth its name.
fn contract() -> String {
    let mut code = String::from("pragma solidity ^0.8.20;\n\ncontract Ledger {\n");
    for n in 0..40 {
        // Writing to a string cannot fail.
        let _ = write!(
            code,
            "    uint256 public counter{n};\n\n    function add{n}(uint256 amount) external {{\n        \
             counter{n} += amount;\n    }}\n\n"
        );
    }
    code.push_str("}\n");
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::builds::{Builds, Order};

    fn builds() -> Builds {
        let mut builds = Builds::new(1, 10);
        for prompt in ["first", "second", "third"] {
            builds.create(
                Order { user: "ann".into(), prompt: prompt.into(), chains: vec![5001] },
                Duration::ZERO,
            );
        }
        builds
    }

    #[test]
    fn a_page_tells_where_it_stands() {
        let paging = Paging { page: 2, page_size: 2 };
        let page = builds().page("ann", paging);
        let text = serde_json::to_string(&PageView::at(&page, paging, Duration::ZERO)).unwrap();
        assert_eq!(
            text,
            r#"{"builds":[{"build_id":"build-0","status":"queued","progress":0,"prompt":"first","chains":[5001]}],"page":2,"page_size":2,"pages":2,"total":3}"#
        );
    }

    #[test]
    fn the_code_is_some_kilobytes_of_json() {
        let builds = builds();
        let text = code_text(builds.find("ann", "build-1").unwrap());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["build_id"], "build-1");
        assert!(value["code"].as_str().unwrap().contains("contract Ledger"));
        assert!((2048..16_384).contains(&text.len()), "{}", text.len());
    }
}
