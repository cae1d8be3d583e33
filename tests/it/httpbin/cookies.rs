//! Cookies: whose they are, where they are sent, how long they live.

use super::{Httpbin, USERS, all_fine};
use crate::external::{count, whole};

const SUITE: &str = include_str!("../fixtures/httpbin_cookies.yaml");

#[test]
fn a_user_keeps_its_own_cookies_over_its_whole_life() {
    let httpbin = Httpbin::start("HTTP/1.1");
    let other = httpbin.server.address.replace("127.0.0.1", "localhost");
    let result = httpbin.run(&SUITE.replace("@OTHER@", &other), "kept", 0);
    all_fine(
        &result,
        &[
            "GET set",
            "GET /cookies",
            "GET second",
            "GET both",
            "GET changed both",
            "GET not deep",
            "GET deep down",
            "GET foreign",
            "GET abroad",
            "GET own",
            "GET deleted",
        ],
    );
    assert_eq!(count(&whole(&result, "GET set")["ok"]), 2 * USERS, "set once, and led on once");
    assert!(count(&whole(&result, "GET /cookies")["ok"]) > USERS, "more than one iteration of each");
}

#[test]
fn a_user_without_cookies_keeps_none() {
    let httpbin = Httpbin::start("HTTP/1.1");
    let result = httpbin.run(SUITE, "ignored", 0);
    all_fine(&result, &["GET set", "GET /headers", "GET /cookies"]);
}
