//! The files a result is told in: their names, and what makes each of them from a result. Every one can be
//! made again from a stored result. Pure; `write` puts them on disk.

use thiserror::Error;

use crate::plan::Format;
use crate::result::file::{FileError, RESULT_FILE, to_json};
use crate::result::schema::RunResult;

use super::{csv, html, junit, markdown};

/// One file of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Document {
    /// Everything else is made from it.
    Json,
    /// For a browser.
    Html,
    /// For a job summary, and for people.
    Markdown,
    /// For what lists test results.
    Junit,
    /// A row an endpoint.
    Endpoints,
    /// A row a second and endpoint.
    Series,
}

/// Why a file could not be made of a result.
#[derive(Debug, Error)]
pub enum DocumentError {
    /// Not the result itself.
    #[error(transparent)]
    Json(#[from] FileError),
    /// Not the page.
    #[error("cannot make the page of a result")]
    Html(#[from] minijinja::Error),
    /// Not the table.
    #[error("cannot make the rows of a result")]
    Csv(#[from] csv::RowError),
    /// Not the list of test results.
    #[error("cannot make test results of a result")]
    Junit(#[source] std::io::Error),
}

impl Document {
    /// Each of them, the one that everything else is made from first.
    pub const ALL: [Self; 6] =
        [Self::Json, Self::Html, Self::Markdown, Self::Junit, Self::Endpoints, Self::Series];

    /// Its name in the folder of a run.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Json => RESULT_FILE,
            Self::Html => "report.html",
            Self::Markdown => "summary.md",
            Self::Junit => "junit.xml",
            Self::Endpoints => "endpoints.csv",
            Self::Series => "series.csv",
        }
    }

    /// Whether these formats ask for it; the result itself needs no asking.
    pub fn is_asked_for(self, formats: &[Format]) -> bool {
        formats.contains(&match self {
            Self::Json => return true,
            Self::Html => Format::Html,
            Self::Markdown => Format::Markdown,
            Self::Junit => Format::Junit,
            Self::Endpoints | Self::Series => Format::Csv,
        })
    }

    /// The file as text.
    pub fn render(self, result: &RunResult) -> Result<String, DocumentError> {
        match self {
            Self::Json => Ok(to_json(result)?),
            Self::Html => Ok(html::render(result)?),
            Self::Markdown => Ok(markdown::render(result)),
            Self::Junit => junit::render(result).map_err(DocumentError::Junit),
            Self::Endpoints => Ok(csv::endpoints(result)?),
            Self::Series => Ok(csv::series(result)?),
        }
    }
}
