//! The page as the live view has it: the page of the report with a bar above it, and the same as an event of
//! a stream. What a run looks like is decided in `html`; here is only the frame. Pure.

use bytes::Bytes;

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
    pub document: Bytes,
    /// The event that brings it to whoever has an older one.
    pub event: Bytes,
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
        let event = event("page", &document);
        Ok(Self { id, stage: Stage::Running, document: document.into(), event: event.into() })
    }

    /// The report, after the run.
    pub fn ended(id: u64, result: &RunResult) -> Result<Self, minijinja::Error> {
        let document = html::render(result)?;
        let event = event("end", &document);
        Ok(Self { id, stage: Stage::Ended, document: document.into(), event: event.into() })
    }
}

/// One event of a stream. A line of data ends at any kind of line end, so no carriage return may be left.
pub fn event(name: &str, data: &str) -> String {
    let mut text = format!("event: {name}\n");
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
        let [document, event] = [&page.document, &page.event].map(|it| str::from_utf8(it).unwrap());
        assert!(document.contains("1 s of &lt;2 s&gt;") && document.contains("EventSource"));
        assert!(event.starts_with("event: page\ndata: <!doctype html>\n"), "{event}");
        assert!(event.ends_with("</html>\n\n") && !event.contains('\r'));
    }

    #[test]
    fn the_last_page_is_the_report() {
        let page = Page::ended(8, &small()).unwrap();
        let event = str::from_utf8(&page.event).unwrap();
        assert_eq!((page.document, page.stage), (html::render(&small()).unwrap().into(), Stage::Ended));
        assert!(event.starts_with("event: end\n") && !event.contains("EventSource"));
    }

    #[test]
    fn foreign_line_ends_do_not_begin_a_line_of_the_stream() {
        assert_eq!(
            event("page", "a\r\nevent: b\rdata: c"),
            "event: page\ndata: a&#13;\ndata: event: b&#13;data: c\n\n"
        );
    }
}
