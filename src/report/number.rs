//! The only place where numbers become text.

/// Milliseconds, with three digits that say something: `0.84 ms`, `12.3 ms`, `1.24 s`.
pub fn milliseconds(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2} ms"),
        value if value < 100.0 => format!("{value:.1} ms"),
        value if value < 1e3 => format!("{value:.0} ms"),
        value => format!("{:.2} s", value / 1e3),
    }
}
