//! Content codings (RFC 9110, 8.4): what a body travelled in, taken off. Strict in that what is cut off is a failure
//! and never a body that ends early; lenient in what servers really send: raw deflate, padding behind gzip, codings
//! that are none.

use std::io::Read;
use std::sync::Arc;

use flate2::bufread::GzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use hyper::HeaderMap;
use hyper::header::CONTENT_ENCODING;

use super::incoming::too_long;
use crate::load::measure::outcome::{Failure, FailureKind};
use crate::load::memory::{Budget, Hold};

/// The most codings one in another. Real servers need two, where a proxy compresses what is compressed already.
const MOST: usize = 4;
/// The most members of a gzip stream, each of which takes its time however little is in it. `bgzip` writes one every
/// 64 KiB, most servers write one.
pub const MOST_MEMBERS: usize = 10_000;
/// Bytes that are decoded at once.
const SLICE: usize = 64 * 1024;

/// A coding that is read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, and by mistake of many servers RFC 1951.
    Deflate,
}

/// How much a decoded body may be.
pub struct Room {
    /// The most bytes of it.
    pub limit: u64,
    /// The most members of a gzip stream.
    pub members: usize,
    /// What it is kept in.
    pub budget: Arc<Budget>,
}

/// Why a body could not be decoded.
#[derive(Debug)]
pub enum Undecoded {
    /// It is longer than the limit.
    TooLong,
    /// It has more members than allowed.
    TooManyMembers,
    /// Anything else.
    Failed(Failure),
}

impl Undecoded {
    /// The failure, of a body with this limit.
    pub fn failure(self, limit: u64) -> Failure {
        match self {
            Self::TooLong => too_long(limit),
            Self::TooManyMembers => {
                protocol(format!("the body has more than {MOST_MEMBERS} gzip members one behind the other"))
            }
            Self::Failed(failure) => failure,
        }
    }
}

/// What a body travelled in, the outermost first; nothing where all that is named is no coding.
pub fn of(headers: &HeaderMap) -> Result<Vec<Coding>, Failure> {
    let mut codings = Vec::new();
    for line in headers.get_all(CONTENT_ENCODING) {
        for name in String::from_utf8_lossy(line.as_bytes()).to_ascii_lowercase().split(',') {
            match name.trim() {
                "gzip" | "x-gzip" => codings.push(Coding::Gzip),
                "deflate" => codings.push(Coding::Deflate),
                // Not codings, and servers name them all the same; the last one is how S3 stores uploads.
                "" | "identity" | "none" | "utf-8" | "aws-chunked" => {}
                other => return Err(unknown(other)),
            }
        }
    }
    if codings.len() > MOST {
        return Err(protocol(format!(
            "the body has {} codings one in another; at most {MOST}",
            codings.len()
        )));
    }
    codings.reverse();
    Ok(codings)
}

/// Takes the codings off. What is decoded counts against the budget as it grows.
pub fn decode(codings: &[Coding], body: &[u8], room: &Room) -> Result<(Vec<u8>, Hold), Undecoded> {
    let mut decoded = Output::new(room);
    for (number, coding) in codings.iter().enumerate() {
        let mut next = Output::new(room);
        next.read(*coding, if number == 0 { body } else { &decoded.bytes })?;
        decoded = next;
    }
    Ok((decoded.bytes, decoded.hold))
}

/// A body in the making.
struct Output<'r> {
    room: &'r Room,
    bytes: Vec<u8>,
    hold: Hold,
}

impl<'r> Output<'r> {
    fn new(room: &'r Room) -> Self {
        Self { room, bytes: Vec::new(), hold: Hold::default() }
    }

    fn read(&mut self, coding: Coding, body: &[u8]) -> Result<(), Undecoded> {
        match coding {
            // An empty body is empty in any coding: servers name the coding of a HEAD or a 204 as well.
            _ if body.is_empty() => Ok(()),
            Coding::Gzip => self.gzip(body),
            Coding::Deflate => self.deflate(body),
        }
    }

    /// Members one behind the other are one stream (RFC 1952, 2.2), and zeros behind the last one are padding.
    fn gzip(&mut self, mut rest: &[u8]) -> Result<(), Undecoded> {
        let mut slice = vec![0; SLICE];
        for _ in 0..self.room.members {
            let mut decoder = GzDecoder::new(&mut rest);
            loop {
                let read = decoder.read(&mut slice).map_err(|error| invalid("gzip", &error.to_string()))?;
                if read == 0 {
                    break;
                }
                self.add(&slice[..read])?;
            }
            drop(decoder);
            if rest.iter().all(|byte| *byte == 0) {
                return Ok(());
            }
            if !rest.starts_with(&[0x1f, 0x8b]) {
                return Err(invalid("gzip", "something else follows it"));
            }
        }
        Err(Undecoded::TooManyMembers)
    }

    fn deflate(&mut self, body: &[u8]) -> Result<(), Undecoded> {
        let mut inflate = Decompress::new(is_zlib(body));
        let mut slice = vec![0; SLICE];
        loop {
            let (used, made) = (inflate.total_in(), inflate.total_out());
            let status = inflate
                .decompress(&body[used as usize..], &mut slice, FlushDecompress::None)
                .map_err(|error| invalid("deflate", &error.to_string()))?;
            let new = (inflate.total_out() - made) as usize;
            self.add(&slice[..new])?;
            match status {
                Status::StreamEnd => return Ok(()),
                Status::Ok | Status::BufError if new == 0 && inflate.total_in() == used => {
                    return Err(invalid("deflate", "it is cut off"));
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }

    fn add(&mut self, decoded: &[u8]) -> Result<(), Undecoded> {
        let length = self.bytes.len() + decoded.len();
        if length as u64 > self.room.limit {
            return Err(Undecoded::TooLong);
        }
        if length > self.bytes.capacity() {
            let wanted = (2 * self.bytes.capacity()).max(length);
            self.hold.set(&self.room.budget, wanted).map_err(Undecoded::Failed)?;
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        self.bytes.extend_from_slice(decoded);
        Ok(())
    }
}

/// Whether deflated data begins with the header of zlib (RFC 1950, 2.2).
fn is_zlib(body: &[u8]) -> bool {
    match body {
        [method, flags, ..] => {
            method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31)
        }
        _ => false,
    }
}

fn unknown(name: &str) -> Failure {
    protocol(format!(
        "the body is encoded as `{name}`, which is not read here; gzip and deflate are: ask for them with \
         `http: {{accept_encoding: gzip}}`, or expect nothing of the body"
    ))
}

fn invalid(name: &str, why: &str) -> Undecoded {
    Undecoded::Failed(protocol(format!("the body is not valid {name}: {why}")))
}

fn protocol(message: impl AsRef<str>) -> Failure {
    Failure::new(FailureKind::Protocol, message)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::super::incoming::keep;
    use super::*;

    const TEXT: &[u8] = b"{\"a\": \"hello\"}";

    macro_rules! encoded {
        ($encoder:ident, $text:expr) => {{
            let mut encoder = $encoder::new(Vec::new(), Compression::fast());
            encoder.write_all($text).unwrap();
            encoder.finish().unwrap()
        }};
    }

    fn read_within(lines: &[&str], body: &[u8], limit: u64) -> Result<Vec<u8>, Failure> {
        let mut headers = HeaderMap::new();
        for line in lines {
            keep(&mut headers, "content-encoding", line.as_bytes());
        }
        let codings = of(&headers)?;
        if codings.is_empty() {
            return Ok(body.to_vec());
        }
        let room = Room { limit, members: MOST_MEMBERS, budget: Budget::new(1 << 20) };
        decode(&codings, body, &room).map(|(bytes, _)| bytes).map_err(|error| error.failure(limit))
    }

    fn read(lines: &[&str], body: &[u8]) -> Result<Vec<u8>, String> {
        read_within(lines, body, 1 << 20).map_err(|failure| failure.message)
    }

    #[test]
    fn a_body_is_read_in_every_coding_that_servers_send() {
        let (gzip, zlib, raw) =
            (encoded!(GzEncoder, TEXT), encoded!(ZlibEncoder, TEXT), encoded!(DeflateEncoder, TEXT));
        let twice = encoded!(GzEncoder, &gzip);
        let mixed = encoded!(ZlibEncoder, &gzip);
        for (lines, body) in [
            (&["gzip"][..], &gzip),
            (&["GZIP"], &gzip),
            (&["x-gzip"], &gzip),
            (&["deflate"], &zlib),
            (&["deflate"], &raw),
            (&["gzip, gzip"], &twice),
            (&["gzip", "gzip"], &twice),
            (&["gzip, deflate"], &mixed),
            (&["identity, gzip", ""], &gzip),
            (&["none"], &TEXT.to_vec()),
            (&["identity"], &TEXT.to_vec()),
            (&[""], &TEXT.to_vec()),
            (&["aws-chunked"], &TEXT.to_vec()),
            (&["gzip"], &[gzip.clone(), vec![0; 8]].concat()),
        ] {
            assert_eq!(read(lines, body).as_deref(), Ok(TEXT), "{lines:?}");
        }
        assert_eq!(
            read(&["gzip"], &[encoded!(GzEncoder, b"hel"), encoded!(GzEncoder, b"lo")].concat()).unwrap(),
            b"hello"
        );
        assert_eq!(read(&["gzip"], b"").unwrap(), b"");
        assert_eq!(read(&["gzip"], &encoded!(GzEncoder, b"")).unwrap(), b"");
    }

    #[test]
    fn what_is_cut_off_is_never_a_body_that_ends_early() {
        let text: Vec<u8> =
            (0..100_000_u32).flat_map(|number| (number.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
        for (line, body) in [
            ("gzip", encoded!(GzEncoder, &text)),
            ("deflate", encoded!(ZlibEncoder, &text)),
            ("deflate", encoded!(DeflateEncoder, &text)),
        ] {
            assert_eq!(read(&[line], &body).unwrap(), text);
            for left in [1, body.len() / 2, body.len() - 1] {
                let said = read(&[line], &body[..left]).unwrap_err();
                assert!(said.contains(&format!("not valid {line}")), "{line} {left}: {said}");
            }
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (lines, body, says) in [
            (&["br"][..], TEXT, "`br`"),
            (&["br"], TEXT, "accept_encoding: gzip"),
            (&["zstd, gzip"], TEXT, "`zstd`"),
            (&["gzip"], TEXT, "not valid gzip"),
            (&["deflate"], b"hello", "not valid deflate"),
            (&["gzip,gzip,gzip", "gzip,gzip"], TEXT, "5 codings"),
        ] {
            let said = read(lines, body).unwrap_err();
            assert!(said.contains(says), "{said}");
        }
        let garbage = [encoded!(GzEncoder, TEXT), b"garbage".to_vec()].concat();
        assert!(read(&["gzip"], &garbage).unwrap_err().contains("something else follows"));
    }

    #[test]
    fn a_stream_of_very_many_members_fails() {
        let empty = encoded!(GzEncoder, b"");
        assert_eq!(read(&["gzip"], &empty.repeat(MOST_MEMBERS)).unwrap(), b"");
        let said = read(&["gzip"], &empty.repeat(MOST_MEMBERS + 1)).unwrap_err();
        assert!(said.contains("more than 10000 gzip members"), "{said}");
    }

    #[test]
    fn a_body_that_grows_over_a_limit_fails() {
        let bomb = encoded!(GzEncoder, &vec![0; 4 << 20]);
        let failure = read_within(&["gzip"], &bomb, 10_000).unwrap_err();
        assert!(failure.message.contains("longer than 10000 bytes (`max_body`)"), "{}", failure.message);
        // The budget has 1 MiB.
        let failure = read_within(&["gzip"], &bomb, 1 << 30).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Memory);
    }
}
