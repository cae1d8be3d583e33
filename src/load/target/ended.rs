//! How the target command came to its end, and the lines in which the guard tells loadgate about it. Pure.

use std::fmt;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this status.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// Nobody saw it: its guard was killed.
    Unseen,
}

impl Ended {
    /// The exit status a shell would show: 128 is added to a signal.
    pub fn code(self) -> u8 {
        match self {
            Self::Exited(status) => u8::try_from(status).unwrap_or(u8::MAX),
            Self::Signalled(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
            Self::Unseen => 1,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exit status {status}"),
            Self::Signalled(9) => f.write_str("signal 9 (killed, perhaps for want of memory)"),
            Self::Signalled(signal) => write!(f, "signal {signal}"),
            Self::Unseen => f.write_str("the death of its guard process"),
        }
    }
}

/// What the guard tells loadgate, one line each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// The command runs, in the process group of this number.
    Started(i32),
    /// The command cannot be started, for this `errno`.
    Refused(i32),
    /// A stage of the guard cannot be started, for this `errno`.
    Unguarded(i32),
    /// The command came to its end.
    Ended(Ended),
    /// Something of it could not be killed.
    Survived,
}

impl Report {
    /// Reads one line.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (word, number) = line.trim_end().split_once(' ')?;
        let number = number.parse().ok()?;
        match word {
            "started" => Some(Self::Started(number)),
            "refused" => Some(Self::Refused(number)),
            "unguarded" => Some(Self::Unguarded(number)),
            "exited" => Some(Self::Ended(Ended::Exited(number))),
            "signalled" => Some(Self::Ended(Ended::Signalled(number))),
            "survived" => Some(Self::Survived),
            _ => None,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started(group) => writeln!(f, "started {group}"),
            Self::Refused(errno) => writeln!(f, "refused {errno}"),
            Self::Unguarded(errno) => writeln!(f, "unguarded {errno}"),
            Self::Ended(Ended::Exited(status)) => writeln!(f, "exited {status}"),
            Self::Ended(Ended::Signalled(signal)) => writeln!(f, "signalled {signal}"),
            Self::Ended(Ended::Unseen) => writeln!(f, "exited 1"),
            Self::Survived => writeln!(f, "survived 1"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_report_is_read_back_as_it_was_written() {
        let reports = [
            Report::Started(4711),
            Report::Refused(2),
            Report::Unguarded(11),
            Report::Ended(Ended::Exited(3)),
            Report::Ended(Ended::Signalled(15)),
            Report::Survived,
        ];
        for report in reports {
            assert_eq!(Report::parse(&report.to_string()), Some(report));
        }
        assert_eq!(Report::parse("started"), None);
        assert_eq!(Report::parse("danced 4\n"), None);
    }

    #[test]
    fn a_signal_is_a_status_above_128_as_in_a_shell() {
        assert_eq!(Ended::Exited(3).code(), 3);
        assert_eq!(Ended::Signalled(15).code(), 143);
    }
}
