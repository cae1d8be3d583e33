//! The documents of a baseline as text and under their names: sorted keys, one line an endpoint, so that
//! a diff shows what changed. Pure.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::epoch::Epoch;
use super::run::Run;
use crate::clock::file_stamp;
use crate::plan::sha256;

/// The field of a run that has one line an endpoint.
const METRICS: &str = "metrics";
/// The field of a run that is unlike that of any other.
const UNIQUE: &str = "unique";
/// Files are alike in lines, or pieces of lines, of this many bytes.
const CHUNK: usize = 64;
/// By how much it outweighs what runs have in common.
const MARGIN: usize = 64;
/// Digits of a whole digest.
const HEX_DIGEST: usize = 64;
/// Digits of the digest in a name.
const DIGITS: usize = 8;
/// What follows a name on disk.
pub const EXTENSION: &str = ".json";

/// What a file of a baseline holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A remembered run.
    Run,
    /// A deliberate change.
    Epoch,
}

impl Kind {
    /// What its names begin with.
    fn prefix(self) -> &'static str {
        match self {
            Self::Run => "run-",
            Self::Epoch => "epoch-",
        }
    }

    /// What its names look like.
    pub fn pattern(self) -> &'static str {
        match self {
            Self::Run => "run-<YYYYMMDD>T<HHMMSS>Z-<8 hexadecimal digits>.json",
            Self::Epoch => "epoch-<YYYYMMDD>T<HHMMSS>Z-<8 hexadecimal digits>.json",
        }
    }
}

/// The name of a file that holds this kind, without its extension; none for a file of somebody else.
pub fn kind(file: &str) -> Option<(Kind, &str)> {
    let name = file.strip_suffix(EXTENSION)?;
    [Kind::Run, Kind::Epoch].into_iter().find(|kind| name.starts_with(kind.prefix())).map(|kind| (kind, name))
}

/// The time in a name; none for a name that does not follow the pattern.
pub fn stamp(kind: Kind, name: &str) -> Option<&str> {
    let (stamp, digest) = name.strip_prefix(kind.prefix())?.split_once('-')?;
    let hexadecimal =
        digest.len() == DIGITS && digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (is_stamp(stamp) && hexadecimal).then_some(stamp)
}

/// The stamp of a time as RFC 3339; none for what is no time, or none of our era.
pub fn stamp_of(time: &str) -> Option<String> {
    let at: Timestamp = time.parse().ok()?;
    Some(file_stamp(at)).filter(|stamp| is_stamp(stamp))
}

fn is_stamp(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "00000000T000000Z"
}

/// The name of a run: its time, and a digest of what it says. The same result has the same name, whoever
/// remembers it and when. None where its time is no time.
pub fn run_name(run: &Run) -> serde_json::Result<Option<String>> {
    let mut fields = serde_json::to_value(run)?;
    if let Value::Object(fields) = &mut fields {
        fields.remove("tool");
        fields.remove("epoch");
    }
    Ok(stamp_of(&run.time).map(|stamp| name(Kind::Run, &stamp, &fields)))
}

/// The name of a deliberate change that is accepted now.
pub fn epoch_name(epoch: &Epoch, at: Timestamp) -> serde_json::Result<String> {
    Ok(name(Kind::Epoch, &file_stamp(at), &serde_json::to_value(epoch)?))
}

fn name(kind: Kind, stamp: &str, content: &Value) -> String {
    format!("{}{stamp}-{}", kind.prefix(), &sha256(content.to_string().as_bytes())[..DIGITS])
}

/// A deliberate change as text.
pub fn epoch_text(epoch: &Epoch) -> serde_json::Result<String> {
    serde_json::to_value(epoch).map(|value| text(&value))
}

/// A run as text.
///
/// Half of it is unlike any other run. A merge takes a removed file and a new one that are alike by half
/// for one that was renamed; two branches that both prune would then be in conflict about its new name.
/// The numbers of an endpoint outweigh its name, unless that is long; all else is outweighed here.
pub fn run_text(run: &Run) -> serde_json::Result<String> {
    let mut value = serde_json::to_value(run)?;
    let whole = text(&value);
    if let Value::Object(fields) = &mut value {
        let metrics = fields.get(METRICS).map_or(0, |metrics| field(METRICS, metrics).len());
        let long_names: usize = run.metrics.keys().map(|name| name.len().saturating_sub(CHUNK)).sum();
        let length = whole.len() - metrics + long_names + MARGIN;
        fields.insert(UNIQUE.to_owned(), unlike(&whole, length).into());
    }
    Ok(text(&value))
}

/// The line, from 1, in the text of a run that holds the numbers of an endpoint, or of all requests.
pub fn line_of(run: &str, endpoint: Option<&str>) -> Option<usize> {
    let key = match endpoint {
        Some(name) => format!("    {}: {{", Value::from(name)),
        None => "  \"whole_run\": ".to_owned(),
    };
    run.lines().position(|line| line.starts_with(&key)).map(|index| index + 1)
}

/// So many characters that depend on every one of a text.
fn unlike(text: &str, length: usize) -> String {
    let mut digits = String::with_capacity(length + HEX_DIGEST);
    let seed = sha256(text.as_bytes());
    while digits.len() < length {
        digits.push_str(&sha256(format!("{seed}{}", digits.len()).as_bytes()));
    }
    digits.truncate(length);
    digits
}

fn text(document: &Value) -> String {
    match document {
        Value::Object(fields) => format!("{}\n", block(fields, "", field)),
        other => format!("{other}\n"),
    }
}

fn field(key: &str, value: &Value) -> String {
    match value {
        Value::Object(endpoints) if key == METRICS => {
            block(endpoints, "  ", |_, numbers| numbers.to_string())
        }
        other => other.to_string(),
    }
}

/// A mapping with one entry a line.
fn block(entries: &Map<String, Value>, indent: &str, told: impl Fn(&str, &Value) -> String) -> String {
    if entries.is_empty() {
        return "{}".to_owned();
    }
    let line = |(key, value): (&String, &Value)| {
        format!("{indent}  {}: {}", Value::from(key.as_str()), told(key, value))
    };
    format!("{{\n{}\n{indent}}}", entries.iter().map(line).collect::<Vec<_>>().join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture;
    use crate::result::schema::Tool;

    #[test]
    fn a_run_is_written_with_sorted_keys_and_a_line_an_endpoint() {
        let mut result = fixture::rich();
        result.endpoints.truncate(3);
        let run = Run::of(&result, None);
        insta::assert_snapshot!(run_text(&run).unwrap(), @r#"
{
  "cpu_class": "amd-epyc-7763-64-core-processor_4-cpu_x86-64_ubuntu24",
  "env": {"arch":"x86_64","cpu_model":"AMD EPYC 7763 64-Core Processor","cpus":4,"image":"ubuntu24 20261101.1.0","os":"linux"},
  "epoch": null,
  "metrics": {
    "GET /api/v1/builds/{id}/code": {"error_rate":0.0,"n":150,"p50_ms":20.88,"p95_ms":38.11,"p99_ms":39.65,"requests_per_second":5.357},
    "POST /api/v1/builds": {"error_rate":0.01457,"n":2323,"p50_ms":2114.0,"p95_ms":3295.0,"p99_ms":3400.0,"requests_per_second":82.14}
  },
  "plan_digest": "0f1e2d",
  "requests_per_second": 539.1,
  "schema": 1,
  "sha": "c0ffee",
  "time": "2026-11-24T10:15:00Z",
  "tool": {"name":"loadgate","version":"0.1.0"},
  "unique": "e1f35a9cb84ae54ecccb65fad9bb96ae3c35eceaf97cdf3cb6e6ae343fd3a1d6bb2454c7d36415747250cfd5c20a0b07ab2ce2385935cc6effa450fe640863f7263ac177062f7c0f446f6decf7b6326ffaddcb641dc8c387f6602c1e20bbe72e1a33ad9923ab6cc9e8ead4b2fe6420226eb0b7f0d471dfa1295ed217c4fa51179522d83dd6aa654065eecdd512d88a20450ecf54685ce745c603000302c3c14c8c8cfe4824a2ed47736cb98336534081445a07e55992edbbcfb2fb30191300bffee37f1ed6842523b2a3d3772d743d6bcdc96b6069faf336b75e8c4481f752906b919d2c48465281eb7a28e8e731dcb00c79aeba037bf0ce07e6e5039a8929374b46",
  "whole_run": {"failed":34,"ok":15195}
}
"#);
        let text = run_text(&run).unwrap();
        assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), run);
        assert_eq!(line_of(&text, Some("POST /api/v1/builds")), Some(7));
        assert_eq!((line_of(&text, None), line_of(&text, Some("GET /none"))), (Some(16), None));
    }

    #[test]
    fn sixty_endpoints_stay_below_ten_kilobytes() {
        let mut run = Run::of(&fixture::small(), Some("epoch-20261124T101500Z-0a1b2c3d"));
        let mut numbers = run.metrics["GET /health"];
        (numbers.p50_ms, numbers.p95_ms, numbers.p99_ms) = (1234.0, 2345.0, 3456.0);
        (numbers.n, numbers.error_rate) = (1_234_567, 0.000_123_4);
        run.metrics = (0..60).map(|index| (format!("GET /api/v1/builds/{{id}}/{index}"), numbers)).collect();
        let text = run_text(&run).unwrap();
        assert!(text.len() < 10_000, "{}", text.len());
    }

    /// How much of a text is in another, as git counts: lines, or pieces of them, that are in both.
    fn alike(one: &str, other: &str) -> f64 {
        let pieces = |text: &str| -> Vec<String> {
            let lines = text.split_inclusive('\n').map(|line| line.as_bytes().chunks(CHUNK));
            lines.flatten().map(|piece| String::from_utf8_lossy(piece).into_owned()).collect()
        };
        let mut others = pieces(other);
        let mut copied = 0;
        for piece in pieces(one) {
            if let Some(at) = others.iter().position(|other| *other == piece) {
                copied += others.swap_remove(at).len();
            }
        }
        copied as f64 / one.len().max(other.len()) as f64
    }

    #[test]
    fn no_two_runs_are_alike_by_half() {
        let run = |count: usize, name: usize, change: f64| {
            let mut run = Run::of(&fixture::small(), Some("epoch-20261124T101500Z-0a1b2c3d"));
            let mut numbers = run.metrics["GET /health"];
            numbers.n += change as u64;
            numbers.p50_ms += change;
            numbers.p95_ms += change;
            numbers.requests_per_second += change;
            run.plan_digest = "0".repeat(64);
            run.metrics = (0..count).map(|index| (format!("{index:0>name$}"), numbers)).collect();
            run_text(&run).unwrap()
        };
        for (count, name) in [(1, 5), (1, 60), (1, 500), (3, 45), (60, 20), (60, 64), (60, 120), (60, 300)] {
            let alike = alike(&run(count, name, 1.0), &run(count, name, 2.0));
            assert!(alike < 0.5, "{count} endpoints with names of {name} are alike by {alike}");
        }
    }

    #[test]
    fn the_name_is_of_what_was_measured_and_not_of_who_remembers_it() {
        let run = Run::of(&fixture::small(), None);
        let name = |run: &Run| run_name(run).unwrap().unwrap();
        let later = Run {
            epoch: Some("epoch-20261124T101500Z-0a1b2c3d".into()),
            tool: Tool { name: "loadgate".into(), version: "9".into() },
            ..run.clone()
        };
        assert_eq!(name(&run), name(&later));
        assert_ne!(name(&run), name(&Run { sha: None, ..run.clone() }));
        let file = format!("{}.json", name(&run));
        let (kind, stem) = kind(&file).unwrap();
        assert_eq!((kind, stamp(kind, stem)), (Kind::Run, Some("20261124T101500Z")));
        assert_eq!(run_name(&Run { time: "yesterday".into(), ..run }).unwrap(), None);
    }

    #[test]
    fn only_names_of_the_pattern_are_ours() {
        for file in ["README.md", ".gitkeep", "run-1.json~", ".run-1.json.swp", "runs.json", "RUN-1.json"] {
            assert_eq!(kind(file), None, "{file}");
        }
        for (name, found) in [
            ("run-20261124T101500Z-0a1b2c3d", Some("20261124T101500Z")),
            ("run-20261124T101500Z-0A1B2C3D", None),
            ("run-20261124T101500Z-0a1b2c3", None),
            ("run-20261124T101500Z-0a1b2c3d copy", None),
            ("run-2026-11-24-0a1b2c3d", None),
            ("run-20261124T101500-0a1b2c3d", None),
            ("run-", None),
        ] {
            assert_eq!(stamp(Kind::Run, name), found, "{name}");
        }
        assert_eq!(stamp_of("-000001-11-24T10:15:00Z"), None);
    }
}
