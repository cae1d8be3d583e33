//! Encodings that servers, clients and file formats apply to a text, undone one at a time. Each decoded byte
//! remembers which bytes of the source it came from, so that what is found in the decoded text can be masked in
//! the source. Decoding is lenient: what is not an escape sequence stays as it is.

use std::ops::Range;

/// Stands between two stretches that do not follow each other in the source. No environment variable can hold it.
pub const GAP: u8 = 0;

/// A text with one or more encodings undone.
#[derive(Debug, Default)]
pub struct Decoded {
    /// The decoded bytes.
    pub bytes: Vec<u8>,
    /// For each of them, the bytes of the source that it came from.
    pub sources: Vec<Range<usize>>,
}

/// What is looked for in what digits stand for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The fewest bytes of it.
    pub shortest: usize,
    /// Whether it may hold control characters.
    pub controls: bool,
}

/// An encoding that can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `%2F` and `%u00E9`: URLs and forms.
    Percent,
    /// `\u00e9`, `\/`, `\x2f`, `\057`: JSON and programming languages.
    Backslash,
    /// `&amp;`, `&#x2F;`, `&eacute;`: HTML and XML.
    Markup,
    /// Both alphabets, padded or not, from any position within a quantum.
    Base64,
    /// Two hexadecimal digits per byte, from any position.
    Hex,
}

impl Encoding {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Percent, Self::Backslash, Self::Markup, Self::Base64, Self::Hex];
}

impl Decoded {
    /// A source as it is.
    pub fn raw(source: &[u8]) -> Self {
        Self { bytes: source.to_vec(), sources: (0..source.len()).map(|at| at..at + 1).collect() }
    }

    /// The text with `encoding` undone; none where nothing in it is encoded so. A stretch of base64 or hexadecimal
    /// digits counts only where it can hold what is wanted. `end` is the length of the source.
    pub fn without(&self, encoding: Encoding, wanted: Wanted, end: usize) -> Option<Self> {
        match encoding {
            Encoding::Percent => self.unescaped(b'%', percent, end),
            Encoding::Backslash => self.unescaped(b'\\', backslash, end),
            Encoding::Markup => self.unescaped(b'&', markup, end),
            Encoding::Base64 => self.in_runs(Digits::Base64, wanted, end),
            Encoding::Hex => self.in_runs(Digits::Hex, wanted, end),
        }
    }

    /// Whether the text ends, or has a gap, at `at` because the source ends there.
    pub fn is_at_end(&self, at: usize, end: usize) -> bool {
        match self.sources.get(at) {
            None => true,
            Some(source) => self.bytes[at] == GAP && source.start == end,
        }
    }

    fn copy(&mut self, from: &Self, places: Range<usize>) {
        self.bytes.extend_from_slice(&from.bytes[places.clone()]);
        self.sources.extend_from_slice(&from.sources[places]);
    }

    fn push(&mut self, byte: u8, source: Range<usize>) {
        self.bytes.push(byte);
        self.sources.push(source);
    }

    fn push_char(&mut self, decoded: char, source: &Range<usize>) {
        for byte in decoded.encode_utf8(&mut [0; 4]).bytes() {
            self.push(byte, source.clone());
        }
    }

    fn unescaped(&self, mark: u8, escape: fn(&[u8]) -> Escape, end: usize) -> Option<Self> {
        let (mut decoded, mut at, mut changed) = (Self::default(), 0, false);
        let mut copied = 0;
        // What stands between escape sequences is copied as a whole, and nothing is where there are none.
        while let Some(found) = memchr::memchr(mark, &self.bytes[at..]) {
            at += found;
            let source = |length: usize| self.sources[at].start..self.sources[at + length - 1].end;
            let escape = escape(&self.bytes[at..]);
            let is_cut = matches!(escape, Escape::Cut) && source(self.bytes.len() - at).end == end;
            if escape.length() > 1 || is_cut {
                decoded.copy(self, copied..at);
                changed = true;
            }
            match escape {
                Escape::Byte(byte, length) => decoded.push(byte, source(length)),
                Escape::Char(char, length) => decoded.push_char(char, &source(length)),
                // The source was cut within an escape sequence: what comes before it may be the start of a secret.
                Escape::Cut if is_cut => return Some(decoded),
                Escape::None | Escape::Cut => {
                    at += 1;
                    continue;
                }
            }
            at += escape.length();
            copied = at;
        }
        if changed {
            decoded.copy(self, copied..self.bytes.len());
        }
        changed.then_some(decoded)
    }

    /// All stretches of digits that may hold what is wanted, decoded from each position at which a byte may begin. Of what
    /// they become only that is kept which may be text: base64 is found in every long word.
    fn in_runs(&self, digits: Digits, wanted: Wanted, end: usize) -> Option<Self> {
        let fewest = (wanted.shortest * 8).div_ceil(digits.bits() as usize);
        let (mut decoded, mut at) = (Self::default(), 0);
        let (mut places, mut made) = (Vec::new(), Vec::new());
        while let Some(found) = self.bytes[at..].iter().position(|byte| digits.value(*byte).is_some()) {
            at += found;
            let ahead = &self.bytes[at..];
            let length = ahead.iter().position(|byte| digits.value(*byte).is_none()).unwrap_or(ahead.len());
            // Most words are too short, and nothing may stand between them and the next.
            if length < fewest && digits.separator(&ahead[length..], length) == 0 {
                at += length;
                continue;
            }
            digits.run(&self.bytes, at, &mut places);
            let Some(last) = places.last().copied() else { break };
            at = last + 1;
            if places.len() < fewest {
                continue;
            }
            // Digits that make no whole byte are the beginning of one that was cut off.
            let is_cut = self.is_at_end(last + 1, end);
            let last_source = if is_cut { end } else { self.sources[last].end };
            for phase in 0..digits.phases() {
                let run = &places[phase..];
                digits.decode(run.iter().map(|at| self.bytes[*at]), &mut made);
                let source = |byte: usize| {
                    let [first, last] = [byte * 8, byte * 8 + 7].map(|bit| run[bit / digits.bits() as usize]);
                    self.sources[first].start..self.sources[last].end
                };
                decoded.append_texts(&made, source, (wanted, is_cut));
                decoded.push(GAP, last_source..last_source);
            }
        }
        (!decoded.bytes.is_empty()).then_some(decoded)
    }

    /// Appends whatever is text that may hold what is wanted, and text at the end where that was cut off, with a gap
    /// behind each before the end. `source` tells where a byte came from.
    fn append_texts(
        &mut self,
        made: &[u8],
        source: impl Fn(usize) -> Range<usize>,
        (wanted, is_cut): (Wanted, bool),
    ) {
        let mut from = 0;
        while from < made.len() {
            let to = from + made[from..].iter().take_while(|byte| wanted.may_hold(**byte)).count();
            if to - from >= wanted.shortest || is_cut && to == made.len() {
                self.bytes.extend_from_slice(&made[from..to]);
                self.sources.extend((from..to).map(&source));
                if to < made.len() {
                    let gap = source(to).start;
                    self.push(GAP, gap..gap);
                }
            }
            from = to + 1;
        }
    }
}

impl Wanted {
    fn may_hold(self, byte: u8) -> bool {
        byte != GAP && (self.controls || !is_control(byte))
    }
}

/// Whether a byte stands in texts only where they hold control characters.
pub fn is_control(byte: u8) -> bool {
    byte < 0x20 && !byte.is_ascii_whitespace() || byte == 0x7f
}

/// What the digits of a number system are, and what may stand between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    Base64,
    Hex,
}

/// From this on a line is taken for one of many: PEM breaks after 64 digits, MIME after 76.
const LONG_LINE: usize = 60;

impl Digits {
    fn bits(self) -> u32 {
        match self {
            Self::Base64 => 6,
            Self::Hex => 4,
        }
    }

    /// At how many digits of a run a byte may begin.
    fn phases(self) -> usize {
        match self {
            Self::Base64 => 4,
            Self::Hex => 2,
        }
    }

    fn value(self, byte: u8) -> Option<u32> {
        let values = match self {
            Self::Base64 => &BASE64,
            Self::Hex => &HEX,
        };
        Some(values[usize::from(byte)]).filter(|value| *value != NO_DIGIT).map(u32::from)
    }

    /// The whole bytes that digits make.
    fn decode(self, digits: impl Iterator<Item = u8>, made: &mut Vec<u8>) {
        made.clear();
        let (mut buffer, mut held) = (0_u32, 0_u32);
        for digit in digits {
            buffer = (buffer << self.bits()) | self.value(digit).unwrap_or(0);
            held += self.bits();
            if held >= 8 {
                held -= 8;
                made.push((buffer >> held) as u8);
                buffer &= (1 << held) - 1;
            }
        }
    }

    /// The places of the digits that belong together from `at` on.
    fn run(self, bytes: &[u8], mut at: usize, run: &mut Vec<usize>) {
        run.clear();
        let mut since_break = 0;
        while let Some(byte) = bytes.get(at) {
            if self.value(*byte).is_some() {
                run.push(at);
                (at, since_break) = (at + 1, since_break + 1);
                continue;
            }
            let length = self.separator(&bytes[at..], since_break);
            if length == 0 || bytes.get(at + length).is_none_or(|next| self.value(*next).is_none()) {
                break;
            }
            (at, since_break) = (at + length, 0);
        }
    }

    /// How many bytes stand between two digits without ending the run.
    fn separator(self, bytes: &[u8], since_break: usize) -> usize {
        match self {
            Self::Base64 if since_break >= LONG_LINE => {
                let line_break = bytes.iter().take(2).take_while(|byte| b"\r\n".contains(byte)).count();
                let indent = bytes[line_break..].iter().take_while(|byte| b" \t".contains(byte)).count();
                if line_break == 0 { 0 } else { line_break + indent }
            }
            Self::Hex if since_break == 2 && bytes.first() == Some(&b':') => 1,
            _ => 0,
        }
    }
}

/// What stands at an escape character.
#[derive(Debug, Clone, Copy)]
enum Escape {
    /// A byte, written with so many bytes.
    Byte(u8, usize),
    /// A character, likewise.
    Char(char, usize),
    /// The text ends before the escape sequence does.
    Cut,
    /// Nothing but the character itself.
    None,
}

impl Escape {
    fn length(self) -> usize {
        match self {
            Self::Byte(_, length) | Self::Char(_, length) => length,
            Self::Cut | Self::None => 1,
        }
    }
}

/// `%2F`, and `%u00E9` as old scripts have it.
fn percent(text: &[u8]) -> Escape {
    match text.get(1) {
        Some(b'u') => unicode(text, 2, 4),
        _ => match digits(text, 1, 2, 16) {
            Number::All(value) => Escape::Byte(value as u8, 3),
            Number::Cut => Escape::Cut,
            Number::No => Escape::None,
        },
    }
}

fn backslash(text: &[u8]) -> Escape {
    let Some(kind) = text.get(1) else { return Escape::Cut };
    match kind {
        b'u' if text.get(2) == Some(&b'{') => braced(text),
        b'u' => unicode(text, 2, 4),
        b'x' => match digits(text, 2, 2, 16) {
            Number::All(value) => Escape::Byte(value as u8, 4),
            Number::Cut => Escape::Cut,
            Number::No => Escape::None,
        },
        b'0'..=b'3' => match digits(text, 1, 3, 8) {
            Number::All(value) => Escape::Byte(value as u8, 4),
            Number::Cut => Escape::Cut,
            Number::No => Escape::None,
        },
        b'n' => Escape::Byte(b'\n', 2),
        b'r' => Escape::Byte(b'\r', 2),
        b't' => Escape::Byte(b'\t', 2),
        b'b' => Escape::Byte(8, 2),
        b'f' => Escape::Byte(12, 2),
        b'"' | b'\'' | b'\\' | b'/' | b'`' | b'$' => Escape::Byte(*kind, 2),
        _ => Escape::None,
    }
}

/// `\u{e9}`.
fn braced(text: &[u8]) -> Escape {
    let length = text[3..].iter().take(7).take_while(|byte| byte.is_ascii_hexdigit()).count();
    match (text.get(3 + length), digits(text, 3, length, 16)) {
        (Some(b'}'), Number::All(value)) => {
            char::from_u32(value).map_or(Escape::None, |char| Escape::Char(char, length + 4))
        }
        (None, _) => Escape::Cut,
        _ => Escape::None,
    }
}

/// A code unit of UTF-16 in `count` hexadecimal digits from `at`; the second half of a pair is written likewise.
fn unicode(text: &[u8], at: usize, count: usize) -> Escape {
    let first = match digits(text, at, count, 16) {
        Number::All(value) => value,
        Number::Cut => return Escape::Cut,
        Number::No => return Escape::None,
    };
    let length = at + count;
    if let Some(char) = char::from_u32(first) {
        return Escape::Char(char, length);
    }
    let again = &text[length..];
    let second = if again.get(..at) == Some(&text[..at]) { digits(again, at, count, 16) } else { Number::No };
    match second {
        Number::All(second) => {
            let pair = char::decode_utf16([first as u16, second as u16]).next().and_then(Result::ok);
            pair.map_or(Escape::None, |char| Escape::Char(char, length * 2))
        }
        Number::Cut => Escape::Cut,
        Number::No if again.len() < at && text[..at].starts_with(again) => Escape::Cut,
        Number::No => Escape::None,
    }
}

/// The names of U+00A0 to U+00FF in HTML, in order.
const LATIN_1: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg \
    plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute \
    Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve \
    Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc \
    atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute \
    ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";

/// The longest reference that is looked for: `#x10FFFF` and the longest names.
const LONGEST_NAME: usize = 8;

fn markup(text: &[u8]) -> Escape {
    let length = text[1..].iter().take(LONGEST_NAME).take_while(|byte| **byte != b';').count();
    let Some(b';') = text.get(1 + length) else {
        let is_cut = 1 + length == text.len()
            && text[1..].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'#');
        return if is_cut { Escape::Cut } else { Escape::None };
    };
    let name = std::str::from_utf8(&text[1..=length]).unwrap_or("");
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    let char = if let Some(digits) = name.strip_prefix("#x").or_else(|| name.strip_prefix("#X")) {
        number(digits, 16)
    } else if let Some(digits) = name.strip_prefix('#') {
        number(digits, 10)
    } else {
        named(name)
    };
    char.map_or(Escape::None, |char| Escape::Char(char, length + 2))
}

fn named(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => LATIN_1
            .split_whitespace()
            .position(|known| known == name)
            .and_then(|index| char::from_u32(0xA0 + index as u32)),
    }
}

enum Number {
    All(u32),
    /// The text ends, and all that is there is digits.
    Cut,
    No,
}

fn digits(text: &[u8], at: usize, count: usize, radix: u32) -> Number {
    let mut value = 0_u32;
    for index in at..at + count {
        match text.get(index).map(|byte| char::from(*byte).to_digit(radix)) {
            Some(Some(digit)) => value = value.wrapping_mul(radix).wrapping_add(digit),
            Some(None) => return Number::No,
            None => return Number::Cut,
        }
    }
    Number::All(value)
}

/// In the tables of digits: it is none.
const NO_DIGIT: u8 = 0xff;
/// The values of the digits of both alphabets.
const BASE64: [u8; 256] = digits_of(&[
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
]);
const HEX: [u8; 256] = digits_of(&[b"0123456789abcdef", b"0123456789ABCDEF"]);

const fn digits_of(alphabets: &[&[u8]]) -> [u8; 256] {
    let (mut values, mut alphabet) = ([NO_DIGIT; 256], 0);
    while alphabet < alphabets.len() {
        let mut value = 0;
        while value < alphabets[alphabet].len() {
            values[alphabets[alphabet][value] as usize] = value as u8;
            value += 1;
        }
        alphabet += 1;
    }
    values
}
