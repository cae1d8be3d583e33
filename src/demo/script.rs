//! What is in store for each request: how long it takes and whether it fails. The n-th request of an
//! endpoint always draws the same under one seed. Does not wait for anything.

use std::{
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::{Endpoint, SettingError, Settings, chance::chance, endpoint::Role};
use crate::units::{Ratio, parse_duration};

/// Standard deviation of the logarithm of every latency.
const SPREAD: f64 = 0.12;

/// The most one slowdown can add.
const LARGEST_SHARE: Ratio = Ratio(100.0);
const LONGEST_TIME: Duration = Duration::from_hours(1);

/// The share of API requests that answer 500; from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ErrorShare(f64);

impl FromStr for ErrorShare {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let Ratio(share) = text.parse()?;
        if share > 1.0 {
            return Err(SettingError::ErrorShare(text.into()));
        }
        Ok(Self(share))
    }
}

/// One endpoint answers later than its script says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slowdown {
    /// Who is slowed down.
    pub endpoint: Endpoint,
    /// By how much.
    pub delay: Delay,
}

/// What is added to a latency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Delay {
    /// A share of the latency itself.
    Share(Ratio),
    /// Always the same time.
    Time(Duration),
}

impl FromStr for Slowdown {
    type Err = SettingError;

    /// Reads `POST /api/v1/builds=+25%` or `GET /health=+20ms`.
    fn from_str(text: &str) -> Result<Self, SettingError> {
        let shapeless = || SettingError::Slowdown(text.into());
        let (endpoint, delay) = text.rsplit_once('=').ok_or_else(shapeless)?;
        let endpoint = endpoint.parse()?;
        let delay = delay.trim().strip_prefix('+').ok_or_else(shapeless)?;
        let delay = if delay.ends_with('%') {
            Delay::Share(delay.parse()?)
        } else {
            Delay::Time(parse_duration(delay)?)
        };
        let bearable = match delay {
            Delay::Share(share) => share <= LARGEST_SHARE,
            Delay::Time(time) => time <= LONGEST_TIME,
        };
        if !bearable {
            return Err(shapeless());
        }
        Ok(Self { endpoint, delay })
    }
}

/// The fate of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fate {
    /// From the start of the work to the answer.
    pub(super) latency: Duration,
    /// What the work comes to.
    pub(super) outcome: Outcome,
}

/// What the work on a request comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The answer the request deserves.
    Answer,
    /// A failure, whatever the request was.
    Fail,
}

/// The script of all endpoints.
#[derive(Debug)]
pub(super) struct Script {
    seed: u64,
    parts: [Part; Endpoint::ALL.len()],
}

/// The script of one endpoint.
#[derive(Debug)]
struct Part {
    median_ms: f64,
    factor: f64,
    extra: Duration,
    errors: f64,
    requests: AtomicU64,
}

impl Script {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { seed: settings.seed, parts: Endpoint::ALL.map(|endpoint| Part::new(endpoint, settings)) }
    }

    /// The fate of the next request of an endpoint.
    pub(super) fn next(&self, endpoint: Endpoint) -> Fate {
        let n = self.parts[endpoint as usize].requests.fetch_add(1, Ordering::Relaxed);
        self.fate(endpoint, n)
    }

    /// The fate of the n-th request of an endpoint: a log-normal latency, then the toss for failure.
    fn fate(&self, endpoint: Endpoint, n: u64) -> Fate {
        let part = &self.parts[endpoint as usize];
        let mut chance = chance(self.seed, endpoint as u64, n);
        let deviation: f64 = StandardNormal.sample(&mut chance);
        let ms = part.median_ms * (SPREAD * deviation).exp() * part.factor;
        let outcome = if chance.random_bool(part.errors) { Outcome::Fail } else { Outcome::Answer };
        Fate { latency: Duration::from_secs_f64(ms / 1e3) + part.extra, outcome }
    }
}

impl Part {
    fn new(endpoint: Endpoint, settings: &Settings) -> Self {
        let mut part = Self {
            median_ms: endpoint.median().as_secs_f64() * 1e3,
            factor: 1.0,
            extra: Duration::ZERO,
            errors: match endpoint.role() {
                Role::Api => settings.errors.0,
                Role::Plumbing => 0.0,
            },
            requests: AtomicU64::new(0),
        };
        for slowdown in settings.slow.iter().filter(|slowdown| slowdown.endpoint == endpoint) {
            match slowdown.delay {
                Delay::Share(Ratio(share)) => part.factor += share,
                Delay::Time(time) => part.extra += time,
            }
        }
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(slow: &[&str], errors: &str) -> Script {
        Script::new(&Settings {
            slow: slow.iter().map(|text| text.parse().unwrap()).collect(),
            errors: errors.parse().unwrap(),
            ..Settings::default()
        })
    }

    fn latencies(script: &Script, endpoint: Endpoint) -> Vec<Duration> {
        (0..2001).map(|n| script.fate(endpoint, n).latency).collect()
    }

    #[test]
    fn the_same_seed_tells_the_same_story_and_another_seed_another() {
        let twice = [script(&[], "2%"), script(&[], "2%")];
        let [first, second] = twice.each_ref().map(|script| latencies(script, Endpoint::Build));
        assert_eq!(first, second);
        let other = Script::new(&Settings { seed: 2, ..Settings::default() });
        assert_ne!(first, latencies(&other, Endpoint::Build));
        assert_eq!(twice[0].next(Endpoint::Build), twice[1].fate(Endpoint::Build, 0));
        assert_eq!(twice[0].next(Endpoint::Build), twice[1].fate(Endpoint::Build, 1));
    }

    #[test]
    fn latencies_lie_around_the_median_of_their_endpoint() {
        let script = script(&[], "0%");
        for endpoint in Endpoint::ALL {
            let mut sorted = latencies(&script, endpoint);
            sorted.sort();
            let wanted = endpoint.median().as_secs_f64();
            // The median of 2001 draws is off by about 1.25 * 0.12 / sqrt(2001) = 0.3 %.
            assert!((sorted[1000].as_secs_f64() / wanted - 1.0).abs() < 0.015, "{endpoint:?}");
            // One standard deviation below and above: exp(±0.12) at the ranks 15.9 % and 84.1 %.
            let width = sorted[1683].as_secs_f64() / sorted[318].as_secs_f64();
            assert!((width.ln() / 0.24 - 1.0).abs() < 0.1, "{endpoint:?} {width}");
        }
    }

    #[test]
    fn a_slowdown_touches_its_endpoint_alone_and_several_add_up() {
        let plain = script(&[], "0%");
        let slow = script(
            &[
                "POST /api/v1/builds=+25%",
                "POST /api/v1/builds = +20ms",
                "POST /api/v1/builds=+5ms",
                "GET /health=+1s",
            ],
            "0%",
        );
        for n in 0..100 {
            let [before, after] =
                [&plain, &slow].map(|script| script.fate(Endpoint::CreateBuild, n).latency.as_secs_f64());
            assert!((after - (before * 1.25 + 0.025)).abs() < 1e-8);
            assert_eq!(plain.fate(Endpoint::Build, n), slow.fate(Endpoint::Build, n));
        }
    }

    #[test]
    fn the_share_of_failures_is_kept_and_spares_health_and_sockets() {
        let script = script(&[], "2%");
        let failures =
            |endpoint| (0..10_000).filter(|n| script.fate(endpoint, *n).outcome == Outcome::Fail).count();
        // 10,000 tosses at 2 %: 200 expected, standard deviation 14.
        assert!((130..270).contains(&failures(Endpoint::CreateBuild)));
        assert_eq!([Endpoint::Health, Endpoint::Follow, Endpoint::Echo].map(failures), [0; 3]);
    }

    #[test]
    fn failures_do_not_change_latencies() {
        let [none, some] = ["0%", "50%"].map(|errors| latencies(&script(&[], errors), Endpoint::Stats));
        assert_eq!(none, some);
    }

    #[test]
    fn texts_that_are_no_slowdown_or_share_are_refused() {
        for text in [
            "GET /health",
            "GET /health=25%",
            "GET /health=+",
            "GET /nowhere=+5%",
            "=+5%",
            "GET /health=+2h",
            "GET /health=+10001%",
            "",
        ] {
            assert!(text.parse::<Slowdown>().is_err(), "{text}");
        }
        for text in ["101%", "-1%", "often", "2"] {
            assert!(text.parse::<ErrorShare>().is_err(), "{text}");
        }
        let error = "GET /health=25%".parse::<Slowdown>().unwrap_err();
        assert_eq!(error.to_string(), "`GET /health=25%` slows no endpoint down");
        assert!(error.hint().contains("=+25%"));
    }
}
