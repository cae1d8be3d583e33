//! Zips as runs leave them, and as strangers would make them.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use proptest::prelude::*;

use super::*;

/// As the action that uploads artifacts writes them: streamed, by zip-stream 6. `result.json`, a page, a folder.
const UPLOADED: &str = "UEsDBBQACAAIABdweV0AAAAAAAAAAAAAAAALAAAAcmVzdWx0Lmpzb26rVipOzkjNTVSyUjCs5QIAUEsHCJ4U7dEQAAAADgAAAFBLAwQUAAgACAAXcHldAAAAAAAAAAAAAAAACwAAAHJlcG9ydC5odG1ssymw4wIAUEsHCDYCWG4GAAAABAAAAFBLAwQKAAAAAAAXcHldAAAAAAAAAAAAAAAABAAAAGNzdi9QSwMEFAAIAAgAF3B5XQAAAAAAAAAAAAAAABEAAABjc3YvZW5kcG9pbnRzLmNzdrMpsOMCAFBLBwg2AlhuBgAAAAQAAABQSwECLQAUAAgACAAXcHldnhTt0RAAAAAOAAAACwAAAAAAAAAAAAAAAAAAAAAAcmVzdWx0Lmpzb25QSwECLQAUAAgACAAXcHldNgJYbgYAAAAEAAAACwAAAAAAAAAAAAAAAABJAAAAcmVwb3J0Lmh0bWxQSwECLQAKAAAAAAAXcHldAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAACIAAAAY3N2L1BLAQItABQACAAIABdweV02AlhuBgAAAAQAAAARAAAAAAAAAAAAAAAAAKoAAABjc3YvZW5kcG9pbnRzLmNzdlBLBQYAAAAABAAEAOMAAADvAAAAAAA=";
const NAME: &str = "result.json";

/// One entry, every part of which may lie.
#[derive(Clone)]
struct Entry {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    crc: u32,
    packed: Vec<u8>,
    size: u32,
    mode: u32,
    extra: Vec<u8>,
}

impl Entry {
    fn new(name: impl AsRef<[u8]>, data: &[u8]) -> Self {
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::best());
        packer.write_all(data).unwrap();
        let mut crc = flate2::Crc::new();
        crc.update(data);
        Self {
            name: name.as_ref().to_vec(),
            flags: 0,
            method: 8,
            crc: crc.sum(),
            packed: packer.finish().unwrap(),
            size: u32::try_from(data.len()).unwrap(),
            mode: 0o100_644,
            extra: Vec::new(),
        }
    }

    /// What the local header and the directory say alike.
    fn head(&self) -> Vec<u8> {
        let mut head = Vec::new();
        for half in [20, self.flags, self.method, 0, 0x21] {
            head.extend(half.to_le_bytes());
        }
        for word in [self.crc, u32::try_from(self.packed.len()).unwrap(), self.size] {
            head.extend(word.to_le_bytes());
        }
        head.extend(u16::try_from(self.name.len()).unwrap().to_le_bytes());
        head
    }

    fn local(&self) -> Vec<u8> {
        let extra = u16::try_from(self.extra.len()).unwrap().to_le_bytes();
        let head = self.head();
        [b"PK\x03\x04".as_slice(), &head, &extra, &self.name, &self.extra, &self.packed].concat()
    }

    fn listed(&self, offset: u32) -> Vec<u8> {
        let extra = u16::try_from(self.extra.len()).unwrap().to_le_bytes();
        let mode = (self.mode << 16).to_le_bytes();
        // Made on Unix; no comment, disk 0, no internal attributes.
        [
            b"PK\x01\x02\x14\x03".as_slice(),
            &self.head(),
            &extra,
            &[0; 6],
            &mode,
            &offset.to_le_bytes(),
            &self.name,
            &self.extra,
        ]
        .concat()
    }
}

fn zip(entries: &[Entry]) -> Vec<u8> {
    let mut offset = 0;
    let offsets = entries.iter().map(|entry| {
        let at = offset;
        offset += u32::try_from(entry.local().len()).unwrap();
        at
    });
    let offsets: Vec<_> = offsets.collect();
    zip_at(entries, &offsets)
}

/// With these places of the entries in the directory.
fn zip_at(entries: &[Entry], offsets: &[u32]) -> Vec<u8> {
    let mut bytes: Vec<u8> = entries.iter().flat_map(Entry::local).collect();
    let directory: Vec<u8> = entries.iter().zip(offsets).flat_map(|(it, at)| it.listed(*at)).collect();
    let (start, size) = (bytes.len(), directory.len());
    bytes.extend(directory);
    bytes.extend(end(u16::try_from(entries.len()).unwrap(), size, start));
    bytes
}

fn end(entries: u16, size: usize, start: usize) -> Vec<u8> {
    let (count, word) = (entries.to_le_bytes(), |value| u32::try_from(value).unwrap().to_le_bytes());
    [b"PK\x05\x06\0\0\0\0".as_slice(), &count, &count, &word(size), &word(start), &[0, 0]].concat()
}

fn result() -> Entry {
    Entry::new(NAME, b"{\"schema\": 1}\n")
}

fn refusal(bytes: &[u8]) -> String {
    entry(bytes, NAME).map(|bytes| format!("{} bytes", bytes.len())).unwrap_err().to_string()
}

#[test]
fn what_the_action_uploads_is_read() {
    let uploaded = STANDARD.decode(UPLOADED).unwrap();
    assert_eq!(entry(&uploaded, NAME).unwrap(), b"{\"schema\": 1}\n");
    assert_eq!(entry(&uploaded, "csv/endpoints.csv").unwrap(), b"<p>\n");
}

#[test]
fn other_entries_are_neither_read_nor_in_the_way() {
    let bomb = zip(&[Entry::new("zeros", &vec![0; 8 << 20])]);
    let others = [Entry::new("report.html", b"<p>"), result(), Entry::new("inner.zip", &bomb)];
    assert_eq!(entry(&zip(&others), NAME).unwrap(), b"{\"schema\": 1}\n");
    let stored = Entry { method: 0, packed: b"{}".to_vec(), ..Entry::new(NAME, b"{}") };
    assert_eq!(entry(&zip(&[stored]), NAME).unwrap(), b"{}");
}

#[test]
fn a_name_that_leads_elsewhere_refuses_all() {
    let names: [&[u8]; 12] = [
        b"../x",
        b"a/../../x",
        b"a/../result.json",
        b"./result.json",
        b"/etc/passwd",
        b"a\\..\\x",
        b"a\0b",
        b"C:/x",
        b"",
        b"\xff\xfe",
        b"a\nb",
        b"..",
    ];
    for name in names {
        let said = refusal(&zip(&[result(), Entry::new(name, b"x")]));
        assert!(said.starts_with("the name of an entry is no path"), "{name:?}: {said}");
        assert!(!said.contains(['\n', '\0']), "{said}");
    }
}

#[test]
fn what_is_no_plain_file_refuses_all() {
    for mode in [0o120_777, 0o020_666, 0o010_644, 0o140_644] {
        let said = refusal(&zip(&[result(), Entry { mode, ..Entry::new("link", b"/etc/passwd") }]));
        assert_eq!(said, "`link` is neither a file nor a folder", "{mode:o}");
    }
    let folder = Entry { mode: 0o040_755, ..Entry::new("csv/", b"") };
    assert!(entry(&zip(&[folder, result()]), NAME).is_ok());
}

#[test]
fn what_is_encrypted_doubled_or_missing_is_refused() {
    let encrypted = Entry { flags: 1, ..result() };
    assert_eq!(refusal(&zip(&[encrypted])), "`result.json` is encrypted");
    assert_eq!(refusal(&zip(&[result(), result()])), "two of its entries have one name");
    for other in ["Result.json", "run/result.json", "result.json "] {
        assert_eq!(refusal(&zip(&[Entry::new(other, b"{}")])), "it holds no `result.json`");
    }
}

#[test]
fn a_folder_of_reports_has_no_more_than_64_entries() {
    let many = |n: usize| {
        let others = (1..n).map(|index| Entry::new(format!("{index}.csv"), b""));
        zip(&others.chain([result()]).collect::<Vec<_>>())
    };
    assert!(entry(&many(64), NAME).is_ok());
    assert_eq!(refusal(&many(65)), "it has 65 entries, more than 64");
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    let zeros = |size: usize| Entry::new(NAME, &vec![0; size]);
    assert_eq!(refusal(&zip(&[zeros(65 << 20)])), "`result.json` is larger than 64 MiB");
    assert_eq!(refusal(&zip(&[zeros(3 << 20)])), "`result.json` unpacks to more than 200 times its size");
    assert_eq!(entry(&zip(&[zeros(1 << 20)]), NAME).unwrap().len(), 1 << 20);
}

#[test]
fn a_bomb_that_lies_about_its_size_is_stopped() {
    for size in [0, 1, 1 << 20] {
        let bomb = Entry { size, ..Entry::new(NAME, &vec![0; 65 << 20]) };
        assert_eq!(refusal(&zip(&[bomb])), "`result.json` cannot be unpacked", "{size}");
    }
    let short = Entry { size: 60 << 20, ..Entry::new(NAME, b"{}") };
    assert_eq!(refusal(&zip(&[short])), "`result.json` unpacks to more than 200 times its size");
}

#[test]
fn entries_that_share_bytes_are_refused() {
    let bomb = result();
    let other = Entry { name: b"report.json".to_vec(), ..bomb.clone() };
    assert_eq!(refusal(&zip_at(&[bomb, other], &[0, 0])), "two of its entries share bytes");
    // One within the data of another, as in a zip of which every entry quotes the next.
    let inner = Entry { method: 0, ..Entry::new("x", b"") };
    let outer = Entry { method: 0, packed: inner.local(), ..Entry::new(NAME, &inner.local()) };
    let within = u32::try_from(outer.local().len() - inner.local().len()).unwrap();
    let said = refusal(&zip_at(&[outer, inner], &[0, within]));
    assert_eq!(said, "two of its entries share bytes");
}

#[test]
fn bytes_that_are_not_what_the_directory_says_are_refused() {
    let wrong_crc = Entry { crc: 1, ..result() };
    let cut_off = Entry { packed: result().packed[..5].to_vec(), ..result() };
    let no_deflate = Entry { packed: vec![0xff; 20], ..result() };
    for entry in [wrong_crc, cut_off, no_deflate] {
        assert_eq!(refusal(&zip(&[entry])), "`result.json` cannot be unpacked");
    }
    assert_eq!(refusal(&zip(&[Entry { method: 97, ..result() }])), "`result.json` cannot be unpacked");
    // Another name, or another size, where the entry itself is.
    let honest = zip(&[result()]);
    for at in [18, 22, 30] {
        let mut cloaked = honest.clone();
        cloaked[at] ^= 1;
        assert_eq!(refusal(&cloaked), "it is damaged", "{at}");
    }
}

#[test]
fn numbers_of_64_bits_are_not_believed() {
    let claims = |size: u64| {
        let extra = [[1, 0, 8, 0].as_slice(), &size.to_le_bytes()].concat();
        Entry { size: u32::MAX, extra, ..result() }
    };
    assert_eq!(refusal(&zip(&[claims(1 << 40)])), "`result.json` is larger than 64 MiB");
    assert_eq!(refusal(&zip(&[claims(u64::MAX)])), "`result.json` is larger than 64 MiB");
    // A whole second end with as many entries as fit a number, and the first one that points at it.
    let mut bytes = zip(&[result()]);
    let (start, first) = (bytes.len() - END, bytes.split_off(bytes.len() - END));
    let word = |value: u64| value.to_le_bytes();
    bytes.extend([b"PK\x06\x06".as_slice(), &word(44), &[45, 0, 45, 0], &[0; 8]].concat());
    bytes.extend([word(1 << 40), word(1 << 40), word(1 << 50), word(0)].concat());
    bytes.extend([b"PK\x06\x07".as_slice(), &[0; 4], &word(start as u64), &[1, 0, 0, 0]].concat());
    bytes.extend(first.iter().take(8).copied().chain([0xff; 12]).chain([0, 0]));
    assert_eq!(refusal(&bytes), "it is no zip as artifacts are");
}

#[test]
fn what_stands_around_an_archive_refuses_it() {
    let honest = zip(&[result()]);
    let before = [b"MZ".as_slice(), &honest].concat();
    let after = [&honest, b"\0".as_slice()].concat();
    let twice = [honest.clone(), honest.clone()].concat();
    for bytes in [b"".as_slice(), b"{\"message\":\"Not Found\"}", &before, &after, &twice, &end(0, 0, 0)] {
        assert_eq!(refusal(bytes), "it is no zip as artifacts are");
    }
    for length in 0..honest.len() {
        assert!(entry(&honest[..length], NAME).is_err(), "cut off after {length}");
    }
}

#[test]
fn the_crate_is_not_asked_for_more_entries_than_are_looked_at() {
    let mut bytes = zip(&[result()]);
    let at = bytes.len() - END;
    bytes[at + 8..at + 12].fill(0xfe);
    assert_eq!(refusal(&bytes), "it has 65278 entries, more than 64");
    let mut bytes = zip(&[result()]);
    bytes[at + 8] = 64;
    bytes[at + 10] = 64;
    assert_eq!(refusal(&bytes), "it is damaged");
}

fn sample() -> Vec<u8> {
    zip(&[
        Entry::new("report.html", b"<p>"),
        Entry::new(NAME, &b"{\"a\": 1}".repeat(50)),
        Entry::new("x/", b""),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(entry(&bytes, NAME).is_err());
    }

    #[test]
    fn no_bytes_in_the_frame_of_a_zip_make_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        entries in 0..70_u16,
    ) {
        let directory = [DIRECTORY_MAGIC, &bytes].concat();
        let framed = [directory.clone(), end(entries, directory.len(), 0)].concat();
        prop_assert!(entry(&framed, NAME).is_err());
    }

    #[test]
    fn a_zip_that_was_tampered_with_stays_within_limits(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = sample();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(read) = entry(&bytes, NAME) {
            prop_assert!(read.capacity() as u64 <= LARGEST_ENTRY);
            prop_assert_eq!(read, b"{\"a\": 1}".repeat(50));
        }
    }
}
