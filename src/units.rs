//! Values that carry their unit: durations, ratios and rates, read from and written as text.
//! Pure; knows nothing of YAML.

use std::time::Duration;

use thiserror::Error;

/// A text that is not a value of the unit asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct UnitError {
    message: String,
    hint: String,
    understood: bool,
}

impl UnitError {
    fn not(wanted: &str, found: &str, example: &str) -> Self {
        let (message, hint) = (format!("`{found}` is not {wanted}"), format!("write {example}"));
        Self { message, hint, understood: false }
    }

    fn too_long(found: &str) -> Self {
        let longest = LONGEST.as_secs() / 3_600;
        let (message, hint) =
            (format!("`{found}` is longer than {longest} hours"), format!("write `{longest}h` or less"));
        Self { message, hint, understood: true }
    }

    /// Whether what is meant is known, so that this says more than that it is something else.
    pub fn is_understood(&self) -> bool {
        self.understood
    }

    /// What would be valid.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

/// What a duration looks like, for messages.
pub const DURATION_EXAMPLE: &str = "a duration such as `500ms`, `2s`, `5m` or `1h30m`";

/// The longest duration that is accepted, more than a year. A longer one is a slip, and the sum of a moment and of
/// some that fit into a [`Duration`] is beyond what a clock can count.
pub const LONGEST: Duration = Duration::from_hours(10_000);

/// Reads `500ms`, `2s`, `5m`, `1h30m`, `1.5s`, and `0`, up to [`LONGEST`]. Any other bare number is refused: some tools mean seconds
/// by it, others milliseconds, and a run of 30 ms instead of 30 s judges next to nothing.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let fail = || UnitError::not("a duration", text, DURATION_EXAMPLE);
    let trimmed = text.trim();
    match decimal(trimmed) {
        Some(0.0) => return Ok(Duration::ZERO),
        Some(_) => {
            let message = format!("`{trimmed}` has no unit");
            let hint = format!("write `{trimmed}s` for seconds (until now it was read as `{trimmed}ms`)");
            return Err(UnitError { message, hint, understood: true });
        }
        None => {}
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
    let read = Duration::try_from_secs_f64(seconds).ok();
    read.filter(|read| *read <= LONGEST).ok_or_else(|| UnitError::too_long(trimmed))
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

impl Ratio {
    /// A share as somebody writes it. A bare number from 1 on is refused: `5` is meant as `5%` by anybody who
    /// writes it, and would be 500 %.
    pub fn written(text: &str) -> Result<Self, UnitError> {
        let ratio: Self = text.parse()?;
        let bare = text.trim().trim_start_matches('+');
        if ratio.0 < 1.0 || bare.ends_with('%') {
            return Ok(ratio);
        }
        let percent = trimmed_number(ratio.0 * 100.0);
        let message = format!("`{bare}` without a `%` is {percent} %");
        let hint = format!("write `{bare}%` or `{}`", trimmed_number(ratio.0 / 100.0));
        Err(UnitError { message, hint, understood: true })
    }
}

/// A number without the noise of its representation.
fn trimmed_number(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl std::str::FromStr for Ratio {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let fail = || UnitError::not("a ratio", text, "a ratio such as `1%` or `0.01`");
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
        let fail = || UnitError::not("a rate", text, "a rate such as `10/s` or `600/m`");
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
        let fail = || UnitError::not("a size", text, "a size such as `64MiB` or a number of bytes");
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
        for (text, seconds) in [("30", "`30s`"), (" 1.5 ", "`1.5s`"), ("0.2", "`0.2s`"), ("250", "`250s`")] {
            let error = parse_duration(text).unwrap_err();
            assert_eq!(error.to_string(), format!("`{}` has no unit", text.trim()));
            assert!(error.hint().contains(seconds), "{error:?}");
        }
        for text in ["10001h", "10000h 1ms", "3000000000000000h", "99999999999999999999h"] {
            let error = parse_duration(text).unwrap_err();
            let told = format!("`{text}` is longer than 10000 hours");
            assert_eq!((error.to_string(), error.hint()), (told, "write `10000h` or less"));
        }
        assert_eq!(parse_duration("10000h"), Ok(LONGEST));
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
    fn a_share_of_one_or_more_needs_its_percent() {
        for (text, ratio) in
            [("5%", 0.05), ("0.05", 0.05), ("0", 0.0), ("100%", 1.0), ("+25%", 0.25), ("150 %", 1.5)]
        {
            let read = Ratio::written(text.trim_start_matches('+')).unwrap();
            assert!((read.0 - ratio).abs() < 1e-12, "{text}");
        }
        for (text, told, hint) in [
            ("5", "`5` without a `%` is 500 %", "write `5%` or `0.05`"),
            ("1", "`1` without a `%` is 100 %", "write `1%` or `0.01`"),
            ("1.5", "`1.5` without a `%` is 150 %", "write `1.5%` or `0.015`"),
        ] {
            let error = Ratio::written(text).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.hint()), (told, hint));
        }
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
