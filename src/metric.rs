//! The closed list of judged numbers, and which way each of them is better.

/// Whether more is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// A throughput.
    Higher,
    /// A time, a count of failures.
    Lower,
}

/// The unit a metric's limit and value are given in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// A share from 0 to 1.
    Ratio,
    /// Events per second.
    PerSecond,
    /// A plain count.
    Count,
}

impl Unit {
    /// The word in `result.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Ratio => "ratio",
            Self::PerSecond => "per_second",
            Self::Count => "count",
        }
    }
}

/// A percentile that can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Percentile {
    /// The median.
    P50,
    /// 75 %.
    P75,
    /// 90 %.
    P90,
    /// 95 %.
    P95,
    /// 99 %.
    P99,
    /// 99.9 %.
    P999,
}

impl Percentile {
    /// All, ascending.
    pub const ALL: [Self; 6] = [Self::P50, Self::P75, Self::P90, Self::P95, Self::P99, Self::P999];

    /// The quantile, from 0 to 1.
    pub fn quantile(self) -> f64 {
        match self {
            Self::P50 => 0.5,
            Self::P75 => 0.75,
            Self::P90 => 0.9,
            Self::P95 => 0.95,
            Self::P99 => 0.99,
            Self::P999 => 0.999,
        }
    }

    /// How people write it.
    pub fn label(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P75 => "p75",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
        }
    }

    /// The fewest samples that say anything about it: 10 / (1 − p).
    pub fn enough(self) -> u64 {
        match self {
            Self::P50 => 20,
            Self::P75 => 40,
            Self::P90 => 100,
            Self::P95 => 200,
            Self::P99 => 1_000,
            Self::P999 => 10_000,
        }
    }
}

/// A number that an objective or a budget can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    /// A percentile of the response time.
    Response(Percentile),
    /// The longest response time.
    Max,
    /// The mean response time.
    Mean,
    /// Failed requests as a share of all.
    ErrorRate,
    /// Successful requests per second.
    Throughput,
    /// A percentile of the time a WebSocket takes to open.
    Connect(Percentile),
    /// WebSocket messages that were waited for in vain.
    MissingMessages,
    /// Sockets that closed when nobody wanted them to.
    UnexpectedCloses,
}

impl Metric {
    /// Every metric, in the order they are listed to the user.
    pub const ALL: [Self; 18] = [
        Self::Response(Percentile::P50),
        Self::Response(Percentile::P75),
        Self::Response(Percentile::P90),
        Self::Response(Percentile::P95),
        Self::Response(Percentile::P99),
        Self::Response(Percentile::P999),
        Self::Max,
        Self::Mean,
        Self::ErrorRate,
        Self::Throughput,
        Self::Connect(Percentile::P50),
        Self::Connect(Percentile::P75),
        Self::Connect(Percentile::P90),
        Self::Connect(Percentile::P95),
        Self::Connect(Percentile::P99),
        Self::Connect(Percentile::P999),
        Self::MissingMessages,
        Self::UnexpectedCloses,
    ];

    /// The key in the configuration and in `result.json`.
    pub fn name(self) -> &'static str {
        use Percentile::{P50, P75, P90, P95, P99, P999};
        match self {
            Self::Response(P50) => "p50",
            Self::Response(P75) => "p75",
            Self::Response(P90) => "p90",
            Self::Response(P95) => "p95",
            Self::Response(P99) => "p99",
            Self::Response(P999) => "p999",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::ErrorRate => "error_rate",
            Self::Throughput => "throughput",
            Self::Connect(P50) => "connect_p50",
            Self::Connect(P75) => "connect_p75",
            Self::Connect(P90) => "connect_p90",
            Self::Connect(P95) => "connect_p95",
            Self::Connect(P99) => "connect_p99",
            Self::Connect(P999) => "connect_p999",
            Self::MissingMessages => "missing_messages",
            Self::UnexpectedCloses => "unexpected_closes",
        }
    }

    /// The metric a key names.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// The unit of its limit and value.
    pub fn unit(self) -> Unit {
        match self {
            Self::Response(_) | Self::Max | Self::Mean | Self::Connect(_) => Unit::Milliseconds,
            Self::ErrorRate => Unit::Ratio,
            Self::Throughput => Unit::PerSecond,
            Self::MissingMessages | Self::UnexpectedCloses => Unit::Count,
        }
    }

    /// Whether it is a time, so that its changes are ratios.
    pub fn is_time(self) -> bool {
        self.unit() == Unit::Milliseconds
    }

    /// Whether it counts events among many: its changes are differences in share, given in points.
    pub fn is_share(self) -> bool {
        matches!(self, Self::ErrorRate | Self::MissingMessages | Self::UnexpectedCloses)
    }

    /// Which way is better.
    pub fn better(self) -> Better {
        if self == Self::Throughput { Better::Higher } else { Better::Lower }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_found_by_its_name() {
        for metric in Metric::ALL {
            assert_eq!(Metric::named(metric.name()), Some(metric));
        }
        assert_eq!(Metric::named("p96"), None);
    }

    #[test]
    fn enough_samples_are_ten_beyond_the_percentile() {
        for percentile in Percentile::ALL {
            #[expect(clippy::float_cmp, reason = "both sides are whole numbers")]
            let same = (10.0 / (1.0 - percentile.quantile())).round() == percentile.enough() as f64;
            assert!(same, "{percentile:?}");
        }
    }
}
