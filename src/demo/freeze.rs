//! Recurring pauses in which the service answers nothing. Pure: time is the uptime of the service.

use std::{str::FromStr, time::Duration};

use super::SettingError;
use crate::units::parse_duration;

/// The longest period that can be asked for.
const LONGEST_PERIOD: Duration = Duration::from_hours(24);

/// The last `length` of every `every` is frozen: `1s/5s` freezes the service in the seconds [4, 5), [9, 10)
/// and so on of its uptime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freeze {
    length: Duration,
    every: Duration,
}

impl Freeze {
    /// When something that would happen at `uptime` does happen: at once, or at the end of the freeze.
    pub(super) fn answer_at(self, uptime: Duration) -> Duration {
        let into = Duration::from_nanos_u128(uptime.as_nanos() % self.every.as_nanos());
        let rest = self.every.saturating_sub(into);
        if rest > self.length { uptime } else { uptime + rest }
    }
}

impl FromStr for Freeze {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let shapeless = || SettingError::Freeze(text.into());
        let (length, every) = text.split_once('/').ok_or_else(shapeless)?;
        let (length, every) = (parse_duration(length)?, parse_duration(every)?);
        if length.is_zero() || length >= every || every > LONGEST_PERIOD {
            return Err(shapeless());
        }
        Ok(Self { length, every })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_falls_into_a_freeze_happens_at_its_end() {
        let freeze: Freeze = "1s/5s".parse().unwrap();
        // Frozen: [4, 5), [9, 10), …
        for (asked, answered) in
            [(0, 0), (3999, 3999), (4000, 5000), (4999, 5000), (5000, 5000), (9500, 10_000), (10_000, 10_000)]
        {
            let [asked, answered] = [asked, answered].map(Duration::from_millis);
            assert_eq!(freeze.answer_at(asked), answered, "{asked:?}");
        }
    }

    #[test]
    fn a_freeze_must_be_shorter_than_its_period() {
        for text in ["5s/5s", "6s/5s", "0s/5s", "1s", "1s/", "/5s", "1s/0s", "1s/25h", ""] {
            assert!(text.parse::<Freeze>().is_err(), "{text}");
        }
        let error = "5s/1s".parse::<Freeze>().unwrap_err();
        assert_eq!(error.to_string(), "`5s/1s` is not a recurring freeze");
        assert!(error.hint().contains("`1s/5s`"));
    }
}
