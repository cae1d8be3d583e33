//! How late arrivals begin, and what a request costs: 2,000 arrivals a second for 10 s on the demo
//! service's `/health`, in a process of its own. Run it on an idle machine: `cargo bench --bench schedule_lag`.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use hdrhistogram::Histogram;
use loadgate::config::file;
use loadgate::load::machine;
use loadgate::load::measure::recording::Recording;
use loadgate::load::measure::run::{RunData, Window};
use loadgate::load::{Aim, Observer, Wish, generate, tls};
use loadgate::plan::{Plan, Selection};

const CONFIG: &str = "
version: 1
name: schedule-lag
environments: {bench: {host: 'http://ADDRESS', load: {arrivals: 2000/s, run_time: 10s}}}
scenarios: {lag: {users: {visitor: {steps: [{get: /health}]}}}}
";

/// The demo service, ended with the benchmark.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct Silent;

impl Observer for Silent {
    fn window(&mut self, _: &Window, _: &Recording) -> Wish {
        Wish::Continue
    }
}

fn main() {
    // What the test runner asks of every benchmark: it is no test.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    tls::install_provider();
    let (service, address) = start();
    let plan = plan(&address);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let url = url::Url::parse(&format!("http://{address}")).expect("a URL");
    let aim = Aim { url, service: machine::Service::Elsewhere };
    let run = runtime.block_on(generate(&plan, aim, &mut Silent, std::future::pending())).expect("a run");
    drop(service);
    report(&run);
}

fn start() -> (Service, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgate"));
    command.args(["demo-api", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the demo service starts");
    let mut line = String::new();
    BufReader::new(child.stderr.take().expect("a pipe")).read_line(&mut line).expect("its first line");
    let address = line.trim().rsplit('/').next().expect("an address").to_owned();
    (Service(child), address)
}

fn plan(address: &str) -> Arc<Plan> {
    let text = CONFIG.replace("ADDRESS", address);
    let config = file::parse("bench", &text, Path::new(".")).expect("YAML");
    let selection = Selection { environment: None, scenario: None };
    Arc::new(Plan::resolve(&config, &selection, &|_| None).expect("a plan"))
}

fn report(run: &RunData) {
    let tally = &run.total.endpoints[0].steady;
    println!("requests          {} ok, {} failed", tally.ok, tally.failures());
    println!("CPU per request   {:.1} µs (user and system, whole process)", run.health.cpu_us_per_request);
    for (name, times) in [
        ("schedule lag", &run.total.health.lag),
        ("response time", &tally.response.all),
        ("service time", &tally.service.all),
    ] {
        let histogram = times.histogram().expect("samples");
        let [median, high, most] = [0.5, 0.99, 1.0].map(|quantile| milliseconds(&histogram, quantile));
        println!("{name:<17} p50 {median:.3} ms · p99 {high:.3} ms · max {most:.3} ms");
    }
}

fn milliseconds(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}
