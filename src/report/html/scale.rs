//! Where a value lies on an axis, and which values an axis names. Pure geometry.

/// How many steps an axis has, about.
const STEPS: f64 = 4.0;
/// More names crowd an axis, whatever it is asked for.
const MOST_TICKS: usize = 12;
/// From this ratio of largest to typical value on, small ones would be flat on a linear axis.
const WIDE: f64 = 25.0;

/// The values of an axis, from its start to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// From zero, in equal steps.
    Linear {
        /// The end.
        high: f64,
        /// Between two names.
        step: f64,
    },
    /// In decades.
    Log {
        /// The start, a power of ten.
        low: f64,
        /// The end, a power of ten.
        high: f64,
    },
}

impl Scale {
    /// From zero to a round number not below the largest value.
    pub fn linear(largest: f64) -> Self {
        Self::in_steps(largest, nice_step(largest / STEPS))
    }

    /// The same for what is counted: no step is a fraction.
    pub fn whole(largest: f64) -> Self {
        Self::in_steps(largest, nice_step(largest / STEPS).max(1.0))
    }

    /// For times: decades where the largest is far beyond the typical, else linear.
    pub fn of_times(smallest: f64, typical: f64, largest: f64) -> Self {
        if smallest > 0.0 && largest > typical * WIDE {
            let low = decade(smallest.log10().floor());
            let high = decade(largest.log10().ceil());
            Self::Log { low, high: if high > low { high } else { low * 10.0 } }
        } else {
            Self::linear(largest)
        }
    }

    fn in_steps(largest: f64, step: f64) -> Self {
        let high = (largest / step).ceil().max(1.0) * step;
        Self::Linear { high: if high.is_finite() { high } else { largest }, step }
    }

    /// 0 at the start of the axis, 1 at its end; what lies outside is drawn at the edge.
    pub fn position(&self, value: f64) -> f64 {
        let position = match *self {
            Self::Linear { high, .. } => value / high,
            Self::Log { low, high } => (value / low).log10() / (high / low).log10(),
        };
        if position.is_finite() { position.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The values to name, in order.
    pub fn ticks(&self) -> Vec<f64> {
        match *self {
            Self::Linear { high, step } => {
                let steps = (high / step).round() as usize;
                (0..=steps.min(MOST_TICKS)).map(|index| index as f64 * step).collect()
            }
            Self::Log { low, high } => {
                let decades = (high / low).log10().round() as usize;
                let every = decades.div_ceil(5).max(1);
                (0..=decades).step_by(every).map(|index| low * decade(index as f64)).collect()
            }
        }
    }
}

fn decade(exponent: f64) -> f64 {
    10_f64.powf(exponent.clamp(-300.0, 300.0))
}

/// 1, 2 or 5 times a power of ten, not below `step`.
fn nice_step(step: f64) -> f64 {
    if !(step.is_finite() && step > 0.0) {
        return 1.0;
    }
    let magnitude = decade(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * magnitude >= step * 0.999_999);
    factor.unwrap_or(10.0) * magnitude
}

/// Seconds between two names on an axis of time.
const TIME_STEPS: [f64; 16] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0,
    86_400.0,
];
const MOST_TIMES: f64 = 7.0;

/// The seconds to name on an axis that lasts so long.
pub fn times(length_s: f64) -> Vec<f64> {
    let fits = |step: &f64| length_s / step <= MOST_TIMES;
    let step = TIME_STEPS.into_iter().find(fits).unwrap_or_else(|| nice_step(length_s / MOST_TIMES));
    let steps = (length_s / step).floor().max(0.0) as usize;
    (0..=steps.min(MOST_TICKS)).map(|index| index as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number_not_below_the_largest() {
        for (largest, ticks) in [
            (43.0, vec![0.0, 20.0, 40.0, 60.0]),
            (100.0, vec![0.0, 50.0, 100.0]),
            (0.8, vec![0.0, 0.2, 0.4, 0.6, 0.8]),
            (0.0, vec![0.0, 1.0]),
        ] {
            let found = Scale::linear(largest).ticks();
            assert_eq!(found.len(), ticks.len(), "{largest}: {found:?}");
            assert!(found.iter().zip(&ticks).all(|(a, b)| (a - b).abs() < 1e-9), "{largest}: {found:?}");
        }
        assert_eq!(Scale::whole(2.0).ticks(), [0.0, 1.0, 2.0]);
    }

    #[test]
    fn spikes_make_the_axis_logarithmic() {
        let scale = Scale::of_times(1.5, 10.0, 30_000.0);
        assert_eq!(scale.ticks(), [1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0]);
        assert!((scale.position(100.0) - 0.4).abs() < 1e-9);
        assert!(matches!(Scale::of_times(8.0, 10.0, 90.0), Scale::Linear { .. }));
    }

    #[test]
    fn no_value_lies_outside() {
        for scale in [Scale::linear(10.0), Scale::of_times(1.0, 1.0, 1e9), Scale::linear(f64::MAX)] {
            for value in [-1.0, 0.0, 1e-300, 5.0, 1e308, f64::NAN, f64::INFINITY] {
                assert!((0.0..=1.0).contains(&scale.position(value)), "{scale:?} {value}");
            }
            assert!(scale.ticks().len() <= MOST_TICKS + 1);
        }
    }

    #[test]
    fn an_axis_of_time_names_few_moments() {
        assert_eq!(times(30.0), [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0]);
        assert_eq!(times(1_800.0), [0.0, 300.0, 600.0, 900.0, 1_200.0, 1_500.0, 1_800.0]);
        assert_eq!(times(0.0), [0.0]);
    }
}
