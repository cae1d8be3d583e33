//! The documents of a baseline as text and under their names: sorted keys, one line an endpoint, so that
//! a diff shows what changed. Pure.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::epoch::Epoch;
use super::run::Run;
use crate::clock::file_stamp;
use crate::plan::sha256;

/// The fields of a run that have one line an endpoint or custom metric.
const METRICS: [&str; 2] = ["metrics", "custom_metrics"];
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
        let length_of = |key| fields.get(key).map_or(0, |metrics| field(key, metrics).len());
        let metrics: usize = METRICS.into_iter().map(length_of).sum();
        let names = run.metrics.keys().chain(run.custom_metrics.keys());
        let long_names: usize = names.map(|name| name.len().saturating_sub(CHUNK)).sum();
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
        Value::Object(endpoints) if METRICS.contains(&key) => {
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
    use crate::baseline::run::Numbers;
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
  "custom_metrics": {
    "build_created": {"max_ms":30020.0,"mean_ms":2168.0,"n":2323,"p50_ms":1903.0,"p75_ms":2494.0,"p90_ms":2849.0,"p95_ms":2966.0,"p99_ms":3060.0,"requests_per_second":82.14,"timed_out":23}
  },
  "env": {"arch":"x86_64","cpu_model":"AMD EPYC 7763 64-Core Processor","cpus":4,"image":"ubuntu24 20261101.1.0","os":"linux"},
  "environment": "demo",
  "epoch": null,
  "metrics": {
    "GET /api/v1/builds/{id}/code": {"error_rate":0.0,"max_ms":39.9,"mean_ms":21.0,"n":150,"p50_ms":20.88,"p75_ms":30.51,"p90_ms":36.09,"p95_ms":38.11,"p99_ms":39.65,"requests_per_second":5.357,"unfinished":0,"whole_run":{"failed":0,"ok":150}},
    "POST /api/v1/builds": {"error_rate":0.01457,"max_ms":30020.0,"mean_ms":2385.0,"n":2330,"p50_ms":2118.0,"p75_ms":2777.0,"p90_ms":3170.0,"p95_ms":3303.0,"p99_ms":5202.0,"requests_per_second":82.14,"timed_out":23,"unfinished":7,"whole_run":{"failed":34,"ok":2300}}
  },
  "plan_digest": "0f1e2d",
  "requests_per_second": 539.1,
  "scenario": "build_flow",
  "schema": 1,
  "sha": "c0ffee",
  "time": "2026-11-24T10:15:00Z",
  "tool": {"name":"loadgate","version":"0.1.0"},
  "unique": "694b0b68498d4ac9aca65777c2b3cf8137c7a0043288e17a70bb09e42d80301f01dec08c888d9cb49e19296a69440c9b946c99e0c83a887da7a2ff8983293c371f05fbdcb6fb2094a0a84d74bfed874fff399b4e5f1779e2dfdb15d2fdb1379349e00261c06ef788eab5dd9beb3b5bc18a372c07caa48068e53714c160fcbbccac439a9fdea67c162ec0e7e982146ca993c053568297b98dfdc63e1989acb6edc96dbccc127aafcf25ac0bb647e13d1293c5a7732c20899380d1528e19e953822e4fc816bc83236f31bb5aea28194c0c38cda653a3c2b347ec380fcc730cc4e6bf960b5a97fddec5caed3da1197baf9d0636f6c845517abe48ec23a00d8e696fd3c6837f10a4c5e30ba57e268c429b49d397801770dd4426c2fe9ce9d58d0b23db0bca3003f5168",
  "whole_run": {"failed":34,"ok":15195}
}
"#);
        let text = run_text(&run).unwrap();
        assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), run);
        assert_eq!(line_of(&text, Some("POST /api/v1/builds")), Some(11));
        assert_eq!((line_of(&text, None), line_of(&text, Some("GET /none"))), (Some(21), None));
    }

    #[test]
    fn an_ordinary_suite_stays_below_ten_kilobytes() {
        let mut run = Run::of(&fixture::small(), Some("epoch-20261124T101500Z-0a1b2c3d"));
        let mut numbers = run.metrics["GET /health"];
        (numbers.p50_ms, numbers.p95_ms, numbers.p99_ms) = (1234.0, 2345.0, 3456.0);
        (numbers.n, numbers.error_rate) = (1_234_567, Some(0.000_123_4));
        run.metrics = (0..30).map(|index| (format!("GET /api/v1/builds/{{id}}/{index}"), numbers)).collect();
        let custom = Numbers { error_rate: None, whole_run: None, ..numbers };
        run.custom_metrics = (0..4).map(|index| (format!("checkout_{index}"), custom)).collect();
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

    /// As a version wrote it that remembered percentiles of endpoints only.
    const EARLIER: &str = r#"{
  "cpu_class": "amd-epyc_2-cpu_x86-64_no-image",
  "env": {"arch":"x86_64","cpu_model":"AMD EPYC","cpus":2,"image":null,"os":"linux"},
  "epoch": null,
  "metrics": {
    "WS /ws/echo": {"error_rate":0.0,"n":217,"p50_ms":5.367,"p95_ms":6.391,"p99_ms":6.903,"requests_per_second":7.75}
  },
  "plan_digest": "b0f1ee7c",
  "requests_per_second": 54.36,
  "schema": 1,
  "sha": null,
  "time": "2026-11-25T03:20:23.917088136Z",
  "tool": {"name":"loadgate","version":"0.1.0"},
  "unique": "62431336",
  "whole_run": {"failed":0,"ok":1796}
}
"#;

    #[test]
    fn a_run_of_an_earlier_version_is_read_and_says_nothing_that_it_did_not() {
        let run: Run = serde_json::from_str(EARLIER).unwrap();
        assert_eq!((&run.scenario, run.custom_metrics.len()), (&None, 0));
        let numbers = run.metrics["WS /ws/echo"];
        assert_eq!((numbers.p75_ms, numbers.whole_run, numbers.sockets), (None, None, None));
        // So its name, a digest of what it says, stays.
        let plain = |text: &str| -> Value {
            let mut value: Value = serde_json::from_str(text).unwrap();
            value.as_object_mut().unwrap().remove("unique");
            value
        };
        assert_eq!(plain(&run_text(&run).unwrap()), plain(EARLIER));
    }
}
