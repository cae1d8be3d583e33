//! A body as something can look at it: without its content coding, in UTF-8, parsed where that is asked for. All of it
//! may take long and hold much, so a piece of work is made of it first, which can be done aside.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use regex::bytes::Regex;

use super::charset::Charset;
use super::coding::{self, Coding, Room, Undecoded};
use super::response::Response;
use crate::load::aside::LARGE;
use crate::load::measure::outcome::Failure;
use crate::load::memory::{Budget, Hold};
use crate::template::{Document, Query};
use crate::units::ByteSize;

/// Bytes of JSON from which it is counted what it becomes when it is parsed: of less, it is hardly ever more than a hold
/// has for nothing.
const WEIGHED: usize = 1024;
/// The most members of a gzip stream that is decoded at once: each takes some microseconds.
const QUICK_MEMBERS: usize = 16;

/// How a body is looked at, and so what its JSON is parsed into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parse {
    /// Paths are asked of it.
    pub paths: bool,
    /// Expressions see all of it.
    pub value: bool,
    /// Patterns are searched for in its text.
    pub patterns: bool,
}

/// What a step asks of a body, whatever the values of its user are.
#[derive(Debug, Default)]
pub struct Asked {
    /// The paths whose values are captured.
    pub captured: Vec<Query>,
    /// The paths at which something is expected.
    pub expected: Vec<Query>,
    /// The patterns, and the group of each.
    pub patterns: Vec<(Regex, usize)>,
}

/// Where in a body a group of a pattern was found; none where it was not.
pub type Match = (Regex, usize, Option<Range<usize>>);

impl Parse {
    /// Nothing looks at it.
    pub const NOTHING: Self = Self { paths: false, value: false, patterns: false };

    /// Whether anything looks at its JSON.
    fn looks_at_json(self) -> bool {
        self.paths || self.value
    }

    /// Whether a body is weighed, or even parsed, before something looks at it. What is no JSON is only looked at
    /// where that takes long.
    fn begins_with(self, body: &[u8]) -> bool {
        (self != Self::NOTHING && body.len() > LARGE)
            || (self.looks_at_json() && body.len() > WEIGHED && begins_like_json(body))
    }
}

/// A body as it travelled, and what is to be done with it.
pub struct Packed {
    body: Bytes,
    hold: Hold,
    codings: Vec<Coding>,
    charset: Option<Charset>,
    parse: Parse,
    room: Room,
}

/// A body that something can look at.
pub struct Unpacked {
    /// Its bytes.
    pub body: Bytes,
    /// What it holds, and what paths are asked of.
    pub hold: Hold,
    /// Its JSON, where it has been parsed.
    pub json: Option<Result<Document, String>>,
    /// What is held for the value that expressions see, and about how many bytes that is.
    pub value: (Hold, usize),
    /// What patterns found, where they have been searched for.
    pub matches: Vec<Match>,
}

impl Packed {
    /// Takes the body of a response, if anything is to be done with it.
    pub fn take(response: &mut Response, parse: Parse, room: Room) -> Result<Option<Self>, Failure> {
        if response.body.is_empty() {
            return Ok(None);
        }
        let codings = coding::of(&response.headers)?;
        let charset = Charset::of(&response.headers);
        if codings.is_empty() && charset.is_none() && !parse.begins_with(&response.body) {
            return Ok(None);
        }
        let (body, hold) = response.take_body();
        Ok(Some(Self { body, hold, codings, charset, parse, room }))
    }

    /// Does all that is quick; what takes long is handed back.
    pub fn unpack_quickly(mut self) -> Result<Result<Unpacked, Self>, Failure> {
        if self.body.len() > LARGE {
            return Ok(Err(self));
        }
        if !self.codings.is_empty() {
            let Room { limit, budget, .. } = &self.room;
            let (limit, budget) = (*limit, budget.clone());
            let quick = Room { limit: limit.min(LARGE as u64), members: QUICK_MEMBERS, budget };
            match coding::decode(&self.codings, &self.body, &quick) {
                Ok(decoded) => self.decoded(decoded),
                Err(Undecoded::TooLong) if limit > quick.limit => return Ok(Err(self)),
                Err(Undecoded::TooManyMembers) => return Ok(Err(self)),
                Err(error) => return Err(error.failure(limit)),
            }
        }
        self.convert()?;
        if self.body.len() > LARGE {
            return Ok(Err(self));
        }
        // Parsed when it is looked at.
        self.weigh().map(Ok)
    }

    /// Does it all, so that what is asked of it is only to be picked up.
    pub fn unpack(mut self, asked: Asked) -> Result<Unpacked, Failure> {
        if !self.codings.is_empty() {
            let decoded = coding::decode(&self.codings, &self.body, &self.room);
            self.decoded(decoded.map_err(|error| error.failure(self.room.limit))?);
        }
        self.convert()?;
        let (parse, budget, kept) = (self.parse, self.room.budget.clone(), self.hold.bytes());
        let mut unpacked = self.weigh()?;
        if unpacked.body.len() > LARGE {
            unpacked.matches = found(asked.patterns, &unpacked.body);
        }
        if !parse.looks_at_json() {
            return Ok(unpacked);
        }
        let mut json = Document::new(unpacked.body.clone());
        if let Ok(json) = &mut json {
            if parse.paths {
                json.prepare(asked.captured.iter().chain(&asked.expected));
            }
            let reads_again = || {
                let expects_long_numbers = !asked.expected.is_empty() && !json.is_usual();
                expects_long_numbers || asked.captured.iter().any(|path| json.reads_again(path))
            };
            if parse.value {
                let _ = json.value();
            } else if parse.paths && reads_again() {
                let (length, weight) = (unpacked.body.len(), weight_of(&unpacked.body));
                set_to_parse(&mut unpacked.value.0, &budget, (weight, length))?;
                let _ = json.value();
            }
        }
        if let Some(error) = why_no_json(&json, parse, asked.captured.first().or(asked.expected.first())) {
            // Only its text is left, and nothing of what was made of it to parse it.
            json = Err(error);
            unpacked.value = Default::default();
            unpacked.hold.set(&budget, kept)?;
        }
        unpacked.json = Some(json);
        Ok(unpacked)
    }

    fn decoded(&mut self, (body, hold): (Vec<u8>, Hold)) {
        (self.body, self.hold, self.codings) = (body.into(), hold, Vec::new());
    }

    /// Converts it to UTF-8.
    fn convert(&mut self) -> Result<(), Failure> {
        let Some(charset) = self.charset.take().filter(|charset| !charset.is_same(&self.body)) else {
            return Ok(());
        };
        let (budget, mut hold) = (&self.room.budget, Hold::default());
        hold.set(budget, charset.most(self.body.len()))?;
        let body = charset.to_utf8(&self.body);
        hold.set(budget, body.capacity())?;
        (self.body, self.hold) = (body.into(), hold);
        Ok(())
    }

    /// Holds what it becomes when it is parsed.
    fn weigh(mut self) -> Result<Unpacked, Failure> {
        let (budget, length) = (&self.room.budget, self.body.len());
        let weight = if self.parse.looks_at_json() { weight_of(&self.body) } else { 0 };
        if self.parse.paths {
            // It may lie in up to twice as many bytes as it has.
            let kept = self.hold.bytes().max(length);
            set_to_parse(&mut self.hold, budget, (kept.saturating_add(weight), length))?;
        }
        let mut value = (Hold::default(), 0);
        if self.parse.value {
            set_to_parse(&mut value.0, budget, (weight, length))?;
            value.1 = weight;
        }
        Ok(Unpacked { body: self.body, hold: self.hold, json: None, value, matches: Vec::new() })
    }
}

/// Why a text is no JSON in any of the ways in which it is looked at; none where it is some in one.
fn why_no_json(json: &Result<Document, String>, parse: Parse, path: Option<&Query>) -> Option<String> {
    let json = match json {
        Ok(json) => json,
        Err(error) => return Some(error.clone()),
    };
    let of_paths = path.filter(|_| parse.paths).map(|path| json.first(path).map(drop));
    let of_value = parse.value.then(|| json.value().map(drop));
    let mut ways = of_paths.into_iter().chain(of_value).peekable();
    let first = ways.peek()?.err()?.to_owned();
    ways.all(|way| way.is_err()).then_some(first)
}

/// What patterns find in a body.
fn found(patterns: Vec<(Regex, usize)>, body: &[u8]) -> Vec<Match> {
    let found = |(pattern, group): (Regex, usize)| {
        let place = search(&pattern, group, body);
        (pattern, group, place)
    };
    patterns.into_iter().map(found).collect()
}

/// Where the first match of a pattern has this group.
pub fn search(pattern: &Regex, group: usize, body: &[u8]) -> Option<Range<usize>> {
    pattern.captures(body).and_then(|found| found.get(group)).map(|found| found.range())
}

/// Holds so many bytes to parse a text of this length.
fn set_to_parse(
    hold: &mut Hold,
    budget: &Arc<Budget>,
    (bytes, length): (usize, usize),
) -> Result<(), Failure> {
    hold.set_for(budget, bytes, || format!("parse {} of JSON", ByteSize(length as u64)))
}

/// Holds the value that expressions see of a WebSocket message: its JSON, else its text.
pub fn hold_message(hold: &mut Hold, budget: &Arc<Budget>, message: &[u8]) -> Result<(), Failure> {
    let length = message.len();
    set_to_parse(hold, budget, (if length > WEIGHED { weight(message).max(length) } else { 0 }, length))
}

/// About how many bytes a text holds once it is parsed as JSON; nothing where that is little, or where it is no JSON.
fn weight_of(text: &[u8]) -> usize {
    if text.len() > WEIGHED { weight(text) } else { 0 }
}

/// Whether a text may be JSON that holds something when it is parsed.
fn begins_like_json(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start();
    matches!(text.first(), Some(b'[' | b'{' | b'"'))
}

/// About how many bytes a JSON text holds once it is parsed, rather too many than too few: a list of `0,` becomes 16
/// times as long, a list of `{"a":0},` 80 times. A text that is neither a list nor an object nor a string becomes
/// nothing.
pub fn weight(json: &[u8]) -> usize {
    const VALUE: usize = 72;
    const LIST: usize = 128;
    const OBJECT: usize = 640;
    if !begins_like_json(json) {
        return 0;
    }
    let (mut sum, mut text, mut escaped) = (json.len(), false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if text => escaped = true,
            b'"' => text = !text,
            _ if text => {}
            b',' | b':' => sum = sum.saturating_add(VALUE),
            b'[' => sum = sum.saturating_add(LIST + VALUE),
            b'{' => sum = sum.saturating_add(OBJECT + VALUE),
            _ => {}
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use hyper::HeaderMap;

    use super::super::incoming::keep;
    use super::*;
    use crate::load::measure::outcome::FailureKind;

    const PATHS: Parse = Parse { paths: true, ..Parse::NOTHING };
    const VALUE: Parse = Parse { value: true, ..Parse::NOTHING };
    const BOTH: Parse = Parse { paths: true, value: true, patterns: false };

    fn response(headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            keep(&mut map, name, value.as_bytes());
        }
        Response::new(200, map, body.into())
    }

    fn room(budget: u64) -> Room {
        Room { limit: 64 << 20, members: coding::MOST_MEMBERS, budget: Budget::new(budget) }
    }

    fn packed(headers: &[(&str, &str)], body: Vec<u8>, parse: Parse, room: Room) -> Option<Packed> {
        Packed::take(&mut response(headers, body), parse, room).unwrap()
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn an_ordinary_body_needs_nothing() {
        let mut plain = response(&[("content-type", "application/json")], b"{}".to_vec());
        assert!(Packed::take(&mut plain, BOTH, room(0)).unwrap().is_none());
        assert_eq!(plain.body, "{}");
    }

    #[test]
    fn what_is_small_is_done_at_once_and_what_grows_is_handed_back() {
        let headers = [("content-encoding", "gzip"), ("content-type", "text/plain; charset=latin1")];
        let small = packed(&headers, gzip(b"\xe4"), Parse::NOTHING, room(1 << 20)).unwrap();
        assert_eq!(small.unpack_quickly().unwrap().ok().unwrap().body, "ä");
        let bomb = gzip(&vec![b'x'; 4 << 20]);
        let bomb = packed(&headers[..1], bomb, Parse::NOTHING, room(16 << 20)).unwrap();
        let bomb = bomb.unpack_quickly().unwrap().err().unwrap();
        assert_eq!(bomb.unpack(Asked::default()).unwrap().body.len(), 4 << 20);
    }

    #[test]
    fn what_takes_long_to_read_is_handed_back_however_little_it_becomes() {
        let headers = [("content-encoding", "gzip")];
        let members = gzip(b"x").repeat(QUICK_MEMBERS + 1);
        let many = packed(&headers, members, Parse::NOTHING, room(1 << 20)).unwrap();
        let many = many.unpack_quickly().unwrap().err().unwrap();
        assert_eq!(many.unpack(Asked::default()).unwrap().body, "x".repeat(QUICK_MEMBERS + 1));
        // Padding is long, too.
        let padded = [gzip(b"x"), vec![0; LARGE]].concat();
        let padded = packed(&headers, padded, Parse::NOTHING, room(1 << 20)).unwrap();
        assert_eq!(
            padded.unpack_quickly().unwrap().err().unwrap().unpack(Asked::default()).unwrap().body,
            "x"
        );
    }

    #[test]
    fn json_that_becomes_more_than_there_is_room_for_is_not_parsed() {
        let list = format!("[{}0]", "0,".repeat(1 << 20));
        let unpack = |parse, budget| {
            packed(&[], list.clone().into_bytes(), parse, room(budget)).unwrap().unpack(Asked::default())
        };
        let failure = unpack(PATHS, 16 << 20).err().unwrap();
        assert_eq!(failure.kind, FailureKind::Memory);
        assert!(failure.message.contains("needed to parse 2.0 MiB of JSON"), "{}", failure.message);
        let unpacked = unpack(VALUE, 1 << 30).unwrap();
        assert_eq!(unpacked.json.unwrap().unwrap().value().unwrap().len(), Some((1 << 20) + 1));
        assert!(unpacked.value.1 > 32 << 20);
        // Where it is looked at in both ways, it is there twice.
        assert!(unpack(PATHS, 100 << 20).is_ok() && unpack(VALUE, 100 << 20).is_ok());
        assert_eq!(unpack(BOTH, 100 << 20).err().unwrap().kind, FailureKind::Memory);
    }

    fn captures(paths: &[&str]) -> Asked {
        let captured = paths.iter().map(|path| Query::parse(path).unwrap()).collect();
        Asked { captured, ..Asked::default() }
    }

    #[test]
    fn patterns_are_searched_for_aside_in_what_is_large() {
        let parse = Parse { patterns: true, ..Parse::NOTHING };
        let text = format!("{}id=7;", "x".repeat(LARGE)).into_bytes();
        let asked = || Asked {
            patterns: ["id=([0-9])", "none"].map(|text| (Regex::new(text).unwrap(), 1)).to_vec(),
            ..Asked::default()
        };
        let late = Regex::new("x{3}").unwrap();
        assert!(packed(&[], b"id=7".to_vec(), parse, room(1 << 20)).is_none());
        let headers = [("content-encoding", "gzip")];
        for (headers, body) in [(&[][..], text.clone()), (&headers[..], gzip(&text))] {
            let packed = packed(headers, body, parse, room(1 << 20)).unwrap();
            let unpacked = packed.unpack_quickly().unwrap().err().unwrap().unpack(asked()).unwrap();
            let places: Vec<_> = unpacked.matches.iter().map(|(_, _, place)| place.clone()).collect();
            assert_eq!(places, [Some(LARGE + 3..LARGE + 4), None]);
            let mut response = response(&[], Vec::new());
            response.unpacked(unpacked);
            let [(known, group), _] = &asked().patterns[..] else { unreachable!() };
            assert_eq!(response.place(known, *group), Some(LARGE + 3..LARGE + 4));
            // One that was not searched for is searched for now.
            assert_eq!(response.place(&late, 0), Some(0..3));
        }
    }

    #[test]
    fn what_paths_find_in_what_is_large_is_found_aside() {
        let text = format!("{{\"a\": [{}{{\"b\": [7, 8]}}], \"z\": null}}", "0,".repeat(LARGE));
        let asked = || Asked {
            expected: vec![Query::parse("$..b[1]").unwrap()],
            ..captures(&["$..b", "$.z", "$.none", "$"])
        };
        let packed = packed(&[], text.into_bytes(), PATHS, room(1 << 30)).unwrap();
        let unpacked = packed.unpack_quickly().unwrap().err().unwrap().unpack(asked()).unwrap();
        let document = unpacked.json.unwrap().unwrap();
        for path in asked().captured.iter().chain(&asked().expected) {
            assert!(document.has_asked(path), "{path:?}");
        }
        let value = |path: &str| {
            let found = document.first(&Query::parse(path).unwrap()).unwrap();
            found.map(|found| crate::template::json_text(found.value()))
        };
        assert_eq!(value("$..b").as_deref(), Some("[7,8]"));
        assert_eq!(value("$..b[1]").as_deref(), Some("8"));
        assert_eq!((value("$.z").as_deref(), value("$.none")), (Some("null"), None));
        // `{"a":[` and `{"b":[7,8]}` and `],"z":null}`.
        assert_eq!(value("$").map(|text| text.len()), Some(2 * LARGE + 6 + 11 + 11));
        assert_eq!(value("$..b[0]").as_deref(), Some("7"), "one that was not asked yet");
    }

    #[test]
    fn an_object_that_a_path_finds_is_read_again_aside() {
        let text = format!("{{\"a\": {{\"b\": 1}}, \"list\": [{}0]}}", "0,".repeat(LARGE));
        for (path, limit, fits) in
            [("$.a.b", 30 << 20, true), ("$.a", 30 << 20, false), ("$.a", 60 << 20, true)]
        {
            let packed = packed(&[], text.clone().into_bytes(), PATHS, room(limit)).unwrap();
            assert_eq!(packed.unpack(captures(&[path])).is_ok(), fits, "{path} {limit}");
        }
    }

    #[test]
    fn a_body_that_is_no_json_becomes_nothing() {
        let csv = "1,2,3\n".repeat(1 << 18).into_bytes();
        let packed = packed(&[], csv, VALUE, room(1 << 20)).unwrap().unpack_quickly().unwrap();
        let unpacked = packed.err().unwrap().unpack(Asked::default()).unwrap();
        assert!(unpacked.json.unwrap().is_err());
        assert_eq!((weight(b" ,,,,"), weight(b"\"...\"")), (0, 5));
    }

    #[test]
    fn what_is_no_json_holds_what_is_kept_of_it() {
        let headers = [("content-encoding", "gzip")];
        // While it is decoded, there is room for up to twice as much, which stays.
        let texts = ["x".repeat(2 * LARGE + 1), format!("[{}", "1234567890123456789012,".repeat(LARGE / 10))];
        for text in texts {
            let held = |parse: Parse, asked: Asked| {
                let room = room(1 << 30);
                let budget = room.budget.clone();
                let packed = packed(&headers, gzip(text.as_bytes()), parse, room).unwrap();
                let unpacked = packed.unpack(asked).unwrap();
                (budget.used(), unpacked.value.1, unpacked.json.map(|json| json.is_err()))
            };
            let (kept, ..) = held(Parse::NOTHING, Asked::default());
            assert!(kept > text.len() as u64 + (64 << 10), "{kept}");
            for parse in [PATHS, VALUE, BOTH] {
                assert_eq!(held(parse, captures(&["$.a"])), (kept, 0, Some(true)), "{parse:?}");
            }
        }
    }

    #[test]
    fn small_json_that_becomes_much_is_counted() {
        let list = format!("[{}0]", "{\"a\":0},".repeat(1_700));
        let room = room(4 << 20);
        let budget = room.budget.clone();
        let small = packed(&[], list.into_bytes(), BOTH, room).unwrap();
        let unpacked = small.unpack_quickly().unwrap().ok().unwrap();
        assert!(budget.used() > 2 << 20, "{}", budget.used());
        drop(unpacked);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn commas_in_texts_weigh_nothing() {
        assert_eq!(weight(b"[\",,,\\\",,\"]"), 211);
        assert!(weight(b"[1,2]") > weight(b"[1]"));
        assert_eq!(weight(b"\xef\xbb\xbf [1]"), weight(b"[1]") + 4);
    }
}
