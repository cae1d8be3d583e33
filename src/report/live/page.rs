//! The page as the live view has it: the page of the report with a bar above it, and the same as an event of
//! a stream. What a run looks like is decided in `html`; here is only the frame. Pure.

use std::sync::Arc;

use crate::report::html;
use crate::result::schema::RunResult;

/// What stands above the report while the run goes on.
const BAR: &str = include_str!("../html/live.html");
/// The policy of a page that says none.
const NO_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The newest state, in every form in which it is sent.
#[derive(Debug, Clone)]
pub struct Page {
    /// Counts the pages.
    pub id: u64,
    /// Whether it is the last.
    pub stage: Stage,
    /// The whole document.
    pub document: Arc<str>,
    /// What the document may load and do.
    pub policy: Arc<str>,
    /// The event that brings it to whoever has an older one.
    pub event: Arc<str>,
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It goes on.
    Running,
    /// It is over, and this is its report.
    Ended,
}

impl Page {
    /// The page of a run that goes on.
    pub fn running(id: u64, result: &RunResult, progress: &str) -> Result<Self, minijinja::Error> {
        let (policy, document) = take_policy(&html::render(result)?);
        let line = format!("<p id=\"live-progress\">{}</p>", escaped(progress));
        let bar = BAR.replacen("<p id=\"live-progress\"></p>", &line, 1);
        let document = match document.find("<main") {
            Some(at) => format!("{}{bar}{}", &document[..at], &document[at..]),
            None => format!("{document}{bar}"),
        };
        let event = event(id, "page", &format!("{line}\n{}", main(&document)));
        Ok(Self::of(id, Stage::Running, (policy, document), event))
    }

    /// The report, after the run.
    pub fn ended(id: u64, result: &RunResult) -> Result<Self, minijinja::Error> {
        let (policy, document) = take_policy(&html::render(result)?);
        let event = event(id, "end", &document);
        Ok(Self::of(id, Stage::Ended, (policy, document), event))
    }

    fn of(id: u64, stage: Stage, (policy, document): (String, String), event: String) -> Self {
        Self { id, stage, document: document.into(), policy: policy.into(), event: event.into() }
    }
}

/// One event of a stream. A line of data ends at any kind of line end, so no carriage return may be left.
fn event(id: u64, name: &str, data: &str) -> String {
    let mut text = format!("id: {id}\nevent: {name}\n");
    for line in data.split('\n') {
        text.push_str("data: ");
        text.push_str(&line.replace('\r', "&#13;"));
        text.push('\n');
    }
    text.push('\n');
    text
}

/// `<main>` with all in it; everything where there is none.
fn main(document: &str) -> &str {
    let end = document.rfind("</main>").map(|at| at + "</main>".len());
    match (document.find("<main"), end) {
        (Some(start), Some(end)) if start < end => &document[start..end],
        _ => document,
    }
}

/// The policy that a document has in itself, widened by what the live view needs, and the document without:
/// two policies would both have to allow it.
fn take_policy(document: &str) -> (String, String) {
    const OPEN: &str = "<meta http-equiv=\"Content-Security-Policy\" content=\"";
    let found = document.find(OPEN).and_then(|start| {
        let (policy, rest) = document[start + OPEN.len()..].split_once('"')?;
        let after = rest.find('>')? + 1;
        Some((policy, format!("{}{}", &document[..start], &rest[after..])))
    });
    let (policy, document) = found.unwrap_or((NO_POLICY, document.to_owned()));
    (widened(policy), document)
}

fn widened(policy: &str) -> String {
    let own = ["connect-src", "frame-ancestors", "script-src", "style-src"];
    let named = |name: &str| {
        let directives = policy.split(';').filter_map(|directive| directive.trim().split_once(' '));
        let mut values = directives.filter(|(known, _)| *known == name).map(|(_, value)| value);
        values.next().filter(|value| *value != "'none'").unwrap_or_default().to_owned()
    };
    let kept = policy.split(';').map(str::trim).filter(|directive| {
        !directive.is_empty() && !own.contains(&directive.split(' ').next().unwrap_or_default())
    });
    let mut all: Vec<String> = kept.map(str::to_owned).collect();
    all.push("connect-src 'self'".into());
    all.push("frame-ancestors 'none'".into());
    all.extend(
        ["script-src", "style-src"].map(|name| format!("{name} 'self' {}", named(name)).trim().to_owned()),
    );
    all.join("; ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::{rich, small};

    #[test]
    fn a_page_of_a_run_has_the_bar_and_its_event_brings_the_main_part() {
        let page = Page::running(7, &rich(), "1 s of <2 s>").unwrap();
        assert!(page.document.contains("1 s of &lt;2 s&gt;") && page.document.contains("/live.js"));
        assert!(
            page.event.starts_with("id: 7\nevent: page\ndata: <p id=\"live-progress\">1 s"),
            "{}",
            page.event
        );
        assert!(page.event.contains("data: <main") && !page.event.contains("live.js"));
        assert!(page.event.ends_with("</main>\n\n") && !page.event.contains('\r'));
    }

    #[test]
    fn the_last_page_is_the_report_without_a_bar() {
        let page = Page::ended(8, &small()).unwrap();
        let (_, report) = take_policy(&html::render(&small()).unwrap());
        assert_eq!((&*page.document, page.stage), (report.as_str(), Stage::Ended));
        assert!(page.event.contains("event: end\n") && !page.document.contains("live.js"));
    }

    #[test]
    fn foreign_line_ends_do_not_begin_a_line_of_the_stream() {
        assert_eq!(
            event(1, "page", "a\r\nevent: b\rdata: c"),
            "id: 1\nevent: page\ndata: a&#13;\ndata: event: b&#13;data: c\n\n"
        );
    }

    #[test]
    fn the_policy_of_the_page_is_kept_and_widened() {
        let document = "<head><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'sha256-x'\"><b>";
        let (policy, rest) = take_policy(document);
        assert_eq!(rest, "<head><b>");
        assert_eq!(
            policy,
            "default-src 'none'; connect-src 'self'; frame-ancestors 'none'; script-src 'self' 'sha256-x'; style-src 'self'"
        );
        let (policy, _) = take_policy("<main></main>");
        assert!(
            policy.contains("script-src 'self';") && policy.contains("style-src 'self' 'unsafe-inline'"),
            "{policy}"
        );
    }
}
