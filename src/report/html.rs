//! The report as one page that needs no network. Pure.

use minijinja::{Environment, context};

use crate::result::schema::RunResult;

use super::sentence;

/// The page of a result.
pub fn render(result: &RunResult) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.add_template("page.html", include_str!("html/page.html"))?;
    let headline = sentence::headline(result);
    environment.get_template("page.html")?.render(context! {
        name => &result.name, word => headline.word, sentence => headline.sentence,
    })
}
