//! Tables for spreadsheets and scripts: plain numbers with their unit in the column's name. Pure.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::result::endpoint::{Endpoint, Times, failures};
use crate::result::machine::MachinePoint;
use crate::result::schema::{EndpointPoint, Point, RunResult};
use crate::result::stretch::stretches;

use super::text::printable;

/// Why no table could be made.
#[derive(Debug, Error)]
pub enum RowError {
    /// A row could not be written.
    #[error(transparent)]
    Row(#[from] csv::Error),
    /// The table could not be completed.
    #[error("the table could not be completed")]
    Unfinished,
}

/// A row an endpoint, and all of them in the last row.
pub fn endpoints(result: &RunResult) -> Result<String, RowError> {
    let mut table = Table::of(result);
    let counts = ["endpoint", "ok", "failed", "requests_per_second", "error_rate", "bytes_in", "bytes_out"];
    let times = |what: &'static str| TIMES.iter().map(move |name| format!("{what}_{name}_ms"));
    let header = counts.into_iter().map(str::to_owned).chain(times("response_time"));
    let end = SOCKET.into_iter().chain([TIMED_OUT, STATE]).map(str::to_owned);
    table.head(header.chain(times("service_time")).chain(end))?;
    for endpoint in result.endpoints.iter().chain(result.has("totals").then_some(&result.totals)) {
        table.row(endpoint_row(endpoint))?;
    }
    table.finish()
}

const TIMES: [&str; 9] = ["min", "mean", "p50", "p75", "p90", "p95", "p99", "p999", "max"];
const SOCKET: [&str; 4] = ["messages_in", "messages_out", "missing_messages", "unexpected_closes"];

/// How many of the times in a row are timeouts, which took at least as long as it says.
const TIMED_OUT: &str = "timed_out";

/// The column that says in every row whether the table is of a whole run: rows are copied without their table.
const STATE: &str = "run";

/// A table of which every row ends with the state of its run.
struct Table {
    writer: csv::Writer<Vec<u8>>,
    state: &'static str,
    columns: usize,
    rows: usize,
}

impl Table {
    fn of(result: &RunResult) -> Self {
        let state = match result {
            RunResult { salvaged: Some(_), .. } => "half-written",
            RunResult { interrupted: true, .. } => "interrupted",
            RunResult { aborted: Some(_), .. } => "aborted",
            _ => "complete",
        };
        Self { writer: csv::Writer::from_writer(Vec::new()), state, columns: 0, rows: 0 }
    }

    /// The names of the columns, that of the state among them.
    fn head(&mut self, names: impl Iterator<Item = String>) -> Result<(), RowError> {
        let names: Vec<_> = names.collect();
        self.columns = names.len();
        Ok(self.writer.write_record(names)?)
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) -> Result<(), RowError> {
        self.rows += 1;
        Ok(self.writer.write_record(cells.into_iter().chain([self.state.to_owned()]))?)
    }

    /// The whole text. Where nothing is left of a half-written result, an empty row says so.
    fn finish(mut self) -> Result<String, RowError> {
        if self.rows == 0 && self.state == "half-written" {
            self.row(vec![String::new(); self.columns.saturating_sub(1)])?;
        }
        let bytes = self.writer.into_inner().map_err(|_| RowError::Unfinished)?;
        String::from_utf8(bytes).map_err(|_| RowError::Unfinished)
    }
}

fn endpoint_row(endpoint: &Endpoint) -> Vec<String> {
    let mut row = vec![
        safe(&endpoint.name),
        endpoint.ok.to_string(),
        failures(&endpoint.failed).to_string(),
        endpoint.requests_per_second.to_string(),
        optional(endpoint.error_rate),
        endpoint.bytes_in.to_string(),
        endpoint.bytes_out.to_string(),
    ];
    for times in [&endpoint.response_time, &endpoint.service_time] {
        let times = times.as_ref();
        let all = |it: &Times| {
            let Times { min_ms, mean_ms, p50_ms, p75_ms, p90_ms, p95_ms, p99_ms, p999_ms, max_ms, .. } = *it;
            [min_ms, mean_ms, p50_ms, p75_ms, p90_ms, p95_ms, p99_ms, p999_ms, max_ms]
        };
        let values = times.map_or([None; 9], |times| all(times).map(Some));
        row.extend(values.map(optional));
    }
    let socket = endpoint.websocket.map_or([None; 4], |it| {
        [it.messages_in, it.messages_out, it.missing_messages, it.unexpected_closes].map(Some)
    });
    row.extend(socket.map(optional));
    row.push(endpoint.response_time.as_ref().map_or(0, |times| times.timed_out).to_string());
    row
}

/// A row a second and endpoint, of every endpoint in every second; all requests are in no row.
pub fn series(result: &RunResult) -> Result<String, RowError> {
    let mut table = Table::of(result);
    let columns = [
        "t_s",
        "length_s",
        "phase",
        "users",
        "endpoint",
        "ok",
        "failed",
        "p50_ms",
        "p95_ms",
        "p99_ms",
        "others_cpu",
        "idle",
        "contention",
        TIMED_OUT,
        STATE,
    ];
    table.head(columns.map(str::to_owned).into_iter())?;
    let mut names: BTreeSet<&String> = result.endpoints.iter().map(|endpoint| &endpoint.name).collect();
    names.extend(result.series.iter().flat_map(|point| point.endpoints.keys()));
    for stretch in stretches(&result.series) {
        let (first, points) = (stretch.first, stretch.points);
        let users = points.iter().map(|point| point.users).max().unwrap_or(first.users);
        let others_cpu = mean(points, |it| it.others_cpu);
        let idle = mean(points, |it| it.idle);
        let contention = mean(points, |it| it.contention);
        for name in &names {
            let it = stretch.endpoints.get(*name);
            // Of a result that was too large to be written with them nobody knows.
            let counted = |pick: fn(&EndpointPoint) -> u64| {
                if result.left_out.is_some() { String::new() } else { it.map_or(0, pick).to_string() }
            };
            table.row([
                first.t_s.to_string(),
                stretch.length_s().to_string(),
                safe(&first.phase),
                users.to_string(),
                safe(name),
                counted(|it| it.ok),
                counted(|it| it.failed),
                optional(it.and_then(|it| it.p50_ms)),
                optional(it.and_then(|it| it.p95_ms)),
                optional(it.and_then(|it| it.p99_ms)),
                optional(others_cpu),
                optional(idle),
                optional(contention),
                counted(|it| it.timed_out),
            ])?;
        }
    }
    table.finish()
}

/// Of the points that know it, and as it is where that is one.
fn mean(points: &[Point], pick: fn(&MachinePoint) -> Option<f64>) -> Option<f64> {
    let known: Vec<f64> = points.iter().filter_map(|point| pick(point.machine.as_ref()?)).collect();
    if known.is_empty() { None } else { Some(known.iter().sum::<f64>() / known.len() as f64) }
}

fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// A name as a cell that no spreadsheet takes for a formula.
fn safe(text: &str) -> String {
    let text = printable(text);
    let first = text.trim_start_matches(|c: char| c.is_whitespace() || "'\"".contains(c)).chars().next();
    if first.is_some_and(|c| "=+-@＝＋－＠".contains(c)) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::rich;
    use crate::result::salvage::Salvaged;

    #[test]
    fn no_name_is_a_formula() {
        for name in ["=1", "+1", "-1", "@x", " =1", "\"=1", "＝1", "\t=1"] {
            let cell = safe(name);
            assert!(cell.starts_with('\''), "{name:?} is {cell:?}");
        }
        assert_eq!((safe("GET /a"), safe("a\nb")), ("GET /a".into(), "a\\nb".into()));
    }

    #[test]
    fn every_row_says_whether_the_run_is_whole() {
        let partial = |change: fn(&mut RunResult)| {
            let mut result = rich();
            change(&mut result);
            result
        };
        for (result, state) in [
            (rich(), "complete"),
            (partial(|it| it.interrupted = true), "interrupted"),
            (partial(|it| it.salvaged = Some(Salvaged::default())), "half-written"),
        ] {
            for table in [endpoints(&result).unwrap(), series(&result).unwrap()] {
                let mut rows = table.lines();
                assert!(rows.next().unwrap().ends_with(",run"));
                assert!(rows.all(|row| row.ends_with(&format!(",{state}"))), "{state}: {table}");
            }
        }
    }

    #[test]
    fn a_table_of_which_no_row_is_left_says_that_too() {
        let salvaged = Some(Salvaged { missing: vec!["totals".into()], cut_in: None });
        let nothing = RunResult { endpoints: Vec::new(), series: Vec::new(), salvaged, ..rich() };
        for table in [endpoints(&nothing).unwrap(), series(&nothing).unwrap()] {
            let rows: Vec<_> = table.lines().collect();
            assert_eq!((rows.len(), rows[1].trim_start_matches(',')), (2, "half-written"), "{table}");
        }
    }

    #[test]
    fn endpoints_that_are_counted_together_have_a_row_for_all_their_seconds() {
        let mut result = rich();
        let second = Point { endpoints: [].into(), machine: None, ..result.series[1].clone() };
        let at = |t_s: f64| Point { t_s, length_s: 1.0, users: t_s as u64, ..second.clone() };
        let endpoints = result.series[1].endpoints.clone();
        let names = result.endpoints.len();
        result.series = vec![Point { endpoints, endpoints_of_next: 2, ..at(5.0) }, at(6.0), at(7.0), at(8.0)];
        let table = series(&result).unwrap();
        let begin = |row: &str| row.split(',').take(4).collect::<Vec<_>>().join(",");
        let rows: Vec<_> = table.lines().skip(1).map(begin).collect();
        let expected = [vec!["5,3,steady,7"; names], vec!["8,1,steady,8"; names]].concat();
        assert_eq!(rows, expected);
    }

    #[test]
    fn every_endpoint_is_in_every_second_and_the_total_is_the_last_row() {
        let result = rich();
        let rows = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(rows(series(&result).unwrap()).len(), 1 + result.series.len() * result.endpoints.len());
        let endpoints = rows(endpoints(&result).unwrap());
        assert_eq!(endpoints.len(), 2 + result.endpoints.len());
        assert!(endpoints.last().unwrap().starts_with(&format!("total,{},", result.totals.ok)));
    }
}
