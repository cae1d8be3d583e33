//! Pauses: constant, ranges, distributions, and the pace of a class.

use std::time::Duration;

use crate::config::node::Node;
use crate::config::problem::Problem;
use crate::plan::user::Wait;
use crate::units::{LONGEST, parse_duration};

use super::unit;

/// A pause between two steps, or within a poll: everything but a pace.
pub(super) fn pause(node: &Node) -> Option<Result<Wait, Problem>> {
    Some(match read(node)? {
        Ok(Wait::Throughput(_)) => Err(Problem::at(node.span, "a throughput paces iterations, not steps")
            .hint("write it as the `wait` of a user class; a step waits `1s` or `1s..3s`")),
        other => other,
    })
}

/// The `wait` of a class.
pub(super) fn between_iterations(node: &Node) -> Option<Result<Wait, Problem>> {
    read(node)
}

fn read(node: &Node) -> Option<Result<Wait, Problem>> {
    if let Some(text) = node.scalar() {
        return scalar(node, text);
    }
    if let Some(normal) = node.get("normal") {
        let mean = unit::duration(normal.get("mean"))?;
        let sd = unit::duration(normal.get("sd")).unwrap_or(Duration::ZERO);
        return Some(Ok(Wait::Normal { mean, sd }));
    }
    if let Some(mean) = unit::duration(node.get("exponential")) {
        return Some(Ok(Wait::Exponential(mean)));
    }
    let throughput = node.get("throughput")?;
    let rate = unit::rate(Some(throughput))?;
    let wrong = |message: String| Problem::at(throughput.span, message).hint("write a rate such as `10/s`");
    Some(if rate.0 <= 0.0 {
        Err(wrong("a throughput of zero never starts anything".into()))
    } else if rate.0 * LONGEST.as_secs_f64() < 1.0 {
        // From one start to the next is a duration as any other.
        let (text, hours) = (throughput.scalar().unwrap_or_default(), LONGEST.as_secs() / 3_600);
        Err(wrong(format!("`{text}` is less than one start in {hours} hours")))
    } else {
        Ok(Wait::Throughput(rate))
    })
}

fn scalar(node: &Node, text: &str) -> Option<Result<Wait, Problem>> {
    let Some((low, high)) = text.split_once("..") else {
        return parse_duration(text).ok().map(|pause| Ok(Wait::Constant(pause)));
    };
    let (from, to) = (parse_duration(low).ok()?, parse_duration(high).ok()?);
    Some(if from <= to {
        Ok(Wait::Uniform(from, to))
    } else {
        Err(Problem::at(node.span, format!("the range `{text}` ends before it begins")).hint(format!(
            "write `{}..{}`",
            high.trim(),
            low.trim()
        )))
    })
}
