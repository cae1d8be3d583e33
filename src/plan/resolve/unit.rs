//! Values with a unit, read from nodes. What is no such value is left to the check of shapes.

use std::str::FromStr;
use std::time::Duration;

use crate::config::node::Node;
use crate::plan::Memory;
use crate::units::{ByteSize, Rate, Ratio, parse_duration};

/// A duration.
pub(super) fn duration(node: Option<&Node>) -> Option<Duration> {
    parse_duration(node?.scalar()?).ok()
}

/// A rate.
pub(super) fn rate(node: Option<&Node>) -> Option<Rate> {
    parsed(node)
}

/// A ratio; a sign that says it is a change is left out.
pub(super) fn ratio(node: Option<&Node>) -> Option<Ratio> {
    node?.scalar()?.trim_start_matches('+').parse().ok()
}

/// An amount of memory: a size, or a share.
pub(super) fn memory(node: &Node) -> Option<Memory> {
    let text = node.scalar()?;
    let share = || Ratio::written(text).ok().map(|share| Memory::Share(share.0));
    text.parse::<ByteSize>().ok().map(|bytes| Memory::Bytes(bytes.0)).or_else(share)
}

/// Anything with a text form: a number, a word.
pub(super) fn parsed<T: FromStr>(node: Option<&Node>) -> Option<T> {
    node?.scalar()?.parse().ok()
}
