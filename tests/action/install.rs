//! scripts/install.sh, in a folder that looks like the commit of a release, with a folder in place of the releases.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sandbox::{Finished, Sandbox, finish, outputs};

const VERSION: &str = "1.2.3";
const ARCHIVE: &str = "loadgate-x86_64-unknown-linux-musl.tar.gz";
const CACHED: &str = "cache/loadgate/1.2.3/x64/loadgate";

/// The commit of a release, a runner, and a place that releases are downloaded from.
struct Release {
    sandbox: Sandbox,
}

impl Release {
    /// All of it, as it is when nothing is wrong.
    fn new() -> Self {
        let release = Self { sandbox: Sandbox::new() };
        let sandbox = &release.sandbox;
        sandbox.borrow("scripts/install.sh");
        sandbox.borrow("scripts/error.sh");
        sandbox.write("VERSION", &format!("{VERSION}\n"));
        sandbox.program("loadgate", &format!("#!/bin/sh\necho loadgate {VERSION}\n"));
        let folder = sandbox.path(&format!("releases/v{VERSION}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::create_dir_all(sandbox.path("temp")).expect("a folder");
        let archive = folder.join(ARCHIVE);
        let mut tar = Command::new("tar");
        tar.args(["-czf", archive.to_str().expect("text"), "loadgate"]).current_dir(sandbox.path(""));
        finish(&mut tar).ended(0);
        let other = format!("{}  loadgate-aarch64-apple-darwin.tar.gz\n", "0".repeat(64));
        sandbox.write("checksums.txt", &other);
        release.vouch_for(ARCHIVE, &archive);
        release.vouch_for(ARCHIVE.trim_end_matches(".tar.gz"), &sandbox.path("loadgate"));
        release
    }

    /// Adds a checksum.
    fn vouch_for(&self, name: &str, file: &Path) {
        let sum = finish(Command::new("sha256sum").arg(file)).ended(0);
        let sums = self.sandbox.read("checksums.txt");
        self.sandbox.write("checksums.txt", &format!("{sums}{}  {name}\n", &sum[..64]));
    }

    /// Installs with the variables of a runner, the later ones first.
    fn install(&self, changes: &[(&str, &str)]) -> Finished {
        let texts = ["cache", "temp", "output"].map(|name| self.text(name));
        let releases = format!("file://{}", self.text("releases"));
        let [cache, temp, output] = texts.each_ref().map(String::as_str);
        let runner = [
            ("RUNNER_OS", "Linux"),
            ("RUNNER_ARCH", "X64"),
            ("RUNNER_TOOL_CACHE", cache),
            ("RUNNER_TEMP", temp),
            ("GITHUB_OUTPUT", output),
            ("LOADGATE_RELEASES", &releases),
        ];
        std::fs::remove_file(self.sandbox.path("output")).ok();
        self.sandbox.run(self.sandbox.path("scripts/install.sh"), &[&runner[..], changes].concat())
    }

    fn text(&self, name: &str) -> String {
        self.sandbox.path(name).to_str().expect("text").to_owned()
    }

    /// What the next step is told to run.
    fn binary(&self) -> Option<PathBuf> {
        outputs(&self.sandbox.read("output")).get("binary").map(PathBuf::from)
    }

    /// What went wrong, which is an error on the page of the run and installs nothing.
    #[track_caller]
    fn refused(&self, changes: &[(&str, &str)]) -> String {
        let text = self.install(changes).ended(1);
        assert_eq!((self.binary(), self.sandbox.files("cache")), (None, Vec::new()), "{text}");
        assert_eq!(self.sandbox.files("temp"), Vec::<String>::new());
        let error = text.lines().find_map(|line| line.strip_prefix("::error title=loadgate::"));
        error.unwrap_or_else(|| panic!("no error: {text}")).replace(&self.text(""), "")
    }
}

#[test]
fn a_release_is_fetched_once_and_then_found_in_the_tool_cache() {
    let release = Release::new();
    release.install(&[]).ended(0);
    let binary = release.binary().expect("a binary");
    assert_eq!(binary, release.sandbox.path("cache/loadgate/1.2.3/x64/loadgate"));
    assert_eq!(
        release.sandbox.files("cache"),
        ["cache/loadgate/1.2.3/x64.complete", "cache/loadgate/1.2.3/x64/loadgate"]
    );
    assert_eq!(release.sandbox.files("temp"), Vec::<String>::new());
    release.install(&[("LOADGATE_RELEASES", "file:///nowhere")]).ended(0);
    assert_eq!(release.binary(), Some(binary));
}

#[test]
fn half_an_installation_is_made_again() {
    let release = Release::new();
    release.sandbox.write(CACHED, "half");
    release.install(&[]).ended(0);
    assert!(release.sandbox.read(CACHED).contains("loadgate 1.2.3"));
}

#[test]
fn what_somebody_put_into_the_tool_cache_is_not_run_but_fetched_again() {
    let release = Release::new();
    release.install(&[]).ended(0);
    let planted = format!("#!/bin/sh\ntouch {}\necho loadgate {VERSION}\n", release.text("planted"));
    release.sandbox.program(CACHED, &planted);
    let text = release.install(&[("LOADGATE_RELEASES", "file:///nowhere")]).ended(1);
    assert!(text.contains("cannot download"), "{text}");
    assert_eq!(release.binary(), None);
    release.install(&[]).ended(0);
    assert_eq!(release.sandbox.read(CACHED), release.sandbox.read("loadgate"));
    assert_eq!(release.binary(), Some(release.sandbox.path(CACHED)));
    assert!(!release.sandbox.path("planted").exists(), "it was run");
}

#[test]
fn a_folder_or_a_link_in_place_of_the_cached_binary_is_replaced_and_never_followed() {
    let release = Release::new();
    let cached = release.sandbox.path(CACHED);
    release.sandbox.write(&format!("{CACHED}/inside"), "");
    let is_a_file = || std::fs::symlink_metadata(&cached).expect("it is there").is_file();
    for _ in 0..2 {
        release.install(&[]).ended(0);
        assert!(is_a_file(), "the second time it is found there");
    }
    // Whatever a link leads to, be it the right file, may be another one later.
    for target in ["loadgate", "temp"] {
        let aside = release.sandbox.path(target);
        std::fs::remove_file(&cached).expect("removed");
        std::os::unix::fs::symlink(&aside, &cached).expect("a link");
        release.install(&[]).ended(0);
        assert!(is_a_file(), "{target}");
        assert_eq!(release.sandbox.files("temp"), Vec::<String>::new());
    }
    assert_eq!(release.binary(), Some(cached));
}

#[test]
fn an_archive_with_another_binary_than_was_released_is_not_installed() {
    let release = Release::new();
    let sums = release.sandbox.read("checksums.txt");
    let (archives, _) = sums.trim_end().rsplit_once('\n').expect("lines");
    release.sandbox.write("checksums.txt", &format!("{archives}\n"));
    assert_eq!(release.refused(&[]), "checksums.txt does not list loadgate-x86_64-unknown-linux-musl");
    release.vouch_for(ARCHIVE.trim_end_matches(".tar.gz"), &release.sandbox.path("VERSION"));
    assert_eq!(release.refused(&[]), format!("{ARCHIVE} holds another loadgate than checksums.txt lists"));
}

#[test]
fn what_was_not_released_is_not_installed() {
    let release = Release::new();
    release.sandbox.write(&format!("releases/v{VERSION}/{ARCHIVE}"), "something else");
    let error = release.refused(&[]);
    assert!(
        error.starts_with(&format!("{ARCHIVE} of file://releases is not what was released: its SHA-256 is "))
    );
    assert!(error.ends_with(". Nothing was installed"), "{error}");
}

#[test]
fn an_archive_of_another_program_is_not_installed() {
    let release = Release::new();
    release.sandbox.write("VERSION", "1.2.4\n");
    std::fs::rename(release.sandbox.path("releases/v1.2.3"), release.sandbox.path("releases/v1.2.4"))
        .unwrap();
    assert_eq!(release.refused(&[]), format!("{ARCHIVE} holds no loadgate 1.2.4 that runs here"));
}

#[test]
fn a_machine_that_nothing_was_built_for_is_told_which_there_are() {
    let release = Release::new();
    for (system, machine) in [("Windows", "X64"), ("Linux", "ARM"), ("", "")] {
        let error = release.refused(&[("RUNNER_OS", system), ("RUNNER_ARCH", machine)]);
        assert!(
            error.starts_with("there is no loadgate for ") && error.contains("Linux and macOS"),
            "{error}"
        );
    }
    assert_eq!(
        release.refused(&[("RUNNER_ARCH", "ARM64")]),
        "checksums.txt does not list loadgate-aarch64-unknown-linux-musl"
    );
}

#[test]
fn another_version_than_the_one_of_this_commit_is_refused() {
    let release = Release::new();
    let error = release.refused(&[("LOADGATE_VERSION", "9.9.9")]);
    assert!(error.starts_with("this commit of the action is 1.2.3, so it does not know"), "{error}");
    assert!(error.ends_with("pin the action at the commit of the release 9.9.9"), "{error}");
    for same in ["1.2.3", "v1.2.3", ""] {
        release.install(&[("LOADGATE_VERSION", same)]).ended(0);
    }
}

#[test]
fn a_version_that_is_none_becomes_no_address() {
    let release = Release::new();
    release.sandbox.write("VERSION", "../1.2.3");
    assert_eq!(release.refused(&[]), "VERSION is no version: ../1.2.3");
}

#[test]
fn a_binary_that_is_there_is_used_as_it_is() {
    let release = Release::new();
    for named in ["loadgate", &release.text("loadgate")] {
        release.install(&[("LOADGATE_BINARY", named), ("RUNNER_OS", "Plan 9")]).ended(0);
        assert_eq!(release.binary(), Some(release.sandbox.path("loadgate")));
    }
    for (wrong, why) in
        [("VERSION", "`binary` is no program: VERSION"), ("temp", "`binary` is no program: temp")]
    {
        assert_eq!(release.refused(&[("LOADGATE_BINARY", wrong)]), why);
    }
    release.sandbox.program("broken", "#!/bin/sh\nexit 1\n");
    assert_eq!(
        release.refused(&[("LOADGATE_BINARY", "broken")]),
        "this loadgate does not run on this machine: broken"
    );
}

#[test]
fn a_binary_that_is_there_is_looked_for_where_loadgate_will_run() {
    let release = Release::new();
    release.sandbox.program("services/shop/mine", "#!/bin/sh\necho loadgate 7\n");
    let folder = ("LOADGATE_WORKING_DIRECTORY", "services/shop");
    release.install(&[("LOADGATE_BINARY", "./mine"), folder]).ended(0);
    let binary = release.binary().expect("a binary");
    assert!(binary.is_absolute() && binary.ends_with("services/shop/mine"), "{}", binary.display());
    let nowhere = ("LOADGATE_WORKING_DIRECTORY", "nowhere");
    let text = release.install(&[("LOADGATE_BINARY", "loadgate"), nowhere]).ended(2);
    assert_eq!(text, "::error title=loadgate::`working-directory` is no folder: nowhere\n");
}

#[test]
fn a_binary_that_is_there_must_be_the_version_that_is_expected() {
    let release = Release::new();
    for same in ["1.2.3", "v1.2.3"] {
        release.install(&[("LOADGATE_BINARY", "loadgate"), ("LOADGATE_VERSION", same)]).ended(0);
    }
    assert_eq!(
        release.refused(&[("LOADGATE_BINARY", "loadgate"), ("LOADGATE_VERSION", "1.2.4")]),
        "`version` is 1.2.4, and loadgate says that it is loadgate 1.2.3"
    );
}

#[test]
fn a_release_that_is_not_there_says_where_it_was_looked_for() {
    let release = Release::new();
    std::fs::remove_dir_all(release.sandbox.path("releases")).unwrap();
    let error = release.refused(&[]);
    assert!(error.starts_with(&format!("cannot download file://releases/v1.2.3/{ARCHIVE}. ")), "{error}");
}

#[test]
fn releases_come_over_tls_or_from_a_folder() {
    let release = Release::new();
    for mirror in ["http://127.0.0.1:1", "ftp://127.0.0.1", "file://host/x", "-o/tmp/x", "x%\ny"] {
        let error = release.refused(&[("LOADGATE_RELEASES", mirror)]);
        let shown = mirror.replace('%', "%25").replace('\n', "%0A");
        let expected = format!("LOADGATE_RELEASES must begin with https:// or file:///, and is {shown}");
        assert_eq!(error, expected);
    }
}

#[test]
fn without_a_release_it_is_built_from_source() {
    let release = Release::new();
    std::fs::remove_file(release.sandbox.path("VERSION")).unwrap();
    let error = release.refused(&[]);
    assert!(
        error.starts_with("this commit of the action is no release, so it is built from source"),
        "{error}"
    );
    // In place of cargo: what it would leave behind.
    release.sandbox.program(
        "bin/cargo",
        "#!/bin/sh\nset -e\necho \"$@\" >asked\nwhile [ \"$1\" != --target-dir ]; do shift; done\n\
         mkdir -p \"$2/release\"\ncp loadgate \"$2/release/loadgate\"\n",
    );
    let path = format!("{}:/usr/bin:/bin", release.text("bin"));
    release.install(&[("PATH", &path)]).ended(0);
    assert_eq!(release.binary(), Some(release.sandbox.path("target/release/loadgate")));
    assert!(
        release.sandbox.read("asked").starts_with("build --release --locked --bin loadgate --manifest-path ")
    );
    let error = release.install(&[("PATH", &path), ("LOADGATE_VERSION", "1.2.3")]).ended(1);
    assert!(error.contains("this commit of the action is no release, so it does not know"), "{error}");
}
