//! Takes secrets out of what leaves the process: texts, and streams of bytes of any length. It stands in this
//! room because the log of a target holds secrets too. It neither knows where they come from nor opens anything.
//!
//! A service seldom returns a secret as it was sent: it quotes it in JSON, escapes it for HTML, logs the header in
//! base64. So the comparison is made on decoded texts: every encoding in [`encoding`] is undone, each by itself and
//! up to [`DEPTH`] of them in a row, and what is found in a decoded text is masked in the source. Letters are equal in
//! both cases, since names of hosts are returned in lower case, and white space is equal to any other white space,
//! since messages are folded.

mod encoding;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::ops::Range;

use encoding::{Decoded, Encoding, Wanted};

/// What stands in place of a secret.
const MASK: &str = "***";
/// The fewest bytes of a secret: shorter ones would be found everywhere. Also how much of the beginning of a secret
/// at the end of a text is taken for a secret that was cut off.
const SHORTEST: usize = 4;

/// How many encodings are undone in a row: a URL in JSON in a form.
const DEPTH: usize = 3;

/// The most bytes that one byte of a secret takes in any of these: `%255Cu00e9` of a letter of two bytes, and room.
const EXPANSION: usize = 12;

/// How much of a stream is looked at at once.
const CHUNK: u64 = 64 * 1024;

/// Knows the secrets and what servers make of them. All are in lower case.
#[derive(Debug, Clone)]
pub struct Redactor {
    /// Sorted: tokens of many users begin alike, and are told apart by bisection.
    needles: Vec<Vec<u8>>,
    begins: Begins,
    /// What any of them is.
    wanted: Wanted,
    /// The bytes of the longest.
    longest: usize,
}

/// The secrets found in a text: where each begins, and where the longest that begins there ends.
type Found = BTreeMap<usize, usize>;

impl Redactor {
    /// One for these secrets; of one of several lines, each line is one as well, and of credentials within a secret
    /// (`scheme://user:password@host`, `Bearer token`) the credentials are.
    pub fn new<S: AsRef<str>>(secrets: &[S]) -> Self {
        Self::for_texts(secrets, usize::MAX)
    }

    /// The same for texts of at most so many bytes, which is less to hold where secrets are longer: a text that is as
    /// long as it may be has no end of a secret behind it.
    pub fn for_texts<S: AsRef<str>>(secrets: &[S], longest: usize) -> Self {
        let mut all = Vec::new();
        for mut needle in secrets.iter().flat_map(|secret| needles(secret.as_ref())) {
            needle.truncate(longest);
            needle.shrink_to_fit();
            all.push(needle);
        }
        all.sort_unstable();
        all.dedup();
        let lengths = || all.iter().map(Vec::len);
        let (shortest, longest) = (lengths().min().unwrap_or(SHORTEST), lengths().max().unwrap_or(0));
        let controls = all.iter().flatten().any(|byte| encoding::is_control(*byte));
        let (begins, wanted) = (Begins::of(&all), Wanted { shortest, controls });
        Self { needles: all, begins, wanted, longest }
    }

    /// Whether there is nothing to take out.
    pub fn is_idle(&self) -> bool {
        self.longest == 0
    }

    /// About how many bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        self.needles.iter().map(|needle| needle.len() + size_of::<Vec<u8>>()).sum()
    }

    /// How many bytes the longest thing to take out may have.
    pub fn reach(&self) -> usize {
        self.longest * EXPANSION
    }

    /// The text without any of them.
    pub fn clean(&self, text: &str) -> String {
        if self.is_idle() { text.to_owned() } else { self.clean_from(text.as_bytes(), 0) }
    }

    /// The bytes from there on as text, without any of them; what comes before is looked at, for a secret may
    /// begin there.
    pub fn clean_from(&self, bytes: &[u8], from: usize) -> String {
        let (found, mut covered) = (self.find(bytes, Cut::Possible), 0);
        scrub(bytes, 0..from, &found, &mut covered);
        let cleaned = scrub(bytes, from..bytes.len(), &found, &mut covered);
        String::from_utf8_lossy(&cleaned).into_owned()
    }

    /// Copies a stream without any of them, byte for byte otherwise. Its first bytes, so many, are only looked at,
    /// for a secret may begin there.
    pub fn copy(&self, mut from: impl Read, ahead: usize, mut to: impl Write) -> io::Result<()> {
        let (mut held, mut covered) = (Vec::new(), 0);
        (&mut from).take((ahead + self.reach()) as u64).read_to_end(&mut held)?;
        let ahead = ahead.min(held.len());
        scrub(&held, 0..ahead, &self.find(&held, Cut::Possible), &mut covered);
        held.drain(..ahead);
        // What is held back is looked at again with the next chunk.
        let chunk = CHUNK.max(4 * self.reach() as u64);
        while (&mut from).take(chunk).read_to_end(&mut held)? > 0 {
            // Behind this place a secret may be here in part.
            let safe = held.len().saturating_sub(self.reach());
            to.write_all(&scrub(&held, 0..safe, &self.find(&held, Cut::No), &mut covered))?;
            held.drain(..safe);
        }
        to.write_all(&scrub(&held, 0..held.len(), &self.find(&held, Cut::Possible), &mut covered))
    }

    fn find(&self, source: &[u8], cut: Cut) -> Found {
        let mut found = Found::new();
        if !self.is_idle() {
            self.find_decoded(&Decoded::raw(source), (source.len(), cut), DEPTH, &mut found);
        }
        found
    }

    fn find_decoded(&self, text: &Decoded, source: (usize, Cut), depth: usize, found: &mut Found) {
        let (end, cut) = source;
        for (at, pair) in text.bytes.windows(2).enumerate() {
            if self.begins.may(pair[0], pair[1])
                && let Some(place) = self.longest_at(text, at, source)
            {
                let longest = found.entry(place.start).or_default();
                *longest = place.end.max(*longest);
            }
        }
        let shortest = if cut == Cut::Possible { SHORTEST } else { self.wanted.shortest };
        let wanted = Wanted { shortest, ..self.wanted };
        for encoding in Encoding::ALL.into_iter().filter(|_| depth > 0) {
            if let Some(decoded) = text.without(encoding, wanted, end) {
                self.find_decoded(&decoded, source, depth - 1, found);
            }
        }
    }

    /// The bytes of the source that the longest secret takes which begins at a byte of a decoded text.
    fn longest_at(&self, text: &Decoded, at: usize, (end, cut): (usize, Cut)) -> Option<Range<usize>> {
        let longest = self.longest_in(&text.bytes[at..]);
        let was_cut =
            cut == Cut::Possible && longest.begun >= SHORTEST && text.is_at_end(at + longest.begun, end);
        let start = text.sources[at].start;
        match longest.whole {
            _ if was_cut => Some(start..end),
            0 => None,
            whole => Some(start..text.sources[at + whole - 1].end),
        }
    }

    /// The same in a text alone: each byte of it narrows down the secrets that begin so. White space may stand for a
    /// plus or for white space of another length, and divides them: each part is looked at by itself.
    fn longest_in(&self, text: &[u8]) -> Longest {
        let (mut longest, mut parts) = (Longest::default(), vec![(&self.needles[..], 0, 0)]);
        while let Some((mut candidates, mut of_needle, mut of_text)) = parts.pop() {
            while let Some(first) = candidates.first() {
                if first.len() == of_needle {
                    longest.whole = longest.whole.max(of_text);
                }
                if of_needle >= SHORTEST {
                    longest.begun = longest.begun.max(of_text);
                }
                let Some(byte) = text.get(of_text) else { break };
                if byte.is_ascii_whitespace() || *byte == b'+' {
                    let with_space = with(candidates, of_needle, b' ');
                    // Counted only for those that have a space here: white space may be as long as the text.
                    if !with_space.is_empty() {
                        let behind = text[of_text + 1..].iter();
                        let spaces = behind.take_while(|byte| byte.is_ascii_whitespace()).count();
                        parts.push((with_space, of_needle + 1, of_text + 1 + spaces));
                    }
                }
                let wanted = if *byte == b' ' { b'+' } else { byte.to_ascii_lowercase() };
                candidates = with(candidates, of_needle, wanted);
                (of_needle, of_text) = (of_needle + 1, of_text + 1);
            }
        }
        longest
    }
}

/// Those of sorted secrets that have this byte at this place, where they are alike up to there.
fn with(candidates: &[Vec<u8>], at: usize, byte: u8) -> &[Vec<u8>] {
    let of = |needle: &Vec<u8>| needle.get(at).copied();
    let from = candidates.partition_point(|needle| of(needle) < Some(byte));
    let count = candidates[from..].partition_point(|needle| of(needle) == Some(byte));
    &candidates[from..from + count]
}

/// Which two bytes a secret may begin with: most places of a text are passed over without a look at any secret.
#[derive(Debug, Clone)]
struct Begins(Box<[u64]>);

impl Begins {
    fn of(needles: &[Vec<u8>]) -> Self {
        let mut begins = Self(vec![0; (1 << 16) / 64].into());
        for needle in needles {
            let [first, second, ..] = needle[..] else { continue };
            for first_read in readings(first) {
                for second_read in readings(second) {
                    begins.add(first_read, second_read);
                }
                // White space may be longer in a text.
                if first == b' ' {
                    b" \t\n\x0c\r".iter().for_each(|space| begins.add(first_read, *space));
                }
            }
        }
        begins
    }

    fn add(&mut self, first: u8, second: u8) {
        let pair = usize::from(first) << 8 | usize::from(second);
        self.0[pair / 64] |= 1 << (pair % 64);
    }

    fn may(&self, first: u8, second: u8) -> bool {
        let pair = usize::from(first) << 8 | usize::from(second);
        self.0[pair / 64] & 1 << (pair % 64) != 0
    }
}

/// The bytes of a text that are taken for a byte of a secret. A plus stands for a space in forms, and a space for a plus
/// where that was undone once too often.
fn readings(byte: u8) -> Vec<u8> {
    match byte {
        b' ' => b" \t\n\x0c\r+".to_vec(),
        b'+' => b"+ ".to_vec(),
        _ => vec![byte, byte.to_ascii_uppercase()],
    }
}

/// How many bytes of a text are a secret, from its beginning.
#[derive(Debug, Default)]
struct Longest {
    /// All of the longest secret that is there whole; 0 where none is.
    whole: usize,
    /// The beginning of any secret.
    begun: usize,
}

/// Whether the end of a text may be the middle of a secret: messages are cut, and a secret with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Possible,
    No,
}

/// These places of the bytes, with one mask for all secrets that overlap. `covered` is how many bytes from there on
/// belong to one that began before.
fn scrub(bytes: &[u8], places: Range<usize>, found: &Found, covered: &mut usize) -> Vec<u8> {
    let mut cleaned = Vec::with_capacity(places.len());
    let mut next = found.range(places.clone()).peekable();
    for at in places {
        if let Some((_, end)) = next.next_if(|(start, _)| **start == at) {
            if *covered == 0 {
                cleaned.extend_from_slice(MASK.as_bytes());
            }
            *covered = (end - at).max(*covered);
        }
        if *covered == 0 {
            cleaned.push(bytes[at]);
        }
        *covered = covered.saturating_sub(1);
    }
    cleaned
}

/// What a secret stands for that is kept encoded.
const TEXT: Wanted = Wanted { shortest: SHORTEST, controls: false };

/// What is looked for of a secret.
fn needles(secret: &str) -> Vec<Vec<u8>> {
    // A secret that is kept encoded, to be sent so, is returned as what it means.
    let meanings =
        Encoding::ALL.into_iter().filter(|encoding| *encoding != Encoding::Hex).filter_map(|encoding| {
            let decoded =
                Decoded::raw(secret.trim().as_bytes()).without(encoding, TEXT, secret.trim().len())?;
            let whole = decoded.bytes.split(|byte| *byte == encoding::GAP).next().unwrap_or_default();
            text_of(whole).filter(|text| !text.contains(char::is_control) || encoding != Encoding::Base64)
        });
    let mut parts: Vec<String> = std::iter::once(secret.to_owned()).chain(meanings).collect();
    parts.extend(parts.clone().iter().flat_map(|part| part.lines().map(str::to_owned).collect::<Vec<_>>()));
    parts.extend(credentials(secret));
    let texts: Vec<_> = parts.iter().map(|part| folded(part)).filter(|part| part.len() >= SHORTEST).collect();
    texts.iter().flat_map(|text| in_character_sets(text)).collect()
}

/// Bytes as text, without a character that was cut off at their end: of a long secret only the beginning is known.
fn text_of(bytes: &[u8]) -> Option<String> {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    Some(whole.to_owned())
}

/// The part of a secret that grants access, without the address or the scheme that it stands in.
fn credentials(secret: &str) -> Vec<String> {
    let mut parts = Vec::new();
    if let Ok(url) = url::Url::parse(secret.trim()) {
        // A user without a password is a token.
        let part = url.password().unwrap_or(url.username());
        parts.extend([decoded(part, Encoding::Percent), part.to_owned()]);
    }
    if let Some((scheme, token)) = secret.trim().split_once(char::is_whitespace) {
        match scheme.to_ascii_lowercase().as_str() {
            "basic" => {
                let pair = decoded(token, Encoding::Base64);
                parts.extend([
                    token.to_owned(),
                    pair.split_once(':').map_or("", |(_, password)| password).to_owned(),
                ]);
            }
            "bearer" | "token" | "digest" | "apikey" => parts.push(token.to_owned()),
            _ => {}
        }
    }
    parts
}

/// A text with an encoding undone, as far as it is text then.
fn decoded(text: &str, encoding: Encoding) -> String {
    let decoded = Decoded::raw(text.as_bytes()).without(encoding, TEXT, text.len());
    decoded.map_or_else(
        || text.to_owned(),
        |decoded| {
            let whole = decoded.bytes.split(|byte| *byte == encoding::GAP).next().unwrap_or_default();
            String::from_utf8_lossy(whole).into_owned()
        },
    )
}

/// In lower case, trimmed, and each stretch of white space one space.
fn folded(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

/// The text in UTF-8, in Latin-1 where it can be written so, and as it looks once Latin-1 was read as UTF-8.
fn in_character_sets(text: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![text.as_bytes().to_vec()];
    if !text.is_ascii() {
        let latin_1: Option<Vec<u8>> = text.chars().map(|char| u8::try_from(u32::from(char)).ok()).collect();
        forms.extend(latin_1);
        let replaced: String = text
            .chars()
            .map(|char| if char.is_ascii() { char } else { char::REPLACEMENT_CHARACTER })
            .collect();
        forms.push(replaced.into_bytes());
    }
    forms
}

#[cfg(test)]
mod tests;
