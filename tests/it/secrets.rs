//! Whatever a service makes of a secret and returns, no file, stream or report has it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::harness::Workspace;
use crate::recording_server::{RecordingServer, closing, ok};

/// Has a character for every encoding below to change.
const SECRET: &str = "Zq7/é&x Kw9\"j5";
const TOKEN: &str = "tok/en&4711-Qm8w";

fn encoded(secret: &str) -> Vec<String> {
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let ascii: String = secret
        .encode_utf16()
        .map(|unit| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("\\u{unit:04x}"),
        })
        .collect();
    vec![
        secret.to_owned(),
        form.replace('+', "%20"),
        form.to_lowercase(),
        form.replace('%', "%25"),
        ascii.clone(),
        ascii.replace('\\', "\\\\"),
        secret.replace('/', "\\/").replace('"', "\\\""),
        secret.replace('&', "&amp;").replace('"', "&quot;").replace('é', "&eacute;"),
        STANDARD.encode(secret),
        STANDARD.encode(format!("user:{secret}")),
        URL_SAFE_NO_PAD.encode(format!("a:{secret}:b")),
        secret.bytes().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().concat(),
        form,
    ]
}

#[test]
fn no_encoding_of_a_secret_comes_through() {
    let forms: Vec<(String, String)> = [("env", SECRET), ("captured", TOKEN)]
        .iter()
        .flat_map(|(kind, secret)| {
            encoded(secret)
                .into_iter()
                .enumerate()
                .map(move |(index, form)| (format!("/{kind}{index}"), form))
        })
        .collect();
    let mut answers = HashMap::new();
    answers.insert(
        b"/login".to_vec(),
        closing(200, &[], serde_json::json!({"token": TOKEN}).to_string().as_bytes()),
    );
    for (path, form) in &forms {
        // Some are cut off where messages end, each at another place.
        let body = format!("{{\"error\": \"{} was refused: {form}\"}}", "x".repeat(path.len() * 7 % 110));
        answers.insert(path.clone().into_bytes(), closing(500, &[], body.as_bytes()));
    }
    let server =
        RecordingServer::start(move |request| answers.get(&request.raw_target).cloned().unwrap_or_else(ok));
    let steps: Vec<_> = forms
        .iter()
        .map(|(path, _)| serde_json::json!({
            "get": path, "on_failure": "continue",
            "headers": {"authorization": "Bearer {{ token }}", "x-key": "{{ env('SHOP_KEY') | urlencode }}"},
        }))
        .collect();
    let login =
        serde_json::json!({"get": "/login", "capture": {"token": {"json": "$.token", "secret": true}}});
    let steps = [&[login][..], &steps].concat();
    let config = serde_json::json!({
        "version": 1,
        "name": "secrets",
        "environments": {"here": {"host": format!("http://{}", server.address), "users": 1, "run_time": "1s"}},
        "scenarios": {"s": {"users": {"u": {"steps": steps}}}},
    });
    let workspace = Workspace::with_config(&config.to_string());
    for arguments in [&["run", "--formats", "json,html,markdown,csv,junit"][..], &["check", "--trace"]] {
        let mut command = workspace.command(arguments);
        command.env("SHOP_KEY", SECRET);
        let finished = workspace.finish(command);
        assert!(
            [0, 3, 6].contains(&finished.code()),
            "{}\n{}\n{}",
            finished.code(),
            finished.stdout,
            finished.stderr
        );
        let mut texts = vec![("stdout".to_owned(), finished.stdout), ("stderr".to_owned(), finished.stderr)];
        collect(&workspace.path("reports"), &mut texts);
        for (name, text) in &texts {
            for secret in [SECRET, TOKEN] {
                for form in encoded(secret).iter().chain(&[first_half(secret), second_half(secret)]) {
                    assert!(!text.contains(form.as_str()), "{name} has {form}");
                }
            }
        }
        assert!(texts.iter().any(|(_, text)| text.contains("***")));
    }
}

/// What would be left of a secret that is masked in part.
fn first_half(secret: &str) -> String {
    secret.chars().take(5).collect()
}

fn second_half(secret: &str) -> String {
    secret.chars().skip(secret.chars().count() - 5).collect()
}

fn collect(folder: &Path, texts: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, texts);
        } else {
            let bytes = fs::read(&path).expect("a file");
            texts.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}
