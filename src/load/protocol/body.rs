//! A body as something can look at it: without its content coding, in UTF-8, parsed where that is asked for. All of it
//! may take long and hold much, so a piece of work is made of it first, which can be done aside.

use std::sync::Arc;

use bytes::Bytes;
use serde_json_path::JsonPath;

use super::charset::Charset;
use super::coding::{self, Coding, Room, Undecoded};
use super::response::Response;
use crate::load::aside::LARGE;
use crate::load::measure::outcome::Failure;
use crate::load::memory::{Budget, Hold};
use crate::template::Document;
use crate::units::ByteSize;

/// Bytes of JSON from which it is counted what it becomes when it is parsed: of less, it is hardly ever more than a hold
/// has for nothing.
const WEIGHED: usize = 1024;
/// The most members of a gzip stream that is decoded at once: each takes some microseconds.
const QUICK_MEMBERS: usize = 16;

/// How the JSON of a body is looked at, and so what it is parsed into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parse {
    /// Paths are asked of it.
    pub paths: bool,
    /// Expressions see all of it.
    pub value: bool,
}

impl Parse {
    /// Nothing looks at it.
    pub const NOTHING: Self = Self { paths: false, value: false };

    /// Whether a body is weighed, or even parsed, before something looks at it. What is no JSON is only looked at
    /// where that takes long.
    fn begins_with(self, body: &[u8]) -> bool {
        self != Self::NOTHING && (body.len() > LARGE || (body.len() > WEIGHED && begins_like_json(body)))
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

    /// Does it all, so that what these paths find is only to be picked up.
    pub fn unpack(mut self, captured: &[JsonPath]) -> Result<Unpacked, Failure> {
        if !self.codings.is_empty() {
            let decoded = coding::decode(&self.codings, &self.body, &self.room);
            self.decoded(decoded.map_err(|error| error.failure(self.room.limit))?);
        }
        self.convert()?;
        let (parse, budget) = (self.parse, self.room.budget.clone());
        let mut unpacked = self.weigh()?;
        if parse == Parse::NOTHING {
            return Ok(unpacked);
        }
        let json = Document::new(unpacked.body.clone());
        if let Ok(json) = &json {
            if parse.paths {
                json.prepare();
            }
            if parse.value {
                let _ = json.value();
            } else if captured.iter().any(|path| json.reads_again(path)) {
                let (length, weight) = (unpacked.body.len(), weight_of(&unpacked.body));
                set_to_parse(&mut unpacked.value.0, &budget, (weight, length))?;
                let _ = json.value();
            }
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
        let weight = if self.parse == Parse::NOTHING { 0 } else { weight_of(&self.body) };
        if self.parse.paths {
            set_to_parse(&mut self.hold, budget, (length.saturating_add(weight), length))?;
        }
        let mut value = (Hold::default(), 0);
        if self.parse.value {
            set_to_parse(&mut value.0, budget, (weight, length))?;
            value.1 = weight;
        }
        Ok(Unpacked { body: self.body, hold: self.hold, json: None, value })
    }
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

    const PATHS: Parse = Parse { paths: true, value: false };
    const VALUE: Parse = Parse { paths: false, value: true };
    const BOTH: Parse = Parse { paths: true, value: true };

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
        assert_eq!(bomb.unpack(&[]).unwrap().body.len(), 4 << 20);
    }

    #[test]
    fn what_takes_long_to_read_is_handed_back_however_little_it_becomes() {
        let headers = [("content-encoding", "gzip")];
        let members = gzip(b"x").repeat(QUICK_MEMBERS + 1);
        let many = packed(&headers, members, Parse::NOTHING, room(1 << 20)).unwrap();
        let many = many.unpack_quickly().unwrap().err().unwrap();
        assert_eq!(many.unpack(&[]).unwrap().body, "x".repeat(QUICK_MEMBERS + 1));
        // Padding is long, too.
        let padded = [gzip(b"x"), vec![0; LARGE]].concat();
        let padded = packed(&headers, padded, Parse::NOTHING, room(1 << 20)).unwrap();
        assert_eq!(padded.unpack_quickly().unwrap().err().unwrap().unpack(&[]).unwrap().body, "x");
    }

    #[test]
    fn json_that_becomes_more_than_there_is_room_for_is_not_parsed() {
        let list = format!("[{}0]", "0,".repeat(1 << 20));
        let unpack =
            |parse, budget| packed(&[], list.clone().into_bytes(), parse, room(budget)).unwrap().unpack(&[]);
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

    #[test]
    fn an_object_that_a_path_finds_is_read_again_aside() {
        let text = format!("{{\"a\": {{\"b\": 1}}, \"list\": [{}0]}}", "0,".repeat(LARGE));
        for (path, limit, fits) in
            [("$.a.b", 30 << 20, true), ("$.a", 30 << 20, false), ("$.a", 60 << 20, true)]
        {
            let packed = packed(&[], text.clone().into_bytes(), PATHS, room(limit)).unwrap();
            assert_eq!(packed.unpack(&[JsonPath::parse(path).unwrap()]).is_ok(), fits, "{path} {limit}");
        }
    }

    #[test]
    fn a_body_that_is_no_json_becomes_nothing() {
        let csv = "1,2,3\n".repeat(1 << 18).into_bytes();
        let packed = packed(&[], csv, VALUE, room(1 << 20)).unwrap().unpack_quickly().unwrap();
        let unpacked = packed.err().unwrap().unpack(&[]).unwrap();
        assert!(unpacked.json.unwrap().unwrap().value().is_err());
        assert_eq!((weight(b" ,,,,"), weight(b"\"...\"")), (0, 5));
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
