//! Where in a tree of JSON something is.

use serde_json::Value as Json;

/// One step from a value to a value in it.
#[derive(Debug)]
pub(super) enum Step {
    /// The entry of an object.
    Name(String),
    /// The item of a list.
    Index(usize),
}

/// Finds the steps from the top of a tree to a node of it, by the node's place in memory. A query with places would
/// collect the places of everything that the path finds.
pub(super) fn locate(tree: &Json, node: &Json, steps: &mut Vec<Step>) -> bool {
    if !backwards(tree, node, steps) {
        return false;
    }
    steps.reverse();
    true
}

/// The same, the last step first: only those that lead there are ever written down.
fn backwards(tree: &Json, node: &Json, steps: &mut Vec<Step>) -> bool {
    if std::ptr::eq(tree, node) {
        return true;
    }
    let step = match tree {
        Json::Array(items) => items.iter().position(|item| backwards(item, node, steps)).map(Step::Index),
        Json::Object(entries) => {
            let found = entries.iter().find(|(_, item)| backwards(item, node, steps));
            found.map(|(name, _)| Step::Name(name.clone()))
        }
        _ => None,
    };
    let found = step.is_some();
    steps.extend(step);
    found
}

/// What some steps lead to from the top of a tree.
pub(super) fn walk<'d>(tree: &'d Json, steps: &[Step]) -> Option<&'d Json> {
    steps.iter().try_fold(tree, |node, step| match step {
        Step::Name(name) => node.get(name),
        Step::Index(index) => node.get(index),
    })
}
