//! One metric over all endpoints and custom metrics: what remembered runs say about its centre and its spread, and what a
//! new run says about a change. Plain numbers; knows nothing of documents. docs/gate.md explains it in
//! words.
//!
//! y = ln(metric), turned so that + is worse. e = y − c is a run's deviation from the centre c, the median
//! of the runs of its own group (class of machine and epoch), where those of one session count as one, their mean.

use crate::stats::quantile::{median, student_t_upper};
use crate::stats::robust::Variance;

use super::sessions::{self, mean, spread};

/// From so many endpoints on, they lend each other their spread, and what an endpoint does alone is told
/// from what all of them do.
pub const MANY: usize = 4;
/// What the spread of an endpoint borrows from the others, in degrees of freedom.
const BORROWED: f64 = 4.0;
/// No spread is believed to be smaller: 1 %.
pub const LEAST_SIGMA: f64 = 0.01;
/// Shares of the false-alarm rate: a check by itself, against the other endpoints, all endpoints together.
const OWN: f64 = 0.2;
const LOCAL: f64 = 0.6;
const COMMON: f64 = 0.2;
/// The tail of every test of a second job, and of the plain doubt beside a local finding.
const AGAIN: f64 = 0.05;
/// The tail of the bound that decides a pass.
const PASS: f64 = 0.10;
/// Standard deviations above a threshold that are exceeded in four of five runs: z(.2).
const POWER: f64 = 0.85;
/// With more runs than these, more of them do not help.
const MOST_RUNS: u64 = 200;

/// What the tests of all checks share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// The false-alarm rate of the whole comparison.
    pub alpha: f64,
    /// M: gated checks.
    pub checks: usize,
    /// P: gated percentiles.
    pub percentiles: usize,
    /// Which look at the change it is.
    pub stage: Stage,
}

/// Which look at a change it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The first: α is shared among all checks.
    First,
    /// A second job, which looks only where the first one found something.
    Again,
}

/// One check and its past.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// y of every remembered run; none where a run has no such number.
    pub past: Vec<Option<f64>>,
    /// The group of every run.
    pub group: Vec<usize>,
    /// The session of every run; none is of two groups.
    pub session: Vec<usize>,
    /// The group of the run that is judged.
    pub here: usize,
    /// Whether it is part of what all do together: endpoints are, and what is made of their requests is not.
    pub in_mean: bool,
    /// What matters.
    pub tolerance: Tolerance,
}

/// What change matters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// ln(1 + Δ): tolerated.
    pub budget: f64,
    /// ln(1 + catch): must not slip through.
    pub catch: f64,
    /// m, in the unit of the metric: smaller changes never matter.
    pub min_change: f64,
}

/// What a run says about one check. Changes are those of y: exp(change) − 1 is the ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// c.
    pub centre: f64,
    /// e.
    pub change: f64,
    /// The one-sided 90 % bound of e from below.
    pub low: f64,
    /// The same from above: below `catch`, it is a pass.
    pub high: f64,
    /// D.
    pub budget: f64,
    /// C.
    pub catch: f64,
    /// Whether it is worse, by more than is tolerated and than chance explains.
    pub candidate: bool,
    /// Whether it is better in the same sense.
    pub improved: bool,
}

/// A metric of all endpoints, fitted to the past.
#[derive(Debug, Clone)]
pub struct Panel {
    level: Level,
    fits: Vec<Fit>,
    /// The endpoints that every run here has: their mean is what all do together.
    all: Vec<usize>,
    common: Option<Scale>,
}

/// One check, fitted to the past.
#[derive(Debug, Clone, Copy)]
struct Fit {
    centre: f64,
    n: u64,
    budget: f64,
    catch: f64,
    own: Scale,
    local: Option<Scale>,
    bars: Bars,
}

/// A spread and how well it is known.
#[derive(Debug, Clone, Copy)]
struct Scale {
    sigma: f64,
    freedom: f64,
}

/// What the deviations of a check are compared with.
#[derive(Debug, Clone, Copy)]
struct Bars {
    own: f64,
    weak: f64,
    local: f64,
    pass: f64,
}

impl Scale {
    /// σ from s², never below the least.
    fn plain(variance: Variance) -> Self {
        Self { sigma: variance.s2.sqrt().max(LEAST_SIGMA), freedom: variance.freedom }
    }

    /// σ² = (df·s² + 4·s₀²) / (df + 4), ν = df + 4: s₀² is what is usual among the endpoints.
    fn borrowing(variance: Variance, usual: f64) -> Self {
        let freedom = variance.freedom + BORROWED;
        Self::plain(Variance { s2: (variance.freedom * variance.s2 + BORROWED * usual) / freedom, freedom })
    }

    /// w = σ·√(1 + 1.57/(n + ½)): a new run around the median of n; 1.57 = π/2 is what a median needs
    /// more of than a mean.
    fn width(self, n: u64) -> f64 {
        self.sigma * (1.0 + 1.57 / (n as f64 + 0.5)).sqrt()
    }

    /// t(tail, ν)·w.
    fn bar(self, tail: f64, n: u64) -> f64 {
        student_t_upper(tail, self.freedom) * self.width(n)
    }

    /// With more runs.
    fn with(self, more: u64) -> Self {
        Self { freedom: self.freedom + more as f64, ..self }
    }
}

impl Track {
    /// y of the runs of its group, the oldest first.
    pub fn values_here(&self) -> Vec<f64> {
        let here = self.past.iter().zip(&self.group).filter(|(_, group)| **group == self.here);
        here.filter_map(|(y, _)| *y).collect()
    }

    /// c, and how many sessions it is of: the median of their means.
    pub fn centre(&self) -> Option<(f64, u64)> {
        let means = sessions::means(&self.past, &self.group, &self.session);
        let here = means.get(self.here)?;
        Some((median(here)?, here.len() as u64))
    }
}

impl Level {
    /// The tail of a check that has no other test: α/M.
    pub fn alone(&self) -> f64 {
        match self.stage {
            Stage::Again => AGAIN,
            Stage::First => self.alpha / self.checks.max(1) as f64,
        }
    }

    fn own(&self) -> f64 {
        self.shared(OWN)
    }

    fn local(&self) -> f64 {
        self.shared(LOCAL)
    }

    /// The tail of one of the three tests of a check.
    fn shared(&self, share: f64) -> f64 {
        match self.stage {
            Stage::Again => AGAIN,
            Stage::First => share * self.alone(),
        }
    }

    fn common(&self) -> f64 {
        match self.stage {
            Stage::Again => AGAIN,
            Stage::First => COMMON * self.alpha / self.percentiles.max(1) as f64,
        }
    }
}

impl Panel {
    /// Fits every check to its past. `fine` is the group of each run in the finest division, by class and
    /// every epoch. None where a check has no spread: fewer than two runs in every group.
    pub fn fit(tracks: &[Track], fine: &[usize], level: Level) -> Option<Self> {
        let own: Vec<Variance> = tracks
            .iter()
            .map(|track| spread(&track.past, &track.group, &track.session))
            .collect::<Option<_>>()?;
        let many = tracks.len() >= MANY;
        let all = in_every_run_here(tracks, fine.len());
        let means = means(tracks, &all, fine.len());
        let local = local_scales(tracks, &means, fine);
        let own = if many { borrowed(&own) } else { own.into_iter().map(Scale::plain).collect() };
        let fits = tracks
            .iter()
            .enumerate()
            .map(|(index, track)| Fit::of(track, (own[index], local[index]), level))
            .collect::<Option<_>>()?;
        let session = tracks.first().map_or(&[][..], |track| &track.session);
        let common = spread(&means, fine, session).map(Scale::plain).filter(|_| !all.is_empty());
        Some(Self { level, fits, all, common })
    }

    /// What a run with these values of y says, in the order of the tracks.
    pub fn evidence(&self, head: &[f64]) -> Vec<Evidence> {
        let changes: Vec<f64> = self.fits.iter().zip(head).map(|(fit, y)| y - fit.centre).collect();
        let together = mean(self.all.iter().map(|index| changes[*index]));
        let common = together.zip(self.common).map(|(together, scale)| {
            let n = self.all.iter().map(|index| self.fits[*index].n).min().unwrap_or(0);
            (together, scale.bar(self.level.common(), n))
        });
        self.fits.iter().zip(changes).map(|(fit, change)| fit.evidence(change, common)).collect()
    }

    /// The smallest change of a check that is found in four of five runs, as a change of y, with so many
    /// `more` runs in the baseline that spread as those it has.
    pub fn min_detectable(&self, index: usize, more: u64) -> f64 {
        let fit = &self.fits[index];
        let n = fit.n + more;
        let (scale, tail) = match fit.local {
            Some(local) => (local, self.level.local()),
            None => (fit.own, self.level.alone()),
        };
        let shown = scale.with(more).bar(tail, n) + POWER * scale.width(n);
        shown.max(fit.budget + POWER * fit.own.width(n))
    }

    /// How many more runs would bring that below what must not slip through; 0 where it is, none where
    /// no number of runs would.
    pub fn runs_missing(&self, index: usize) -> Option<u64> {
        let shown = |more: u64| self.min_detectable(index, more) < self.fits[index].catch;
        let (mut too_few, mut enough) = (0, MOST_RUNS);
        if shown(0) || !shown(MOST_RUNS) {
            return shown(0).then_some(0);
        }
        // More runs only ever show more, so halving finds the fewest.
        while enough - too_few > 1 {
            let middle = u64::midpoint(too_few, enough);
            if shown(middle) { enough = middle } else { too_few = middle }
        }
        Some(enough)
    }

    /// How many checks it has.
    pub fn len(&self) -> usize {
        self.fits.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.fits.is_empty()
    }

    /// The centre of a check.
    pub fn centre(&self, index: usize) -> f64 {
        self.fits[index].centre
    }

    /// C: what must not slip through of a check.
    pub fn catch(&self, index: usize) -> f64 {
        self.fits[index].catch
    }

    /// The spread of a check from run to run: the standard deviation of y, the least that is believed
    /// included.
    pub fn spread(&self, index: usize) -> f64 {
        self.fits[index].own.sigma
    }
}

impl Fit {
    fn of(track: &Track, (own, local): (Scale, Option<Scale>), level: Level) -> Option<Self> {
        // The runs of one session are off by the same effect of it, so that the centre is as uncertain as with one run
        // of each; a session of several is even known a little better than that.
        let (centre, n) = track.centre()?;
        let Tolerance { budget, catch, min_change } = track.tolerance;
        let budget = budget.max((min_change / centre.exp()).ln_1p());
        let bars = Bars {
            own: own.bar(if local.is_some() { level.own() } else { level.alone() }, n),
            weak: own.bar(AGAIN, n),
            local: local.map_or(f64::INFINITY, |scale| scale.bar(level.local(), n)),
            pass: own.bar(PASS, n),
        };
        Some(Self { centre, n, budget, catch: catch.max(2.0 * budget), own, local, bars })
    }

    /// `common`: what all endpoints did together, and its threshold.
    fn evidence(&self, change: f64, common: Option<(f64, f64)>) -> Evidence {
        let apart = common.map_or(0.0, |(together, _)| change - together);
        let worse = |direction: f64| {
            let own = direction * change > self.bars.own;
            let local = direction * apart > self.bars.local && direction * change > self.bars.weak;
            let all = common.is_some_and(|(together, bar)| {
                direction * together > bar && direction * together >= self.budget
            });
            direction * change >= self.budget && (own || local || all)
        };
        Evidence {
            centre: self.centre,
            change,
            low: change - self.bars.pass,
            high: change + self.bars.pass,
            budget: self.budget,
            catch: self.catch,
            candidate: worse(1.0),
            improved: worse(-1.0),
        }
    }
}

/// The spread of every endpoint against the mean of all; none where there is no mean.
fn local_scales(tracks: &[Track], means: &[Option<f64>], fine: &[usize]) -> Vec<Option<Scale>> {
    let apart = |track: &Track| -> Vec<Option<f64>> {
        track.past.iter().zip(means).map(|(y, mean)| Some((*y)? - (*mean)?)).collect()
    };
    let variances: Option<Vec<_>> =
        tracks.iter().map(|track| spread(&apart(track), fine, &track.session)).collect();
    match variances {
        Some(variances) if tracks.len() >= MANY => borrowed(&variances).into_iter().map(Some).collect(),
        _ => vec![None; tracks.len()],
    }
}

/// Each variance with what it borrows from the others.
fn borrowed(variances: &[Variance]) -> Vec<Scale> {
    let all: Vec<f64> = variances.iter().map(|variance| variance.s2).collect();
    let usual = median(&all).unwrap_or(0.0);
    variances.iter().map(|variance| Scale::borrowing(*variance, usual)).collect()
}

/// The endpoints that every run in a group of this machine has; none where they are few.
fn in_every_run_here(tracks: &[Track], runs: usize) -> Vec<usize> {
    let here = |run: &usize| tracks.iter().any(|track| track.group[*run] == track.here);
    let here: Vec<usize> = (0..runs).filter(here).collect();
    let complete =
        |index: &usize| tracks[*index].in_mean && here.iter().all(|run| tracks[*index].past[*run].is_some());
    let all: Vec<usize> = (0..tracks.len()).filter(complete).collect();
    if all.len() >= MANY { all } else { Vec::new() }
}

/// By run, the mean of y over these endpoints; none for a run that lacks one of them.
fn means(tracks: &[Track], endpoints: &[usize], runs: usize) -> Vec<Option<f64>> {
    let of_run = |run: usize| endpoints.iter().map(|index| tracks[*index].past[run]).collect();
    (0..runs).map(of_run).map(|values: Option<Vec<f64>>| mean(values?.into_iter())).collect()
}
