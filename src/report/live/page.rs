//! The page as the live view has it: the page of the report with a bar above it, and the same as an event of
//! a stream. What a run looks like is decided in `html`; here is only the frame. Pure.

use std::sync::Arc;

use crate::report::html;
use crate::result::schema::RunResult;

/// The newest state, in every form in which it is sent.
#[derive(Debug, Clone)]
pub struct Page {
    /// Counts the pages.
    pub id: u64,
    /// Whether it is the last.
    pub stage: Stage,
    /// The whole document.
    pub document: Arc<str>,
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
        let document = html::live(result, progress)?;
        let event = event(id, "page", &document);
        Ok(Self::of(id, Stage::Running, document, &event))
    }

    /// The report, after the run.
    pub fn ended(id: u64, result: &RunResult) -> Result<Self, minijinja::Error> {
        let document = html::render(result)?;
        let event = event(id, "end", &document);
        Ok(Self::of(id, Stage::Ended, document, &event))
    }

    fn of(id: u64, stage: Stage, document: String, event: &str) -> Self {
        Self { id, stage, document: document.into(), event: event.into() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::{rich, small};

    #[test]
    fn a_page_of_a_run_is_its_own_event() {
        let page = Page::running(7, &rich(), "1 s of <2 s>").unwrap();
        assert!(page.document.contains("1 s of &lt;2 s&gt;") && page.document.contains("EventSource"));
        assert!(page.event.starts_with("id: 7\nevent: page\ndata: <!doctype html>\n"), "{}", page.event);
        assert!(page.event.ends_with("</html>\n\n") && !page.event.contains('\r'));
    }

    #[test]
    fn the_last_page_is_the_report() {
        let page = Page::ended(8, &small()).unwrap();
        assert_eq!((&*page.document, page.stage), (html::render(&small()).unwrap().as_str(), Stage::Ended));
        assert!(page.event.contains("event: end\n") && !page.document.contains("EventSource"));
    }

    #[test]
    fn foreign_line_ends_do_not_begin_a_line_of_the_stream() {
        assert_eq!(
            event(1, "page", "a\r\nevent: b\rdata: c"),
            "id: 1\nevent: page\ndata: a&#13;\ndata: event: b&#13;data: c\n\n"
        );
    }
}
