//! A report as a list of sections: what matters least gives way when there is no room, first the last rows of
//! its tables, then all of it. Pure; rows are told by their lines, for no cell has a line end.

use std::ops::Range;

use crate::report::number;

/// How long a text may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Characters.
    pub chars: usize,
    /// Bytes of UTF-8.
    pub bytes: usize,
}

impl Room {
    /// Room that is counted in bytes alone.
    pub const fn of_bytes(bytes: usize) -> Self {
        Self { chars: usize::MAX, bytes }
    }

    fn holds(self, text: &str) -> bool {
        text.len() <= self.bytes && text.chars().count() <= self.chars
    }
}

/// What must stay the longest comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Importance {
    /// Stays, whatever the room.
    Verdict,
    /// What it was judged by.
    Judged,
    /// What was measured.
    Measured,
    /// What one looks up.
    Detail,
    /// What shows again what is said elsewhere.
    Picture,
}

/// What stands around a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// Its heading, or a fold, as its importance says.
    Headed,
    /// Nothing.
    Bare,
}

/// Rows of a table, without which it says too little to be there.
const FEWEST_ROWS: usize = 8;
/// Lines that stand above the rows.
const HEAD: usize = 2;

/// A part of a report: all of it, its first rows, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What stands above it.
    pub heading: String,
    /// Markdown, escaped.
    pub body: String,
    /// Who gives way.
    pub importance: Importance,
    frame: Frame,
}

impl Section {
    /// A section; none where it says nothing.
    pub fn new(importance: Importance, heading: &str, body: String) -> Option<Self> {
        let frame = Frame::Headed;
        (!body.is_empty()).then(|| Self { heading: heading.to_owned(), body, importance, frame })
    }

    /// The same without a heading: its name is only told where it is left out.
    pub fn bare(importance: Importance, name: &str, body: String) -> Option<Self> {
        Self::new(importance, name, body).map(|section| Self { frame: Frame::Bare, ..section })
    }

    /// The rows of its longest table.
    fn rows(&self) -> usize {
        tables(&self.body).iter().map(|lines| lines.len().saturating_sub(HEAD)).max().unwrap_or(0)
    }

    /// The same with so many rows in each table; below it is said how many more there are.
    fn cut(&self, rows: usize, whole: &str) -> Self {
        let tables = tables(&self.body);
        let beyond = |lines: &Range<usize>| lines.start + HEAD + rows..lines.end;
        let mut body = String::new();
        for (at, line) in self.body.split_inclusive('\n').enumerate() {
            match tables.iter().map(beyond).find(|beyond| beyond.contains(&at)) {
                None => body.push_str(line),
                Some(beyond) if beyond.start == at => {
                    let more = number::count(beyond.len() as u64);
                    body.extend(["\nand ", &more, " more in ", whole, "\n"]);
                }
                Some(_) => {}
            }
        }
        Self { body, ..self.clone() }
    }

    fn text(&self) -> String {
        let Self { heading, body, importance, frame } = self;
        match (frame, importance) {
            (Frame::Bare, _) => body.clone(),
            (_, Importance::Verdict) => format!("# {heading}\n\n{body}"),
            (_, Importance::Judged | Importance::Measured | Importance::Picture) => {
                format!("## {heading}\n\n{body}")
            }
            (_, Importance::Detail) => {
                format!("<details><summary>{heading}</summary>\n\n{body}\n</details>\n")
            }
        }
    }
}

/// The lines of each table.
fn tables(body: &str) -> Vec<Range<usize>> {
    let mut tables: Vec<Range<usize>> = Vec::new();
    let of_tables = body.lines().enumerate().filter(|(_, line)| line.starts_with('|'));
    for (at, _) in of_tables {
        match tables.last_mut() {
            Some(lines) if lines.end == at => lines.end += 1,
            _ => tables.push(at..at + 1),
        }
    }
    tables
}

/// The sections as a text that the room holds: those that matter least keep as many rows as there is room for.
/// Where those are too few, the longest is left out first, and then it is said which. The first one stays,
/// whatever the room.
pub fn joined(sections: &[Section], room: Room) -> String {
    joined_of(sections, room, "result.json")
}

/// The same of what is in another place as a whole.
pub fn joined_of(sections: &[Section], room: Room, whole: &str) -> String {
    let mut kept: Vec<(usize, &Section)> = sections.iter().enumerate().collect();
    let mut left_out: Vec<(usize, &Section)> = Vec::new();
    loop {
        let text = text(&kept, missing(&left_out, whole), usize::MAX, whole);
        let least = kept.iter().enumerate().skip(1);
        let least = least.max_by_key(|(_, (_, section))| (section.importance, section.body.len()));
        let Some((index, _)) = least.filter(|_| !room.holds(&text)) else { return text };
        let told = || missing(&left_out, whole);
        if let Some(text) = fewer_rows(&kept, &|rows| self::text(&kept, told(), rows, whole), room) {
            return text;
        }
        left_out.push(kept.remove(index));
    }
}

/// With as many rows as there is room for; nothing where those are too few.
fn fewer_rows(kept: &[(usize, &Section)], with: &dyn Fn(usize) -> String, room: Room) -> Option<String> {
    let most = kept.iter().map(|(_, section)| section.rows()).max().unwrap_or(0);
    // So many fit, and so many do not.
    let (mut fit, mut over) = (FEWEST_ROWS, most);
    let mut found = Some(with(fit)).filter(|text| fit < most && room.holds(text))?;
    while fit + 1 < over {
        let rows = usize::midpoint(fit, over);
        let text = with(rows);
        if room.holds(&text) {
            (fit, found) = (rows, text);
        } else {
            over = rows;
        }
    }
    Some(found)
}

/// The sections as they are; those that matter least with so many rows.
fn text(kept: &[(usize, &Section)], missing: Option<String>, rows: usize, whole: &str) -> String {
    let least = kept.iter().skip(1).map(|(_, section)| section.importance).max();
    let is_cut = |section: &Section| section.rows() > rows && Some(section.importance) == least;
    let text = |section: &Section| {
        if is_cut(section) { section.cut(rows, whole).text() } else { section.text() }
    };
    let texts: Vec<_> = kept.iter().map(|(_, section)| text(section)).chain(missing).collect();
    texts.join("\n")
}

/// What is not there, in the order it would have been.
fn missing(left_out: &[(usize, &Section)], whole: &str) -> Option<String> {
    let mut left_out = left_out.to_vec();
    left_out.sort_by_key(|(place, _)| *place);
    let names: Vec<_> = left_out.iter().map(|(_, section)| section.heading.as_str()).collect();
    let told = || format!("Left out for want of room: {}. All of it is in {whole}.\n", names.join("; "));
    (!names.is_empty()).then(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections() -> Vec<Section> {
        let of = |importance, heading: &str| {
            Section::new(importance, heading, format!("{}\n", heading.repeat(50)))
        };
        let all = [
            of(Importance::Verdict, "V"),
            of(Importance::Judged, "J"),
            of(Importance::Measured, "M"),
            of(Importance::Detail, "D"),
            of(Importance::Detail, "E"),
        ];
        all.into_iter().flatten().collect()
    }

    #[test]
    fn what_fits_is_all_there() {
        let text = joined(&sections(), Room::of_bytes(1_000));
        assert!(text.starts_with("# V\n\nVV") && text.contains("## M") && !text.contains("Left out"));
    }

    #[test]
    fn details_give_way_first_and_the_verdict_never() {
        let whole = joined(&sections(), Room::of_bytes(1_000)).len();
        for (budget, left_out) in [(whole - 1, "E."), (300, "D; E."), (200, "M; D; E."), (0, "J; M; D; E.")] {
            let text = joined(&sections(), Room::of_bytes(budget));
            assert!(text.contains(&format!("Left out for want of room: {left_out}")), "{budget}: {text}");
            assert!(text.len() <= budget || budget == 0, "{budget}: {text}");
            assert!(text.starts_with("# V"));
        }
    }

    #[test]
    fn of_what_matters_alike_the_longest_gives_way_so_that_most_stay() {
        let of = |name: &str, length: usize| Section::new(Importance::Detail, name, "x".repeat(length));
        let verdict = Section::bare(Importance::Verdict, "verdict", "V\n".to_owned());
        let all: Vec<_> =
            [verdict, of("A", 50), of("B", 500), of("C", 60), of("D", 400)].into_iter().flatten().collect();
        let text = joined(&all, Room::of_bytes(450));
        assert!(text.starts_with("V\n\n<details><summary>A") && text.contains("<summary>C"), "{text}");
        assert!(text.contains("Left out for want of room: B; D."), "{text}");
    }

    /// A table of so many rows of 22 bytes.
    fn table(rows: usize) -> String {
        format!("above\n\n|  | a |\n|---|--:|\n{}\nbelow\n", "| x | 1234567890123 |\n".repeat(rows))
    }

    #[test]
    fn tables_keep_as_many_rows_as_there_is_room_for_and_tell_the_others() {
        let of = |heading: &str, rows| Section::new(Importance::Detail, heading, table(rows));
        let verdict = Section::bare(Importance::Verdict, "verdict", table(20));
        let all: Vec<_> = [verdict, of("A", 100), of("B", 30), of("C", 5)].into_iter().flatten().collect();
        let whole = joined(&all, Room::of_bytes(10_000));
        assert!(!whole.contains("more in") && whole.matches("| x |").count() == 155);
        // Of two tables a row each would be too much.
        let shown = |room| {
            let text = joined(&all, Room::of_bytes(room));
            assert!(text.len() <= room && text.len() + 2 * 22 >= room, "{room}: {} {text}", text.len());
            assert_eq!(text.matches("\nbelow\n").count(), 4, "{text}");
            text.matches("| x |").count()
        };
        // The longest gives way alone, then both; the verdict never, nor what is short.
        assert!(shown(3_000) > 20 + 30 + 5 + 35 && shown(2_000) > 20 + 2 * 15 + 5);
        let few = joined(&all, Room::of_bytes(1_100));
        assert!(few.contains("Left out for want of room: A.") && few.contains("<summary>B"), "{few}");
        assert!(
            joined(&all, Room::of_bytes(2_000)).contains(" more in result.json\n\nbelow\n"),
            "a count below the table"
        );
    }

    #[test]
    fn room_is_counted_in_characters_and_in_bytes() {
        let verdict = Section::bare(Importance::Verdict, "verdict", "V\n".to_owned());
        let detail = Section::new(Importance::Detail, "D", "漢".repeat(1_000));
        let all: Vec<_> = [verdict, detail].into_iter().flatten().collect();
        let kept = |chars, bytes| joined(&all, Room { chars, bytes }).contains('漢');
        assert_eq!([kept(1_200, 3_200), kept(1_000, 3_200), kept(1_200, 3_000)], [true, false, false]);
    }
}
