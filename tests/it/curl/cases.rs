//! The cases: what both clients are told to do, and what the server answers. Each list is crossed with others, so
//! that a rule is seen in every place where it holds.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::recording_server::closing;

/// What stands in a body that must be read.
pub const MARK: &str = "the-body-was-read";

/// A request that both clients are told to make.
#[derive(Debug, Clone, Default)]
pub struct Step {
    pub method: &'static str,
    /// Behind the folder of the case.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub query: Vec<(String, String)>,
    pub form: Vec<(String, String)>,
    /// Credentials in the URL.
    pub userinfo: &'static str,
    /// Whether the body of the answer must hold [`MARK`].
    pub reads: bool,
}

/// One case.
#[derive(Debug, Clone, Default)]
pub struct Case {
    pub group: &'static str,
    pub about: String,
    pub steps: Vec<Step>,
    /// Answers by path behind the folder of the case. `{base}` in them is the URL of that folder, `{other}` the same
    /// under another name of the host.
    pub answers: Vec<(String, Vec<u8>)>,
    /// Why the two do not do the same; empty where they must.
    pub differs: &'static str,
}

const REFUSED_BY_CURL: &str = "curl refuses a space in a URL, which is percent-encoded here";
const INVALID_MAX_AGE: &str =
    "a max-age that is no number is ignored (RFC 6265, 5.2.2); curl drops the cookie";
const SLASH_AT_THE_END: &str = "a cookie path that ends in a slash does not match the path without it (RFC 6265, 5.1.4); in curl it does";
const RELATIVE_PATH: &str = "a path that does not begin with a slash is the folder of the request (RFC 6265, 5.2.4); in curl it is the root";
const CASE_OF_NAMES: &str =
    "names of cookies that differ in case are two (RFC 6265, 5.3); to curl they are one";
const OTHER_REDIRECTS: &str =
    "only 301, 302, 303, 307 and 308 are followed (RFC 9110, 15.4); curl follows every 3xx";
const BODY_ELSEWHERE: &str = "a body goes to another origin only where the configuration names it";
const GZIP_MEMBERS: &str =
    "several members, or zeros behind them, are one stream (RFC 1952, 2.2); curl fails";
const NO_TRAILER: &str = "a stream without its checksum is not complete; curl takes it";
const TWO_LENGTHS: &str = "two lengths that differ cannot be recovered from (RFC 9112, 6.3); curl takes one";
const NO_NAME: &str = "a header has a name of one character at least (RFC 9110, 5.1); curl ignores the line";
const LOWER_CASE: &str = "the name of the protocol is case-sensitive (RFC 9112, 2.3); to curl it is not";

fn get(path: impl Into<String>) -> Step {
    Step { method: "GET", path: path.into(), ..Step::default() }
}

/// All cases, in a fixed order.
pub fn all() -> Vec<Case> {
    [urls(), queries(), headers(), cookies(), redirects(), codings(), heads()].concat()
}

fn urls() -> Vec<Case> {
    let paths = [
        "/",
        "/a",
        "/a/",
        "//",
        "//a//b",
        "/a/./b",
        "/a/../b",
        "/../x",
        "/.",
        "/..",
        "/a/..",
        "/%2e%2e/x",
        "/a%2Fb",
        "/a%2fb",
        "/a%20b",
        "/a+b",
        "/a&b=c",
        "/a;b=1",
        "/a=b",
        "/a:b",
        "/a@b",
        "/a,b",
        "/a!b$c",
        "/a'b",
        "/(a)*",
        "/{a}",
        "/[a]",
        "/a|b",
        "/a^b",
        "/a\\b",
        "/a~b",
        "/a_b-c.d",
        "/a%",
        "/a%zz",
        "/%41",
        "/a b",
        "/ä",
        "/日本",
        "/a\"b",
        "/a<b>",
        "/a`b",
        "/a?",
        "/a?b",
        "/a?b=c&d=e",
        "/a?b=c?d",
        "/a?b=/../c",
        "/a?b=%26",
        "/a?b=+",
        "/a?q={x}",
        "/a?q=[1]",
        "/a?q=a|b",
        "/a?q='x'",
        "/a?q=ü",
        "/a?q=a b",
        "/a#b",
        "/a?b#c",
        "/a#b?c",
        "/a?b=\"c\"",
        "/a?b=<c>",
        "/a?x=1&x=2",
        "/a?%E4",
        "/http://x.example/y",
    ];
    let alone = |path: &&str| Case {
        group: "url",
        about: (*path).to_owned(),
        steps: vec![get(*path)],
        differs: if path.contains(' ') { REFUSED_BY_CURL } else { "" },
        ..Case::default()
    };
    paths.iter().map(alone).collect()
}

fn queries() -> Vec<Case> {
    let values =
        ["", "a", "a b", "a+b", "a&b=c", "ä", "日", "%41", "100%", "a/b?c", "~._-", "*!'()", "\"<>", "a\tb"];
    let mut cases = Vec::new();
    for value in values {
        let fields = vec![("k".to_owned(), value.to_owned()), ("z".to_owned(), "1".to_owned())];
        cases.push(Case {
            group: "query",
            about: value.to_owned(),
            steps: vec![Step { query: fields.clone(), ..get("/q") }],
            ..Case::default()
        });
        cases.push(Case {
            group: "form",
            about: value.to_owned(),
            steps: vec![Step { method: "POST", form: fields, ..get("/f") }],
            ..Case::default()
        });
    }
    cases
}

fn headers() -> Vec<Case> {
    let headers = [
        ("x-a", "b"),
        ("X-Mixed-Case", "b"),
        ("x-empty", ""),
        ("x-space", "a  b"),
        ("x-utf8", "grüße"),
        ("x-colon", "a:b:c"),
        ("x-comma", "a, b"),
        ("x-quote", "\"a\""),
        ("x-tab", "a\tb"),
        ("x-long", "LONG"),
        ("accept", "application/json"),
        ("user-agent", "mine/1"),
        ("host", "other.example"),
        ("accept-encoding", "gzip"),
        ("content-type", "text/plain"),
        ("cookie", "a=b; c=d"),
        ("authorization", "Bearer x.y-z"),
        ("referer", "http://x.example/"),
        ("x-percent", "%41%"),
        ("range", "bytes=0-1"),
        ("if-none-match", "\"x\""),
        ("connection", "close"),
        ("x_under", "a"),
    ];
    let mut cases = Vec::new();
    for (name, value) in headers {
        let value = if value == "LONG" { "v".repeat(8_000) } else { value.to_owned() };
        for method in ["GET", "POST"] {
            let form = if method == "POST" { vec![("a".to_owned(), "b".to_owned())] } else { Vec::new() };
            let headers = vec![(name.to_owned(), value.clone())];
            cases.push(Case {
                group: "header",
                about: format!("{method} {name}"),
                steps: vec![Step { method, headers, form, ..get("/h") }],
                ..Case::default()
            });
        }
    }
    for userinfo in ["user:pass@", "user@", "user:@", ":pass@", "us%40er:p%3Ass%2F@", "u:p%C3%A4@"] {
        cases.push(Case {
            group: "userinfo",
            about: userinfo.to_owned(),
            steps: vec![Step { userinfo, ..get("/u") }],
            ..Case::default()
        });
    }
    for method in ["DELETE", "OPTIONS", "PATCH", "PUT", "PURGE", "PROPFIND", "REPORT", "M-SEARCH"] {
        cases.push(Case {
            group: "method",
            about: method.to_owned(),
            steps: vec![Step { method, ..get("/m") }],
            ..Case::default()
        });
    }
    cases
}

/// Cookies of one answer, by chance, and requests to several paths afterwards.
fn cookies() -> Vec<Case> {
    const PATHS: [&str; 6] = ["/", "/a", "/a/", "/a/b", "/ab", "/a/b/c"];
    let mut random = Xoshiro256PlusPlus::seed_from_u64(30);
    let one_of =
        |random: &mut Xoshiro256PlusPlus, from: &[&str]| from[random.random_range(0..from.len())].to_owned();
    let mut cases = Vec::new();
    for _ in 0..90 {
        let mut lines = Vec::new();
        for _ in 0..random.random_range(1..6) {
            let name = one_of(&mut random, &["a", "b", "sid", "c"]);
            let value = one_of(
                &mut random,
                &["1", "2", "", "a b", "\"q\"", "x=y", "ä", "a%20b", "{1}", "a,b", " pad "],
            );
            let mut line = format!("{name}={value}");
            for attribute in [
                ["", "", "Path=/FOLDER/a", "Path=/FOLDER/a/b", "Path=/", "Path=/other", "Path=/FOLDER"],
                ["", "", "", "Max-Age=100", "Max-Age=0", "Max-Age=-1", "MAX-AGE=60"],
                ["", "", "", "HttpOnly", "Secure", "SameSite=Lax", "Domain=127.0.0.1"],
                [
                    "",
                    "",
                    "",
                    "",
                    "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
                    "Expires=Fri, 31 Dec 2055 23:59:59 GMT",
                    "Expires=nonsense",
                ],
            ] {
                let attribute = one_of(&mut random, &attribute);
                if !attribute.is_empty() {
                    line += if random.random_bool(0.5) { "; " } else { ";" };
                    line += &attribute;
                }
            }
            lines.push(line);
        }
        let set: Vec<Vec<u8>> = lines.iter().map(|line| format!("set-cookie: {line}").into_bytes()).collect();
        let set: Vec<&[u8]> = set.iter().map(Vec::as_slice).collect();
        let from = one_of(&mut random, &PATHS);
        cases.push(Case {
            group: "cookie",
            about: format!("from {from}: {}", lines.join(" | ")),
            steps: [from.as_str()].iter().chain(&PATHS).map(|path| get(*path)).collect(),
            answers: vec![(from, closing(200, &set, b""))],
            ..Case::default()
        });
    }
    for (line, differs) in [
        ("set-cookie: a=1; max-age=x", INVALID_MAX_AGE),
        ("set-cookie: a=1; path=/FOLDER/a/", SLASH_AT_THE_END),
        ("set-cookie: a=1; path=relative", RELATIVE_PATH),
        ("set-cookie: A=1; path=/\r\nset-cookie: a=; path=/; max-age=0", CASE_OF_NAMES),
    ] {
        cases.push(Case {
            group: "cookie",
            about: line.to_owned(),
            steps: ["/a/b", "/", "/a", "/a/", "/a/b"].iter().map(|path| get(*path)).collect(),
            answers: vec![("/a/b".to_owned(), closing(200, &[line.as_bytes()], b""))],
            differs,
        });
    }
    cases
}

fn redirects() -> Vec<Case> {
    let locations: [&[u8]; 20] = [
        b"/FOLDER/end",
        b"end",
        b"./end",
        b"../end",
        b"?x=1",
        b"",
        b"{base}/end",
        b"{base}/end#frag",
        b"//HOST/FOLDER/end",
        b"{base}/a b",
        "{base}/ä".as_bytes(),
        b"{base}/\xe4",
        b"end?a=b&c=d",
        b"end;p=1",
        b"/FOLDER/a/../end",
        b"/FOLDER/%7Euser",
        b"/FOLDER/{x}",
        b"{other}/end",
        b" end ",
        b"end?q=a|b",
    ];
    let mut cases = Vec::new();
    for location in locations {
        for (status, method) in [(302, "GET"), (301, "POST"), (307, "POST"), (303, "POST"), (308, "HEAD")] {
            let form = if method == "POST" { vec![("a".to_owned(), "b".to_owned())] } else { Vec::new() };
            let headers = vec![("authorization".to_owned(), "Bearer x".to_owned())];
            cases.push(Case {
                group: "redirect",
                about: format!("{status} {method} {}", String::from_utf8_lossy(location)),
                steps: vec![Step { method, headers, form, ..get("/dir/begin") }],
                answers: vec![(
                    "/dir/begin".to_owned(),
                    closing(status, &[&[b"location: ", location].concat()], b""),
                )],
                differs: if status == 307 && location.starts_with(b"{other}") { BODY_ELSEWHERE } else { "" },
            });
        }
    }
    for status in [300, 304, 305, 306, 399] {
        cases.push(Case {
            group: "redirect",
            about: format!("{status}"),
            steps: vec![get("/dir/begin")],
            answers: vec![("/dir/begin".to_owned(), closing(status, &[b"location: end"], b""))],
            differs: OTHER_REDIRECTS,
        });
    }
    cases
}

fn compressed(coding: &str, body: &[u8]) -> Vec<u8> {
    let done = match coding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body).and_then(|()| encoder.finish())
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body).and_then(|()| encoder.finish())
        }
        _ => {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body).and_then(|()| encoder.finish())
        }
    };
    done.expect("memory takes everything")
}

fn codings() -> Vec<Case> {
    let mark = MARK.as_bytes();
    let (gzip, zlib, raw) = (compressed("gzip", mark), compressed("deflate", mark), compressed("raw", mark));
    let broken = {
        let mut broken = gzip.clone();
        broken[12] ^= 0xff;
        broken
    };
    let bodies: Vec<(&str, Vec<&str>, Vec<u8>)> = vec![
        ("none", vec![], mark.to_vec()),
        ("gzip", vec!["gzip"], gzip.clone()),
        ("GZIP", vec!["GZIP"], gzip.clone()),
        ("x-gzip", vec!["x-gzip"], gzip.clone()),
        ("zlib", vec!["deflate"], zlib.clone()),
        ("raw deflate", vec!["deflate"], raw),
        ("identity", vec!["identity"], mark.to_vec()),
        ("the word none", vec!["none"], mark.to_vec()),
        ("empty value", vec![""], mark.to_vec()),
        ("zeros behind", vec!["gzip"], [gzip.clone(), vec![0; 16]].concat()),
        (
            "two members",
            vec!["gzip"],
            [compressed("gzip", &mark[..5]), compressed("gzip", &mark[5..])].concat(),
        ),
        ("twice", vec!["gzip, gzip"], compressed("gzip", &gzip)),
        ("deflate, gzip", vec!["deflate, gzip"], compressed("gzip", &zlib)),
        ("two lines", vec!["deflate", "gzip"], compressed("gzip", &zlib)),
        ("identity and gzip", vec!["identity, gzip"], gzip.clone()),
        ("cut off", vec!["gzip"], gzip[..gzip.len() - 12].to_vec()),
        ("without the trailer", vec!["gzip"], gzip[..gzip.len() - 8].to_vec()),
        ("broken", vec!["gzip"], broken),
        ("not encoded", vec!["gzip"], mark.to_vec()),
        ("unknown", vec!["x-unknown"], mark.to_vec()),
    ];
    let case = |(about, names, body): (&str, Vec<&str>, Vec<u8>)| {
        let lines: Vec<Vec<u8>> =
            names.iter().map(|name| format!("content-encoding: {name}").into_bytes()).collect();
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        let headers = vec![("accept-encoding".to_owned(), "gzip, deflate".to_owned())];
        Case {
            group: "coding",
            about: about.to_owned(),
            steps: vec![Step { reads: true, headers, ..get("/c") }],
            answers: vec![("/c".to_owned(), closing(200, &lines, &body))],
            differs: match about {
                "zeros behind" | "two members" => GZIP_MEMBERS,
                "without the trailer" => NO_TRAILER,
                _ => "",
            },
        }
    };
    let mut cases: Vec<Case> = bodies.into_iter().map(case).collect();
    for coding in ["gzip", "deflate", "identity", "br"] {
        let line = format!("content-encoding: {coding}");
        cases.push(Case {
            group: "coding",
            about: format!("{coding} of nothing"),
            steps: vec![Step {
                headers: vec![("accept-encoding".to_owned(), "gzip, deflate".to_owned())],
                ..get("/c")
            }],
            answers: vec![("/c".to_owned(), closing(200, &[line.as_bytes()], b""))],
            ..Case::default()
        });
    }
    cases
}

fn heads() -> Vec<Case> {
    let many =
        |count: usize| (0..count).map(|index| format!("x-{index}: v\r\n")).collect::<Vec<_>>().concat();
    let long = |length: usize| format!("x-long: {}\r\n", "v".repeat(length));
    let body = format!("content-length: {}\r\n\r\n{MARK}", MARK.len());
    let chunked = format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n{MARK}\r\n0\r\n\r\n", MARK.len());
    let heads: Vec<(&str, String)> = vec![
        ("usual", format!("HTTP/1.1 200 OK\r\n{body}")),
        ("no reason", format!("HTTP/1.1 200\r\n{body}")),
        ("no reason but the space", format!("HTTP/1.1 200 \r\n{body}")),
        ("HTTP/1.0", format!("HTTP/1.0 200 OK\r\n{body}")),
        ("until the end", format!("HTTP/1.1 200 OK\r\n\r\n{MARK}")),
        ("bare line feeds", format!("HTTP/1.1 200 OK\n{}", body.replace("\r\n", "\n"))),
        ("folded", format!("HTTP/1.1 200 OK\r\nx-a: b\r\n  c\r\n{body}")),
        ("space before the colon", format!("HTTP/1.1 200 OK\r\nx-a : b\r\n{body}")),
        ("empty value", format!("HTTP/1.1 200 OK\r\nx-a:\r\n{body}")),
        ("no space", format!("HTTP/1.1 200 OK\r\n{}", body.replace(": ", ":"))),
        ("Latin-1 value", format!("HTTP/1.1 200 OK\r\nx-a: ÿ\r\n{body}")),
        ("129 headers", format!("HTTP/1.1 200 OK\r\n{}{body}", many(129))),
        ("1000 headers", format!("HTTP/1.1 200 OK\r\n{}{body}", many(1000))),
        ("60 KiB of one header", format!("HTTP/1.1 200 OK\r\n{}{body}", long(60 << 10))),
        ("200 KiB in four headers", format!("HTTP/1.1 200 OK\r\n{}{body}", long(50 << 10).repeat(4))),
        ("continue first", format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n{body}")),
        (
            "early hints first",
            format!("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n{body}"),
        ),
        ("chunked", format!("HTTP/1.1 200 OK\r\n{chunked}")),
        ("chunked, mixed case", format!("HTTP/1.1 200 OK\r\n{}", chunked.replace("chunked", "Chunked"))),
        (
            "chunked with an extension",
            format!("HTTP/1.1 200 OK\r\n{}", chunked.replace("11\r\n", "11;a=b\r\n")),
        ),
        ("chunked and a length", format!("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n{chunked}")),
        ("the same length twice", format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{body}", MARK.len())),
        ("two lengths", format!("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n{body}")),
        ("no length that is one", format!("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n{MARK}")),
        ("a negative length", format!("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{MARK}")),
        ("too short", format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{MARK}", MARK.len() + 5)),
        ("a status of 4 digits", format!("HTTP/1.1 2000 OK\r\n{body}")),
        ("no HTTP", format!("SMTP ready\r\n{body}")),
        ("no head at all", String::new()),
        ("a header without a colon", format!("HTTP/1.1 200 OK\r\nx-a\r\n{body}")),
        ("a header without a name", format!("HTTP/1.1 200 OK\r\n: b\r\n{body}")),
        ("lower case", format!("http/1.1 200 OK\r\n{body}")),
    ];
    let case = |(about, answer): (&str, String)| Case {
        group: "head",
        about: about.to_owned(),
        steps: vec![Step { reads: true, ..get("/h") }],
        answers: vec![("/h".to_owned(), answer.into_bytes())],
        differs: match about {
            "two lengths" => TWO_LENGTHS,
            "a header without a name" => NO_NAME,
            "lower case" => LOWER_CASE,
            _ => "",
        },
    };
    heads.into_iter().map(case).collect()
}
