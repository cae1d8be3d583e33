//! How times are distributed: the curve of percentiles up to 99.99 %, of response and service time, and the
//! table behind it. The axis gives every nine the same room.

use serde::Serialize;

use crate::load::measure::times::LONGEST_US;
use crate::metric::Percentile;
use crate::report::model::{self, Carried};
use crate::report::{note, number};
use crate::result::endpoint::{Endpoint, Reading, Times};
use crate::stats::histogram;

use super::model_name;
use super::page::name;
use super::plot::{Plot, Tick, percent};
use super::scale::Scale;

/// Nines on the axis: 99.99 % is its end.
const NINES: f64 = 4.0;
/// Points of a curve.
const POINTS: u32 = 48;
/// The percentiles for whose names the axis has room, beside that of its end.
const ON_THE_AXIS: [Percentile; 4] = [Percentile::P50, Percentile::P90, Percentile::P99, Percentile::P999];
/// The end of the axis.
const END: (&str, f64) = ("p99.99", 0.9999);

/// The distribution of one endpoint.
#[derive(Debug, Clone, Serialize)]
pub struct Distribution {
    /// The same endpoint has the same one, wherever it stands.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How many response times.
    pub n: String,
    /// The curves.
    pub plot: Plot,
    /// The percentiles named on the axis.
    pub ticks: Vec<Tick>,
    /// The table behind it.
    pub rows: Vec<Row>,
    /// What a mark in the table means, where there is one.
    pub few: Option<&'static str>,
}

/// A percentile of both times.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Which.
    pub name: &'static str,
    /// From when it was due.
    pub response: String,
    /// From when it was sent.
    pub service: String,
}

/// The distribution of an endpoint; none where nothing was recorded.
pub fn distribution(endpoint: &Endpoint, id: String) -> Option<Distribution> {
    let response = endpoint.response_time.as_ref()?;
    let curves = [Curve::of(endpoint.service_time.as_ref()), Curve::of(Some(response))];
    let largest = curves.iter().flat_map(|curve| &curve.points).map(|(_, ms)| *ms).fold(0.0, f64::max);
    let scale = Scale::of_times(response.min_ms, response.p50_ms, largest);
    let plot = Plot::new("time", &scale, number::limit_ms);
    let [service_curve, response_curve] = &curves;
    let points = |curve: &Curve| curve.points.clone().into_iter().map(|(x, ms)| (x, Some(ms)));
    let plot = plot.with(("response", "response time"), &scale, points(response_curve));
    // Above the other: its dashes leave both to be seen where they are one.
    let mut plot = plot.with(("service", "service time"), &scale, points(service_curve));
    // What so many requests cannot tell.
    let end = response_curve.points.last().map_or(0.0, |(x, _)| *x);
    plot.shaded = (end < 1.0).then(|| (percent(end), percent(1.0 - end))).into_iter().collect();
    let rows = rows(response, endpoint.service_time.as_ref(), &curves);
    Some(Distribution {
        id,
        name: name(model_name(endpoint)),
        n: number::count(response.n),
        plot,
        ticks: ticks(),
        few: rows.iter().any(|row| row.response.starts_with(model::FEW)).then_some(note::FEW),
        rows,
    })
}

/// A distribution as points: place on the axis, and milliseconds.
struct Curve {
    points: Vec<(f64, f64)>,
    /// 99.99 %, where there are enough requests to tell.
    last: Option<f64>,
}

impl Curve {
    fn of(times: Option<&Times>) -> Self {
        let Some(times) = times else { return Self { points: Vec::new(), last: None } };
        let text = times.histogram.as_deref();
        match text.and_then(|text| histogram::decode(text, LONGEST_US).ok()).filter(|it| !it.is_empty()) {
            Some(values) => {
                let ms = |quantile: f64| values.value_at_quantile(quantile) as f64 / 1e3;
                // Beyond the largest of n values there is nothing to draw.
                let most = (values.len() as f64).log10().min(NINES);
                let nines = (0..=POINTS).map(|step| f64::from(step) / f64::from(POINTS) * most);
                let points = nines.map(|nines| (nines / NINES, ms(1.0 - 10_f64.powf(-nines)))).collect();
                Self { points, last: (most >= NINES).then(|| ms(END.1)) }
            }
            None => Self { points: known(times), last: None },
        }
    }
}

/// What a result without its histogram still knows.
fn known(times: &Times) -> Vec<(f64, f64)> {
    let carried = |it: &Percentile| model::carries(times.n, it.quantile()) == Carried::Well;
    let known = Percentile::ALL.into_iter().filter(carried);
    known.map(|it| (place(it.quantile()), times.percentile_ms(it))).collect()
}

fn place(quantile: f64) -> f64 {
    -(1.0 - quantile).log10() / NINES
}

fn ticks() -> Vec<Tick> {
    let named = ON_THE_AXIS.map(|it| (it.label(), it.quantile())).into_iter().chain([END]);
    named.map(|(name, quantile)| Tick { at: percent(place(quantile)), text: name.to_owned() }).collect()
}

fn rows(response: &Times, service: Option<&Times>, [service_curve, response_curve]: &[Curve; 2]) -> Vec<Row> {
    let time = |value: Option<f64>| value.map_or_else(|| number::NOTHING.to_owned(), number::milliseconds);
    let row = |name: &'static str, pick: fn(&Times) -> f64| Row {
        name,
        response: time(Some(pick(response))),
        service: time(service.map(pick)),
    };
    let open = |name: &'static str, pick: fn(&Times) -> Reading| Row {
        name,
        response: model::reading(Some(pick(response))),
        service: model::reading(service.map(pick)),
    };
    let mut rows = vec![row("min", |times| times.min_ms), open("mean", |times| times.mean_among(0))];
    rows.extend(Percentile::ALL.map(|percentile| Row {
        name: percentile.label(),
        response: model::percentile(Some(response), percentile),
        service: model::percentile(service, percentile),
    }));
    rows.push(Row { name: END.0, response: time(response_curve.last), service: time(service_curve.last) });
    rows.push(open("max", |times| times.max_among(0)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture;

    #[test]
    fn a_curve_ends_where_its_last_request_is() {
        let result = fixture::of_requests(1_000);
        let shown = distribution(&result.totals, String::new()).unwrap();
        // 1,000 requests know 99.9 %, three of four nines.
        let last = shown.plot.lines[0].path.rsplit('L').next().unwrap();
        assert!(last.starts_with("750 "), "{last}");
        assert_eq!(shown.plot.shaded, [("75%".to_owned(), "25%".to_owned())]);
        assert_eq!(shown.few, None);
        assert_eq!(shown.rows.iter().find(|row| row.name == "p99.99").unwrap().response, "–");
        assert_eq!(shown.rows.iter().find(|row| row.name == "p95").unwrap().response, "105 ms");
    }

    #[test]
    fn without_its_histogram_a_result_still_has_the_percentiles_it_names() {
        let mut result = fixture::small();
        for times in [&mut result.totals.response_time, &mut result.totals.service_time] {
            times.as_mut().unwrap().histogram = None;
        }
        let shown = distribution(&result.totals, String::new()).unwrap();
        assert_eq!(shown.plot.lines.len(), 2);
        assert_eq!(shown.plot.lines[1].path.matches('L').count(), 5);
    }

    #[test]
    fn a_percentile_that_is_but_the_slowest_is_marked_in_the_table_and_not_drawn() {
        let mut result = fixture::of_requests(50);
        result.totals.response_time.as_mut().unwrap().histogram = None;
        let shown = distribution(&result.totals, String::new()).unwrap();
        let marked: Vec<_> = shown
            .rows
            .iter()
            .filter(|row| row.response.starts_with(model::FEW))
            .map(|row| row.name)
            .collect();
        assert_eq!(marked, ["p99", "p99.9"]);
        assert_eq!(shown.few, Some(note::FEW));
        // p50, p75, p90 and p95, no further.
        assert_eq!(shown.plot.lines[0].path.matches('L').count(), 3);
    }

    #[test]
    fn nothing_recorded_is_no_chart() {
        assert!(distribution(&fixture::of_requests(0).totals, String::new()).is_none());
    }
}
