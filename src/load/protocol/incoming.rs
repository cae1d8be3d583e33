//! What is read of a response, and what is kept of it: bodies pass through, and stay only where something
//! looks at them.

use std::io::Read;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, HeaderName, HeaderValue, LOCATION, SET_COOKIE};

use super::response::Response;
use crate::load::measure::outcome::{Failure, FailureKind};

/// What a failed response shows of its body.
const EXCERPT: usize = 400;

/// What a request wants of its response.
#[derive(Debug, Clone, Copy)]
pub struct Wants {
    /// Which headers are kept.
    pub headers: Headers,
    /// How much of the body is kept.
    pub body: Keep,
    /// The most bytes of a body.
    pub limit: u64,
}

/// Which headers of a response are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headers {
    /// Something looks at them.
    All,
    /// Those that say what to do next: where to go, which cookies to keep, how the body is encoded.
    Essential,
}

impl Headers {
    /// Whether a header is kept.
    pub fn keep(self, name: &str) -> bool {
        self == Self::All
            || [LOCATION, SET_COOKIE, CONTENT_ENCODING]
                .iter()
                .any(|essential| name.eq_ignore_ascii_case(essential.as_str()))
    }
}

/// How much of a response body is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Something looks at it.
    Whole,
    /// Only its beginning, and only of a failure, to show it.
    Excerpt,
}

/// A response that has been read to its end.
#[derive(Debug)]
pub struct Received {
    /// What is left of it.
    pub response: Response,
    /// When its first byte came.
    pub first_byte: Instant,
    /// When its last byte came; what was made of it takes its own time.
    pub last_byte: Instant,
    /// Whether the connection can carry another request.
    pub reuse: Reuse,
}

/// Whether a connection can carry another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// It can.
    Again,
    /// It is at its end.
    Never,
}

/// What is kept of a body while it passes.
#[derive(Debug)]
pub struct Sieve {
    wants: Wants,
    room: usize,
    length: u64,
    kept: BytesMut,
}

impl Sieve {
    /// Keeps what is wanted of the body of a response with this status.
    pub fn new(wants: Wants) -> Self {
        Self { wants, room: 0, length: 0, kept: BytesMut::new() }
    }

    /// The head is known: what comes now is its body.
    pub fn begin(&mut self, status: u16) {
        self.room = match self.wants.body {
            Keep::Whole => usize::MAX,
            Keep::Excerpt if status >= 400 => EXCERPT,
            Keep::Excerpt => 0,
        };
    }

    /// A stretch of the body. Fails where there is more than allowed.
    pub fn pass(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.length += data.len() as u64;
        if self.length > self.wants.limit {
            return Err(too_long(self.wants.limit));
        }
        let kept = data.len().min(self.room.saturating_sub(self.kept.len()));
        if kept > 0 {
            self.kept.extend_from_slice(&data[..kept]);
        }
        Ok(())
    }

    /// The response, its body without the encoding it travelled in.
    pub fn end(self, status: u16, headers: HeaderMap) -> Result<Response, Failure> {
        let body = match headers.get(CONTENT_ENCODING) {
            Some(_) if self.wants.body == Keep::Excerpt => Bytes::new(),
            Some(encoding) if !self.kept.is_empty() => decode(encoding, &self.kept, self.wants.limit)?,
            _ => self.kept.freeze(),
        };
        Ok(Response::new(status, headers, body))
    }
}

/// Keeps a header of a response; one that is no valid header is left out.
pub fn keep(headers: &mut HeaderMap, name: &str, value: &[u8]) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
        headers.append(name, value);
    }
}

fn too_long(limit: u64) -> Failure {
    Failure::new(FailureKind::Protocol, format!("the body is longer than {limit} bytes (`max_body`)"))
}

/// A body without its content coding (RFC 9110, 8.4). `deflate` is zlib, as the RFC says.
fn decode(encoding: &HeaderValue, body: &[u8], limit: u64) -> Result<Bytes, Failure> {
    let name = String::from_utf8_lossy(encoding.as_bytes()).to_ascii_lowercase();
    let mut decoder: Box<dyn Read + '_> = match name.trim() {
        "gzip" | "x-gzip" => Box::new(MultiGzDecoder::new(body)),
        "deflate" => Box::new(ZlibDecoder::new(body)),
        "identity" | "" => return Ok(Bytes::copy_from_slice(body)),
        other => {
            return Err(Failure::new(
                FailureKind::Protocol,
                format!("the body is encoded as `{other}`, which is not read here; gzip and deflate are"),
            ));
        }
    };
    let mut whole = Vec::new();
    decoder.by_ref().take(limit + 1).read_to_end(&mut whole).map_err(|error| {
        Failure::new(FailureKind::Protocol, format!("the body is not valid {}: {error}", name.trim()))
    })?;
    if whole.len() as u64 > limit { Err(too_long(limit)) } else { Ok(whole.into()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn sieve(body: Keep, limit: u64) -> Sieve {
        Sieve::new(Wants { headers: Headers::All, body, limit })
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn encoded(encoding: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        keep(&mut headers, "content-encoding", encoding.as_bytes());
        headers
    }

    #[test]
    fn a_body_passes_and_only_the_beginning_of_a_failure_stays() {
        for (status, kept) in [(200, 0), (500, 400)] {
            let mut sieve = sieve(Keep::Excerpt, 1 << 20);
            sieve.begin(status);
            (0..10).for_each(|_| sieve.pass(&[b'x'; 100]).unwrap());
            assert_eq!(sieve.end(status, HeaderMap::new()).unwrap().body.len(), kept);
        }
    }

    #[test]
    fn a_body_over_the_limit_fails_also_when_it_only_grows_that_long() {
        let mut long = sieve(Keep::Excerpt, 100);
        assert!(long.pass(&[0; 101]).unwrap_err().message.contains("`max_body`"));
        let mut bomb = sieve(Keep::Whole, 10_000);
        bomb.begin(200);
        bomb.pass(&gzip(&vec![0; 1_000_000])).unwrap();
        assert!(bomb.end(200, encoded("gzip")).unwrap_err().message.contains("`max_body`"));
    }

    #[test]
    fn a_compressed_body_is_read_and_an_unknown_coding_is_named() {
        let read = |encoding: &str| {
            let mut sieve = sieve(Keep::Whole, 100);
            sieve.begin(200);
            // Several members are one stream (RFC 1952, 2.2).
            sieve.pass(&[gzip(b"hel"), gzip(b"lo")].concat()).unwrap();
            sieve.end(200, encoded(encoding)).map(|response| response.body)
        };
        assert_eq!(read("GZIP").unwrap(), "hello");
        assert!(read("br").unwrap_err().message.contains("`br`"));
        assert!(read("deflate").unwrap_err().message.contains("not valid deflate"));
    }
}
