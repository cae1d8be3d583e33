use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

use super::*;

fn clean(secrets: &[&str], text: &str) -> String {
    Redactor::new(secrets).clean(text)
}

#[test]
fn secrets_are_masked_the_longest_first() {
    assert_eq!(clean(&["abcd", "abcdefgh"], "got abcdefgh and abcd"), "got *** and ***");
}

#[test]
fn short_and_empty_values_are_no_secrets() {
    assert_eq!(clean(&["", "abc", "   "], "abc abc"), "abc abc");
}

#[test]
fn a_secret_that_was_cut_off_with_its_message_is_masked_too() {
    assert_eq!(clean(&["hunter2-hunter2"], "a body hunter2-hun"), "a body ***");
    assert_eq!(clean(&["hunter2-hunter2"], "a body hun"), "a body hun");
}

#[test]
fn what_a_server_makes_of_a_secret_is_masked_too() {
    let secret = "s3cr/t&va lue\"9";
    for text in ["s3cr%2Ft%26va+lue%229", "s3cr%2Ft%26va%20lue%229", "s3cr/t&va lue\\\"9"] {
        assert_eq!(clean(&[secret], text), "***", "{text}");
    }
    for user in ["", "u:", "bob:", "anna:", "someone:"] {
        for encoded in
            [STANDARD.encode(format!("{user}{secret}")), URL_SAFE.encode(format!("{user}{secret}!"))]
        {
            let masked = clean(&[secret], &encoded);
            // At each end a character may hold bits of something else.
            let left = masked.split("***").last().map_or(usize::MAX, |rest| rest.trim_end_matches('=').len());
            assert!(masked.contains("***") && left <= 3, "{user}: {encoded} became {masked}");
        }
    }
}

#[test]
fn a_secret_with_control_characters_is_found_in_what_digits_stand_for() {
    let secret = "p\u{1}q\u{7f}r-s\u{1b}[0m";
    for user in ["", "u:", "bob:", "anna:"] {
        let pair = format!("{user}{secret}");
        let hex: Vec<_> = pair.bytes().map(|byte| format!("{byte:02x}")).collect();
        for encoded in [STANDARD.encode(&pair), hex.concat()] {
            let masked = clean(&[secret], &format!("it is {encoded}."));
            assert!(masked.contains("***"), "{user}: {encoded} became {masked}");
        }
    }
}

/// How many bytes of a text are this secret, from its beginning, byte by byte.
fn length_in(secret: &[u8], text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for wanted in secret {
        let byte = text.get(at)?;
        at += 1;
        let is_space = byte.is_ascii_whitespace();
        match wanted {
            b' ' if is_space || *byte == b'+' => {
                at += text[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            }
            b'+' if b"+ ".contains(byte) => {}
            _ if byte.eq_ignore_ascii_case(wanted) && !b" +".contains(wanted) => {}
            _ => return None,
        }
    }
    Some(at)
}

proptest::proptest! {
    #[test]
    fn secrets_that_are_told_apart_by_bisection_are_those_that_are_compared_one_by_one(
        secrets in proptest::collection::vec("[ab +]{4,9}", 1..20), text in "[abA +\n]{0,40}"
    ) {
        let redactor = Redactor::new(&secrets);
        for at in 0..text.len() {
            let rest = &text.as_bytes()[at..];
            let longest = redactor.needles.iter().filter_map(|needle| length_in(needle, rest)).max();
            proptest::prop_assert_eq!(redactor.longest_in(rest).whole, longest.unwrap_or(0), "{:?}", &text[at..]);
            let begins = rest.len() > 1 && redactor.begins.may(rest[0], rest[1]);
            proptest::prop_assert!(longest.is_none() || begins, "{:?}", &text[at..]);
        }
    }
}

#[test]
fn secrets_that_overlap_leave_nothing_of_each_other() {
    assert_eq!(clean(&["abcd", "cdef"], "<abcdef>"), "<***>");
    assert_eq!(clean(&["abcd"], "abcdabcd"), "******");
}

#[test]
fn each_line_of_a_secret_is_one() {
    assert_eq!(clean(&["first line\nab\nlast line"], "last line\r\nfirst line"), "***\r\n***");
    assert_eq!(clean(&["first\nlast line"], "first\nlast line"), "***");
}

#[test]
fn a_secret_that_began_before_what_is_wanted_is_no_part_of_it() {
    let redactor = Redactor::new(&["hunter2-hunter2".to_owned()]);
    let text = b"a hunter2-hunter2 b";
    assert!((2..17).all(|from| redactor.clean_from(text, from + 1) == " b"));
}

/// Gives one byte at a time, as a pipe may.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = 1.min(into.len());
        self.0.read(&mut into[..count])
    }
}

#[test]
fn a_stream_is_cleaned_across_its_chunks_and_else_keeps_every_byte() {
    let redactor = Redactor::new(&["hunter2-hunter2".to_owned()]);
    for before in [0, 1, CHUNK as usize - 7, CHUNK as usize, 3 * CHUNK as usize - 15] {
        let filler = vec![0xff; before];
        let stream = [&filler[..], b"hunter2-hunter2\xfe\nhunter2-hu"].concat();
        let mut cleaned = Vec::new();
        redactor.copy(Trickle(&stream), 0, &mut cleaned).expect("copied");
        assert_eq!(cleaned, [&filler[..], b"***\xfe\n***"].concat(), "after {before}");
    }
}

proptest::proptest! {
    #[test]
    fn however_it_is_cut_into_a_stream_a_text_is_cleaned_alike(
        text in "[ab]{0,90}", secret in "[ab]{4,12}", ahead in 0_usize..90
    ) {
        let redactor = Redactor::new(&[secret]);
        let mut cleaned = Vec::new();
        redactor.copy(Trickle(text.as_bytes()), ahead, &mut cleaned).expect("copied");
        proptest::prop_assert_eq!(String::from_utf8_lossy(&cleaned), redactor.clean_from(text.as_bytes(), ahead.min(text.len())));
    }
}

/// Secrets with every character that some encoding treats in its own way.
const SECRETS: [&str; 6] = [
    "hunt",
    "s3cr/t+7",
    "pa ss&<wd>\"9'\\%x=",
    "Zürich-Schlüssel-é",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "密碼-pa$$wörd-😀",
];

type Encode = fn(&str) -> String;

/// Whether all that is left of an encoded secret is padding of base64, encoded once more or not.
fn is_padding(left: &str) -> bool {
    left.len() <= 6 && left.chars().all(|char| "=%3DPTQ09".contains(char))
}

fn percent(text: &str, keep: impl Fn(u8) -> bool) -> String {
    let encoded = text
        .bytes()
        .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    encoded.collect()
}

fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string().trim_matches('"').to_owned()
}

fn json_ascii(text: &str) -> String {
    let unit = |unit: u16| match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("\\u{unit:04x}"),
    };
    text.encode_utf16().map(unit).collect()
}

fn html(text: &str, of: impl Fn(char) -> String) -> String {
    text.chars().map(|char| if char.is_ascii_alphanumeric() { char.to_string() } else { of(char) }).collect()
}

fn named(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

fn hexadecimal(text: &str) -> String {
    let digits: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// What stands for the secret in a text, by the name of the encoding. Nothing of a base64 quantum that the secret
/// fills is left; the characters at its ends may hold bits of what stands beside it.
const ENCODINGS: [(&str, Encode); 27] = [
    ("as it is", str::to_owned),
    ("a path of ours", |text| percent(text, |byte| byte.is_ascii_graphic() && !b"\"<>`#".contains(&byte))),
    ("percent", |text| percent(text, unreserved)),
    ("percent in lower case", |text| percent(text, unreserved).to_lowercase()),
    ("percent of every byte", |text| percent(text, |_| false)),
    ("percent twice", |text| percent(&percent(text, unreserved), unreserved)),
    ("percent twice in lower case", |text| percent(&percent(text, unreserved), unreserved).to_lowercase()),
    ("form", |text| url::form_urlencoded::byte_serialize(text.as_bytes()).collect()),
    ("JSON", json),
    ("JSON with slashes escaped", |text| json(text).replace('/', "\\/")),
    ("JSON in ASCII", json_ascii),
    ("JSON in ASCII, upper case", |text| json_ascii(text).replace("\\u00e", "\\u00E")),
    ("JSON in JSON", |text| json(&json_ascii(text))),
    ("JSON in a URL", |text| percent(&json_ascii(text), unreserved)),
    ("a URL in JSON in ASCII", |text| percent(text, unreserved).replace('%', "\\u0025")),
    ("markup", named),
    ("markup twice", |text| named(&named(text))),
    ("markup, decimal", |text| html(text, |char| format!("&#{};", u32::from(char)))),
    ("markup, hexadecimal", |text| html(text, |char| format!("&#x{:X};", u32::from(char)))),
    ("markup in JSON", |text| json(&named(text)).replace('&', "\\u0026")),
    ("lower case", str::to_lowercase),
    ("upper case", str::to_uppercase),
    ("hexadecimal", hexadecimal),
    ("base64", |text| STANDARD.encode(text)),
    ("base64 in a URL", |text| percent(&STANDARD.encode(text), unreserved)),
    ("base64 in JSON", |text| STANDARD.encode(text).replace('/', "\\/")),
    ("base64 twice", |text| STANDARD.encode(STANDARD.encode(text))),
];

#[test]
fn a_secret_is_masked_in_every_encoding() {
    let mut cases = 0;
    for secret in SECRETS {
        let redactor = Redactor::new(&[secret]);
        for (name, encode) in ENCODINGS {
            // Case is folded for ASCII alone: names of hosts have nothing else.
            if !secret.is_ascii() && matches!(name, "lower case" | "upper case") {
                continue;
            }
            let encoded = encode(secret);
            let masked = redactor.clean(&format!("<{encoded}> was refused"));
            let left = masked.strip_prefix("<***").and_then(|rest| rest.strip_suffix("> was refused"));
            assert!(left.is_some_and(is_padding), "{name} of {secret}: {encoded} became {masked}");
            cases += 1;
        }
        for beside in ["", "u:", "bob:", "anna:", "someone:"] {
            for encoded in [
                STANDARD.encode(format!("{beside}{secret}")),
                STANDARD.encode(format!("{beside}{secret}!?")),
                URL_SAFE_NO_PAD.encode(format!("{beside}{secret}:x")),
            ] {
                let masked = redactor.clean(&format!("authorization: Basic {encoded}"));
                let left =
                    masked.rsplit("***").next().map_or(usize::MAX, |rest| rest.trim_end_matches('=').len());
                assert!(masked.contains("***") && left <= 4, "{secret} in {encoded} became {masked}");
                cases += 1;
            }
        }
    }
    assert!(cases > 200, "{cases}");
}

#[test]
fn a_secret_in_an_encoding_that_was_cut_off_is_masked_too() {
    let secret = SECRETS[2];
    let redactor = Redactor::new(&[secret]);
    for (name, encode) in ENCODINGS {
        let encoded = encode(secret);
        for length in (1..encoded.len()).filter(|length| encoded.is_char_boundary(*length)) {
            let masked = redactor.clean(&format!("got {}", &encoded[..length]));
            // The first four bytes of a secret are needed to know it: twenty characters where each takes five.
            let masked_all = masked.strip_prefix("got ***").is_some_and(is_padding);
            assert!(masked_all || length <= 24, "{name}: {length} of {encoded} became {masked}");
        }
    }
}

#[test]
fn a_secret_in_another_character_set_is_masked_too() {
    let redactor = Redactor::new(&["Zürich-Schlüssel"]);
    let latin_1: Vec<u8> = "Zürich-Schlüssel!".chars().map(|char| char as u8).collect();
    assert_eq!(redactor.clean_from(&latin_1, 0), "***!");
    assert_eq!(redactor.clean(&String::from_utf8_lossy(&latin_1)), "***!");
    assert_eq!(redactor.clean("Z%FCrich-Schl%FCssel"), "***");
    assert_eq!(redactor.clean("Z&uuml;rich-Schl&uuml;ssel"), "***");
}

#[test]
fn white_space_in_a_secret_may_be_folded() {
    assert_eq!(clean(&["first\tsecond  third"], "a first second third b"), "a *** b");
    assert_eq!(clean(&["first second"], "first\n  second first+second first%20second"), "*** *** ***");
}

#[test]
fn credentials_within_a_secret_are_secrets() {
    let url = "postgres://app:h%40nter22@db.internal/app";
    assert_eq!(clean(&[url], "password h@nter22 or h%40nter22 is wrong"), "password *** or *** is wrong");
    assert_eq!(clean(&["Bearer abcdef123"], "the token abcdef123 has expired"), "the token *** has expired");
    assert_eq!(clean(&["some words"], "words"), "words");
}

proptest::proptest! {
    #[test]
    fn any_text_can_be_cleaned_and_text_without_secrets_stays(text in "[ -~äé\u{0}-\u{1f}]{0,200}") {
        let redactor = Redactor::new(&["hunter2-hunter2"]);
        proptest::prop_assert_eq!(redactor.clean(&text), text);
    }
}
