//! What a job says that could not do all of its work: where a run could not start, where something fails after
//! the verdict, where GitHub is not where it is said to be.

use serde_json::json;

use super::job::{HEAD, Job, RUN, TOKEN};
use super::mock::GitHub;
use super::mock::identity::Identity;
use super::mock::repository::Issue;
use crate::harness::Demo;

/// Half a second of load on a service.
fn config(url: &str) -> String {
    format!(
        "version: 1\nname: shop\nenvironments: {{here: {{host: '{url}', users: 2, run_time: 1s}}}}\n\
         thresholds: {{error_rate: 1%}}\n\
         scenarios: {{browse: {{users: {{visitor: {{wait: 10ms, steps: [{{get: /health}}]}}}}}}}}\n"
    )
}

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";

fn github() -> GitHub {
    let github = GitHub::start();
    github.admit(TOKEN, Identity::workflow());
    github
}

fn night(github: &GitHub, run: u64) -> Job {
    let payload = json!({"schedule": "23 3 * * *", "repository": {"default_branch": "main"}});
    Job::new(github, "schedule", &payload).with("GITHUB_RUN_ID", run).with("LOADGATE_ISSUE", "true")
}

fn issues(github: &GitHub) -> Vec<Issue> {
    github.with(|repository| repository.issues.values().cloned().collect())
}

fn body(issue: &Issue) -> &str {
    issue.body.as_deref().unwrap_or_default()
}

#[test]
fn a_night_that_cannot_run_opens_the_issue_and_one_that_can_closes_it() {
    let (github, service) = (github(), Demo::start(&[]));
    let job = night(&github, RUN);
    job.workspace.write("config.yaml", &config(NOWHERE));
    let step = job.step(&["run", "--quiet"]);
    assert_eq!((step.code, step.outputs["verdict"].as_str()), (1, "error"), "{}", step.stderr);
    let open = issues(&github);
    assert_eq!((open.len(), open[0].title.as_str()), (1, "loadgate: browse on here: could not run"));
    assert!(
        body(&open[0]).contains("127.0.0.1:1") && body(&open[0]).contains("/actions/runs/77"),
        "{}",
        body(&open[0])
    );
    let job = night(&github, RUN + 1);
    job.workspace.write("config.yaml", &config(&service.url));
    assert_eq!(job.step(&["run", "--quiet"]).code, 0);
    let closed = issues(&github);
    assert_eq!((closed.len(), closed[0].open), (1, false));
    let trail = body(&closed[0]).lines().nth(1).unwrap_or_default();
    assert!(trail.contains(" 77.1=error@") && trail.contains(" 78.1=passed@"), "{trail}");
}

#[test]
fn a_pull_request_whose_run_cannot_start_is_told_in_the_comment_that_was_green() {
    let (github, service) = (github(), Demo::start(&[]));
    let pull = github.with(|repository| repository.open_pull(Some("shop/api"), "change", HEAD));
    let job = |run: u64| {
        let job = Job::pull_request(&github, pull, "shop/api").with("GITHUB_RUN_ID", run);
        job.with("LOADGATE_COMMENT", "always").with("LOADGATE_ISSUE", "true")
    };
    let comments = || github.with(|repository| repository.comments_of(pull));
    let green = job(RUN);
    green.workspace.write("config.yaml", &config(&service.url));
    assert_eq!(green.step(&["run", "--quiet"]).code, 0);
    let first = comments();
    assert!(first.len() == 1 && first[0].body.contains("✅"), "{}", first[0].body);
    let red = job(RUN + 1);
    red.workspace.write("config.yaml", &config(NOWHERE));
    let step = red.step(&["run", "--quiet"]);
    assert_eq!(step.code, 1, "{}", step.stderr);
    let second = comments();
    assert_eq!((second.len(), second[0].id), (1, first[0].id));
    assert!(second[0].body.contains("### 💥 COULD NOT RUN: ` browse ` on ` here `"), "{}", second[0].body);
    // A pull request says nothing about what is merged.
    let about_issues = github.asked().iter().filter(|asked| asked.path.ends_with("/issues")).count();
    assert_eq!(about_issues, 0, "{}", step.stderr);
}

#[test]
fn a_link_to_the_newest_run_that_cannot_be_made_changes_no_verdict() {
    let (github, service) = (github(), Demo::start(&[]));
    let job = night(&github, RUN);
    job.workspace.write(
        "config.yaml",
        &config(&service.url).replace("{get: /health}", "{get: /health}, {get: /nowhere}"),
    );
    // Where the link to the newest run should be.
    job.workspace.write("reports/latest/occupied", "");
    let step = job.step(&["run", "--quiet"]);
    assert_eq!((step.code, step.outputs["verdict"].as_str()), (3, "failed"), "{}", step.stderr);
    assert!(!step.outputs["folder"].is_empty() && step.summary.contains("FAILED"), "{}", step.summary);
    assert!(step.stderr.contains("latest"), "{}", step.stderr);
    let open = issues(&github);
    assert_eq!((open.len(), open[0].title.as_str()), (1, "loadgate: browse on here: failed"));
    assert!(!body(&open[0]).contains("COULD NOT RUN"), "{}", body(&open[0]));
}

#[test]
fn an_address_that_is_none_is_named_and_changes_no_verdict() {
    let (github, service) = (github(), Demo::start(&[]));
    for (address, said) in [
        ("nonsense", "cannot make a client for `nonsense`"),
        ("ftp://git.example", "cannot make a client for `ftp://git.example`"),
        (
            NOWHERE,
            "GitHub cannot be reached at http://127.0.0.1:1: GET /repos/shop/api/issues: Connection refused",
        ),
    ] {
        let job = night(&github, RUN).with("GITHUB_API_URL", address);
        job.workspace.write("config.yaml", &config(&service.url));
        let step = job.step(&["run", "--quiet"]);
        assert_eq!((step.code, step.outputs["verdict"].as_str()), (0, "passed"), "{}", step.stderr);
        assert!(step.said("warning").contains(said), "{}", step.stderr);
    }
}

#[test]
fn what_a_target_wrote_that_does_not_start_can_be_looked_at_and_holds_no_secret() {
    let github = github();
    let job = night(&github, RUN).with("DB_URL", "postgres://u:hunter2secret@db");
    job.workspace.write(
        "config.yaml",
        "version: 1\nname: shop\n\
         environments: {here: {target: {command: [sh, -c, 'echo to $DB_URL; exit 3']}, users: 1, run_time: 1s}}\n\
         scenarios: {browse: {users: {visitor: {headers: {X-Db: \"{{ env('DB_URL') }}\"}, steps: [{get: /}]}}}}\n",
    );
    let step = job.step(&["run", "--quiet"]);
    assert_eq!((step.code, step.outputs["verdict"].as_str()), (1, "error"), "{}", step.stderr);
    let log = std::path::Path::new(&step.outputs["folder"]).join("target.log");
    assert_eq!(std::fs::read_to_string(log).expect("a log"), "to ***\n");
    let open = issues(&github);
    let told = [body(&open[0]), &step.stdout, &step.summary];
    assert!(told.iter().all(|text| !text.contains("hunter2secret")), "{told:?}");
    assert!(
        body(&open[0]).contains("to \\*\\*\\*") || body(&open[0]).contains("to ***"),
        "{}",
        body(&open[0])
    );
}
