//! What a baseline knows before any run is compared with it: the centre and the spread of each number,
//! and the smallest change that would be found.

use std::collections::BTreeSet;

use crate::metric::Metric;
use crate::plan::rules::BaselineRules;

use super::panel::{Panel, Track};
use super::past::{Past, Standing};
use super::subject::Subject;
use super::{level, tolerance};

/// What is known of a time of an endpoint or custom metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The number.
    pub metric: Metric,
    /// Its endpoint or custom metric.
    pub endpoint: String,
    /// The median of the runs of the class, in milliseconds.
    pub centre_ms: f64,
    /// Standard deviation from run to run, in ratio.
    pub spread: f64,
    /// The smallest change that is found in four of five runs, in ratio.
    pub min_detectable: f64,
    /// What must not slip through, in ratio.
    pub catch: f64,
    /// How many runs it has.
    pub standing: Standing,
}

/// What is known of the gated times of some runs, seen from one class of machines; those with too few runs
/// or requests are left out.
pub fn survey<'a>(rules: &BaselineRules, past: &Past<'a>) -> Vec<Known> {
    let gated = Metric::ALL.into_iter().filter(|it| it.is_time() && rules.gate_on.contains(it));
    let tables: Vec<(Metric, Vec<(&str, Track)>)> = gated
        .map(|metric| {
            let tolerance = tolerance(rules, metric);
            let track =
                |subject: Subject<'a>| Some((subject.name()?, past.track(metric, subject, tolerance)));
            let tracks = subjects(past, metric).into_iter().filter_map(track);
            (metric, tracks.filter(|(_, track)| track.standing().decides()).collect())
        })
        .collect();
    let level = level(rules, tables.iter().map(|(_, tracks)| tracks.len()).sum());
    let of_table = |(metric, tracks): &(Metric, Vec<(&str, Track)>)| {
        let alone: Vec<Track> = tracks.iter().map(|(_, track)| track.clone()).collect();
        let panel = Panel::fit(&alone, &past.fine(), level);
        let known = panel.map(|panel| {
            let rows = tracks.iter().enumerate();
            rows.map(|(index, row)| known((*metric, &panel), index, row)).collect::<Vec<_>>()
        });
        known.unwrap_or_default()
    };
    tables.iter().flat_map(of_table).collect()
}

/// Everything that has such a time.
fn subjects<'a>(past: &Past<'a>, metric: Metric) -> Vec<Subject<'a>> {
    if matches!(metric, Metric::Connect(_)) {
        let sockets = past.runs().flat_map(|run| &run.metrics).filter(|(_, it)| it.sockets.is_some());
        let names: BTreeSet<&str> = sockets.map(|(name, _)| name.as_str()).collect();
        return names.into_iter().map(Subject::Endpoint).collect();
    }
    let endpoints = past.endpoints().into_iter().map(Subject::Endpoint);
    endpoints.chain(past.custom_metrics().into_iter().map(Subject::Custom)).collect()
}

fn known((metric, panel): (Metric, &Panel), index: usize, (endpoint, track): &(&str, Track)) -> Known {
    Known {
        metric,
        endpoint: (*endpoint).to_owned(),
        centre_ms: panel.centre(index).exp(),
        spread: panel.spread(index),
        min_detectable: panel.min_detectable(index, 0).exp_m1(),
        catch: panel.catch(index).exp_m1(),
        standing: track.standing(),
    }
}
