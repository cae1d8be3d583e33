//! A box with axes and lines, as the template draws it. The box stretches to whatever width there is: paths
//! have coordinates of their own, and everything with letters lies beside them in percent.

use std::fmt::Write;

use serde::Serialize;

use super::scale::Scale;

/// Width of the box in the coordinates of its paths.
pub const WIDTH: f64 = 1_000.0;
/// Height of the box in the coordinates of its paths.
pub const HEIGHT: f64 = 100.0;

/// One box.
#[derive(Debug, Clone, Serialize)]
pub struct Plot {
    /// What its values are.
    pub label: &'static str,
    /// Said beside it, where it is drawn in an unusual way.
    pub note: Option<String>,
    /// The values named on its axis, from below.
    pub ticks: Vec<Tick>,
    /// Stretches of it that are shaded: where they begin, and how much of the width they take.
    pub shaded: Vec<(String, String)>,
    /// The lines in it.
    pub lines: Vec<Line>,
}

/// A name on an axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tick {
    /// Its distance from the start of the axis, in percent.
    pub at: String,
    /// The name.
    pub text: String,
}

/// A line in a box.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// How it is drawn.
    pub class: &'static str,
    /// What it shows.
    pub label: &'static str,
    /// Its course; where a value is missing, there is a gap.
    pub path: String,
}

impl Plot {
    /// A box whose axis is named in these words.
    pub fn new(label: &'static str, scale: &Scale, name: impl Fn(f64) -> String) -> Self {
        let tick = |value: f64| Tick { at: percent(scale.position(value)), text: name(value) };
        Self {
            label,
            note: matches!(scale, Scale::Log { .. }).then(|| "logarithmic".to_owned()),
            ticks: scale.ticks().into_iter().map(tick).collect(),
            shaded: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// The box with a line through these points: the horizontal ones as a share of the width, and the values.
    #[must_use]
    pub fn with(
        mut self,
        (class, label): (&'static str, &'static str),
        scale: &Scale,
        points: impl Iterator<Item = (f64, Option<f64>)>,
    ) -> Self {
        let path = path(points.map(|(x, value)| (x, value.map(|value| scale.position(value)))));
        if !path.is_empty() {
            self.lines.push(Line { class, label, path });
        }
        self
    }
}

/// A course through points given as shares of the box, from its lower left corner.
pub fn path(points: impl Iterator<Item = (f64, Option<f64>)>) -> String {
    let mut path = String::new();
    let mut pen = Pen::Up;
    for (x, y) in points {
        let Some(y) = y else {
            pen = Pen::Up;
            continue;
        };
        let (x, y) = (x.clamp(0.0, 1.0) * WIDTH, (1.0 - y) * HEIGHT);
        let (x, y) = (shortest(x, 1), shortest(y, 2));
        // Writing to a string cannot fail. A line to the same place makes a lonely point a dot.
        let _ = match pen {
            Pen::Up => write!(path, "M{x} {y}h0"),
            Pen::Down => write!(path, "L{x} {y}"),
        };
        pen = Pen::Down;
    }
    path
}

#[derive(Clone, Copy)]
enum Pen {
    Up,
    Down,
}

fn shortest(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A share as CSS wants it: `12.5%`.
pub fn percent(share: f64) -> String {
    format!("{}%", shortest(share.clamp(0.0, 1.0) * 100.0, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_gaps_where_there_is_nothing_and_dots_where_there_is_one() {
        let points = [(0.0, Some(0.0)), (0.25, Some(1.0)), (0.5, None), (1.0, Some(0.5))];
        assert_eq!(path(points.into_iter()), "M0 100h0L250 0M1000 50h0");
        assert_eq!(path([(0.5, None)].into_iter()), "");
    }

    #[test]
    fn shares_are_written_short() {
        assert_eq!(
            (percent(0.125), percent(1.0), percent(-3.0)),
            ("12.5%".into(), "100%".into(), "0%".into())
        );
    }
}
