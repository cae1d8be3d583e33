//! `loadgate init`: two files where there was none, and a configuration that is right.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{LazyLock, Mutex};

use crate::sandbox::{BINARY, Finished, Sandbox, alone, finish};

/// What it is asked for: nothing, a service that is there, one that it starts.
pub const FORMS: [&[&str]; 3] =
    [&[], &["--host", "http://localhost:8000"], &["--command", "./serve --listen {{ address }}"]];
/// A GitHub that knows of no release.
static NO_RELEASE: LazyLock<Server> = LazyLock::new(|| Server::start("404 Not Found", "{}"));
const WORKFLOW: &str = ".github/workflows/loadgate.yml";

/// Answers every request alike.
pub struct Server {
    pub url: String,
    /// The first line of each.
    asked: Mutex<Receiver<String>>,
}

impl Server {
    pub fn start(status: &'static str, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (sender, asked) = channel();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let _ = sender.send(lines.next().unwrap_or_default());
                lines.find(String::is_empty);
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
            }
        });
        Self { url, asked: Mutex::new(asked) }
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("a list").try_iter().collect()
    }
}

fn init(sandbox: &Sandbox, folder: &str, form: &[&str]) -> Finished {
    init_with(sandbox, folder, form, &NO_RELEASE)
}

fn init_with(sandbox: &Sandbox, folder: &str, form: &[&str], github: &Server) -> Finished {
    let folder = sandbox.path(folder);
    fs::create_dir_all(&folder).expect("a folder");
    finish(
        sandbox
            .command(BINARY, &[("GITHUB_API_URL", &github.url)])
            .current_dir(folder)
            .arg("init")
            .args(form),
    )
}

/// The workflow that it writes in a folder below the root of a repository.
pub fn written(form: &[&str]) -> String {
    let sandbox = repository();
    init(&sandbox, "services/the shop", form).ended(0);
    sandbox.read(WORKFLOW)
}

/// That workflow with the step that it asks to add for a second folder.
pub fn written_twice() -> String {
    let sandbox = repository();
    init(&sandbox, "services/shop", &[]).ended(0);
    let text = init(&sandbox, "services/${{ github.actor }}", &[]).ended(0);
    let steps = text.lines().filter(|line| line.starts_with("      "));
    sandbox.read(WORKFLOW) + &steps.flat_map(|line| [line, "\n"]).collect::<String>()
}

/// A repository with the demo in a folder of it.
pub fn begun() -> Sandbox {
    let sandbox = Sandbox::new();
    finish(sandbox.command("git", &[]).args(["init", "--quiet"])).ended(0);
    init(&sandbox, "services/shop", &[]).ended(0);
    sandbox
}

fn repository() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path(".git")).expect("a folder");
    sandbox
}

#[test]
fn it_writes_a_configuration_and_a_workflow_and_says_what_is_next() {
    for form in FORMS {
        let sandbox = repository();
        let text = init(&sandbox, "", form).ended(0);
        assert_eq!(sandbox.files(""), [WORKFLOW, "config.yaml"], "{text}");
        assert!(text.contains(": scenario `main` in environment `ci`\n"), "{text}");
        let told: Vec<&str> = text.lines().filter(|line| line.starts_with("wrote ")).collect();
        assert_eq!(told, ["wrote config.yaml", &format!("wrote {WORKFLOW}")]);
        assert!(
            text.lines()
                .last()
                .is_some_and(|line| line.starts_with("next: ") && line.contains("`loadgate run`"))
        );
        let checked = finish(sandbox.command(BINARY, &[]).arg("check")).ended(0);
        assert!(text.starts_with(&checked), "{text}\n{checked}");
    }
}

#[test]
fn the_first_run_needs_nothing_else() {
    let (_alone, sandbox) = (alone(), repository());
    init(&sandbox, "", &[]).ended(0);
    let mut run = sandbox.command(BINARY, &[]);
    let text = finish(run.args(["run", "--users", "2", "--run-time", "1s", "--quiet"])).ended(0);
    assert!(text.contains("INCONCLUSIVE"), "{text}");
}

#[test]
fn in_a_folder_below_the_root_the_workflow_goes_to_the_root_and_names_the_folder() {
    let sandbox = repository();
    init(&sandbox, "services/the shop", &[]).ended(0);
    assert_eq!(sandbox.files(""), [WORKFLOW, "services/the shop/config.yaml"]);
    assert!(
        sandbox
            .read(WORKFLOW)
            .ends_with("        with:\n          working-directory: \"services/the shop\"\n")
    );
}

/// The name in the configuration of a folder.
fn name(sandbox: &Sandbox, folder: &str) -> Option<String> {
    let config = sandbox.read(&format!("{folder}/config.yaml"));
    config.lines().find_map(|line| line.strip_prefix("name: ")).map(str::to_owned)
}

#[test]
fn a_project_is_called_as_its_repository_and_its_folder_so_that_no_two_share_a_comment() {
    let sandbox = Sandbox::new();
    finish(sandbox.command("git", &[]).args(["init", "--quiet", "my shop"])).ended(0);
    init(&sandbox, "my shop", &[]).ended(0);
    assert_eq!(name(&sandbox, "my shop").as_deref(), Some("\"my shop\""));
    let mut git = sandbox.command("git", &[]);
    git.current_dir(sandbox.path("my shop"));
    finish(git.args(["remote", "add", "origin", "git@github.com:acme/store.git"])).ended(0);
    fs::remove_file(sandbox.path("my shop/config.yaml")).expect("removed");
    fs::remove_dir_all(sandbox.path("my shop/.github")).expect("removed");
    init(&sandbox, "my shop", &[]).ended(0);
    init(&sandbox, "my shop/services/api", &[]).ended(0);
    assert_eq!(name(&sandbox, "my shop").as_deref(), Some("\"store\""));
    assert_eq!(name(&sandbox, "my shop/services/api").as_deref(), Some("\"store/services/api\""));
}

#[test]
fn for_a_second_folder_the_workflow_stays_and_the_step_to_add_is_told() {
    let sandbox = repository();
    init(&sandbox, "services/shop", &[]).ended(0);
    let before = sandbox.read(WORKFLOW);
    let text = init(&sandbox, "services/the api", &[]).ended(0);
    assert_eq!(sandbox.read(WORKFLOW), before);
    assert!(sandbox.path("services/the api/config.yaml").exists());
    assert!(!text.contains("wrote /"), "{text}");
    let (_, step) = text.split_once("as it is; add this step to it:\n").expect("the step");
    let lines: Vec<&str> = step.lines().take_while(|line| line.starts_with(' ')).collect();
    assert!(lines[0].starts_with("      - uses: loadgate/loadgate@v"), "{text}");
    assert_eq!(
        lines[2..],
        [
            "        with:",
            "          working-directory: \"services/the api\"",
            "          comment-id: loadgate-services-the-api",
            "          artifact: loadgate-services-the-api",
        ]
    );
    init(&sandbox, "services/the api", &[]).ended(2);
}

#[test]
fn outside_of_a_repository_this_folder_is_the_root() {
    let sandbox = Sandbox::new();
    init(&sandbox, "shop", &[]).ended(0);
    assert_eq!(sandbox.files(""), ["shop/.github/workflows/loadgate.yml", "shop/config.yaml"]);
    assert!(!sandbox.read("shop/.github/workflows/loadgate.yml").contains("working-directory"));
}

#[test]
fn nothing_is_overwritten_and_then_nothing_is_written() {
    for there in ["config.yaml", "loadgate.yaml", "loadgate.yml", WORKFLOW] {
        let sandbox = repository();
        sandbox.write(there, "mine");
        let text = init(&sandbox, "", &[]).ended(2);
        assert!(
            text.starts_with(&format!("error: `{there}` is there already; nothing was written\nhint: ")),
            "{text}"
        );
        assert_eq!((sandbox.files(""), sandbox.read(there)), (vec![there.to_owned()], "mine".to_owned()));
    }
}

#[test]
fn a_link_that_leads_nowhere_is_not_written_through() {
    let sandbox = repository();
    std::os::unix::fs::symlink("elsewhere", sandbox.path("config.yaml")).expect("a link");
    init(&sandbox, "", &[]).ended(2);
    assert_eq!(sandbox.files(""), ["config.yaml"]);
}

#[test]
fn when_the_workflow_cannot_be_written_the_configuration_is_taken_back() {
    let sandbox = repository();
    sandbox.write(".github", "no folder");
    let text = init(&sandbox, "", &[]).ended(1);
    assert!(text.contains("cannot write `.github/workflows/loadgate.yml`"), "{text}");
    assert_eq!(sandbox.files(""), [".github"]);
}

#[test]
fn what_makes_no_configuration_is_refused_before_anything_is_written() {
    for (form, why) in [
        (["--host", "localhost:8000"], "--> config.yaml:7:"),
        (["--command", "./serve {{ adress }}"], "--> config.yaml:7:"),
        (["--command", ""], "a value is required"),
        (["--command", " \t"], "a value is required"),
        (["--host", "  "], "a value is required"),
    ] {
        let sandbox = repository();
        let text = init(&sandbox, "", &form).ended(2);
        assert!(text.contains(why), "{text}");
        assert_eq!(sandbox.files(""), Vec::<String>::new());
    }
}

#[test]
fn a_host_and_a_command_exclude_each_other() {
    let text = init(&repository(), "", &["--host", "http://a", "--command", "b"]).ended(2);
    assert!(text.contains("cannot be used with"), "{text}");
}

#[test]
fn the_workflow_names_the_commit_of_the_release() {
    let github =
        Server::start("200 OK", r#"{"sha": "0123456789abcdef0123456789abcdef01234567", "commit": {}}"#);
    let sandbox = repository();
    let text = init_with(&sandbox, "", &[], &github).ended(0);
    assert!(!text.contains("could not be looked up"), "{text}");
    let version = env!("CARGO_PKG_VERSION");
    let step = format!("- uses: loadgate/loadgate@0123456789abcdef0123456789abcdef01234567 # v{version}\n");
    assert!(sandbox.read(WORKFLOW).ends_with(&step), "{}", sandbox.read(WORKFLOW));
    assert_eq!(github.asked(), [format!("GET /repos/loadgate/loadgate/commits/v{version} HTTP/1.1")]);
}

#[test]
fn where_no_commit_is_known_the_workflow_names_the_tag() {
    let tag = format!("- uses: loadgate/loadgate@v{} # a commit cannot move: ", env!("CARGO_PKG_VERSION"));
    for (status, body) in
        [("404 Not Found", "{}"), ("200 OK", r#"{"sha": "main # nothing"}"#), ("200 OK", "<html>")]
    {
        let sandbox = repository();
        let text = init_with(&sandbox, "", &[], &Server::start(status, body)).ended(0);
        let told: Vec<&str> = text.lines().filter(|line| line.contains("could not be looked up")).collect();
        assert!(told.len() == 1 && told[0].contains("gh api repos/loadgate/loadgate/commits/"), "{text}");
        assert!(sandbox.read(WORKFLOW).contains(&tag), "{status} {body}");
    }
}

#[test]
fn nobody_is_asked_for_what_will_not_be_written() {
    let github = Server::start("404 Not Found", "{}");
    let sandbox = repository();
    sandbox.write("config.yaml", "mine");
    init_with(&sandbox, "", &[], &github).ended(2);
    assert_eq!(github.asked(), Vec::<String>::new());
}
