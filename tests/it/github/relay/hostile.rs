//! Artifacts that no run leaves, and texts that would rather be something else.

use loadgate::result::schema::RunResult;
use serde_json::{Value, json};

use super::super::mock::artifact::archive;
use super::super::runner::Command;
use super::{MEASURED, Scene, document, edited, failed};
use crate::reports::{heavy_result, hostile_result};

#[test]
fn an_artifact_that_is_gone_or_weighs_too_much_is_not_downloaded() {
    for (expired, size, said) in [(true, 1, "it has expired"), (false, (64 << 20) + 1, "larger than 64 MiB")]
    {
        let scene = Scene::measured(&failed());
        scene.github.with(|repository| {
            (repository.artifacts[0].expired, repository.artifacts[0].size) = (expired, size);
        });
        let step = scene.fail(&scene.job(|_| ()));
        assert_eq!((step.code, scene.github.downloads().len()), (1, 0));
        assert!(step.stderr.contains(said), "{}", step.stderr);
    }
    let scene = Scene::left(vec![0; 65 << 20]);
    scene.github.with(|repository| repository.artifacts[0].size = 1);
    let step = scene.fail(&scene.job(|_| ()));
    assert_eq!(step.code, 1);
    assert!(step.stderr.contains("is larger than 67108864 bytes"), "{}", step.stderr);
}

#[test]
fn an_artifact_that_no_run_leaves_is_refused_with_a_reason() {
    let json = |text: &str| archive(&[("result.json", text.as_bytes())]);
    let zeros = vec![0; 3 << 20];
    let many: Vec<(String, &[u8])> = (0..65).map(|n| (format!("{n}.csv"), b"".as_slice())).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    let planted = "x\n::error::pwned\n##[error]pwned";
    for (zip, said) in [
        (b"{\"message\":\"Not Found\"}".to_vec(), "it is no zip"),
        (archive(&[("report.html", b"<p>")]), "it holds no `result.json`"),
        (archive(&[("run/result.json", b"{}")]), "it holds no `result.json`"),
        (archive(&[("../result.json", b"{}")]), "is no path within it: `../result.json`"),
        (archive(&[(planted, b"{}")]), "is no path within it: `x\\n::error::pwned"),
        (archive(&many), "it has 65 entries"),
        (archive(&[("result.json", &zeros)]), "more than 200 times its size"),
        (json(""), "is nothing that a run writes"),
        (json("{}"), "it has no number `schema`"),
        (json(&edited(|it| it["schema"] = json!(2))), "has schema 2"),
        (json(&edited(|it| it["duration_s"] = json!(1e308))), "a number beyond any"),
        (json(&edited(|it| it["verdict"] = Value::Null)), "has no verdict"),
        (json(&edited(|it| it["name"] = json!("x".repeat(501)))), "a text of more than 500 bytes"),
        (json(&edited(|it| it["endpoints"] = json!(vec![0; 1_000_000]))), "more than 10000 elements"),
        (json(&edited(|it| it["verdict"]["status"] = json!(planted))), "unknown variant `x\\n::error::pwned"),
        (
            json(&edited(|it| it["verdict"]["status"] = json!("passed"))),
            "contradicts itself: the status is Passed",
        ),
        (
            json(&edited(|it| it["verdict"]["exit_status"] = json!(0))),
            "contradicts itself: the exit status is 0",
        ),
        (json(&edited(|it| it["whole_run"]["ok"] = json!(1))), "contradicts itself: ok in whole_run"),
        (json(&document(&hostile_result())), "is nothing that a run writes"),
    ] {
        let scene = Scene::left(zip);
        let step = scene.fail(&scene.job(|_| ()));
        assert_eq!(step.code, 1, "{said}: {}", step.stderr);
        assert!(
            step.stderr.contains("the artifact `loadgate-report` of run 77 is refused"),
            "{}",
            step.stderr
        );
        assert!(step.stderr.contains(said), "{said}: {}", step.stderr);
        let ours = |it: &&Command| it.name == "error" && it.properties.contains_key("title");
        assert_eq!(step.log.commands.iter().filter(ours).count(), step.log.commands.len(), "{}", step.stderr);
        assert_eq!(step.log.commands.len(), 1, "{}", step.stderr);
    }
}

#[test]
fn texts_of_a_fork_are_shown_and_do_nothing() {
    let mut result = hostile_result();
    shorten(&mut result);
    let scene = Scene::measured(&result);
    let step = scene.relay(&[]);
    assert_eq!(step.code, 0, "{}", step.stderr);
    assert!(step.log.commands.is_empty() && step.outputs.is_empty(), "{}", step.stderr);
    let comments = scene.comments();
    assert_eq!(comments.len(), 1, "{}", step.stderr);
    harmless(&comments[0].body);
}

#[test]
fn five_hundred_endpoints_are_no_attack() {
    let scene = Scene::measured(&heavy_result());
    let step = scene.relay(&["--comment", "always"]);
    assert_eq!((step.code, scene.comments().len()), (0, 1), "{}", step.stderr);
}

/// To what a run could write: the longest text of those that reports must withstand is none.
fn shorten(result: &mut RunResult) {
    let mut document = serde_json::to_value(&*result).expect("JSON");
    cut(&mut document);
    *result = serde_json::from_value(document).expect("a result");
}

fn cut(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("xxxx") => text.truncate(400),
        Value::Array(list) => list.iter_mut().for_each(cut),
        Value::Object(fields) => {
            let cut_fields = std::mem::take(fields).into_iter().map(|(mut name, mut value)| {
                if name.starts_with("xxxx") {
                    name.truncate(400);
                }
                cut(&mut value);
                (name, value)
            });
            *fields = cut_fields.collect();
        }
        _ => {}
    }
}

/// That a text renders to no picture, script or mention, and to no link but that to the run.
fn harmless(markdown: &str) {
    let mut options = comrak::Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    let html = comrak::markdown_to_html(markdown, &options).replace(&format!("<a href=\"{MEASURED}\">"), "");
    for tag in ["<img", "<a ", "<script", "<iframe", "<style"] {
        assert!(!html.contains(tag), "{tag} in {html}");
    }
    // Nobody is called in code.
    let code = regex::Regex::new("(?s)<code>.*?</code>").expect("an expression");
    let mention = regex::Regex::new(r"@\w").expect("an expression");
    assert!(!mention.is_match(&code.replace_all(&html, "")), "{html}");
}
