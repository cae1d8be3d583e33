//! Hundreds of requests made by curl and by loadgate against one server, which keeps what it got of each. Where the
//! two differ, the difference has a name and a reason below; any other is a failure of the test.

mod cases;

use std::collections::{BTreeMap, HashMap};
use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::Workspace;
use crate::recording_server::{Recorded, RecordingServer, closing};
use cases::{Case, MARK, Step};

/// What a client did with a case.
#[derive(Debug)]
struct Seen {
    requests: Vec<Recorded>,
    /// Whether it took all answers, and found in the bodies what had to be there.
    was_content: bool,
}

#[test]
fn requests_are_those_of_curl() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let host = listener.local_addr().expect("an address").to_string();
    let cases = cases::all();
    let answers = answers(&cases, &host);
    let server = RecordingServer::on(listener, move |request| {
        answers.get(&request.raw_target).cloned().unwrap_or_else(|| closing(200, &[], b""))
    });
    let by_curl: Vec<Seen> =
        cases.iter().enumerate().map(|(index, case)| curl(&server, index, case)).collect();
    let by_loadgate = loadgate(&server, &cases);
    let (mut told, mut wrong) = (BTreeMap::<_, usize>::new(), Vec::new());
    for (index, case) in cases.iter().enumerate() {
        match (differences(case, &by_curl[index], &by_loadgate[index]), case.differs) {
            (Ok(names), "") => names.into_iter().for_each(|name| *told.entry(name).or_default() += 1),
            (Err(_), differs) if !differs.is_empty() => *told.entry(differs).or_default() += 1,
            (Ok(_), differs) => {
                wrong.push(format!("{index} {} {}: not so: {differs}", case.group, case.about));
            }
            (Err(what), _) => wrong.push(format!("{index} {} {}: {what}", case.group, case.about)),
        }
    }
    // `--nocapture` shows how often each was met.
    println!("{} cases; differences: {told:#?}", cases.len());
    assert!(wrong.is_empty(), "{} of {} cases\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    // Each difference that is explained below is there: an explanation of nothing would hide the next one.
    let explained: Vec<&str> = DIFFERENCES.iter().map(|difference| difference.name).collect();
    let unseen: Vec<_> = explained.iter().filter(|name| !told.contains_key(*name)).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}

/// What is answered, by path and query.
fn answers(cases: &[Case], host: &str) -> HashMap<Vec<u8>, Vec<u8>> {
    let other = host.replace("127.0.0.1", "localhost");
    let mut answers = HashMap::new();
    for (index, case) in cases.iter().enumerate() {
        for (path, answer) in &case.answers {
            let folder = format!("c{index}");
            let filled = [
                ("{base}", format!("http://{host}/{folder}")),
                ("{other}", format!("http://{other}/{folder}")),
                ("HOST", host.to_owned()),
                ("FOLDER", folder.clone()),
            ]
            .iter()
            .fold(answer.clone(), |answer, (word, text)| replaced(&answer, word.as_bytes(), text.as_bytes()));
            answers.insert(format!("/{folder}{path}").into_bytes(), filled);
        }
    }
    answers
}

fn replaced(bytes: &[u8], word: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(word) {
            out.extend_from_slice(by);
            at += word.len();
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}

/// The requests since the last time, the names of their headers in lower case.
fn taken(server: &RecordingServer) -> Vec<Recorded> {
    let mut requests = server.take();
    let names = requests.iter_mut().flat_map(|request| &mut request.headers);
    names.for_each(|(name, _)| name.make_ascii_lowercase());
    requests
}

fn url(server: &RecordingServer, index: usize, step: &Step) -> String {
    format!("http://{}{}/c{index}{}", step.userinfo, server.address, step.path)
}

fn curl(server: &RecordingServer, index: usize, case: &Case) -> Seen {
    let mut command = Command::new("curl");
    command.args(["-s", "-L", "-g", "--max-time", "10", "--noproxy", "*", "-b", ""]);
    let first = &case.steps[0];
    // Dot segments of a path are sent; those of a `Location` are resolved (RFC 3986, 5.2.4).
    if case.group != "redirect" {
        command.arg("--path-as-is");
    }
    if case.group == "coding" {
        command.arg("--compressed");
    }
    match first.method {
        "GET" | "POST" => {}
        "HEAD" => drop(command.arg("-I")),
        method => drop(command.args(["-X", method])),
    }
    for (name, value) in &first.headers {
        let header = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        command.args(["-H", &header]);
    }
    for (name, value) in &first.form {
        command.args(["--data-urlencode", &format!("{name}={value}")]);
    }
    for (name, value) in &first.query {
        command.args(["-G", "--data-urlencode", &format!("{name}={value}")]);
    }
    for step in &case.steps {
        command.arg(url(server, index, step));
    }
    let output = command.output().expect("curl runs");
    let read = String::from_utf8_lossy(&output.stdout).contains(MARK);
    let was_content = output.status.success() && (read || !first.reads);
    Seen { requests: taken(server), was_content }
}

fn loadgate(server: &RecordingServer, cases: &[Case]) -> Vec<Seen> {
    let users: serde_json::Map<String, Value> = cases
        .iter()
        .enumerate()
        .map(|(index, case)| {
            let steps: Vec<Value> = case.steps.iter().map(|step| described(server, index, step)).collect();
            (format!("c{index}"), json!({ "steps": steps }))
        })
        .collect();
    let config = json!({
        "version": 1,
        "name": "curl",
        "environments": {"here": {"host": format!("http://{}", server.address), "users": 1, "run_time": "1s"}},
        "scenarios": {"all": {"users": users}},
    });
    let workspace = Workspace::with_config(&config.to_string());
    let finished = workspace.run(&["check", "--trace"]);
    assert!([0, 3].contains(&finished.code()), "{}", finished.stderr);
    let requests = taken(server);
    let sections: BTreeMap<&str, &str> =
        finished.stdout.split("\nc").filter_map(|section| section.split_once(" · ")).collect();
    let seen = |index: usize| {
        let folder = format!("/c{index}/");
        let requests = requests.iter().filter(|request| request.raw_target.starts_with(folder.as_bytes()));
        let name = index.to_string();
        let section = sections.get(name.as_str()).or_else(|| sections.get(format!("c{index}").as_str()));
        let section = section.unwrap_or_else(|| panic!("no section of c{index}\n{}", finished.stdout));
        Seen { requests: requests.cloned().collect(), was_content: !section.contains('✗') }
    };
    (0..cases.len()).map(seen).collect()
}

fn described(server: &RecordingServer, index: usize, step: &Step) -> Value {
    // Half of all cases name the target, the other half give a path on it: one rule must hold for both.
    let whole = index % 2 == 1 || !step.userinfo.is_empty();
    let url = if whole { url(server, index, step) } else { format!("/c{index}{}", step.path) };
    let pairs = |pairs: &[(String, String)]| -> Value {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let mut described = json!({"name": format!("c{index}"), "on_failure": "continue"});
    match step.method {
        "GET" | "POST" | "HEAD" => described[step.method.to_lowercase()] = url.into(),
        method => described["request"] = json!({"method": method, "path": url}),
    }
    for (key, list) in [("headers", &step.headers), ("query", &step.query), ("form", &step.form)] {
        if !list.is_empty() {
            described[key] = pairs(list);
        }
    }
    if step.reads {
        described["expect"] = json!({"contains": MARK});
    }
    described
}

/// A way in which the two differ on purpose.
struct Difference {
    name: &'static str,
    /// Takes it out of a request.
    without: fn(&mut Recorded),
}

const DIFFERENCES: [Difference; 6] = [
    // Each says who it is.
    Difference {
        name: "user-agent",
        without: |request| {
            request.headers.retain(|(name, value)| {
                name != "user-agent" || !(value.starts_with(b"curl/") || value.starts_with(b"loadgate/"))
            });
        },
    },
    // A request line has visible ASCII alone (RFC 9112, 3.2). curl leaves that to whoever types the URL.
    Difference {
        name: "characters that no URL can have",
        without: |request| {
            let encoded = request.raw_target.iter().flat_map(|byte| {
                if byte.is_ascii_graphic() && !b"\"<>`".contains(byte) {
                    vec![*byte]
                } else {
                    format!("%{byte:02X}").into_bytes()
                }
            });
            request.raw_target = encoded.collect();
        },
    },
    // Both are what a form may look like: `+` is that of browsers (WHATWG URL, 5.2), `%20` that of curl.
    Difference {
        name: "spaces in forms",
        without: |request| {
            request.raw_target = replaced(&request.raw_target, b"%20", b"+");
            request.body = replaced(&request.body, b"%20", b"+");
            let has_body = !request.body.is_empty();
            request.headers.retain(|(name, _)| !has_body || name != "content-length");
        },
    },
    // Likewise: which characters need no escape in a form. The value is the same.
    Difference {
        name: "characters that forms leave",
        without: |request| {
            request.raw_target = decoded(&request.raw_target);
            request.body = decoded(&request.body);
        },
    },
    // RFC 9110, 8.6: a length of 0 should be told where the method expects content.
    Difference {
        name: "length of nothing",
        without: |request| {
            request.headers.retain(|(name, value)| name != "content-length" || value != b"0");
        },
    },
    // RFC 6265, 5.4: of paths of one length the earliest cookie comes first; in curl the latest does.
    Difference {
        name: "order of cookies whose paths are of one length",
        without: |request| {
            for (_, value) in request.headers.iter_mut().filter(|(name, _)| name == "cookie") {
                let text = String::from_utf8_lossy(value).into_owned();
                let mut cookies: Vec<&str> = text.split("; ").collect();
                cookies.sort_unstable();
                *value = cookies.join("; ").into_bytes();
            }
        },
    },
];

fn decoded(bytes: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = bytes.to_vec();
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let escape = text.get(at..at + 3).filter(|escape| escape[0] == b'%');
        let byte =
            escape.and_then(|escape| u8::from_str_radix(std::str::from_utf8(&escape[1..]).ok()?, 16).ok());
        out.push(byte.unwrap_or(text[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    out
}

/// The names of the differences between what two clients did; an error that shows one which has no name.
fn differences(case: &Case, curl: &Seen, ours: &Seen) -> Result<Vec<&'static str>, String> {
    let mut names = Vec::new();
    if curl.was_content != ours.was_content && case.steps[0].reads {
        return Err(format!("curl was content: {}, loadgate: {}", curl.was_content, ours.was_content));
    }
    let (mut left, mut right) = (curl.requests.clone(), ours.requests.clone());
    left.iter_mut().chain(&mut right).for_each(|request| request.headers.sort());
    for difference in &DIFFERENCES {
        if left == right {
            return Ok(names);
        }
        let before = (left.clone(), right.clone());
        left.iter_mut().chain(&mut right).for_each(difference.without);
        if (&before.0, &before.1) != (&left, &right) {
            names.push(difference.name);
        }
    }
    if left == right {
        Ok(names)
    } else {
        Err(format!("curl sent\n{}\nloadgate sent\n{}", shown(&left), shown(&right)))
    }
}

fn shown(requests: &[Recorded]) -> String {
    let one = |request: &Recorded| {
        let headers: Vec<String> = request
            .headers
            .iter()
            .map(|(name, value)| {
                format!(" {name}: {};", String::from_utf8_lossy(value).chars().take(80).collect::<String>())
            })
            .collect();
        let headers = headers.concat();
        format!(
            "    {} {}{headers} [{}]",
            request.method,
            String::from_utf8_lossy(&request.raw_target),
            String::from_utf8_lossy(&request.body)
        )
    };
    requests.iter().map(one).collect::<Vec<_>>().join("\n")
}
