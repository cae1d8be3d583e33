//! A zip that a stranger made: the one entry that is asked for is taken out of it, or nothing at all. What is
//! unusual refuses the whole, for whoever writes artifacts writes nothing of the kind. In memory and within
//! limits; no path in it is ever used as one.

use std::io::{Cursor, Read};

use thiserror::Error;
use zip::read::{ArchiveOffset, Config, ZipFile};
use zip::result::ZipError;
use zip::{ZipArchive, ZipReadOptions};

use crate::report::text::{printable, shorten};
use crate::result::file;

/// A folder of reports has a dozen files.
const MOST_ENTRIES: usize = 64;
/// As much as any result is read of.
const LARGEST_ENTRY: u64 = file::LARGEST;
/// A result packs into a tenth. What packs into a five hundredth is made to fill a memory.
const MOST_INFLATION: u64 = 200;
/// Below it, nobody's memory is filled.
const SMALL: u64 = 1 << 20;
/// Bytes of the record at the end, which has no comment.
const END: usize = 22;
const END_MAGIC: &[u8] = b"PK\x05\x06";
const DIRECTORY_MAGIC: &[u8] = b"PK\x01\x02";
/// The bits of a mode that say what kind of file it is, and those of a file and of a folder.
const KIND: u32 = 0o170_000;
const PLAIN_KINDS: [u32; 3] = [0, 0o100_000, 0o040_000];
/// Characters of a name that are told.
const LONGEST_NAME: usize = 80;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// Why nothing was taken out.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// Something else, or a zip that begins or ends with something else.
    #[error("it is no zip as artifacts are")]
    NotAZip,
    /// More than a folder of reports has.
    #[error("it has {found} entries, more than {MOST_ENTRIES}")]
    TooManyEntries {
        /// How many.
        found: usize,
    },
    /// Its parts do not fit each other.
    #[error("it is damaged")]
    Damaged(#[from] ZipError),
    /// Two entries are called the same.
    #[error("two of its entries have one name")]
    Duplicate,
    /// Two entries share bytes, as in a zip that is made to fill a disk.
    #[error("two of its entries share bytes")]
    Overlapping,
    /// A name that leads out of the folder, or that is not the same everywhere.
    #[error("the name of an entry is no path within it: `{name}`")]
    Name {
        /// The name, made fit to be shown.
        name: String,
    },
    /// A link, or something stranger.
    #[error("`{name}` is neither a file nor a folder")]
    Special {
        /// The name, made fit to be shown.
        name: String,
    },
    /// Nobody here has its password.
    #[error("`{name}` is encrypted")]
    Encrypted {
        /// The name, made fit to be shown.
        name: String,
    },
    /// Not what an artifact of a run holds.
    #[error("it holds no `{name}`")]
    Missing {
        /// What was looked for.
        name: String,
    },
    /// More than is read.
    #[error("`{name}` is larger than {} MiB", LARGEST_ENTRY >> 20)]
    TooLarge {
        /// What was looked for.
        name: String,
    },
    /// Made to fill a memory.
    #[error("`{name}` unpacks to more than {MOST_INFLATION} times its size")]
    Inflates {
        /// What was looked for.
        name: String,
    },
    /// Its bytes are not what the zip says of them.
    #[error("`{name}` cannot be unpacked")]
    Unpack {
        /// What was looked for.
        name: String,
        /// Why.
        source: std::io::Error,
    },
}

/// The bytes of the entry of this name at the top of a zip.
pub fn entry(bytes: &[u8], name: &str) -> Result<Vec<u8>, ArchiveError> {
    let mut archive = open(bytes)?;
    let mut found = None;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index)?;
        if harmless(&entry)? == name {
            found = Some(index);
        }
    }
    let index = found.ok_or_else(|| ArchiveError::Missing { name: name.to_owned() })?;
    let options = ZipReadOptions::new().enforce_header_consistency(true);
    unpack(archive.by_index_with_options(index, options)?, name)
}

fn open(bytes: &[u8]) -> Result<Archive<'_>, ArchiveError> {
    let found = entries(bytes).ok_or(ArchiveError::NotAZip)?;
    if found > MOST_ENTRIES {
        return Err(ArchiveError::TooManyEntries { found });
    }
    // Nothing stands before the archive. The crate would look for one else, in all of it.
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    let mut archive = ZipArchive::with_config(config, Cursor::new(bytes))?;
    if archive.has_duplicate_names() {
        return Err(ArchiveError::Duplicate);
    }
    if archive.has_overlapping_entries()? {
        return Err(ArchiveError::Overlapping);
    }
    Ok(archive)
}

/// How many entries the zip says it has; none where it is not framed as one. The number decides what the crate
/// allocates, and a frame that is as it should be keeps it from trying others, such as one with 64-bit numbers.
fn entries(bytes: &[u8]) -> Option<usize> {
    let end: &[u8; END] = bytes.last_chunk()?;
    let half = |at: usize| u16::from_le_bytes([end[at], end[at + 1]]);
    let word = |at: usize| u32::from_le_bytes([end[at], end[at + 1], end[at + 2], end[at + 3]]) as usize;
    let (disks, here, all, comment) = ((half(4), half(6)), half(8), half(10), half(20));
    let (directory_size, directory) = (word(12), word(16));
    let framed = end.starts_with(END_MAGIC)
        && (disks, here, comment) == ((0, 0), all, 0)
        && directory.checked_add(directory_size) == Some(bytes.len() - END)
        && bytes.get(directory..)?.starts_with(DIRECTORY_MAGIC);
    framed.then_some(usize::from(all))
}

/// The name of an entry, if there is nothing wrong with it.
fn harmless<'a, R: Read>(entry: &'a ZipFile<'_, R>) -> Result<&'a str, ArchiveError> {
    let raw = entry.name_raw();
    let shown = || shorten(&printable(&String::from_utf8_lossy(raw)), LONGEST_NAME);
    let name = std::str::from_utf8(raw).ok().filter(|name| is_enclosed(name));
    let name = name.ok_or_else(|| ArchiveError::Name { name: shown() })?;
    if entry.encrypted() {
        return Err(ArchiveError::Encrypted { name: shown() });
    }
    if !entry.unix_mode().is_none_or(|mode| PLAIN_KINDS.contains(&(mode & KIND))) {
        return Err(ArchiveError::Special { name: shown() });
    }
    Ok(name)
}

/// Whether a name leads to a place within its folder, on every system.
fn is_enclosed(name: &str) -> bool {
    let strange = |c: char| c.is_control() || c == '\\' || c == ':';
    let outside = |part: &str| part == "." || part == "..";
    !name.is_empty() && !name.starts_with('/') && !name.contains(strange) && !name.split('/').any(outside)
}

/// All bytes of an entry, counted while they come.
fn unpack<R: Read>(entry: ZipFile<'_, R>, name: &str) -> Result<Vec<u8>, ArchiveError> {
    let name = name.to_owned();
    let most = entry.compressed_size().saturating_mul(MOST_INFLATION).max(SMALL);
    let too_much = |size: u64| match size {
        size if size > LARGEST_ENTRY => Some(ArchiveError::TooLarge { name: name.clone() }),
        size if size > most => Some(ArchiveError::Inflates { name: name.clone() }),
        _ => None,
    };
    let told = entry.size();
    if let Some(error) = too_much(told) {
        return Err(error);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(told).unwrap_or(0));
    let read = entry.take(most.min(LARGEST_ENTRY) + 1).read_to_end(&mut bytes);
    read.map_err(|source| ArchiveError::Unpack { name: name.clone(), source })?;
    too_much(bytes.len() as u64).map_or(Ok(bytes), Err)
}

#[cfg(test)]
mod tests;
