//! A body as something can look at it: without its content coding, in UTF-8, parsed where that is asked for. All of it
//! may take long and hold much, so a piece of work is made of it first, which can be done aside.

use bytes::Bytes;
use encoding_rs::Encoding;

use super::charset;
use super::coding::{self, Coding, Room, Undecoded};
use super::response::Response;
use crate::load::aside::LARGE;
use crate::load::measure::outcome::Failure;
use crate::load::memory::Hold;
use crate::template::Document;

/// Bytes of JSON from which it is counted what it becomes when it is parsed.
const WEIGHED: usize = 16 * 1024;

/// Whether a body is parsed before something looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parse {
    /// Something looks at its JSON.
    Json,
    /// Nothing does.
    Nothing,
}

/// A body as it travelled, and what is to be done with it.
pub struct Packed {
    body: Bytes,
    hold: Hold,
    codings: Vec<Coding>,
    charset: Option<&'static Encoding>,
    parse: Parse,
    room: Room,
}

/// A body that something can look at.
pub struct Unpacked {
    /// Its bytes.
    pub body: Bytes,
    /// What it holds, parsed and not.
    pub hold: Hold,
    /// Its JSON, where it has been parsed.
    pub json: Option<Result<Document, String>>,
    /// About how many bytes its JSON holds.
    pub weight: usize,
}

impl Packed {
    /// Takes the body of a response, if anything is to be done with it.
    pub fn take(response: &mut Response, parse: Parse, room: Room) -> Result<Option<Self>, Failure> {
        if response.body.is_empty() {
            return Ok(None);
        }
        let codings = coding::of(&response.headers)?;
        let charset = charset::of(&response.headers);
        let weighs = parse == Parse::Json && response.body.len() > WEIGHED;
        if codings.is_empty() && charset.is_none() && !weighs {
            return Ok(None);
        }
        let (body, hold) = response.take_body();
        Ok(Some(Self { body, hold, codings, charset, parse, room }))
    }

    /// Does all that is quick; what takes long is handed back.
    pub fn unpack_quickly(mut self) -> Result<Result<Unpacked, Self>, Failure> {
        if !self.codings.is_empty() {
            let limit = self.room.limit;
            let quick = Room { limit: limit.min(LARGE as u64), budget: self.room.budget.clone() };
            match coding::decode(&self.codings, &self.body, &quick) {
                Ok(decoded) => self.decoded(decoded),
                Err(Undecoded::TooLong) if limit > quick.limit => return Ok(Err(self)),
                Err(error) => return Err(error.failure(limit)),
            }
        }
        if self.body.len() > LARGE { Ok(Err(self)) } else { self.look().map(Ok) }
    }

    /// Does it all.
    pub fn unpack(mut self) -> Result<Unpacked, Failure> {
        if !self.codings.is_empty() {
            let decoded = coding::decode(&self.codings, &self.body, &self.room);
            self.decoded(decoded.map_err(|error| error.failure(self.room.limit))?);
        }
        self.look()
    }

    fn decoded(&mut self, (body, hold): (Vec<u8>, Hold)) {
        (self.body, self.hold, self.codings) = (body.into(), hold, Vec::new());
    }

    fn look(mut self) -> Result<Unpacked, Failure> {
        let budget = &self.room.budget;
        if let Some(charset) = self.charset.filter(|charset| !charset::is_same(charset, &self.body)) {
            let mut hold = Hold::default();
            hold.set(budget, charset::most(charset, self.body.len()))?;
            let body = charset::to_utf8(charset, &self.body);
            hold.set(budget, body.capacity())?;
            (self.body, self.hold) = (body.into(), hold);
        }
        let (mut json, mut weighs) = (None, 0);
        if self.parse == Parse::Json && self.body.len() > WEIGHED {
            weighs = weight(&self.body);
            self.hold.set(budget, self.body.len().saturating_add(weighs))?;
            json = Some(Document::parsed(self.body.clone()));
        }
        Ok(Unpacked { body: self.body, hold: self.hold, json, weight: weighs })
    }
}

/// About how many bytes the JSON of a message holds; nothing where that is little.
pub fn weight_of(message: &[u8]) -> usize {
    if message.len() > WEIGHED { weight(message) } else { 0 }
}

/// About how many bytes a JSON text holds once it is parsed, rather too many than too few: a list of `0,` becomes 16
/// times as long, a list of `{"a":0},` 80 times.
pub fn weight(json: &[u8]) -> usize {
    const VALUE: usize = 72;
    const LIST: usize = 128;
    const OBJECT: usize = 640;
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
    use crate::load::memory::Budget;

    fn response(headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            keep(&mut map, name, value.as_bytes());
        }
        Response::new(200, map, body.into())
    }

    fn room(budget: u64) -> Room {
        Room { limit: 64 << 20, budget: Budget::new(budget) }
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn an_ordinary_body_needs_nothing() {
        let mut plain = response(&[("content-type", "application/json")], b"{}".to_vec());
        assert!(Packed::take(&mut plain, Parse::Json, room(0)).unwrap().is_none());
        assert_eq!(plain.body, "{}");
    }

    #[test]
    fn what_is_small_is_done_at_once_and_what_grows_is_handed_back() {
        let mut small = response(
            &[("content-encoding", "gzip"), ("content-type", "text/plain; charset=latin1")],
            gzip(b"\xe4"),
        );
        let packed = Packed::take(&mut small, Parse::Nothing, room(1 << 20)).unwrap().unwrap();
        assert_eq!(packed.unpack_quickly().unwrap().ok().unwrap().body, "ä");
        let mut bomb = response(&[("content-encoding", "gzip")], gzip(&vec![b'x'; 4 << 20]));
        let packed = Packed::take(&mut bomb, Parse::Nothing, room(16 << 20)).unwrap().unwrap();
        let packed = packed.unpack_quickly().unwrap().err().unwrap();
        assert_eq!(packed.unpack().unwrap().body.len(), 4 << 20);
    }

    #[test]
    fn json_that_becomes_more_than_there_is_room_for_is_not_parsed() {
        let list = format!("[{}0]", "0,".repeat(1 << 20));
        let mut large = response(&[], list.clone().into_bytes());
        let packed = Packed::take(&mut large, Parse::Json, room(16 << 20)).unwrap().unwrap();
        assert_eq!(packed.unpack().err().unwrap().kind, FailureKind::Memory);
        let mut large = response(&[], list.into_bytes());
        let packed = Packed::take(&mut large, Parse::Json, room(1 << 30)).unwrap().unwrap();
        let unpacked = packed.unpack().unwrap();
        assert_eq!(unpacked.json.unwrap().unwrap().value().unwrap().len(), Some((1 << 20) + 1));
        assert!(unpacked.weight > 32 << 20);
    }

    #[test]
    fn commas_in_texts_weigh_nothing() {
        assert_eq!(weight(b"\",,,\\\",,\""), 9);
        assert!(weight(b"[1,2]") > weight(b"[1]"));
    }
}
