//! Which numbers can be tested: those with enough requests on both sides and enough runs to compare with.
//! What cannot be is told, with its reason: nothing vanishes silently.

use std::collections::BTreeSet;

use crate::metric::{Metric, Percentile};
use crate::result::comparison::DeltaStatus;
use crate::result::endpoint::ended;
use crate::result::verdict::Because;

use super::panel::Track;
use super::past::Standing;
use super::{Compared, tolerance};

/// One number of this run beside its past.
#[derive(Debug)]
pub struct Row<'a> {
    /// The number.
    pub metric: Metric,
    /// Its endpoint; none for all requests.
    pub endpoint: Option<&'a str>,
    /// Its value here.
    pub head: Option<f64>,
    /// The p99 of its endpoint here.
    pub p99_ms: f64,
    /// What it was.
    pub track: Track,
    /// Whether it can be tested.
    pub candidacy: Candidacy,
}

/// What can be said of a number before any test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Candidacy {
    /// It is tested.
    Tested,
    /// It is told, and why it is not tested.
    Told(DeltaStatus, Because),
}

impl Row<'_> {
    /// Whether it is tested.
    pub fn is_tested(&self) -> bool {
        self.candidacy == Candidacy::Tested
    }
}

/// A percentile of every endpoint that either side has.
pub fn of_percentile<'a>(compared: &Compared<'a>, percentile: Percentile) -> Vec<Row<'a>> {
    let measured = compared.result.endpoints.iter().map(|endpoint| endpoint.name.as_str());
    let mut seen = BTreeSet::new();
    let names = measured.chain(compared.past.endpoints()).filter(|name| seen.insert(*name));
    names.map(|endpoint| of_endpoint(compared, percentile, endpoint)).collect()
}

fn of_endpoint<'a>(compared: &Compared<'a>, percentile: Percentile, endpoint: &'a str) -> Row<'a> {
    let metric = Metric::Response(percentile);
    let times = compared.endpoints.get(endpoint).and_then(|it| it.response_time.as_ref());
    let track = compared.past.percentile(percentile, endpoint, tolerance(compared.rules, metric));
    let head = times.map(|times| times.percentile_ms(percentile)).filter(|ms| ms.is_finite() && *ms > 0.0);
    let n = times.filter(|_| head.is_some()).map_or(0, |times| times.n);
    let here = Here { percentile, endpoint, n };
    Row {
        metric,
        endpoint: Some(endpoint),
        head,
        p99_ms: times.map_or(0.0, |times| times.p99_ms),
        candidacy: here.candidacy(compared, &track),
        track,
    }
}

/// The throughput of all requests: it can only vary where the service sets the pace.
pub fn of_throughput<'a>(compared: &Compared<'a>) -> Row<'a> {
    let track = compared.past.throughput(tolerance(compared.rules, Metric::Throughput));
    let rate = compared.result.totals.requests_per_second;
    let candidacy = match track.standing() {
        _ if !compared.result.load.saturating => Candidacy::Told(DeltaStatus::NotComparable, Because::Paced),
        _ if rate <= 0.0 => Candidacy::Told(DeltaStatus::Invalid, Because::NoSample),
        standing if standing.decides() => Candidacy::Tested,
        standing => building(standing),
    };
    Row { metric: Metric::Throughput, endpoint: None, head: Some(rate), p99_ms: 0.0, track, candidacy }
}

/// How often an endpoint was requested.
struct Here<'a> {
    percentile: Percentile,
    endpoint: &'a str,
    n: u64,
}

impl Here<'_> {
    /// An endpoint that has vanished, or nearly so, is told: what is not requested cannot get slower.
    fn candidacy(&self, compared: &Compared, track: &Track) -> Candidacy {
        let needed = self.percentile.enough();
        let known = track.past.iter().any(Option::is_some);
        let too_few = Candidacy::Told(DeltaStatus::NotComparable, Because::TooFew { needed });
        match self.n {
            0 if known => Candidacy::Told(DeltaStatus::Invalid, self.absence(compared)),
            n if n < needed && known && n.saturating_mul(2) < self.usual(compared) => {
                let because = Because::Rarer { n, usual: self.usual(compared) };
                Candidacy::Told(DeltaStatus::Inconclusive, because)
            }
            n if n < needed => too_few,
            _ if track.standing().decides() => Candidacy::Tested,
            _ => self.waiting(compared, track).unwrap_or(too_few),
        }
    }

    /// Too few runs yet; none where most of the runs there are have too few requests.
    fn waiting(&self, compared: &Compared, track: &Track) -> Option<Candidacy> {
        let all = compared.past.standing(Metric::Response(self.percentile), Some(self.endpoint));
        let enough = track.standing();
        (enough.here * 2 > all.here || !all.decides())
            .then(|| building(if all.decides() { enough } else { all }))
    }

    /// Why there is no time of it: never asked, or never answered.
    fn absence(&self, compared: &Compared) -> Because {
        let mut counts = compared.result.whole_run.endpoints.iter();
        let asked = counts.any(|it| it.name == self.endpoint && ended(it.ok, &it.failed) > 0);
        if asked { Because::NoSample } else { Because::NeverHit }
    }

    /// How often it is requested in the middle one of the remembered runs.
    fn usual(&self, compared: &Compared) -> u64 {
        let runs = compared.past.runs();
        let mut counts: Vec<u64> =
            runs.map(|run| run.metrics.get(self.endpoint).map_or(0, |numbers| numbers.n)).collect();
        counts.sort_unstable();
        counts.get(counts.len() / 2).copied().unwrap_or(0)
    }
}

fn building(standing: Standing) -> Candidacy {
    let because = Because::Building { runs: standing.here, needed: standing.needed };
    Candidacy::Told(DeltaStatus::Building, because)
}
