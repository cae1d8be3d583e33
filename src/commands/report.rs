//! `loadgate report`: any report again, of a stored result. No traffic, no configuration.

use std::path::Path;

use crate::cli::variables;
use crate::cli::{ReportArgs, ReportFormat};
use crate::error::Error;
use crate::report::document::Document;
use crate::report::{sentence, write};
use crate::result::file;

/// Renders a stored result to a file, or to standard output.
pub fn run(args: &ReportArgs) -> Result<u8, Error> {
    let result = file::read_what_is_there(&args.result)?;
    if let Some(salvaged) = &result.salvaged {
        write::note(&format!(
            "note: the result is half-written: {}",
            write::plain(&sentence::lost(salvaged))
        ));
    }
    let document = match args.format {
        ReportFormat::Terminal => {
            match place(args) {
                Some(path) => file::write_named(path, write::plain_summary(&result).as_bytes())?,
                None => write::summary(&result, None, variables::color())?,
            }
            return Ok(0);
        }
        ReportFormat::Html => Document::Html,
        ReportFormat::Markdown => Document::Markdown,
        ReportFormat::Json => Document::Json,
        ReportFormat::Junit => Document::Junit,
        ReportFormat::Csv => Document::Endpoints,
        ReportFormat::SeriesCsv => Document::Series,
    };
    let text = document.render(&result)?;
    match place(args) {
        Some(path) => file::write_named(path, text.as_bytes())?,
        None if document == Document::Json => write::json(&text)?,
        None => write::data(&text)?,
    }
    Ok(0)
}

/// The file that was named; none for standard output, by any of its names.
fn place(args: &ReportArgs) -> Option<&Path> {
    const STANDARD_OUTPUT: [&str; 3] = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
    let path = args.output.as_deref()?;
    // What is written behind it by its name would not move the place at which the next program writes.
    (!STANDARD_OUTPUT.iter().any(|name| path == Path::new(name))).then_some(path)
}
