//! The run over time: users, rates, failures and response times on one axis, and the table behind them.
//! Percentiles are never averaged: where one point stands for several seconds, it is the highest of them.

use serde::Serialize;

use crate::report::number;
use crate::result::schema::{Point, RunResult};

use super::plot::{Plot, Tick, percent};
use super::scale::{Scale, times};

/// More points than this are no longer told apart on a screen.
const MOST_MOMENTS: usize = 600;
/// The share of the width that a letter takes on a narrow screen.
const LETTER: f64 = 0.026;

/// The charts and their table.
#[derive(Debug, Clone, Serialize)]
pub struct Timeline {
    /// The boxes, from above.
    pub plots: Vec<Plot>,
    /// The phases, in order.
    pub phases: Vec<Band>,
    /// The names on the axis.
    pub ticks: Vec<Tick>,
    /// Seconds that a point stands for, where it is more than one; told.
    pub merged: Option<String>,
    /// What each point is.
    pub rows: Vec<Row>,
}

/// A phase on the axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Band {
    /// `ramp`, `warmup`, `steady` or `drain`.
    pub phase: String,
    /// Whether there is room for its name.
    pub named: bool,
    /// Where it begins.
    pub from: String,
    /// How much of the axis it takes.
    pub width: String,
}

/// One point as text.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Where it lies on the axis.
    pub at: String,
    /// Its beginning.
    pub time: String,
    /// What it belongs to.
    pub phase: String,
    /// Users at its end.
    pub users: String,
    /// Successes per second.
    pub ok: String,
    /// Failures per second.
    pub failed: String,
    /// Response time.
    pub p50: String,
    /// Response time.
    pub p95: String,
    /// Response time.
    pub p99: String,
}

/// A stretch of the run.
#[derive(Debug, Clone, PartialEq)]
struct Moment<'a> {
    from: f64,
    length: f64,
    phase: &'a str,
    users: u64,
    ok: u64,
    failed: u64,
    times: [Option<f64>; 3],
}

/// The run over time; none where nothing was recorded.
pub fn timeline(result: &RunResult) -> Option<Timeline> {
    let moments = moments(&result.series);
    let end = moments.iter().map(|moment| moment.from + moment.length).fold(result.duration_s, f64::max);
    if moments.is_empty() || !(end.is_finite() && end > 0.0) {
        return None;
    }
    let longest = moments.iter().map(|moment| moment.length).fold(0.0, f64::max);
    Some(Timeline {
        plots: vec![
            users(&moments, end),
            requests(&moments, end),
            failures(&moments, end),
            response(&moments, end),
        ],
        phases: bands(&moments, end),
        ticks: times(end).into_iter().map(|at| Tick { at: percent(at / end), text: clock(at) }).collect(),
        merged: (longest > 1.5).then(|| number::seconds(longest)),
        rows: moments.iter().map(|moment| row(moment, end)).collect(),
    })
}

/// The series in so many parts that a screen can show; no part lies in two phases.
fn moments(series: &[Point]) -> Vec<Moment<'_>> {
    let most = series.len().div_ceil(MOST_MOMENTS).max(1);
    let mut moments: Vec<(usize, Moment)> = Vec::new();
    for point in series {
        let next = Moment {
            from: point.t_s,
            length: if point.length_s > 0.0 { point.length_s } else { 1.0 },
            phase: &point.phase,
            users: point.users,
            ok: point.ok,
            failed: point.failed,
            times: [point.p50_ms, point.p95_ms, point.p99_ms],
        };
        match moments.last_mut() {
            Some((of, last)) if *of < most && last.phase == next.phase => {
                *of += 1;
                last.add(&next);
            }
            _ => moments.push((1, next)),
        }
    }
    moments.into_iter().map(|(_, moment)| moment).collect()
}

impl Moment<'_> {
    fn add(&mut self, next: &Moment) {
        self.length = next.from + next.length - self.from;
        self.users = next.users;
        self.ok = self.ok.saturating_add(next.ok);
        self.failed = self.failed.saturating_add(next.failed);
        for (mine, theirs) in self.times.iter_mut().zip(next.times) {
            *mine = mine.iter().copied().chain(theirs).reduce(f64::max);
        }
    }

    fn middle(&self, end: f64) -> f64 {
        (self.from + self.length / 2.0) / end
    }

    fn rate(&self, count: u64) -> f64 {
        if self.length > 0.0 { count as f64 / self.length } else { 0.0 }
    }
}

fn users(moments: &[Moment], end: f64) -> Plot {
    let scale = Scale::whole(moments.iter().map(|moment| moment.users as f64).fold(0.0, f64::max));
    Plot::new("users", &scale, |value| number::count(value as u64)).with(
        ("users", "users"),
        &scale,
        moments.iter().map(|moment| (moment.middle(end), Some(moment.users as f64))),
    )
}

fn requests(moments: &[Moment], end: f64) -> Plot {
    rates("successes", "ok", moments, (end, |moment| moment.ok))
}

fn failures(moments: &[Moment], end: f64) -> Plot {
    rates("failures", "failed", moments, (end, |moment| moment.failed))
}

fn rates(
    label: &'static str,
    class: &'static str,
    moments: &[Moment],
    (end, of): (f64, fn(&Moment) -> u64),
) -> Plot {
    let rate = |moment: &Moment| moment.rate(of(moment));
    let scale = Scale::linear(moments.iter().map(rate).fold(0.0, f64::max));
    Plot::new(label, &scale, |value| format!("{}/s", number::shortest(value))).with(
        (class, label),
        &scale,
        moments.iter().map(|moment| (moment.middle(end), Some(rate(moment)))),
    )
}

/// Names of the percentiles, and how their lines are drawn.
const PERCENTILES: [(&str, &str); 3] = [("p99", "p99"), ("p95", "p95"), ("p50", "p50")];

fn response(moments: &[Moment], end: f64) -> Plot {
    let all = |index: usize| moments.iter().filter_map(move |moment| moment.times[index]);
    let typical = all(0).sum::<f64>() / (all(0).count().max(1) as f64);
    let scale = Scale::of_times(all(0).fold(f64::INFINITY, f64::min), typical, all(2).fold(0.0, f64::max));
    let plot = Plot::new("response time", &scale, number::limit_ms);
    PERCENTILES.into_iter().zip([2, 1, 0]).fold(plot, |plot, (name, index)| {
        plot.with(name, &scale, moments.iter().map(|moment| (moment.middle(end), moment.times[index])))
    })
}

fn bands(moments: &[Moment], end: f64) -> Vec<Band> {
    let mut spans: Vec<(&str, f64, f64)> = Vec::new();
    for moment in moments {
        let until = moment.from + moment.length;
        match spans.last_mut() {
            Some((phase, _, to)) if *phase == moment.phase => *to = until,
            _ => spans.push((moment.phase, moment.from, until)),
        }
    }
    let band = |(phase, from, to): (&str, f64, f64)| Band {
        phase: crate::report::text::printable(phase),
        named: (to - from) / end >= LETTER * phase.chars().count() as f64,
        from: percent(from / end),
        width: percent((to - from) / end),
    };
    spans.into_iter().map(band).collect()
}

fn row(moment: &Moment, end: f64) -> Row {
    let [p50, p95, p99] =
        moment.times.map(|time| time.map_or_else(|| number::NOTHING.to_owned(), number::milliseconds));
    Row {
        at: percent(moment.middle(end)),
        time: clock(moment.from),
        phase: crate::report::text::printable(moment.phase),
        users: number::count(moment.users),
        ok: number::rate(moment.rate(moment.ok)),
        failed: number::rate(moment.rate(moment.failed)),
        p50,
        p95,
        p99,
    }
}

/// A moment since the start of the load: `0:05`, `12:30`, `1:02:30`.
fn clock(at_s: f64) -> String {
    let whole = at_s.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture;

    fn long(seconds: u32) -> RunResult {
        let mut result = fixture::small();
        let first = result.series[0].clone();
        result.series = (0..seconds)
            .map(|second| Point {
                t_s: f64::from(second),
                phase: if second < 7 { "ramp".into() } else { "steady".into() },
                ok: 10,
                p99_ms: Some(f64::from(second)),
                ..first.clone()
            })
            .collect();
        result.duration_s = f64::from(seconds);
        result
    }

    #[test]
    fn a_long_run_has_few_moments_each_with_the_highest_percentile_and_all_counts() {
        let result = long(1_800);
        let moments = moments(&result.series);
        assert!(moments.len() <= MOST_MOMENTS + 2, "{}", moments.len());
        assert_eq!(moments.iter().map(|moment| moment.ok).sum::<u64>(), 18_000);
        // Seconds 0, 1, 2; the third is the ramp's rest of one second.
        assert_eq!(moments[0].times[2], Some(2.0));
        assert_eq!((moments[2].length, moments[2].phase), (1.0, "ramp"));
        assert_eq!(timeline(&result).unwrap().merged.as_deref(), Some("3 s"));
    }

    #[test]
    fn phases_cover_the_axis_and_narrow_ones_have_no_name() {
        let phases = timeline(&long(200)).unwrap().phases;
        let told: Vec<_> =
            phases.iter().map(|band| (band.phase.as_str(), band.named, band.width.as_str())).collect();
        assert_eq!(told, [("ramp", false, "3.5%"), ("steady", true, "96.5%")]);
    }

    #[test]
    fn nothing_recorded_is_no_chart() {
        assert!(timeline(&RunResult { series: Vec::new(), ..fixture::small() }).is_none());
    }
}
