//! Broken files of a baseline as text: where, what, and what would be valid. Pure.

use crate::baseline::defect::Defect;

use super::text::{printable, shorten};

/// More of a message is of no use to anybody.
const LONGEST: usize = 400;

/// Two lines a defect, below the line that says what they are of.
pub fn render(defects: &[Defect]) -> String {
    defects.iter().map(one).collect()
}

fn one(defect: &Defect) -> String {
    let Defect { path, place, what, valid, .. } = defect;
    let place = place.map_or_else(String::new, |place| format!(":{}:{}", place.line, place.column));
    let clean = |text: &str| shorten(&printable(text), LONGEST);
    format!(
        "\n --> {}{place}\n     {}\n     valid: {}",
        clean(&path.display().to_string()),
        clean(what),
        clean(valid)
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::baseline::place::Place;

    #[test]
    fn a_defect_is_told_with_its_place_and_nothing_moves_the_cursor() {
        let defects = [
            Defect::whole(Path::new("b/run-\u{1b}[2J.json"), "has a bad name", "a good one"),
            Defect::whole(Path::new("b/run-1.json"), "has\n`x`", "y").at(Some(Place { line: 3, column: 7 })),
        ];
        insta::assert_snapshot!(format!("error: two files{}", render(&defects)), @r"
        error: two files
         --> b/run-\u{1b}[2J.json
             has a bad name
             valid: a good one
         --> b/run-1.json:3:7
             has\n`x`
             valid: y
        ");
    }
}
