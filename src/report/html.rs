//! The report as one page that needs no network: verdict first, then what it rests on. Everything is in the
//! page before its script runs; the script only sorts, filters and points. Pure.

mod contents;
mod distribution;
mod facts;
mod interval;
mod page;
mod plot;
mod scale;
mod timeline;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use ring::digest::{SHA256, digest};

use crate::result::endpoint::{Endpoint, Kind};
use crate::result::schema::RunResult;

use page::Page;

/// Characters of a name that are shown.
const LONGEST_NAME: usize = 120;

const TEMPLATE: &str = include_str!("html/page.html");
const MACROS: &str = include_str!("html/macros.html");
const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");
const LIVE_SCRIPT: &str = include_str!("html/live.js");

/// The page of a result.
pub fn render(result: &RunResult) -> Result<String, minijinja::Error> {
    page(result, None)
}

/// The page of a run that is still going on, and how far it is.
pub fn live(result: &RunResult, progress: &str) -> Result<String, minijinja::Error> {
    page(result, Some(progress))
}

fn page(result: &RunResult, progress: Option<&str>) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_template("macros.html", MACROS)?;
    environment.add_template("main.html", include_str!("html/main.html"))?;
    environment.add_template("live.html", include_str!("html/live.html"))?;
    environment.add_template("page.html", TEMPLATE)?;
    let scripts: Vec<_> = match progress {
        Some(_) => vec![Script::of(SCRIPT), Script::of(LIVE_SCRIPT)],
        None => vec![Script::of(SCRIPT)],
    };
    let page = Page::of(result, progress);
    let view = View { page, progress, scripts, style: STYLE };
    environment.get_template("page.html")?.render(Value::from(Serde(view)))
}

/// What the templates are given.
#[derive(Debug, serde::Serialize)]
struct View<'a> {
    page: Page,
    progress: Option<&'a str>,
    scripts: Vec<Script>,
    style: &'static str,
}

/// A script of the page, and the hash by which the page's own policy lets it run, and nothing else.
#[derive(Debug, serde::Serialize)]
struct Script {
    source: &'static str,
    hash: String,
}

impl Script {
    fn of(source: &'static str) -> Self {
        Self { source, hash: STANDARD.encode(digest(&SHA256, source.as_bytes())) }
    }
}

/// How an endpoint is called on the page.
fn model_name(endpoint: &Endpoint) -> &str {
    match endpoint.kind {
        Kind::All => "all requests",
        Kind::Http | Kind::Websocket => &endpoint.name,
    }
}

#[cfg(test)]
mod tests;
