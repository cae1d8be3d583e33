//! The only place where numbers become text: three digits that matter, and a unit.

use jiff::Timestamp;

use crate::result::verdict::CheckUnit;

/// What stands where there is no number.
pub const NOTHING: &str = "–";

/// `1,234,567`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 run`, `1,234 runs`.
pub fn counted(n: u64, what: &str) -> String {
    counted_as(n, what, &format!("{what}s"))
}

/// The same of a word that has a plural of its own.
pub fn counted_as(n: u64, one: &str, several: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { several })
}

/// `2026-11-24 10:15:05 UTC` of an RFC 3339 time; what is none stays as it is.
pub fn moment(text: &str) -> String {
    let parsed: Result<Timestamp, _> = text.parse();
    parsed.map_or_else(|_| text.to_owned(), |at| at.strftime("%F %T UTC").to_string())
}

/// A time given in milliseconds: `40 µs`, `0.84 ms`, `12.3 ms`, `1.24 s`, `2 min 5 s`.
pub fn milliseconds(value: f64) -> String {
    match value {
        _ if !value.is_finite() => NOTHING.to_owned(),
        _ if value > 0.0 && value < 0.0995 => format!("{} µs", significant(value * 1e3)),
        _ if value < 999.5 => format!("{} ms", significant(value)),
        _ if value < 99_950.0 => format!("{} s", significant(value / 1e3)),
        _ => seconds(value / 1e3),
    }
}

/// A length of time, without needless zeros: `30 s`, `1.5 s`, `2 min 5 s`, `1 h 30 min`.
pub fn seconds(value: f64) -> String {
    if !value.is_finite() {
        return NOTHING.to_owned();
    }
    if value < 59.95 {
        return format!("{} s", trimmed(&format!("{value:.1}")));
    }
    let whole = value.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes, seconds) {
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, 0, _) => format!("{} h", count(hours)),
        (hours, minutes, _) => format!("{} h {minutes} min", count(hours)),
    }
}

/// A limit of time as it was meant: `3 s`, `500 ms`, `0.2 ms`.
pub fn limit_ms(value: f64) -> String {
    let (number, unit) = if value < 1e3 { (value, "ms") } else { (value / 1e3, "s") };
    format!("{} {unit}", shortest(number))
}

/// Events per second: `82.1/s`.
pub fn rate(value: f64) -> String {
    if value.is_finite() { format!("{}/s", significant(value)) } else { NOTHING.to_owned() }
}

/// A share as a percentage: `0 %`, `0.3 %`, `1.49 %`, `100 %`. What is not zero is not shown as zero,
/// and what is not all is not shown as all.
pub fn ratio(value: f64) -> String {
    let percent = value * 1e2;
    match percent {
        _ if !percent.is_finite() => NOTHING.to_owned(),
        _ if percent > 0.0 && percent < 0.01 => "< 0.01 %".to_owned(),
        _ if percent > 99.9 && percent < 100.0 => "> 99.9 %".to_owned(),
        _ => format!("{} %", trimmed(&significant(percent))),
    }
}

/// A change in ratio, with its sign: `+40.2 %`, `−3.1 %`; what rounds to nothing is `±0 %`.
pub fn change(value: f64) -> String {
    signed(value, "%")
}

/// A change of a share, in percentage points: `+0.45 pp`.
pub fn points(value: f64) -> String {
    signed(value, "pp")
}

fn signed(value: f64, unit: &str) -> String {
    if !value.is_finite() {
        return NOTHING.to_owned();
    }
    let digits = significant_size((value * 1e2).abs());
    let sign = match digits.trim_matches(['0', '.']) {
        "" => return format!("±0 {unit}"),
        _ if value < 0.0 => '−',
        _ => '+',
    };
    format!("{sign}{} {unit}", trimmed(&digits))
}

/// Up to two decimals for what is small.
fn significant_size(size: f64) -> String {
    match size {
        _ if size < 0.995 => format!("{size:.2}"),
        _ if size < 99.95 => format!("{size:.1}"),
        _ => count(size.round() as u64),
    }
}

/// A measured value in the unit of its check.
pub fn value(unit: CheckUnit, value: f64) -> String {
    match unit {
        CheckUnit::Ms => milliseconds(value),
        CheckUnit::Ratio => ratio(value),
        CheckUnit::PerSecond => rate(value),
        CheckUnit::Count => count(value.max(0.0) as u64),
    }
}

/// A limit in the unit of its check, as it was written.
pub fn limit(unit: CheckUnit, value: f64) -> String {
    match unit {
        CheckUnit::Ms => limit_ms(value),
        CheckUnit::Ratio => format!("{} %", shortest(value * 1e2)),
        CheckUnit::PerSecond => format!("{}/s", shortest(value)),
        CheckUnit::Count => shortest(value),
    }
}

/// A plain number with the digits that matter: `0.84`, `9.13`, `12.3`, `1,234`.
pub fn significant(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => NOTHING.to_owned(),
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => count(value.max(0.0).round() as u64),
    }
}

/// Up to four decimals, without needless zeros: a number as it was written.
pub fn shortest(value: f64) -> String {
    if value.is_finite() { trimmed(&format!("{value:.4}")).to_owned() } else { NOTHING.to_owned() }
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_the_right_unit() {
        for (value, text) in [
            (0.0, "0.00 ms"),
            (0.001, "1.00 µs"),
            (0.04, "40.0 µs"),
            (0.099_6, "0.10 ms"),
            (0.84, "0.84 ms"),
            (9.994, "9.99 ms"),
            (9.996, "10.0 ms"),
            (12.34, "12.3 ms"),
            (99.96, "100 ms"),
            (999.4, "999 ms"),
            (999.6, "1.00 s"),
            (1_240.0, "1.24 s"),
            (30_015.0, "30.0 s"),
            (125_000.0, "2 min 5 s"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(milliseconds(value), text, "{value}");
        }
    }

    #[test]
    fn lengths_have_no_needless_zeros() {
        for (value, text) in [
            (0.0, "0 s"),
            (1.5, "1.5 s"),
            (30.0, "30 s"),
            (59.97, "1 min"),
            (125.0, "2 min 5 s"),
            (300.0, "5 min"),
            (5_400.0, "1 h 30 min"),
            (7_200.0, "2 h"),
        ] {
            assert_eq!(seconds(value), text, "{value}");
        }
    }

    #[test]
    fn shares_never_round_to_none_or_to_all() {
        for (value, text) in [
            (0.0, "0 %"),
            (0.000_01, "< 0.01 %"),
            (0.003, "0.3 %"),
            (0.014_9, "1.49 %"),
            (0.204, "20.4 %"),
            (0.999_9, "> 99.9 %"),
            (1.0, "100 %"),
            (f64::INFINITY, "–"),
        ] {
            assert_eq!(ratio(value), text, "{value}");
        }
    }

    #[test]
    fn counts_and_rates_have_separators() {
        assert_eq!((count(0), count(999), count(1_000)), ("0".into(), "999".into(), "1,000".into()));
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(
            (rate(6.8), rate(82.14), rate(12_345.6)),
            ("6.80/s".into(), "82.1/s".into(), "12,346/s".into())
        );
    }

    #[test]
    fn changes_have_a_sign_unless_they_are_none() {
        for (value, text) in [
            (0.402, "+40.2 %"),
            (-0.031, "−3.1 %"),
            (0.000_01, "±0 %"),
            (0.004_5, "+0.45 %"),
            (1.5, "+150 %"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(change(value), text, "{value}");
        }
        assert_eq!(points(0.004_5), "+0.45 pp");
    }

    #[test]
    fn a_moment_has_whole_seconds() {
        assert_eq!(moment("2026-11-24T10:15:05.787595878Z"), "2026-11-24 10:15:05 UTC");
        assert_eq!(moment("2026-11-24T12:15:05+02:00"), "2026-11-24 10:15:05 UTC");
        assert_eq!(moment("yesterday"), "yesterday");
    }

    #[test]
    fn limits_are_shown_as_they_were_written() {
        for (unit, value, text) in [
            (CheckUnit::Ms, 3_000.0, "3 s"),
            (CheckUnit::Ms, 500.0, "500 ms"),
            (CheckUnit::Ms, 0.2, "0.2 ms"),
            (CheckUnit::Ratio, 0.01, "1 %"),
            (CheckUnit::Ratio, 0.0005, "0.05 %"),
            (CheckUnit::PerSecond, 100.0, "100/s"),
            (CheckUnit::Count, 0.0, "0"),
        ] {
            assert_eq!(limit(unit, value), text);
        }
    }
}
