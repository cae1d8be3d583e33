//! The bytes of an HTTP/1 response, decoded as they come (RFC 9112). It does no I/O: it is fed, and says how
//! much it has used.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use hyper::{HeaderMap, Method};

use crate::load::measure::outcome::{Failure, FailureKind};
use crate::load::protocol::excerpt;
use crate::load::protocol::incoming::{Headers, Reuse, Sieve, keep};

/// The most headers of a response that is read without an allocation; nearly all have fewer.
const QUICK_HEADERS: usize = 64;
/// The most headers of a response.
const MOST_HEADERS: usize = 8_192;
/// The most lines of a trailer.
const MOST_TRAILERS: usize = 128;
/// What every response begins with.
const HTTP_1: &[u8] = b"HTTP/1.";
/// The most interim responses before the one that counts.
const MOST_INTERIM: u32 = 100;
/// The longest head, in bytes: as in browsers.
pub const LONGEST_HEAD: usize = 256 * 1024;
/// The longest line of a chunk, or trailer.
const LONGEST_LINE: usize = 64 * 1024;

/// Where in a response the decoder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Head,
    /// A body of known length: so much is left.
    Body(u64),
    /// The line before a chunk.
    ChunkSize,
    /// A chunk: so much is left.
    Chunk(u64),
    /// The line break after a chunk.
    ChunkEnd,
    /// After the last chunk.
    Trailer,
    /// A body that ends with the connection.
    Rest,
    Done,
}

/// One response in the making.
#[derive(Debug)]
pub struct Decoder {
    at: At,
    /// A response to it has no body, whatever its headers say.
    head_only: bool,
    which: Headers,
    searched: usize,
    interim: u32,
    /// The status, once the head is read.
    pub status: u16,
    /// The headers that are kept.
    pub headers: HeaderMap,
    reuse: Reuse,
}

/// What the headers say about the body and the connection.
#[derive(Default)]
struct Framing<'h> {
    length: Option<u64>,
    coding: Coding,
    wish: Wish,
    content_type: &'h [u8],
}

/// What `transfer-encoding` says.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Coding {
    #[default]
    None,
    Chunked,
    Other,
}

/// What `connection` says; to close weighs more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Wish {
    #[default]
    Unsaid,
    KeepAlive,
    Close,
}

impl Decoder {
    /// Expects the response to a request with this method.
    pub fn new(method: &Method, which: Headers) -> Self {
        Self {
            at: At::Head,
            head_only: *method == Method::HEAD,
            which,
            searched: 0,
            interim: 0,
            status: 0,
            headers: HeaderMap::new(),
            reuse: Reuse::Again,
        }
    }

    /// Whether the response is complete.
    pub fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// Whether the connection can carry another request after this response.
    pub fn reuse(&self) -> Reuse {
        self.reuse
    }

    /// Decodes what it can of `input` and returns how many bytes of it are used. The rest must be offered
    /// again, with more behind it.
    pub fn feed(&mut self, input: &[u8], sieve: &mut Sieve<'_>) -> Result<usize, Failure> {
        let mut used = 0;
        loop {
            let left = &input[used..];
            let before = self.at;
            let step = match self.at {
                At::Done => 0,
                At::Head => self.head(left, sieve)?,
                At::Body(length) => {
                    let taken = length.min(left.len() as u64);
                    sieve.pass(&left[..taken as usize])?;
                    self.at = if taken == length { At::Done } else { At::Body(length - taken) };
                    taken as usize
                }
                At::Rest => {
                    sieve.pass(left)?;
                    left.len()
                }
                At::ChunkSize => self.chunk_size(left)?,
                At::Chunk(length) => {
                    let taken = length.min(left.len() as u64);
                    sieve.pass(&left[..taken as usize])?;
                    self.at = if taken == length { At::ChunkEnd } else { At::Chunk(length - taken) };
                    taken as usize
                }
                At::ChunkEnd => self.chunk_end(left)?,
                At::Trailer => self.trailer(left)?,
            };
            used += step;
            if self.at == At::Done || (step == 0 && self.at == before) {
                return Ok(used);
            }
        }
    }

    /// The connection has ended: whether that completes the response.
    pub fn end(&mut self) -> Result<(), Failure> {
        let what = match self.at {
            At::Rest | At::Done => {
                self.at = At::Done;
                return Ok(());
            }
            At::Head => "before the response",
            _ => "before the end of the response",
        };
        Err(Failure::new(FailureKind::Reset, format!("the connection was closed {what}")))
    }

    fn head(&mut self, input: &[u8], sieve: &mut Sieve<'_>) -> Result<usize, Failure> {
        if !begins_like(input, HTTP_1) {
            return Err(foreign(input));
        }
        if !self.head_is_whole(input) {
            return within(input, "the head", LONGEST_HEAD).map(|()| 0);
        }
        let mut lines = [const { MaybeUninit::uninit() }; QUICK_HEADERS];
        let mut head = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default()
            .parse_response_with_uninit_headers(&mut head, input, &mut lines);
        match parsed {
            Ok(httparse::Status::Complete(length)) => self.heed(&head, sieve).map(|()| length),
            Ok(httparse::Status::Partial) => within(input, "the head", LONGEST_HEAD).map(|()| 0),
            Err(_) => self.unusual_head(input, sieve),
        }
    }

    /// A head that has many headers, or one that is written as RFC 9112 wants it read and not sent: a value on
    /// several lines (5.2), a space before a colon (5.1).
    fn unusual_head(&mut self, input: &[u8], sieve: &mut Sieve<'_>) -> Result<usize, Failure> {
        let count = memchr::memchr_iter(b'\n', input).count();
        let mut lines = vec![httparse::EMPTY_HEADER; count.min(MOST_HEADERS)];
        let mut head = httparse::Response::new(&mut lines);
        let mut config = httparse::ParserConfig::default();
        config
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .allow_multiple_spaces_in_response_status_delimiters(true);
        match config.parse_response(&mut head, input) {
            Ok(httparse::Status::Complete(length)) => self.heed(&head, sieve).map(|()| length),
            Ok(httparse::Status::Partial) => within(input, "the head", LONGEST_HEAD).map(|()| 0),
            Err(error) => Err(no_http(error)),
        }
    }

    /// Does what a head asks for.
    fn heed(&mut self, head: &httparse::Response<'_, '_>, sieve: &mut Sieve<'_>) -> Result<(), Failure> {
        let status = head.code.unwrap_or(0);
        if status < 100 {
            return Err(protocol(&format!("{status:03} is no status")));
        }
        self.searched = 0;
        // Only the last of several responses to one request is no interim one (RFC 9110, 15.2).
        if (100..200).contains(&status) && status != 101 {
            self.interim += 1;
            if self.interim > MOST_INTERIM {
                return Err(protocol(&format!("more than {MOST_INTERIM} interim responses (1xx)")));
            }
            return Ok(());
        }
        let framing = self.framing(head.headers)?;
        self.status = status;
        sieve.begin(status, framing.content_type);
        sieve.keep_head(&self.headers)?;
        self.arrange(&framing, head.version == Some(1));
        Ok(())
    }

    /// Whether the empty line at the end of the head has come; looks at no byte twice.
    fn head_is_whole(&mut self, input: &[u8]) -> bool {
        let from = self.searched.saturating_sub(3);
        self.searched = input.len();
        let mut breaks = input[from..].iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        breaks.any(|(at, _)| {
            let line = &input[..from + at];
            line.ends_with(b"\n") || line.ends_with(b"\n\r")
        })
    }

    fn framing<'h>(&mut self, headers: &[httparse::Header<'h>]) -> Result<Framing<'h>, Failure> {
        let mut framing = Framing::default();
        for header in headers {
            let (name, value) = (header.name, &*on_one_line(header.value));
            match name.len() {
                14 if name.eq_ignore_ascii_case("content-length") => {
                    let length = content_length(value)?;
                    if framing.length.is_some_and(|known| known != length) {
                        return Err(protocol("two different values of `content-length`"));
                    }
                    framing.length = Some(length);
                }
                17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                    let last = words(value).last();
                    let chunked = last.is_some_and(|word| word.eq_ignore_ascii_case(b"chunked"));
                    framing.coding = if chunked { Coding::Chunked } else { Coding::Other };
                }
                10 if name.eq_ignore_ascii_case("connection") => {
                    let says = |wish: &[u8]| words(value).any(|word| word.eq_ignore_ascii_case(wish));
                    let wish = if says(b"close") { Wish::Close } else { Wish::Unsaid };
                    let kept = if says(b"keep-alive") { Wish::KeepAlive } else { Wish::Unsaid };
                    framing.wish = framing.wish.max(wish).max(kept);
                }
                12 if name.eq_ignore_ascii_case("content-type") => framing.content_type = header.value,
                _ => {}
            }
            if self.which.keep(name) {
                keep(&mut self.headers, name, value);
            }
        }
        Ok(framing)
    }

    /// How the body is delimited (RFC 9112, 6.3), and whether the connection lives on (9.3).
    fn arrange(&mut self, framing: &Framing<'_>, version_1_1: bool) {
        self.at = match (framing.coding, framing.length) {
            _ if self.head_only || matches!(self.status, 101 | 204 | 304) => At::Done,
            (Coding::Chunked, _) => At::ChunkSize,
            (Coding::Other, _) | (Coding::None, None) => At::Rest,
            (Coding::None, Some(0)) => At::Done,
            (Coding::None, Some(length)) => At::Body(length),
        };
        let kept = framing.wish == Wish::KeepAlive || (version_1_1 && framing.wish == Wish::Unsaid);
        // Two ways to say where a body ends are one too many to trust what comes behind it.
        let clear = framing.coding == Coding::None || (framing.length.is_none() && version_1_1);
        let ends = self.at == At::Rest || self.status == 101;
        self.reuse = if kept && clear && !ends { Reuse::Again } else { Reuse::Never };
    }

    fn chunk_size(&mut self, input: &[u8]) -> Result<usize, Failure> {
        match httparse::parse_chunk_size(input) {
            Ok(httparse::Status::Complete((used, size))) => {
                self.at = if size == 0 { At::Trailer } else { At::Chunk(size) };
                Ok(used)
            }
            Ok(httparse::Status::Partial) => within(input, "the line of a chunk", LONGEST_LINE).map(|()| 0),
            Err(_) => Err(protocol("the size of a chunk is no hexadecimal number")),
        }
    }

    fn chunk_end(&mut self, input: &[u8]) -> Result<usize, Failure> {
        let used = match input {
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            [] | [b'\r'] => return Ok(0),
            _ => return Err(protocol("a chunk is longer than it says")),
        };
        self.at = At::ChunkSize;
        Ok(used)
    }

    fn trailer(&mut self, input: &[u8]) -> Result<usize, Failure> {
        let mut lines = [httparse::EMPTY_HEADER; MOST_TRAILERS];
        match httparse::parse_headers(input, &mut lines) {
            Ok(httparse::Status::Complete((used, _))) => {
                self.at = At::Done;
                Ok(used)
            }
            Ok(httparse::Status::Partial) => within(input, "the trailer", LONGEST_LINE).map(|()| 0),
            Err(error) => Err(protocol(&format!("the trailer makes no sense: {error}"))),
        }
    }
}

fn content_length(value: &[u8]) -> Result<u64, Failure> {
    let one = |word: &[u8]| {
        let digits = !word.is_empty() && word.iter().all(u8::is_ascii_digit);
        digits.then(|| std::str::from_utf8(word).ok()?.parse::<u64>().ok()).flatten()
    };
    let mut lengths = value.split(|byte| *byte == b',').map(|word| one(word.trim_ascii()));
    let first = lengths.next().flatten();
    match first {
        Some(length) if lengths.all(|other| other == first) => Ok(length),
        _ => Err(protocol(&format!("`content-length: {}` is no length", String::from_utf8_lossy(value)))),
    }
}

fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// A value that was written on several lines, on one: each line break is a space (RFC 9112, 5.2).
fn on_one_line(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'\n') {
        return value.into();
    }
    let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(&b' ').into()
}

/// Whether something that has not ended yet may still grow.
fn within(input: &[u8], what: &str, most: usize) -> Result<(), Failure> {
    if input.len() < most {
        Ok(())
    } else {
        Err(protocol(&format!("{what} of the response is longer than {} KiB", most >> 10)))
    }
}

fn no_http(error: httparse::Error) -> Failure {
    protocol(&match error {
        httparse::Error::TooManyHeaders => format!("the response has more than {MOST_HEADERS} headers"),
        other => format!("the answer is no HTTP/1.1: {other}"),
    })
}

fn begins_like(input: &[u8], wanted: &[u8]) -> bool {
    input.iter().zip(wanted).all(|(byte, wanted)| byte == wanted)
}

/// An answer that does not begin as one. Every HTTP/2 server begins with a SETTINGS frame on stream 0
/// (RFC 9113, 3.4 and 6.5), of less than 256 bytes as far as anybody has seen.
fn foreign(input: &[u8]) -> Failure {
    if input.starts_with(&[0, 0]) && begins_like(input.get(3..).unwrap_or(&[]), &[4, 0, 0, 0, 0, 0]) {
        return protocol("the answer is HTTP/2, not HTTP/1.1; `http: {version: 2}` speaks it");
    }
    let beginning = excerpt::beginning(input, 40);
    protocol(&format!("the answer is no HTTP/1.1; it begins with: {}", beginning.escape_debug()))
}

fn protocol(message: &str) -> Failure {
    Failure::new(FailureKind::Protocol, message)
}

#[cfg(test)]
mod tests;
