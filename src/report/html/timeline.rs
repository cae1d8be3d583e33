//! The run over time: users, rates, failures and response times on one axis, and the table behind them.
//! Percentiles are never averaged: where one point stands for several seconds, it is the highest of them.

use serde::Serialize;

use crate::metric::Percentile;
use crate::report::model::{self, Carried};
use crate::report::{note, number};
use crate::result::schema::{Point, RunResult};

use super::plot::{Plot, Tick, percent};
use super::scale::{Scale, times};

/// More points than this are no longer told apart on a screen.
const MOST_MOMENTS: usize = 600;
/// The share of the width that a letter takes on a narrow screen, and on a wide one.
const LETTERS: [(&str, f64); 2] = [("anywhere", 0.026), ("wide", 0.009)];

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
    /// What the mark before a percentile means, where there is one.
    pub few: Option<&'static str>,
    /// What each point is.
    pub rows: Vec<Row>,
}

/// A phase on the axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Band {
    /// `ramp`, `warmup`, `steady` or `drain`.
    pub phase: String,
    /// Where there is room for its name: `anywhere`, `wide`, `nowhere`.
    pub named: &'static str,
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
    /// Users, the most at once.
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
    /// Which of them are but the slowest of few requests, for all that is known.
    few: [Carried; 3],
}

/// The run over time; none where nothing was recorded.
pub fn timeline(result: &RunResult) -> Option<Timeline> {
    let moments = moments(&result.series);
    let end = moments.iter().map(|moment| moment.from + moment.length).fold(result.duration_s, f64::max);
    if moments.is_empty() || !(end.is_finite() && end > 0.0) {
        return None;
    }
    let few = moments.iter().any(|moment| moment.few.contains(&Carried::Slowest));
    let phases = bands(&moments, end);
    let longest = moments.iter().map(|moment| moment.length).fold(0.0, f64::max);
    Some(Timeline {
        plots: vec![
            users(&moments, end),
            requests(&moments, end),
            failures(&moments, end),
            response(&moments, end),
        ]
        .into_iter()
        .map(|plot| Plot { shaded: unjudged(&phases), ..plot })
        .collect(),
        phases,
        few: few.then_some(note::FEW),
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
            few: few(point),
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

/// Some failures have no time to be counted: there were at most so many.
fn few(point: &Point) -> [Carried; 3] {
    let most = point.ok.saturating_add(point.failed);
    let known =
        [(Percentile::P50, point.p50_ms), (Percentile::P95, point.p95_ms), (Percentile::P99, point.p99_ms)];
    known.map(|(percentile, time)| match time {
        Some(_) => model::carries(most, percentile.quantile()),
        None => Carried::Well,
    })
}

impl Moment<'_> {
    fn add(&mut self, next: &Moment) {
        self.length = next.from + next.length - self.from;
        self.users = self.users.max(next.users);
        self.ok = self.ok.saturating_add(next.ok);
        self.failed = self.failed.saturating_add(next.failed);
        for (mine, theirs) in self.times.iter_mut().zip(next.times) {
            *mine = mine.iter().copied().chain(theirs).reduce(f64::max);
        }
        for (mine, theirs) in self.few.iter_mut().zip(next.few) {
            *mine = if theirs == Carried::Slowest { theirs } else { *mine };
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

/// How the lines of the percentiles are drawn, and their names: well carried, and but the slowest of few.
const PERCENTILES: [(&str, [&str; 2]); 3] =
    [("p99", ["p99", "†p99"]), ("p95", ["p95", "†p95"]), ("p50", ["p50", "†p50"])];

fn response(moments: &[Moment], end: f64) -> Plot {
    let all = |index: usize| moments.iter().filter_map(move |moment| moment.times[index]);
    let typical = all(0).sum::<f64>() / (all(0).count().max(1) as f64);
    let scale = Scale::of_times(all(0).fold(f64::INFINITY, f64::min), typical, all(2).fold(0.0, f64::max));
    let plot = Plot::new("response time", &scale, number::limit_ms);
    // The name is marked where most of the line is.
    let few = |index: usize| moments.iter().filter(|moment| moment.few[index] == Carried::Slowest).count();
    PERCENTILES.into_iter().zip([2, 1, 0]).fold(plot, |plot, ((class, names), index)| {
        let name = names[usize::from(few(index) * 2 > all(index).count())];
        plot.with(
            (class, name),
            &scale,
            moments.iter().map(|moment| (moment.middle(end), moment.times[index])),
        )
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
        named: room((to - from) / end, phase),
        from: percent(from / end),
        width: percent((to - from) / end),
    };
    spans.into_iter().map(band).collect()
}

fn room(width: f64, name: &str) -> &'static str {
    let fits = |(_, letter): &(&str, f64)| width >= letter * name.chars().count() as f64;
    LETTERS.into_iter().find(fits).map_or("nowhere", |(room, _)| room)
}

/// The phases that are not judged.
fn unjudged(phases: &[Band]) -> Vec<(String, String)> {
    let other = phases.iter().filter(|band| band.phase != "steady");
    other.map(|band| (band.from.clone(), band.width.clone())).collect()
}

fn row(moment: &Moment, end: f64) -> Row {
    let time = |index: usize| {
        let text = moment.times[index].map_or_else(|| number::NOTHING.to_owned(), number::milliseconds);
        model::marked(text, moment.few[index])
    };
    let [p50, p95, p99] = [time(0), time(1), time(2)];
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
        assert_eq!(told, [("ramp", "nowhere", "3.5%"), ("steady", "anywhere", "96.5%")]);
        assert_eq!(timeline(&long(100)).unwrap().phases[0].named, "wide");
    }

    #[test]
    fn a_second_of_few_requests_does_not_pretend_to_know_its_percentiles() {
        let mut result = long(20);
        let shown = timeline(&result).unwrap();
        assert!(shown.rows[8].p99.starts_with(model::FEW) && !shown.rows[8].p50.starts_with(model::FEW));
        assert_eq!((shown.plots[3].lines[0].label, shown.plots[3].lines[2].label), ("†p99", "p50"));
        assert_eq!(shown.few, Some(note::FEW));
        for point in &mut result.series {
            (point.ok, point.failed) = (90, 10);
        }
        let shown = timeline(&result).unwrap();
        assert_eq!((shown.plots[3].lines[0].label, shown.few), ("p99", None));
        assert!(!shown.rows[8].p99.starts_with(model::FEW));
    }

    #[test]
    fn nothing_recorded_is_no_chart() {
        assert!(timeline(&RunResult { series: Vec::new(), ..fixture::small() }).is_none());
    }
}
