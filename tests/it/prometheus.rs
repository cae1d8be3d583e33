//! Live metrics, fetched by a real Prometheus: what it stores agrees with the result, promtool has nothing to
//! say, and every query of the dashboard finds data.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use loadgate::load::target::free_address;
use serde_json::Value;
use url::Url;

use crate::external::Server;
use crate::harness::{Demo, Finished, Workspace, alone, poll_until};

/// For what takes as long as a run.
const LONG: Duration = Duration::from_mins(1);

/// A run against the demo in which some requests fail, some take long, and some arrivals find no user.
fn config(demo: &Demo, prometheus: &str) -> String {
    format!(
        r#"version: 1
name: watched
environments: {{here: {{host: "{}", load: {{arrivals: 60/s, max_users: 8, run_time: 6s}}}}}}
reporting: {{formats: [json], prometheus: {prometheus}}}
scenarios:
  browse:
    users:
      visitor: {{tasks: {{look: 6, fail: 3, stay: 1}}}}
    tasks:
      look: [{{get: /health}}]
      fail: [{{get: /nowhere, name: "GET \"x\" \\ {{}}\nand more"}}]
      stay: [{{get: /health, name: stay}}, {{wait: 2s}}]
"#,
        demo.url
    )
}

/// One GET over a connection of its own: what follows the head.
fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    head.starts_with("HTTP/1.1 200").then(|| if chunked { unchunked(body) } else { body.to_owned() })
}

fn unchunked(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).expect("the length of a chunk");
        text.push_str(&rest[..length]);
        body = rest[length..].trim_start_matches("\r\n");
    }
    text
}

/// A Prometheus that fetches from this address every half second, with data of its own.
fn prometheus(workspace: &Workspace, target: &str) -> Server {
    let address = free_address().expect("a free port").to_string();
    let scrape = format!(
        "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\n\
         scrape_configs: [{{job_name: loadgate, static_configs: [{{targets: ['{target}']}}]}}]\n"
    );
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", workspace.write("prometheus.yml", &scrape).display()))
        .arg(format!("--storage.tsdb.path={}", workspace.path("tsdb").display()))
        .arg(format!("--web.listen-address={address}"));
    let server = Server::start(command, address);
    poll_until(LONG, "Prometheus is ready", || get(&server.address, "/-/ready").is_some());
    server
}

/// The answer of a query at this moment: labels and values.
fn ask(server: &Server, path: &str, parameters: &[(&str, &str)]) -> Vec<Value> {
    let url = Url::parse_with_params(&format!("http://{}{path}", server.address), parameters).expect("a URL");
    let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let body = get(&server.address, &path).unwrap_or_else(|| panic!("Prometheus refuses {parameters:?}"));
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    answer["data"]["result"].as_array().expect("a list").clone()
}

fn instant(server: &Server, query: &str) -> Vec<Value> {
    ask(server, "/api/v1/query", &[("query", query)])
}

/// The last value of a query that has one answer.
fn number(server: &Server, query: &str) -> Option<f64> {
    instant(server, query).first()?["value"][1].as_str()?.parse().ok()
}

/// A run that must not outlive its test.
struct Lingering(Child);

impl Drop for Lingering {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Every query of the dashboard with the title of its panel, and whether it asks for one moment.
fn queries() -> Vec<(String, String, bool)> {
    let dashboard: Value = serde_json::from_str(include_str!("../../grafana/dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = |panel: &Value| {
        let title = panel["title"].as_str().expect("a title").to_owned();
        let all = panel["targets"].as_array().cloned().unwrap_or_default();
        all.into_iter().map(move |it| {
            (title.clone(), it["expr"].as_str().expect("a query").to_owned(), it["instant"] == true)
        })
    };
    panels.iter().flat_map(targets).collect()
}

/// As Grafana would write it: `$__rate_interval` is at least four scrapes.
fn filled(query: &str) -> String {
    let values =
        [("$__rate_interval", "2s"), ("$__range", "60s"), ("$scenario", "browse"), ("$environment", "here")];
    let filled = values.iter().fold(query.to_owned(), |text, (name, value)| text.replace(name, value));
    assert!(!filled.contains('$'), "{filled}");
    filled
}

/// promtool has nothing to say about a scrape.
fn check(workspace: &Workspace, scrape: &str) {
    let input = File::open(workspace.write("scrape.txt", scrape)).expect("the scrape");
    let mut command = Command::new("promtool");
    let output = command.args(["check", "metrics"]).stdin(input).output().expect("promtool runs");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}\n{scrape}", String::from_utf8_lossy(&said));
}

fn failed(result: &Value, kind: &str) -> f64 {
    result["whole_run"]["failed"][kind].as_f64().unwrap_or_default()
}

#[test]
fn a_real_prometheus_stores_what_the_result_says_and_fills_every_panel() {
    let (demo, workspace) = (Demo::start(&["--seed", "3"]), Workspace::new());
    let target = free_address().expect("a free port");
    let said = format!("{{port: {}, linger: 60s}}", target.port());
    workspace.write("config.yaml", &config(&demo, &said));
    let server = prometheus(&workspace, &target.to_string());
    let _alone = alone();
    let stderr = File::create(workspace.path("stderr")).expect("a file");
    let mut command = workspace.command(&["run", "--quiet"]);
    let mut run = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn().map(Lingering);
    let run = &mut run.as_mut().expect("a run").0;
    // Lingering: the report is there, and the verdict is fetched.
    poll_until(LONG, "Prometheus has a verdict", || number(&server, "sum(loadgate_verdict)") == Some(1.0));
    let result = std::fs::read(workspace.path("reports/latest/result.json")).expect("result.json");
    let result: Value = serde_json::from_slice(&result).expect("JSON");
    agrees(&server, &result);
    let scrape = get(&target.to_string(), "/metrics").expect("a scrape");
    check(&workspace, &scrape);
    fills(&server);
    // A signal ends the wait at once, and changes nothing about the verdict.
    let pid = i32::try_from(run.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a signal sent");
    poll_until(Duration::from_secs(20), "it ends", || run.try_wait().expect("a child").is_some());
    let status = run.wait().expect("a child");
    assert_eq!(status.code().map(i64::from), result["verdict"]["exit_status"].as_i64());
}

/// What was fetched last is what was written.
fn agrees(server: &Server, result: &Value) {
    let count = |query: &str| number(server, query).unwrap_or_else(|| panic!("nothing for {query}"));
    let outcome = |outcome: &str| count(&format!("sum(loadgate_requests_total{{outcome='{outcome}'}})"));
    let ok = result["whole_run"]["ok"].as_f64().expect("a count");
    let [status, dropped] = [failed(result, "status"), failed(result, "dropped")];
    assert!(ok > 0.0 && status > 0.0 && dropped > 0.0, "{}", result["whole_run"]);
    assert_counts(&[
        (outcome("ok"), ok),
        (outcome("status"), status),
        (outcome("dropped"), dropped),
        (count("loadgate_dropped_total"), dropped),
        (count("sum(loadgate_response_time_seconds_count)"), ok + failed(result, "timeout")),
        (count("sum(loadgate_service_time_seconds_bucket{le='+Inf'})"), ok + failed(result, "timeout")),
    ]);
    let hostile = "count(loadgate_requests_total{endpoint='GET \"x\" \\\\ {}\\nand more'})";
    assert_counts(&[(count(hostile), 14.0), (count("loadgate_users"), 0.0)]);
    let verdict = instant(server, "loadgate_verdict == 1");
    assert_eq!(verdict[0]["metric"]["status"], result["verdict"]["status"]);
    let p95 = count("histogram_quantile(0.95, sum by (le) (loadgate_response_time_seconds_bucket))");
    assert!(p95 > 0.0 && p95 <= 60.0, "{p95}");
}

fn assert_counts(pairs: &[(f64, f64)]) {
    let same = |(found, wanted): &(f64, f64)| (found - wanted).abs() < 0.5;
    assert!(pairs.iter().all(same), "found and wanted: {pairs:?}");
}

/// Every query of the dashboard finds numbers, and every name in its variables has values.
fn fills(server: &Server) {
    let queries = queries();
    assert!(queries.len() > 20, "{}", queries.len());
    let now = number(server, "vector(time())").expect("the time");
    let range = [("start", (now - 60.0).to_string()), ("end", now.to_string()), ("step", "1".to_owned())];
    for (panel, query, moment) in queries {
        let query = filled(&query);
        let mut parameters = vec![("query", query.as_str())];
        if !moment {
            parameters.extend(range.iter().map(|(name, value)| (*name, value.as_str())));
        }
        let path = if moment { "/api/v1/query" } else { "/api/v1/query_range" };
        let found = ask(server, path, &parameters);
        let numbers = found.iter().flat_map(|series| {
            let many = series["values"].as_array().cloned().unwrap_or_default();
            many.into_iter().chain([series["value"].clone()]).map(|pair| pair[1].clone())
        });
        let real = numbers.filter_map(|it| it.as_str()?.parse::<f64>().ok()).any(f64::is_finite);
        assert!(real, "{panel}: no data for {query}");
    }
    let names = get(&server.address, "/api/v1/label/scenario/values").expect("values");
    assert!(names.contains("browse"), "{names}");
}

fn warned(finished: &Finished) -> String {
    let result = finished.result().unwrap_or_else(|| panic!("no result\n{}", finished.stderr));
    result["warnings"].to_string()
}

/// Two users for a second.
fn short(demo: &Demo, prometheus: &str) -> Finished {
    let text = format!(
        "version: 1\nname: short\nenvironments: {{here: {{host: '{}', users: 2, run_time: 1s}}}}\n\
         reporting: {{formats: [json], prometheus: {prometheus}}}\n\
         scenarios: {{s: {{users: {{all: {{wait: 10ms, steps: [{{get: /health}}]}}}}}}}}\n",
        demo.url
    );
    Workspace::with_config(&text).run(&["run", "--quiet"])
}

#[test]
fn a_taken_port_is_a_warning_and_the_run_goes_on() {
    let demo = Demo::start(&[]);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port();
    let finished = short(&demo, &format!("{{port: {port}}}"));
    assert_eq!(finished.code(), 0, "{}\n{}", finished.stdout, finished.stderr);
    let warning = format!("no live metrics on 127.0.0.1 port {port}");
    assert!(finished.stderr.contains(&format!("warning: {warning}")), "{}", finished.stderr);
    assert!(warned(&finished).contains(&warning), "{}", warned(&finished));
    assert!(!finished.stderr.contains("metrics: http"), "{}", finished.stderr);
}

#[test]
fn an_address_that_is_none_is_a_warning_too() {
    let finished = short(&Demo::start(&[]), "{listen: 192.0.2.1, port: 0}");
    assert_eq!(finished.code(), 0, "{}\n{}", finished.stdout, finished.stderr);
    assert!(warned(&finished).contains("no live metrics on 192.0.2.1 port 0"), "{}", warned(&finished));
}

#[test]
fn any_free_port_is_told_and_nothing_is_served_where_it_is_off() {
    let demo = Demo::start(&[]);
    let finished = short(&demo, "{port: 0}");
    assert_eq!((finished.code(), warned(&finished).as_str()), (0, "[]"), "{}", finished.stderr);
    let told = finished.stderr.split("metrics: http://127.0.0.1:").nth(1).expect("a URL");
    let (port, _) = told.split_once("/metrics").expect("a path");
    assert!(port.parse::<u16>().expect("a port") > 0);
    let off = short(&demo, "{enabled: false}");
    assert_eq!((off.code(), off.stderr.contains("metrics:")), (0, false), "{}", off.stderr);
}

#[test]
fn the_dashboard_has_the_uid_of_the_configuration() {
    let printed = |workspace: &Workspace, arguments: &[&str]| {
        let finished = workspace.run(arguments);
        assert_eq!(finished.code(), 0, "{}", finished.stderr);
        serde_json::from_str::<Value>(&finished.stdout).expect("JSON")["uid"].clone()
    };
    assert_eq!(printed(&Workspace::new(), &["grafana"]), "loadgate");
    assert_eq!(printed(&Workspace::new(), &["grafana", "--demo"]), "hyperkit-load");
    let workspace = Workspace::with_config(include_str!("../../config.yaml"));
    let set = ["grafana", "--set", "reporting.grafana.dashboard_uid=nightly_2"];
    assert_eq!(printed(&workspace, &["grafana"]), "hyperkit-load");
    assert_eq!(printed(&workspace, &set), "nightly_2");
    for command in ["grafana", "check"] {
        let refused = workspace.run(&[command, "--set", "reporting.grafana.dashboard_uid=a b"]);
        assert_eq!((refused.code(), refused.stdout.as_str()), (2, ""), "{}", refused.stderr);
        assert!(refused.stderr.contains("`a b` is no uid of a Grafana dashboard"), "{}", refused.stderr);
    }
    assert_eq!(Workspace::new().run(&["grafana", "--config", "nowhere.yaml"]).code(), 2);
}

#[test]
fn the_dashboard_is_one_by_the_types_of_grafana() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/grafana");
    // Below the folder, so that the types are found.
    let checked = tempfile::tempdir_in(folder.join("node_modules")).expect("types; test.sh installs them");
    let file = checked.path().join("dashboard.ts");
    let [head, dashboard] =
        [include_str!("../grafana/head.ts"), include_str!("../../grafana/dashboard.json")];
    let errors = |dashboard: &str| {
        std::fs::write(&file, format!("{head}{dashboard};\n")).expect("a file written");
        let options = ["--noEmit", "--skipLibCheck", "--strict", "--target", "es2022", "--module", "esnext"];
        let mut tsc = Command::new(folder.join("node_modules/.bin/tsc"));
        tsc.args(options).args(["--moduleResolution", "bundler"]).arg(&file);
        String::from_utf8_lossy(&tsc.output().expect("tsc runs").stdout).into_owned()
    };
    assert_eq!(errors(dashboard), "");
    let wrong = dashboard.replace("\"palette-classic\"", "\"no-such-mode\"");
    assert!(errors(&wrong).contains("no-such-mode"), "a wrong dashboard is told");
}
