//! A folder of its own for a script, and a run of it with a clean environment.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_loadgate");
/// What scripts may find: neither cargo nor anything of a virtual environment.
const PATH: &str = "/usr/bin:/bin";

/// The root of this repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Two loads at once on a small machine would measure each other: whoever holds this is the only one.
pub fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder to write to.
pub struct Sandbox {
    folder: TempDir,
}

/// How a program ended, and what it said.
pub struct Finished {
    pub code: i32,
    pub text: String,
}

impl Sandbox {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, text).expect("a file written");
        path
    }

    /// A file that can be run.
    pub fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.write(name, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made a program");
        path
    }

    /// A file of this repository, at the same place in the folder.
    pub fn borrow(&self, name: &str) -> PathBuf {
        let text = fs::read_to_string(root().join(name)).expect("a file of the repository");
        self.program(name, &text)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// A program in this folder that knows of the world only what it is told.
    pub fn command(&self, program: impl AsRef<Path>, variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().env("PATH", PATH).env("HOME", self.folder.path()).envs(variables.iter().copied());
        command.current_dir(self.folder.path());
        command
    }

    pub fn run(&self, program: impl AsRef<Path>, variables: &[(&str, &str)]) -> Finished {
        finish(&mut self.command(program, variables))
    }

    /// Names of files below a folder, however deep.
    pub fn files(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        collect(&self.path(name), &mut found);
        let relative = found.iter().map(|path| path.strip_prefix(self.folder.path()).expect("below"));
        let mut names: Vec<String> = relative.map(|path| path.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Finished {
    /// Its exit status, if it should be this one; else the test fails with what it said.
    #[track_caller]
    pub fn ended(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}", self.text);
        self.text
    }
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Finished {
    let Output { status, stdout, stderr } = command.output().expect("a program that starts");
    let text = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Finished { code: status.code().unwrap_or(-1), text }
}

/// What a file of outputs says, in either form that GitHub understands.
pub fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some((name, end)) = line.split_once("<<") {
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
            found.insert(name.to_owned(), value.join("\n"));
        } else if let Some((name, value)) = line.split_once('=') {
            found.insert(name.to_owned(), value.to_owned());
        }
    }
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { collect(&path, found) } else { found.push(path) }
    }
}
