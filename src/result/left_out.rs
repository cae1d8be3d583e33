//! What followed from the endpoints of the points, of a result that is too large to be written with them. Without it
//! nothing would seem to have been wrong with an endpoint at any moment, and a run could pass when it is judged again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::endpoint::failures;
use super::schema::{Point, RunResult};
use super::stretch::{Stretch, stretches};
use super::verdict::Finding;
use crate::stats::significance::{Share, dispersion};

/// What is known of the endpoints over time where their points are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The longest silence of an endpoint; null where there was none.
    pub silence: Option<Finding>,
    /// How much the failures of an endpoint clump, by its name; 1 of all that are not named.
    pub clumping: BTreeMap<String, f64>,
}

impl LeftOut {
    /// What follows from the endpoints of a result that still has them, of which the longest silence is this one.
    pub fn of(result: &RunResult, silence: Option<Finding>) -> Self {
        let failed = result.whole_run.endpoints.iter().filter(|counts| failures(&counts.failed) > 0);
        let clumping = failed.map(|counts| (counts.name.clone(), clumping(result, Some(&counts.name))));
        Self { silence, clumping: clumping.filter(|(_, clumping)| *clumping > 1.0).collect() }
    }
}

/// How much the failures of a run clump, of one endpoint or of all requests: their variance over their mean, 1 at least.
pub fn clumping(result: &RunResult, endpoint: Option<&str>) -> f64 {
    let share = |failed: u64, length_s: f64| Share { events: failed as f64, trials: length_s };
    let over_time: Vec<Share> = match (endpoint, &result.left_out) {
        (None, _) => result.series.iter().map(|point: &Point| share(point.failed, point.length_s)).collect(),
        (Some(name), Some(left_out)) => {
            return left_out.clumping.get(name).copied().unwrap_or(1.0).max(1.0);
        }
        (Some(name), None) => {
            let of = |it: &Stretch| it.endpoints.get(name).map_or(0, |it| it.failed);
            stretches(&result.series).map(|it| share(of(&it), it.length_s())).collect()
        }
    };
    dispersion(&over_time)
}
