//! A report as a list of sections: what matters least gives way when there is no room. Pure.

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
}

/// A part of a report that is there as a whole, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What stands above it.
    pub heading: String,
    /// Markdown, escaped.
    pub body: String,
    /// Who gives way.
    pub importance: Importance,
}

impl Section {
    /// A section; none where it says nothing.
    pub fn new(importance: Importance, heading: &str, body: String) -> Option<Self> {
        (!body.is_empty()).then(|| Self { heading: heading.to_owned(), body, importance })
    }

    fn text(&self) -> String {
        let Self { heading, body, importance } = self;
        match importance {
            Importance::Verdict => format!("# {heading}\n\n{body}"),
            Importance::Judged | Importance::Measured => format!("## {heading}\n\n{body}"),
            Importance::Detail => {
                format!("<details><summary>{heading}</summary>\n\n{body}\n</details>\n")
            }
        }
    }
}

/// The sections as a text of at most `budget` bytes: of those that matter least the last is left out first,
/// and then it is said which.
pub fn joined(sections: &[Section], budget: usize) -> String {
    joined_of(sections, budget, "result.json")
}

/// The same of what is in another place as a whole.
pub fn joined_of(sections: &[Section], budget: usize, whole: &str) -> String {
    let mut kept: Vec<&Section> = sections.iter().collect();
    let mut left_out: Vec<&str> = Vec::new();
    loop {
        let mut texts: Vec<_> = kept.iter().map(|section| section.text()).collect();
        if !left_out.is_empty() {
            texts.push(format!(
                "Left out for want of room: {}. All of it is in {whole}.\n",
                left_out.join("; ")
            ));
        }
        let text = texts.join("\n");
        let least = kept.iter().enumerate().skip(1).max_by_key(|(_, section)| section.importance);
        match least {
            Some((index, _)) if text.len() > budget => left_out.insert(0, &kept.remove(index).heading),
            _ => return text,
        }
    }
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
        let text = joined(&sections(), 1_000);
        assert!(text.starts_with("# V\n\nVV") && text.contains("## M") && !text.contains("Left out"));
    }

    #[test]
    fn details_give_way_first_and_the_verdict_never() {
        let whole = joined(&sections(), 1_000).len();
        for (budget, left_out) in [(whole - 1, "E."), (300, "D; E."), (200, "M; D; E."), (0, "J; M; D; E.")] {
            let text = joined(&sections(), budget);
            assert!(text.contains(&format!("Left out for want of room: {left_out}")), "{budget}: {text}");
            assert!(text.len() <= budget || budget == 0, "{budget}: {text}");
            assert!(text.starts_with("# V"));
        }
    }
}
