//! Holds the shape of the program, as far as its text shows it: which room may import which, and where
//! files, environment, wall clock, printing and async may occur.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Imports point left only.
const LINE: [&str; 14] = [
    "units", "metric", "clock", "template", "runner", "stats", "config", "plan", "load", "result",
    "baseline", "gate", "report", "github",
];

/// Right of the line, where everything is put together; nothing on the line knows of them.
const COMPOSITION: [&str; 5] = ["cli", "error", "commands", "main", "lib"];

/// Outside the line: what each of these may import.
const APART: [(&str, &[&str]); 2] = [("demo", &["units", "clock", "stats"]), ("stats", &[])];

/// What may occur only in some places: words, and the paths (without `.rs`) they may occur in.
const CONFINED: [(&str, &[&str], &[&str]); 5] = [
    (
        "files",
        &["std::fs", "tokio::fs", "fs::", "File::open", "File::create", "OpenOptions"],
        &[
            "config/file",
            "config/data",
            "load/protocol/connect",
            "load/health",
            "load/machine",
            "load/target",
            "commands/init",
            "runner",
            "result/file",
            "baseline",
            "report/write",
            "github",
        ],
    ),
    ("the environment", &["env::var", "env::vars"], &["cli", "github/context"]),
    ("the wall clock", &["SystemTime", "Timestamp::now", "Zoned::now"], &["clock"]),
    (
        "printing",
        &["println!", "print!(", "io::stdout", "io::stderr"],
        &["main", "report/progress", "report/write", "github/command"],
    ),
    (
        "async",
        &["async fn", "async move", "async {", ".await"],
        &["load", "report/live", "github/client", "demo", "commands"],
    ),
];

/// No sockets, no runtime, no randomness without a seed; files and environment are confined above.
const PURE: [&str; 7] = ["units", "metric", "stats", "plan", "result", "gate", "template"];
const IMPURE: [&str; 5] = ["std::net", "tokio::", "rand::rng(", "SysRng", "process::Command"];

const MOST_LINES: usize = 600;

/// A source file without its comments and tests.
struct Source {
    /// Below `src`, without `.rs` and `/mod`.
    path: String,
    room: String,
    code: String,
    text: String,
}

#[test]
fn imports_point_left_only() {
    let wrong = violations(|source| {
        let imported = imports(&source.code);
        let wrong = imported.into_iter().filter(|room| !may_import(&source.room, room));
        wrong.map(|room| format!("`{}` imports `{room}`", source.path)).collect()
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_room_has_its_place_on_the_line() {
    let known = |room: &str| LINE.contains(&room) || COMPOSITION.contains(&room) || room == "demo";
    let rooms: BTreeSet<String> = sources().into_iter().map(|source| source.room).collect();
    let unknown: Vec<_> = rooms.iter().filter(|room| !known(room)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn files_environment_wall_clock_printing_and_async_occur_only_where_they_may() {
    let wrong = violations(|source| {
        let confined =
            CONFINED.iter().filter(|(_, _, places)| !places.iter().any(|place| within(source, place)));
        confined.flat_map(|(what, words, _)| occurrences(source, words, what)).collect()
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pure_rooms_are_pure() {
    let wrong = violations(|source| {
        let pure = PURE.contains(&source.room.as_str());
        if pure { occurrences(source, &IMPURE, "the outside world") } else { Vec::new() }
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_says_what_it_is_for_and_ends_in_time() {
    let wrong = violations(|source| {
        let silent = !source.text.starts_with("//!");
        let long = source.text.lines().count() > MOST_LINES;
        let said = [(silent, "does not open with `//!`"), (long, "is longer than 600 lines")];
        said.iter().filter(|(wrong, _)| *wrong).map(|(_, what)| format!("`{}` {what}", source.path)).collect()
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn one_tls_stack_is_locked() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock");
    let locked = |name: &str| lock.contains(&format!("name = \"{name}\"\n"));
    assert!(locked("rustls") && locked("ring"));
    for other in ["aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys", "native-tls", "tokio-native-tls"] {
        assert!(!locked(other), "{other} is a second TLS stack");
    }
}

#[test]
fn imports_are_found_alone_in_groups_and_in_paths() {
    let code = "use crate::plan::{Plan, load::Load};\nuse crate::{clock, units::{Rate, Ratio}, gate as g};\nlet x = crate::metric::Metric::P50;";
    let found: Vec<String> = imports(code).into_iter().collect();
    assert_eq!(found, ["clock", "gate", "metric", "plan", "units"]);
}

#[test]
fn comments_and_tests_are_not_code() {
    let text = "//! std::fs\nfn a() {} // crate::gate\n#[cfg(test)]\nmod tests {\n    use crate::github;\n}\nfn b() {}\n";
    assert_eq!(code(text), "fn a() {} \nfn b() {}\n");
    assert_eq!(code("#[cfg(test)]\nmod tests;\nfn a() {}\n"), "fn a() {}\n");
}

fn may_import(room: &str, imported: &str) -> bool {
    if room == imported || COMPOSITION.contains(&room) {
        return true;
    }
    if let Some((_, allowed)) = APART.iter().find(|(apart, _)| *apart == room) {
        return allowed.contains(&imported);
    }
    let place = |room: &str| LINE.iter().position(|known| *known == room);
    place(imported).is_some_and(|there| Some(there) < place(room))
}

/// The first segment of every path that begins with `crate::`.
fn imports(code: &str) -> BTreeSet<String> {
    code.split("crate::").skip(1).flat_map(heads).collect()
}

fn heads(path: &str) -> Vec<String> {
    match path.strip_prefix('{') {
        Some(group) => members(group).iter().map(|member| word(member.trim())).collect(),
        None => vec![word(path)],
    }
}

/// The members of a group, up to the brace that closes it.
fn members(group: &str) -> Vec<String> {
    let mut depth = 0_i32;
    let mut members = vec![String::new()];
    for character in group.chars() {
        match character {
            '}' if depth == 0 => break,
            ',' if depth == 0 => {
                members.push(String::new());
                continue;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if let Some(member) = members.last_mut() {
            member.push(character);
        }
    }
    members.retain(|member| !member.trim().is_empty());
    members
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn occurrences(source: &Source, words: &[&str], what: &str) -> Vec<String> {
    let found = words.iter().filter(|word| source.code.contains(**word));
    found.map(|word| format!("`{}` has {what}: `{word}`", source.path)).collect()
}

fn within(source: &Source, place: &str) -> bool {
    source.path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn violations(check: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    sources().iter().flat_map(check).collect()
}

fn sources() -> Vec<Source> {
    let folder = root().join("src");
    let mut files = Vec::new();
    collect(&folder, &mut files);
    files.iter().filter_map(|file| read(&folder, file)).collect()
}

/// None for a file of tests.
fn read(folder: &Path, file: &Path) -> Option<Source> {
    let path = file.strip_prefix(folder).ok()?.with_extension("").to_string_lossy().into_owned();
    let path = path.trim_end_matches("/mod").to_owned();
    if path.ends_with("/tests") || path.contains("/tests/") {
        return None;
    }
    let text = fs::read_to_string(file).expect("a source file");
    let room = path.split('/').next().unwrap_or_default().to_owned();
    Some(Source { path, room, code: code(&text), text })
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Without comments and without what is compiled for tests alone: such an item ends at the first line that
/// closes it without indentation.
fn code(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" {
            lines.find(|line| *line == "}" || (line.ends_with(';') && !line.starts_with(' ')));
        } else if !line.trim_start().starts_with("//") {
            kept.push_str(line.split("// ").next().unwrap_or_default());
            kept.push('\n');
        }
    }
    kept
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
