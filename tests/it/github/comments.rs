//! The comment of a pull request against a GitHub that misbehaves: made once, kept up to date, never somebody
//! else's, and never a reason to fail. Results are stored ones; runs are elsewhere.

use loadgate::result::file::to_json;
use loadgate::result::schema::RunResult;
use serde_json::json;

use super::job::{Job, RUN, Step, TOKEN};
use super::mock::GitHub;
use super::mock::comment::Comment;
use super::mock::fault::{Effect, Fault};
use super::mock::identity::{ACTIONS_BOT, Access, Area, Identity};
use super::mock::repository::Repository;
use super::mock::wire::Answer;
use crate::harness::Demo;
use crate::reports::{heavy_result, passed_result, rich_result};

/// What the comments here are called.
const SERIES: &str = "here";

/// A GitHub with a pull request, and who writes there.
struct Scene {
    github: GitHub,
    pull: u64,
}

impl Scene {
    fn new() -> Self {
        Self::on(GitHub::start())
    }

    fn on(github: GitHub) -> Self {
        github.admit(TOKEN, Identity::workflow());
        let pull =
            github.with(|repository| repository.open_pull(Some("shop/api"), "change", super::job::HEAD));
        Self { github, pull }
    }

    fn job(&self) -> Job {
        Job::pull_request(&self.github, self.pull, "shop/api").with("LOADGATE_COMMENT_ID", SERIES)
    }

    fn comments(&self) -> Vec<Comment> {
        self.github.with(|repository| repository.comments_of(self.pull))
    }

    /// The comments that a later run would take for its own.
    fn marked(&self) -> Vec<Comment> {
        let ours = |comment: &Comment| {
            comment.author.as_deref() == Some(ACTIONS_BOT) && comment.body.starts_with(&marker(""))
        };
        self.comments().into_iter().filter(ours).collect()
    }

    /// How long the texts were that should have become comments.
    fn sent(&self) -> Vec<usize> {
        let asked = self.github.asked();
        let posts = asked.iter().filter(|asked| asked.method == "POST" && asked.path.ends_with("/comments"));
        posts.filter_map(|asked| asked.text("body").map(str::len)).collect()
    }

    fn path(&self) -> String {
        format!("/issues/{}/comments", self.pull)
    }

    fn inject(&self, method: &'static str, effect: Effect) {
        self.github.inject(Fault::new(method, &self.path(), effect));
    }
}

/// Publishes a result in a job, which works out whatever happens.
fn publish(job: &Job, result: &RunResult) -> Step {
    job.workspace.write("result.json", &to_json(result).expect("JSON"));
    let step = job.step(&["publish", "result.json"]);
    assert_eq!(step.code, 0, "{}", step.stderr);
    assert!(!step.outputs["verdict"].is_empty() && !step.summary.is_empty(), "{}", step.stderr);
    step
}

/// The beginning of the first line of a comment of ours.
fn marker(run: &str) -> String {
    format!("<!-- loadgate:v1 id={SERIES} {run}")
}

/// A comment of ours as a run of this number left it.
fn earlier(run: &str) -> String {
    format!("{} sha={} -->\n<!-- loadgate:trail -->\nslow", marker(&format!("run={run}")), "0".repeat(40))
}

#[test]
fn a_comment_is_made_by_the_first_trouble_and_then_kept_up_to_date() {
    let scene = Scene::new();
    let pass = publish(&scene.job(), &passed_result());
    assert_eq!((scene.comments().len(), pass.outputs["verdict"].as_str()), (0, "passed"));
    let fail = publish(&scene.job(), &rich_result());
    let first = scene.comments();
    assert_eq!((first.len(), fail.outputs["verdict"].as_str()), (1, "failed"));
    assert_eq!(first[0].author.as_deref(), Some(ACTIONS_BOT));
    // A chosen name has its digest, for it may be the slug of another run.
    let line = format!("{} sha={} key=fcec91509759ad99 -->", marker("run=77.1"), super::job::HEAD);
    assert_eq!(first[0].body.lines().next(), Some(line.as_str()));
    publish(&scene.job().with("GITHUB_RUN_ID", RUN + 1), &passed_result());
    let green = scene.comments();
    assert_eq!((green.len(), green[0].id), (1, first[0].id));
    assert!(green[0].body.starts_with(&marker("run=78.1")), "{}", green[0].body);
    assert_ne!(green[0].body, first[0].body);
    // The same again says nothing new.
    let changes = scene.github.count("PATCH", &format!("/issues/comments/{}", green[0].id));
    publish(&scene.job().with("GITHUB_RUN_ID", RUN + 1), &passed_result());
    assert_eq!(scene.github.count("PATCH", &format!("/issues/comments/{}", green[0].id)), changes);
    assert_eq!(scene.comments().len(), 1);
}

#[test]
fn the_policy_decides_whether_there_is_a_comment() {
    for (policy, result, comments) in [("always", passed_result(), 1), ("never", rich_result(), 0)] {
        let scene = Scene::new();
        publish(&scene.job().with("LOADGATE_COMMENT", policy), &result);
        assert_eq!(scene.comments().len(), comments, "{policy}");
    }
}

#[test]
fn the_comment_is_found_on_the_third_page_among_those_of_others() {
    let scene = Scene::new();
    let ours = scene.github.with(|repository| {
        for number in 0..230 {
            // One of them has left, and one has copied our first line.
            let author = if number == 5 { None } else { Some("octocat") };
            let body = if number == 150 { earlier("76.1") } else { format!("comment {number}") };
            repository.comment(scene.pull, author, &body);
        }
        repository.comment(scene.pull, Some(ACTIONS_BOT), &earlier("76.1"))
    });
    let before = scene.comments();
    publish(&scene.job(), &passed_result());
    let after = scene.comments();
    assert_eq!(after.len(), before.len());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.id == ours, before.body != after.body, "{}", after.body);
    }
}

#[test]
fn a_comment_of_somebody_else_is_not_ours_whatever_it_begins_with() {
    let scene = Scene::new();
    scene.github.with(|repository| {
        for author in [Some("eve"), Some("github-actions"), Some("other[bot]"), None] {
            repository.comment(scene.pull, author, &earlier("1.1"));
        }
        // Ours, but of another series, and with the line further down.
        let other = earlier("1.1").replace(SERIES, "here-too");
        repository.comment(scene.pull, Some(ACTIONS_BOT), &other);
        repository.comment(scene.pull, Some(ACTIONS_BOT), &format!("quoted:\n{}", earlier("1.1")));
    });
    let before = scene.comments();
    publish(&scene.job(), &rich_result());
    let after = scene.comments();
    assert_eq!(after.len(), before.len() + 1);
    assert!(before.iter().zip(&after).all(|(before, after)| before.body == after.body));
    assert!(after[before.len()].body.starts_with(&marker("run=77.1")));
}

#[test]
fn an_older_run_that_ends_late_changes_nothing() {
    for (run, changed) in [("78.1", false), ("77.2", false), ("77.1", true), ("9.1", true)] {
        let scene = Scene::new();
        scene.github.with(|repository| repository.comment(scene.pull, Some(ACTIONS_BOT), &earlier(run)));
        publish(&scene.job(), &rich_result());
        let comments = scene.comments();
        assert_eq!((comments.len(), comments[0].body != earlier(run)), (1, changed), "{run}");
    }
}

#[test]
fn of_two_jobs_that_both_made_a_comment_one_comment_stays() {
    let scene = Scene::new();
    let pull = scene.pull;
    // The other job was between its look and its comment, as we are.
    let other =
        move |repository: &mut Repository| _ = repository.comment(pull, Some(ACTIONS_BOT), &earlier("76.1"));
    scene.inject("POST", Effect::Meanwhile(Box::new(other)));
    publish(&scene.job(), &rich_result());
    assert_eq!(scene.comments().len(), 2);
    let marked = scene.marked();
    assert_eq!(marked.len(), 1);
    assert!(marked[0].body.starts_with(&marker("run=77.1")), "{}", marked[0].body);
    // Two that are left from before are one after the next run, the newest.
    let scene = Scene::new();
    let [_, newest] = ["75.1", "76.1"].map(|run| {
        scene.github.with(|repository| repository.comment(pull, Some(ACTIONS_BOT), &earlier(run)))
    });
    publish(&scene.job(), &rich_result());
    let marked = scene.marked();
    assert_eq!((marked.len(), marked[0].id, scene.comments().len()), (1, newest, 2));
    assert!(marked[0].body.starts_with(&marker("run=77.1")), "{}", marked[0].body);
}

#[test]
fn a_token_that_may_not_comment_is_a_notice_that_names_the_missing_permission() {
    let scene = Scene::new();
    for identity in [
        Identity::read_only(),
        Identity::permitted(&[(Area::Contents, Access::Write), (Area::Pulls, Access::Read)]),
    ] {
        scene.github.admit(TOKEN, identity);
        let step = publish(&scene.job(), &rich_result());
        let notice = step.said("notice");
        assert!(
            notice.contains("permissions:") && notice.contains("pull-requests: write"),
            "{}",
            step.stderr
        );
        assert_eq!((scene.comments().len(), step.said("warning").contains("comment")), (0, false));
    }
}

#[test]
fn a_run_whose_comment_is_refused_keeps_its_exit_status() {
    let (scene, demo) = (Scene::new(), Demo::start(&[]));
    scene.github.admit(TOKEN, Identity::read_only());
    let job = scene.job();
    job.workspace.write(
        "config.yaml",
        &format!(
            "version: 1\nname: shop\nenvironments: {{here: {{host: '{}', users: 2, run_time: 1s}}}}\n\
             thresholds: {{error_rate: 1%}}\n\
             scenarios: {{browse: {{users: {{visitor: {{wait: 10ms, tasks: {{look: 1}}}}}}, \
             tasks: {{look: [{{get: /health}}, {{get: /nowhere}}]}}}}}}\n",
            demo.url
        ),
    );
    let step = job.step(&["run"]);
    assert_eq!((step.code, &*step.outputs["verdict"]), (3, "failed"), "{}", step.stderr);
    assert!(step.said("notice").contains("pull-requests: write"), "{}", step.stderr);
}

#[test]
fn a_pull_request_of_a_fork_is_not_even_tried() {
    let scene = Scene::new();
    scene.github.admit(TOKEN, Identity::read_only());
    let job = Job::pull_request(&scene.github, scene.pull, "eve/api");
    let step = publish(&job, &rich_result());
    assert!(step.said("notice").contains("can only read"), "{}", step.stderr);
    assert_eq!(scene.github.asked().len(), 0);
}

#[test]
fn a_result_of_any_size_fits_into_a_comment() {
    let scene = Scene::new();
    publish(&scene.job(), &heavy_result());
    assert_eq!((scene.comments().len(), scene.github.count("POST", &scene.path())), (1, 1));
}

#[test]
fn a_comment_that_is_too_long_is_tried_again_once_and_shorter() {
    let too_long =
        || Answer::invalid("IssueComment", "data", "Body is too long (maximum is 65536 characters)");
    let scene = Scene::new();
    scene.inject("POST", Effect::Instead(too_long()));
    publish(&scene.job(), &heavy_result());
    let sent = scene.sent();
    assert_eq!((sent.len(), scene.comments().len()), (2, 1));
    assert!(sent[1] < sent[0], "{sent:?}");
    let scene = Scene::new();
    scene.github.inject(Fault::new("POST", &scene.path(), Effect::Instead(too_long())).always());
    let step = publish(&scene.job(), &rich_result());
    assert_eq!(scene.sent().len(), 2);
    assert!(step.said("warning").contains("too long"), "{}", step.stderr);
}

/// An answer that asks to wait.
fn limited(status: u16, seconds: u64) -> Answer {
    Answer::error(status, "You have exceeded a secondary rate limit").header("retry-after", seconds)
}

#[test]
fn a_limit_is_waited_for_when_it_is_short_and_not_when_it_is_long() {
    for status in [429, 403] {
        let scene = Scene::new();
        scene.inject("GET", Effect::Instead(limited(status, 1)));
        scene.inject("POST", Effect::Instead(limited(status, 0)));
        publish(&scene.job(), &rich_result());
        assert_eq!((scene.comments().len(), scene.github.count("POST", &scene.path())), (1, 2), "{status}");
    }
    let scene = Scene::new();
    scene.inject("POST", Effect::Instead(limited(429, 3_600)));
    let step = publish(&scene.job(), &rich_result());
    assert_eq!((scene.comments().len(), scene.github.count("POST", &scene.path())), (0, 1));
    assert!(step.said("warning").contains("429"), "{}", step.stderr);
}

#[test]
fn a_comment_that_was_made_before_the_server_broke_is_not_made_twice() {
    let scene = Scene::new();
    scene.inject("POST", Effect::After(Answer::error(502, "Server Error")));
    publish(&scene.job(), &rich_result());
    assert_eq!((scene.comments().len(), scene.github.count("POST", &scene.path())), (1, 1));
    // One that was not made is made.
    let scene = Scene::new();
    scene.inject("POST", Effect::Instead(Answer::new(502, json!("<html>no JSON</html>"))));
    publish(&scene.job(), &rich_result());
    assert_eq!((scene.comments().len(), scene.github.count("POST", &scene.path())), (1, 2));
}

#[test]
fn a_comment_that_was_deleted_a_moment_ago_is_made_again() {
    let scene = Scene::new();
    let gone =
        scene.github.with(|repository| repository.comment(scene.pull, Some(ACTIONS_BOT), &earlier("76.1")));
    let delete = move |repository: &mut Repository| repository.comments.retain(|comment| comment.id != gone);
    let path = format!("/issues/comments/{gone}");
    scene.github.inject(Fault::new("PATCH", &path, Effect::Meanwhile(Box::new(delete))));
    publish(&scene.job(), &rich_result());
    assert_eq!(scene.marked().len(), 1);
}

#[test]
fn what_github_refuses_for_good_is_a_warning_in_its_own_words() {
    for (answer, word) in [
        (Answer::not_found(), "Not Found"),
        (Answer::error(403, "Unable to create comment because issue is locked"), "issue is locked"),
        (Answer::error(410, "This issue was deleted"), "was deleted"),
        (Answer::error(401, "Bad credentials"), "Bad credentials"),
        (Answer::invalid("IssueComment", "body", "::error::x\n##[error]y"), "Validation Failed"),
    ] {
        let scene = Scene::new();
        scene.github.inject(Fault::new("POST", &scene.path(), Effect::Instead(answer)).always());
        let step = publish(&scene.job(), &rich_result());
        assert!(step.said("warning").contains(word), "{word}\n{}", step.stderr);
        assert_eq!((scene.comments().len(), scene.github.count("POST", &scene.path())), (0, 1), "{word}");
    }
}

#[test]
fn a_server_that_stays_broken_is_left_alone_after_three_attempts() {
    let scene = Scene::new();
    scene
        .github
        .inject(Fault::new("GET", &scene.path(), Effect::Instead(Answer::error(503, "Down"))).always());
    let step = publish(&scene.job(), &rich_result());
    assert_eq!((scene.github.count("GET", &scene.path()), scene.comments().len()), (3, 0));
    assert!(step.said("warning").contains("503"), "{}", step.stderr);
}

#[test]
fn an_enterprise_server_and_a_person_are_commented_for_as_well() {
    let scene = Scene::on(GitHub::enterprise());
    publish(&scene.job(), &rich_result());
    publish(&scene.job().with("GITHUB_RUN_ID", RUN + 1), &passed_result());
    assert_eq!(scene.comments().len(), 1);
    let scene = Scene::on(GitHub::enterprise());
    scene.github.admit(TOKEN, Identity::user("alice"));
    publish(&scene.job(), &rich_result());
    publish(&scene.job().with("GITHUB_RUN_ID", RUN + 1), &passed_result());
    let comments = scene.comments();
    assert_eq!((comments.len(), comments[0].author.as_deref()), (1, Some("alice")));
}

#[test]
fn a_token_with_a_line_break_is_used_without_it_and_one_that_is_none_is_named() {
    let scene = Scene::new();
    publish(&scene.job().with("LOADGATE_TOKEN", format!("{TOKEN}\n")), &rich_result());
    assert_eq!(scene.comments().len(), 1);
    let asked = scene.github.asked().len();
    for (token, word) in [("", "no token"), ("ghs_a b", "character"), ("ghs_a\nb", "character")] {
        let step = publish(&scene.job().with("LOADGATE_TOKEN", token), &rich_result());
        assert!(step.said("warning").contains(word), "{}", step.stderr);
        assert!(!step.stderr.contains("ghs_a"), "{}", step.stderr);
    }
    assert_eq!(scene.github.asked().len(), asked);
}

#[test]
fn a_run_that_waits_for_its_turn_does_not_write_over_a_later_one() {
    let scene = Scene::new();
    publish(&scene.job(), &rich_result());
    let id = scene.comments()[0].id;
    let path = format!("/issues/comments/{id}");
    let later = earlier("99.1");
    let text = later.clone();
    scene.github.inject(Fault::new("PATCH", &path, Effect::Instead(limited(429, 1))));
    scene.github.inject(Fault::new(
        "GET",
        &path,
        Effect::Meanwhile(Box::new(move |repository: &mut Repository| {
            let ours = repository.comments.iter_mut().find(|comment| comment.id == id);
            ours.expect("the comment").body.clone_from(&text);
        })),
    ));
    let step = publish(&scene.job().with("GITHUB_RUN_ID", RUN + 1), &passed_result());
    assert!(step.stderr.contains("run 99.1 is later"), "{}", step.stderr);
    assert_eq!(scene.comments()[0].body, later);
}
