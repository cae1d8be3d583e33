//! What must hold for a request to be a success.

use hyper::header::HeaderName;

use crate::config::node::Node;
use crate::config::problem::Problem;
use crate::plan::step::Expectation;

use super::capture;
use super::compilation::Compilation;
use super::names::Sight;

impl Compilation<'_> {
    /// The conditions under `expect`, in the order written.
    pub fn expectations(&mut self, node: Option<&Node>, sight: Sight) -> Vec<Expectation> {
        let mut expectations = Vec::new();
        for (key, value) in node.map_or(&[][..], Node::entries) {
            match key.name.as_str() {
                "status" => expectations.extend(self.statuses(value)),
                "contains" => {
                    for text in one_or_all(value) {
                        expectations.extend(self.template(text, sight).map(Expectation::Contains));
                    }
                }
                "header" => self.expected_headers(value, sight, &mut expectations),
                "json" => self.expected_json(value, sight, &mut expectations),
                "that" => {
                    for text in one_or_all(value) {
                        let that = self.expression(text, sight.response());
                        expectations.extend(that.map(Expectation::That));
                    }
                }
                _ => {}
            }
        }
        expectations
    }

    fn statuses(&mut self, node: &Node) -> Option<Expectation> {
        let ranges = one_or_all(node).iter().filter_map(|item| Some((item, item.scalar()?)));
        let ranges: Vec<Result<(u16, u16), Problem>> = ranges
            .map(|(item, text)| {
                status(text).ok_or_else(|| {
                    Problem::at(item.span, format!("`{text}` is not a status")).hint(
                        "write a status from 100 to 599 such as `200`, a class such as `2xx`, or a list",
                    )
                })
            })
            .collect();
        let ranges: Vec<(u16, u16)> = ranges.into_iter().filter_map(|range| self.keep(range)).collect();
        (!ranges.is_empty()).then_some(Expectation::Status(ranges))
    }

    fn expected_headers(&mut self, node: &Node, sight: Sight, expectations: &mut Vec<Expectation>) {
        for (key, value) in node.entries() {
            let name = HeaderName::from_bytes(key.name.as_bytes())
                .map_err(|_| Problem::at(key.span, format!("`{}` is not the name of a header", key.name)));
            let (name, value) = (self.keep(name), self.template(value, sight));
            expectations.extend(name.zip(value).map(|(name, value)| Expectation::Header(name, value)));
        }
    }

    fn expected_json(&mut self, node: &Node, sight: Sight, expectations: &mut Vec<Expectation>) {
        for (key, value) in node.entries() {
            let path = capture::json_path(&key.name).map_err(|fault| fault.at(key.span));
            let (path, value) = (self.keep(path), self.json(value, sight));
            let text = key.name.clone();
            expectations.extend(path.map(|path| Expectation::Json { path, text, value }));
        }
    }
}

/// The items of a list, or the one thing that is no list.
fn one_or_all(node: &Node) -> &[Node] {
    if node.items().is_empty() { std::slice::from_ref(node) } else { node.items() }
}

/// `200` is 200–200, `2xx` is 200–299.
fn status(text: &str) -> Option<(u16, u16)> {
    let class = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX"));
    let (low, high) = match class {
        Some(class) => {
            let first = class.parse::<u16>().ok()?.checked_mul(100)?;
            (first, first.checked_add(99)?)
        }
        None => (text.parse().ok()?, text.parse().ok()?),
    };
    (100..=599).contains(&low).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn a_status_is_one_number_or_a_class_of_a_hundred() {
        assert_eq!(status("204"), Some((204, 204)));
        assert_eq!(status("2xx"), Some((200, 299)));
        for text in ["6xx", "99", "600", "xx", "2x", "-1"] {
            assert_eq!(status(text), None, "{text}");
        }
    }
}
