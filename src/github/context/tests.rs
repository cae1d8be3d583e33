//! Tests of what variables and events say.

use serde_json::{Value, json};

use super::*;

const HEAD: &str = "1111111111111111111111111111111111111111";

/// The context of a job with these variables, and an event of this text.
fn context(event: &str, changes: &[(&str, &str)]) -> Context {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("event.json");
    std::fs::write(&path, event).unwrap();
    let path = path.to_string_lossy().into_owned();
    let standard = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_SHA", "merge"),
        ("GITHUB_REF", "refs/pull/7/merge"),
        ("GITHUB_EVENT_NAME", "pull_request"),
        ("GITHUB_EVENT_PATH", path.as_str()),
    ];
    let find = |all: &[(&str, &str)], name: &str| {
        all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    Context::of(&|name| find(changes, name).or_else(|| find(&standard, name)))
}

fn pull(head: &Value) -> String {
    let base = json!({"sha": "base", "repo": {"full_name": "shop/api", "private": true}});
    json!({"action": "opened", "pull_request": {"number": 7, "head": head, "base": base}}).to_string()
}

fn told(context: &Context) -> (&str, bool, usize) {
    (context.git.sha.as_deref().unwrap_or_default(), context.git.fork, context.warnings.len())
}

#[test]
fn a_pull_request_is_its_head_and_knows_whether_it_is_of_a_fork() {
    let own = pull(&json!({"sha": HEAD, "repo": {"full_name": "shop/api"}}));
    let fork = pull(&json!({"sha": HEAD, "repo": {"full_name": "eve/api"}}));
    let deleted = pull(&json!({"sha": HEAD, "repo": null}));
    for (event, changes, expected) in [
        (&own, &[][..], (HEAD, false, 0)),
        (&fork, &[], (HEAD, true, 0)),
        (&deleted, &[], (HEAD, true, 0)),
        (&fork, &[("GITHUB_EVENT_NAME", "pull_request_target")], ("merge", true, 0)),
        (&fork, &[("GITHUB_EVENT_NAME", "push")], ("merge", false, 0)),
        (&fork, &[("GITHUB_ACTIONS", "")], ("merge", false, 0)),
    ] {
        assert_eq!(told(&context(event, changes)), expected, "{event} {changes:?}");
    }
    assert_eq!(context(&own, &[]).git.reference.as_deref(), Some("refs/pull/7/merge"));
}

#[test]
fn an_event_that_cannot_be_read_is_a_warning_and_counts_as_a_fork() {
    for event in ["", "{}", "[1]", "{\"pull_request\": null}", "\u{0}", &"[".repeat(10_000)] {
        assert_eq!(told(&context(event, &[])), ("merge", true, 1), "{event:.10}");
    }
    for path in ["", "/nowhere/event.json", "/", "/dev/null"] {
        let context = context("{}", &[("GITHUB_EVENT_PATH", path)]);
        assert_eq!(told(&context), ("merge", true, 1), "{path}");
        assert!(
            context.warnings[0].starts_with("the event of this pull request cannot be read, so it counts")
        );
    }
}

#[test]
fn outside_of_actions_there_may_be_nothing() {
    for value in [None, Some(String::new())] {
        let context = Context::of(&|_| value.clone());
        assert_eq!(context.git, Git::default());
        assert_eq!((context.place, context.run, context.files), (Place::Elsewhere, None, Files::default()));
        assert_eq!(context.event, Event::Other(String::new()));
        assert_eq!((context.host.api.as_str(), context.host.repository), (API, None));
        assert!(matches!(context.host.credential, Credential::Missing) && context.warnings.is_empty());
    }
}
#[test]
fn the_api_of_an_enterprise_server_and_the_page_of_the_run_are_known() {
    let pull = pull(&json!({"sha": HEAD, "repo": {"full_name": "shop/api"}}));
    let context = context(
        &pull,
        &[
            ("GITHUB_API_URL", "https://git.shop.example/api/v3/"),
            ("GITHUB_SERVER_URL", "https://git.shop.example"),
            ("GITHUB_REPOSITORY", "shop/api"),
            ("GITHUB_RUN_ID", "77"),
            ("GITHUB_RUN_ATTEMPT", "2"),
            ("LOADGATE_TOKEN", ""),
            ("GITHUB_TOKEN", "ghs_1\n"),
        ],
    );
    assert_eq!(context.host.api, "https://git.shop.example/api/v3");
    assert_eq!(
        context.run_url().as_deref(),
        Some("https://git.shop.example/shop/api/actions/runs/77/attempts/2")
    );
    assert!(matches!(context.host.credential, Credential::Token(_)));
    assert!(matches!(context.event, Event::PullRequest(pull) if pull.number == 7));
}

#[test]
fn only_the_token_of_a_fork_is_known_to_be_read_only() {
    let own = pull(&json!({"sha": HEAD, "repo": {"full_name": "shop/api"}}));
    let fork = pull(&json!({"sha": HEAD, "repo": {"full_name": "eve/api"}}));
    assert!(!context(&own, &[]).is_read_only() && context(&fork, &[]).is_read_only());
}

#[test]
fn the_end_of_another_workflow_says_whose_it_was() {
    let event = json!({
        "action": "completed",
        "workflow_run": {
            "id": 77, "run_attempt": 2, "event": "pull_request", "head_sha": HEAD, "head_branch": "faster",
            "head_repository": {"full_name": "eve/api"}, "repository": {"full_name": "shop/api"},
            "pull_requests": [],
        },
        "repository": {"full_name": "shop/api", "default_branch": "main"},
    });
    let context = context(&event.to_string(), &[("GITHUB_EVENT_NAME", "workflow_run")]);
    assert_eq!(context.default_branch.as_deref(), Some("main"));
    let Event::WorkflowRun(run) = context.event else { panic!("{:?}", context.event) };
    assert_eq!((run.id, run.run_attempt, run.head_branch.as_deref()), (77, 2, Some("faster")));
}

#[test]
fn a_file_is_called_as_the_repository_calls_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("perf")).unwrap();
    let file = folder.path().join("perf/config.yaml");
    std::fs::write(&file, "").unwrap();
    let workspace = folder.path().to_string_lossy().into_owned();
    let context = Context::of(&|name| (name == "GITHUB_WORKSPACE").then(|| workspace.clone()));
    assert_eq!(context.in_repository(&file).as_deref(), Some("perf/config.yaml"));
    assert_eq!(context.in_repository(Path::new("/etc/hostname")), None);
    // A folder may be made later.
    let later = folder.path().join("baselines/browse.here");
    assert_eq!(context.in_repository(&later).as_deref(), Some("baselines/browse.here"));
    assert_eq!(context.in_repository(&folder.path().join("gone/../../x")), None);
}

#[test]
fn a_repository_begins_where_git_says_below_the_workspace() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in [".git", "work/sub/.git", "work/other/perf"] {
        std::fs::create_dir_all(path(name)).unwrap();
    }
    let workspace = path("work").to_string_lossy().into_owned();
    let inside = Context::of(&|name| (name == "GITHUB_WORKSPACE").then(|| workspace.clone()));
    let called = |context: &Context, name: &str| context.in_repository(&path(name));
    assert_eq!(called(&inside, "work/sub/perf/a.yaml").as_deref(), Some("perf/a.yaml"));
    // What is above the workspace is somebody else's.
    assert_eq!(called(&inside, "work/other/perf").as_deref(), Some("other/perf"));
    assert_eq!(called(&inside, "perf"), None);
    // At a desk there is no workspace.
    let desk = Context::of(&|_| None);
    assert_eq!(called(&desk, "work/other/perf").as_deref(), Some("work/other/perf"));
}

#[test]
fn tokens_of_the_job_are_known_by_their_names() {
    for name in [
        "GITHUB_TOKEN",
        "GH_TOKEN",
        "GH_ENTERPRISE_TOKEN",
        "ACTIONS_RUNTIME_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "LOADGATE_TOKEN",
        "LOADGATE_OTHER_TOKEN",
        "INPUT_TOKEN",
        "INPUT_GITHUB-TOKEN",
        "github_token",
    ] {
        assert!(is_token(name), "{name}");
    }
    for name in
        ["GITHUB_SHA", "API_TOKEN", "TOKEN", "GITHUB_TOKENS", "MY_GITHUB_TOKEN", "ACTIONS_RUNTIME_URL"]
    {
        assert!(!is_token(name), "{name}");
    }
}
