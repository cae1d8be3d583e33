//! How often the comparison with a baseline is right, by seeded simulation: it draws baselines and runs
//! from a world of known noise, and judges them with the very tests that judge real ones. Pure.
//!
//! The world is an assumption; only runs of one commit against itself tell how a real one is.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::regression::panel::{Evidence, Level, Panel, Stage, Tolerance, Track};

/// Endpoints of the simulated scenario.
pub const ENDPOINTS: usize = 12;
/// Custom metrics, where a setting has them: the first half are groups, each of so many of the endpoints, and the
/// others are messages, which share with them nothing but the machine.
pub const CUSTOM: usize = 6;
/// Endpoints of a group.
const OF_GROUP: usize = ENDPOINTS / GROUPS;
const GROUPS: usize = CUSTOM / 2;
/// How much noisier a message is than an endpoint.
const NOISY: f64 = 1.5;
/// Endpoints and custom metrics.
const SERIES: usize = ENDPOINTS + CUSTOM;
/// How many of them a class of machines is met, and what its ln(time) is beside that of the first.
pub const CLASSES: [(f64, f64); 4] = [(0.40, 0.0), (0.35, -0.08), (0.15, 0.15), (0.10, 0.05)];
/// How much a machine is slow, where one in [`SLOW_HOSTS`] is.
pub const SLOWDOWN: std::ops::Range<f64> = 0.05..0.30;
/// Share of machines that are slow, by whatever runs beside.
pub const SLOW_HOSTS: f64 = 0.05;
/// Spread of ln(sd) over the endpoints: noise is not equal.
pub const UNEQUAL: f64 = 0.3;
/// Share of the variance from run to run that the runs of one session have in common, where a session has several. Half:
/// how much machines differ is not known, so they are taken to differ as much as runs on one of them do.
pub const OF_SESSION: f64 = 0.5;
/// Variance shared by everything in a run, by the percentiles of an endpoint, and by nothing.
pub const SHARED: [f64; 3] = [0.5, 0.2, 0.3];
/// The changes that are looked for.
pub const CHANGES: [f64; 3] = [0.10, 0.20, 0.30];

/// Gated percentiles.
const PERCENTILES: usize = 2;
const ALPHA: f64 = 0.05;
const BUDGET: f64 = 0.10;
const CATCH: f64 = 0.30;

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// Standard deviation from run to run, as a ratio.
    pub sd: f64,
    /// Runs in the baseline, of each class of machines.
    pub runs: usize,
    /// How many of these runs are of one session; the run that is judged is one of a new session.
    pub per_session: usize,
    /// Whether the baseline says which.
    pub told: Told,
    /// Whether there are custom metrics besides.
    pub custom: Custom,
}

/// Whether a simulated baseline says which runs are of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Each run is taken for one of its own session.
    No,
    /// It does.
    Yes,
}

/// Whether a simulated scenario has custom metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Custom {
    /// It has none.
    None,
    /// It has as many as [`CUSTOM`].
    Some,
}

impl Custom {
    fn count(self) -> usize {
        match self {
            Self::None => 0,
            Self::Some => CUSTOM,
        }
    }
}

/// The lines of the table in the documentation.
pub const TABLE: [Setting; 11] = [
    Setting { sd: 0.03, runs: 3, ..USUAL },
    Setting { sd: 0.03, runs: 10, ..USUAL },
    USUAL,
    Setting { runs: 20, ..USUAL },
    Setting { sd: 0.08, runs: 20, ..USUAL },
    Setting { sd: 0.03, runs: 3, custom: Custom::Some, ..USUAL },
    Setting { custom: Custom::Some, ..USUAL },
    Setting { runs: 20, per_session: 4, told: Told::No, ..USUAL },
    Setting { runs: 20, per_session: 4, ..USUAL },
    Setting { per_session: 5, told: Told::No, ..USUAL },
    Setting { per_session: 5, ..USUAL },
];

const USUAL: Setting = Setting { sd: 0.05, runs: 5, per_session: 1, told: Told::Yes, custom: Custom::None };

/// What came of a setting: how many of `repetitions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Baselines and runs drawn.
    pub repetitions: u32,
    /// Regressions found where nothing had changed.
    pub false_alarms: u32,
    /// Inconclusive where nothing had changed.
    pub inconclusive: u32,
    /// Regressions found where one endpoint had got slower by each of [`CHANGES`].
    pub one: [u32; 3],
    /// The same where all had, custom metrics included.
    pub all: [u32; 3],
}

/// Draws `repetitions` baselines, each with a first run and one on another machine to confirm it.
pub fn simulate(setting: Setting, repetitions: u32, seed: u64) -> Tally {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut tally = Tally { repetitions, ..Tally::default() };
    for _ in 0..repetitions {
        let trial = Trial::draw(setting, &mut random);
        match trial.outcome(0, 0.0) {
            Outcome::Regression => tally.false_alarms += 1,
            Outcome::Inconclusive => tally.inconclusive += 1,
            Outcome::Pass => {}
        }
        for (index, change) in CHANGES.into_iter().enumerate() {
            let found = |endpoints| u32::from(trial.outcome(endpoints, change) == Outcome::Regression);
            tally.one[index] += found(1);
            tally.all[index] += found(ENDPOINTS);
        }
    }
    tally
}

/// Values of y by percentile, and endpoint or custom metric.
type Values = [[f64; SERIES]; PERCENTILES];

/// How a simulated comparison came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Regression,
    Pass,
    Inconclusive,
}

/// A run, and what is known of its class of machines.
struct Look {
    head: Values,
    /// By [`Stage`]: the tests of a first look, and of a second.
    panels: [Vec<Panel>; 2],
}

/// A baseline and the two jobs that are compared with it.
struct Trial {
    first: Look,
    second: Look,
}

impl Trial {
    fn draw(setting: Setting, random: &mut Xoshiro256PlusPlus) -> Self {
        let custom = setting.custom.count();
        let noise = Noise::draw(setting.sd, custom, random);
        let classes = 0..CLASSES.len();
        let group: Vec<usize> = classes.flat_map(|class| vec![class; setting.runs]).collect();
        let (mut past, mut session): (Vec<Values>, Vec<usize>) = (Vec::new(), Vec::new());
        for class in 0..CLASSES.len() {
            for first in (0..setting.runs).step_by(setting.per_session) {
                let runs = setting.per_session.min(setting.runs - first);
                let before = past.len();
                past.extend(noise.session(class, runs, random));
                session.extend((before..past.len()).map(|run| match setting.told {
                    Told::No => run,
                    Told::Yes => before,
                }));
            }
        }
        let past = Past { values: past, group, session };
        let mut look = || {
            let class = class(random);
            let panels = [Stage::First, Stage::Again].map(|stage| panels(&past, (class, stage), custom));
            Look { panels, head: noise.run(class, random) }
        };
        Self { first: look(), second: look() }
    }

    /// What is found where the first `endpoints` are slower by `change` in both jobs. As in a real second
    /// job, what the first one flagged is tested once more, and the rest as ever.
    fn outcome(&self, endpoints: usize, change: f64) -> Outcome {
        let slowed = |look: &Look, stage: Stage| look.slowed(stage, (endpoints, change));
        let first = slowed(&self.first, Stage::First);
        let passes = |all: &[Evidence]| all.iter().all(|one| one.high < one.catch);
        if !first.iter().any(|one| one.candidate) {
            return if passes(&first) { Outcome::Pass } else { Outcome::Inconclusive };
        }
        let second = slowed(&self.second, Stage::First);
        let again = slowed(&self.second, Stage::Again);
        let flagged = || first.iter().map(|one| one.candidate);
        if flagged().zip(&again).any(|(flagged, one)| flagged && one.candidate) {
            return Outcome::Regression;
        }
        let new = flagged().zip(&second).any(|(flagged, one)| !flagged && one.candidate);
        if !new && passes(&second) { Outcome::Pass } else { Outcome::Inconclusive }
    }
}

impl Look {
    fn slowed(&self, stage: Stage, (endpoints, change): (usize, f64)) -> Vec<Evidence> {
        let panels = self.panels[usize::from(stage == Stage::Again)].iter().zip(self.head);
        panels
            .flat_map(|(panel, mut head)| {
                head[..endpoints].iter_mut().for_each(|y| *y += change.ln_1p());
                for (group, y) in head[ENDPOINTS..].iter_mut().enumerate() {
                    // A group of equal parts gets slower by the mean of them; messages with everything else.
                    let slow = endpoints.saturating_sub(group * OF_GROUP).min(OF_GROUP);
                    let share = if group < GROUPS {
                        slow as f64 / OF_GROUP as f64
                    } else {
                        f64::from(endpoints == ENDPOINTS)
                    };
                    *y += (share * change).ln_1p();
                }
                panel.evidence(&head[..panel.len()])
            })
            .collect()
    }
}

/// The remembered runs.
struct Past {
    values: Vec<Values>,
    /// The class of each.
    group: Vec<usize>,
    /// The session of each.
    session: Vec<usize>,
}

fn panels(past: &Past, (here, stage): (usize, Stage), custom: usize) -> Vec<Panel> {
    let series = ENDPOINTS + custom;
    let tolerance = Tolerance { budget: BUDGET.ln_1p(), catch: CATCH.ln_1p(), min_change: 0.0 };
    // Error rate and throughput have a share in the false-alarm rate as well.
    let level = Level { alpha: ALPHA, checks: PERCENTILES * series + 2, percentiles: PERCENTILES, stage };
    let track = |percentile: usize, endpoint: usize| Track {
        past: past.values.iter().map(|run| Some(run[percentile][endpoint])).collect(),
        group: past.group.clone(),
        session: past.session.clone(),
        here,
        in_mean: endpoint < ENDPOINTS,
        tolerance,
    };
    let tracks = |percentile| (0..series).map(|endpoint| track(percentile, endpoint)).collect::<Vec<_>>();
    (0..PERCENTILES).filter_map(|percentile| Panel::fit(&tracks(percentile), &past.group, level)).collect()
}

/// How much each endpoint varies, and each custom metric.
struct Noise {
    endpoints: [f64; ENDPOINTS],
    /// Empty where there are none.
    custom: Vec<f64>,
}

impl Noise {
    fn draw(sd: f64, custom: usize, random: &mut Xoshiro256PlusPlus) -> Self {
        let mut one = |sd: f64| sd * (UNEQUAL * normal(random)).exp();
        let endpoints = std::array::from_fn(|_| one(sd));
        Self { endpoints, custom: (0..custom).map(|_| one(NOISY * sd)).collect() }
    }

    /// A run of a session of its own, on a machine of this class.
    fn run(&self, class: usize, random: &mut Xoshiro256PlusPlus) -> Values {
        let centre = centre(class, random);
        self.deviations(random).map(|values| values.map(|y| centre + y))
    }

    /// Runs of one session: they share the machine, and a part of what a run deviates by.
    fn session(&self, class: usize, runs: usize, random: &mut Xoshiro256PlusPlus) -> Vec<Values> {
        if runs == 1 {
            return vec![self.run(class, random)];
        }
        let (centre, shared) = (centre(class, random), self.deviations(random));
        let [of_session, of_run] = [OF_SESSION, 1.0 - OF_SESSION].map(f64::sqrt);
        let mut run = || -> Values {
            let own = self.deviations(random);
            let y =
                |at: usize, index: usize| centre + of_session * shared[at][index] + of_run * own[at][index];
            std::array::from_fn(|at| std::array::from_fn(|index| y(at, index)))
        };
        (0..runs).map(|_| run()).collect()
    }

    /// How far a run is from what is usual on its machine.
    fn deviations(&self, random: &mut Xoshiro256PlusPlus) -> Values {
        let [run, endpoint, rest] = SHARED.map(f64::sqrt);
        let shared = run * normal(random);
        let mut values = [[0.0; SERIES]; PERCENTILES];
        for (index, sd) in self.endpoints.iter().enumerate() {
            let of_endpoint = endpoint * normal(random);
            for percentile in &mut values {
                percentile[index] += sd * (shared + of_endpoint + rest * normal(random));
            }
        }
        for (index, sd) in self.custom.iter().enumerate() {
            let of_metric = endpoint * normal(random);
            for percentile in &mut values {
                let own = sd * (of_metric + rest * normal(random));
                // A group has what its requests have, and a little of its own.
                percentile[ENDPOINTS + index] += match index * OF_GROUP {
                    first if index < GROUPS => {
                        let parts = &percentile[first..first + OF_GROUP];
                        parts.iter().sum::<f64>() / OF_GROUP as f64 + own / 3.0
                    }
                    _ => own + sd * shared,
                };
            }
        }
        values
    }
}

/// What is usual on a machine of this class.
fn centre(class: usize, random: &mut Xoshiro256PlusPlus) -> f64 {
    let slow = if random.random_bool(SLOW_HOSTS) { random.random_range(SLOWDOWN).ln_1p() } else { 0.0 };
    CLASSES[class].1 + slow
}

fn normal(random: &mut Xoshiro256PlusPlus) -> f64 {
    StandardNormal.sample(random)
}

fn class(random: &mut Xoshiro256PlusPlus) -> usize {
    let mut left: f64 = random.random();
    CLASSES
        .iter()
        .position(|(share, _)| {
            left -= share;
            left < 0.0
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of docs/gate.md, in per cent: false alarms, inconclusive without a change, one endpoint
    /// slower by 10, 20 and 30 %, all endpoints.
    const DOCUMENTED: [(f64, f64, [f64; 3], [f64; 3]); 11] = [
        (0.61, 2.5, [20.8, 90.9, 98.6], [36.0, 87.0, 96.8]),
        (0.56, 0.2, [32.5, 98.2, 99.9], [67.9, 100.0, 100.0]),
        (0.97, 18.9, [10.0, 71.6, 94.5], [22.0, 80.1, 97.6]),
        (1.11, 9.3, [18.1, 84.8, 97.7], [39.7, 98.5, 100.0]),
        (1.02, 50.8, [5.0, 43.6, 79.0], [14.6, 69.2, 96.7]),
        (0.40, 6.2, [19.1, 89.4, 98.5], [32.5, 87.2, 96.5]),
        (0.93, 33.3, [7.1, 69.1, 92.7], [21.2, 80.1, 97.2]),
        (1.25, 9.55, [19.6, 84.8, 97.7], [45.5, 98.0, 99.9]),
        (0.55, 16.4, [7.9, 73.5, 94.5], [21.1, 84.4, 98.7]),
        (7.3, 7.8, [30.6, 84.9, 95.2], [65.4, 95.6, 98.7]),
        (3.2, 13.0, [20.3, 78.6, 93.5], [45.3, 92.5, 97.8]),
    ];
    const REPETITIONS: u32 = 300;

    /// Whether a count is the documented share, to four standard errors and one event.
    fn agrees(count: u32, per_cent: f64) -> bool {
        let (n, p) = (f64::from(REPETITIONS), per_cent / 100.0);
        (f64::from(count) - n * p).abs() <= 4.0 * (n * p * (1.0 - p)).sqrt() + 1.0
    }

    #[test]
    fn the_documented_table_is_what_comes_out() {
        for (setting, (false_alarms, inconclusive, one, all)) in TABLE.into_iter().zip(DOCUMENTED) {
            let found = simulate(setting, REPETITIONS, 7);
            assert!(agrees(found.false_alarms, false_alarms), "{setting:?} {found:?}");
            assert!(agrees(found.inconclusive, inconclusive), "{setting:?} {found:?}");
            for index in 0..CHANGES.len() {
                assert!(agrees(found.one[index], one[index]), "{setting:?} {found:?}");
                assert!(agrees(found.all[index], all[index]), "{setting:?} {found:?}");
            }
        }
    }

    #[test]
    fn one_seed_is_one_table() {
        assert_eq!(simulate(TABLE[0], 50, 3), simulate(TABLE[0], 50, 3));
        assert_ne!(simulate(TABLE[0], 50, 3), simulate(TABLE[0], 50, 4));
    }
}
