//! The texts that configuration came from: the file, the flags, the environment variables.

use super::node::Span;

/// One text and the name it goes by in messages.
#[derive(Debug, Clone)]
pub struct Source {
    /// `config.yaml`, `--set`, `LOADGATE_USERS`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// All texts; a [`Span`] points into one of them.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Adds a text and returns its index.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> u32 {
        self.0.push(Source { name: name.into(), text: text.into() });
        u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX)
    }

    /// The text a span points into.
    pub fn of(&self, span: Span) -> Option<&Source> {
        self.0.get(span.source as usize)
    }

    /// Line and column of a span's start, both from 1, the column in characters.
    pub fn line_column(&self, span: Span) -> Option<(usize, usize)> {
        let before = self.of(span)?.text.get(..span.start as usize)?;
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Some((line, column))
    }
}
