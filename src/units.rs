//! Values that carry their unit: durations, ratios and rates, read from and written as text.
//! Pure; knows nothing of YAML.

use std::time::Duration;

use thiserror::Error;

/// A text that is not a value of the unit asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{found}` is not {wanted}")]
pub struct UnitError {
    found: String,
    wanted: &'static str,
    example: &'static str,
}

impl UnitError {
    /// What would be valid.
    pub fn hint(&self) -> String {
        format!("write {}", self.example)
    }
}

/// What a duration looks like, for messages.
pub const DURATION_EXAMPLE: &str =
    "a duration such as `500ms`, `2s`, `5m` or `1h30m` (a bare number is milliseconds)";

/// Reads `500ms`, `2s`, `5m`, `1h30m`, `1.5s`; a bare number is milliseconds.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let fail = || UnitError { found: text.into(), wanted: "a duration", example: DURATION_EXAMPLE };
    let trimmed = text.trim();
    if let Some(ms) = decimal(trimmed) {
        return Duration::try_from_secs_f64(ms / 1e3).map_err(|_| fail());
    }
    let mut rest = trimmed;
    let mut seconds = 0.0;
    let mut smallest = f64::INFINITY;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(fail)?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at(letters);
        let scale = duration_unit(unit).filter(|scale| *scale < smallest).ok_or_else(fail)?;
        seconds += decimal(number).ok_or_else(fail)? * scale;
        smallest = scale;
        rest = next.trim_start();
    }
    if smallest.is_infinite() {
        return Err(fail());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| fail())
}

fn duration_unit(unit: &str) -> Option<f64> {
    match unit {
        "h" => Some(3600.0),
        "m" => Some(60.0),
        "s" => Some(1.0),
        "ms" => Some(1e-3),
        "us" | "µs" => Some(1e-6),
        _ => None,
    }
}

/// A plain decimal number, not negative, without exponent or sign.
fn decimal(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    plain.then(|| text.parse().ok()).flatten()
}

/// A share: `1%` and `0.01` are the same; `+25%` is accepted where a change is meant.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Ratio(pub f64);

impl std::str::FromStr for Ratio {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let fail =
            || UnitError { found: text.into(), wanted: "a ratio", example: "a ratio such as `1%` or `0.01`" };
        let trimmed = text.trim();
        let (number, scale) = match trimmed.strip_suffix('%') {
            Some(number) => (number.trim_end(), 100.0),
            None => (trimmed, 1.0),
        };
        decimal(number).map(|value| Self(value / scale)).ok_or_else(fail)
    }
}

/// Events per second: `10/s`, `600/m`, `3600/h`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Rate(pub f64);

impl std::str::FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let fail = || UnitError {
            found: text.into(),
            wanted: "a rate",
            example: "a rate such as `10/s` or `600/m`",
        };
        let (number, unit) = text.trim().split_once('/').ok_or_else(fail)?;
        let per = duration_unit(unit.trim()).filter(|scale| *scale >= 1.0).ok_or_else(fail)?;
        decimal(number.trim()).map(|value| Self(value / per)).ok_or_else(fail)
    }
}

/// A number of bytes: `1024`, `64KiB`, `1.5MiB`, `1GiB`; `kB`, `MB` and `GB` are powers of ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ByteSize(pub u64);

/// The units of a size, the largest of each kind first.
const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl std::str::FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let fail = || UnitError {
            found: text.into(),
            wanted: "a size",
            example: "a size such as `64MiB` or a number of bytes",
        };
        let trimmed = text.trim();
        let with_unit = SIZES.iter().find_map(|(unit, scale)| Some((trimmed.strip_suffix(unit)?, *scale)));
        let (number, scale) = with_unit.unwrap_or((trimmed, 1));
        let bytes = decimal(number.trim_end()).ok_or_else(fail)? * scale as f64;
        if bytes.fract() == 0.0 && bytes < (1u64 << 53) as f64 { Ok(Self(bytes as u64)) } else { Err(fail()) }
    }
}

impl std::fmt::Display for ByteSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (unit, scale) = SIZES[..3].iter().find(|(_, scale)| self.0 >= *scale).unwrap_or(&("bytes", 1));
        if self.0.is_multiple_of(*scale) {
            return write!(f, "{} {unit}", self.0 / scale);
        }
        write!(f, "{:.1} {unit}", self.0 as f64 / *scale as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_form() {
        for (text, ms) in [
            ("500ms", 500.0),
            ("2s", 2e3),
            ("5m", 3e5),
            ("1h30m", 5.4e6),
            ("250", 250.0),
            ("1.5s", 1500.0),
            ("0", 0.0),
            ("1m 30s", 9e4),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs_f64(ms / 1e3)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for text in
            ["", "s", "-1s", "5 parsecs", "1s2m", "1e3", "ms", "1..2s", "99999999999999999999h", "1s1s"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        let error = parse_duration("2 sec").unwrap_err();
        assert_eq!(error.to_string(), "`2 sec` is not a duration");
        assert!(error.hint().contains("`500ms`"));
    }

    #[test]
    fn ratios_and_rates_carry_their_unit() {
        assert_eq!("1%".parse(), Ok(Ratio(0.01)));
        assert_eq!("0.005".parse(), Ok(Ratio(0.005)));
        assert_eq!("600/m".parse(), Ok(Rate(10.0)));
        assert_eq!("10 / s".parse(), Ok(Rate(10.0)));
        for text in ["10", "10/ms", "/s", "-1/s", "x/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        assert!("one percent".parse::<Ratio>().is_err());
    }

    #[test]
    fn sizes_are_bytes_or_carry_a_unit() {
        for (text, bytes) in
            [("1024", 1024), ("64MiB", 64 << 20), ("1.5 KiB", 1536), ("2MB", 2_000_000), ("7B", 7)]
        {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "MiB", "64 mib", "-1", "1.5", "9999999999GiB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        assert_eq!(ByteSize(1 << 20).to_string(), "1 MiB");
        assert_eq!(ByteSize(2_100_000).to_string(), "2.0 MiB");
        assert_eq!(ByteSize(12).to_string(), "12 bytes");
    }
}
