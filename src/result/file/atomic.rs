//! Files that are written whole or not at all, also where many processes write them at once.
//!
//! A file is written under a temporary name that no other writer can have (random, and created exclusively, so that no
//! link is followed), synchronised, and renamed. A reader sees the old file or the new one. While it is written, its
//! writer holds a lock on it (`flock`). A temporary file that nobody holds, and nobody has written for some minutes, was left
//! by a process that was killed, and `sweep` removes it.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, fchown, flock};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use tempfile::{Builder, NamedTempFile, PersistError};

use crate::clock;

/// What a temporary name begins with.
const PREFIX: &str = ".loadgate-";
/// What a temporary name ends with.
const SUFFIX: &str = ".tmp";
/// Random characters in between.
const RANDOM: usize = 12;
/// The mode of a new file, before the umask of this process.
const MODE: u32 = 0o666;
/// How often a new name is tried after somebody swept the file away before it was locked.
const TRIES: usize = 8;
/// Entries of a folder that a sweep looks at.
const MOST_SWEPT: usize = 10_000;
/// Nobody takes so long from one write of a temporary file to the next, or to rename it. That nobody holds it is not enough:
/// on some file systems a lock is one of this machine only, and the writer may be on another, or may not have come to it.
const ABANDONED_AGE: Duration = Duration::from_mins(10);
/// Earlier versions held no lock on what they wrote: only what is so old is taken for abandoned.
const EARLIER_AGE: Duration = Duration::from_hours(1);

/// What a proof that a report will fit is made of.
pub const PROBE_BYTE: u8 = 0x5a;

/// Whether a file is there because of this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// It is.
    Created,
    /// It was there before, and stays as it was.
    Existed,
}

/// Replaces a file, or creates it. The permissions of a replaced file are kept.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_by_way_of(parent(path), path, bytes)
}

/// Likewise, with the temporary file in another folder of the same file system.
pub fn replace_by_way_of(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = written(folder, bytes)?;
    if let Some(old) = fs::symlink_metadata(path).ok().filter(Metadata::is_file) {
        keep_access(temporary.as_file(), &old)?;
    }
    temporary.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Creates a file; one that is there already is left as it is.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<Creation> {
    match written(parent(path), bytes)?.persist_noclobber(path) {
        Ok(_) => Ok(Creation::Created),
        Err(refused) => create_by_renaming(refused, path),
    }
}

/// Some file systems can neither rename to a free name only nor make hard links. There, what another process creates
/// between the look and the rename is replaced, which is better than that nothing is ever written.
fn create_by_renaming(refused: PersistError, path: &Path) -> io::Result<Creation> {
    if refused.error.kind() == io::ErrorKind::AlreadyExists {
        return Ok(Creation::Existed);
    }
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(Creation::Existed),
        // If renaming fails as well, the first error says more.
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            refused.file.persist(path).map(|_| Creation::Created).map_err(|_| refused.error)
        }
        Err(_) => Err(refused.error),
    }
}

/// Replaces a symbolic link, or creates it.
pub fn replace_link(target: &Path, path: &Path) -> io::Result<()> {
    let link = builder().make_in(parent(path), |temporary| symlink(target, temporary))?;
    link.into_temp_path().persist(path).map_err(|error| error.error)
}

/// Proves that this many bytes fit into a folder. The file has no name where the file system knows such files.
pub fn probe(folder: &Path, bytes: usize) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(&vec![PROBE_BYTE; bytes])?;
    file.sync_all()
}

/// Removes what killed processes left in a folder: old temporary files that nobody holds, and old entries that
/// `is_earlier` knows, by name and kind, as temporary ones of earlier versions. Best effort: what cannot be removed stays.
pub fn sweep(folder: &Path, is_earlier: impl Fn(&str, &Metadata) -> bool) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_SWEPT) {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Every folder of runs has many entries, and on a network each look is a round trip.
        if !name.starts_with('.') {
            continue;
        }
        let path = entry.path();
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        if is_temporary(&name) {
            remove_abandoned(&path, &found);
        } else if is_earlier(&name, &found) && is_older(&found, EARLIER_AGE) {
            // Another process may have swept it meanwhile.
            let _ = fs::remove_file(&path);
        }
    }
}

/// Whether a file is so old that no version of loadgate still writes it.
pub fn is_long_abandoned(found: &Metadata) -> bool {
    is_older(found, EARLIER_AGE)
}

/// Whether a name is one that only temporary files have.
pub fn is_temporary(name: &str) -> bool {
    let random = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
    random.is_some_and(|random| random.len() == RANDOM && random.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The folder of a file.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn builder() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(RANDOM);
    builder
}

/// A temporary file that holds these bytes, on the disk, and is held by this process.
fn written(folder: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut temporary = held(folder)?;
    temporary.as_file_mut().write_all(bytes)?;
    temporary.as_file().sync_all()?;
    Ok(temporary)
}

fn held(folder: &Path) -> io::Result<NamedTempFile> {
    // `make_in` leaves errors as they are; others would name a file that nobody has heard of.
    let new = |path: &Path| OpenOptions::new().read(true).write(true).create_new(true).mode(MODE).open(path);
    for _ in 0..TRIES {
        let temporary = builder().make_in(folder, new)?;
        match flock(temporary.as_file(), FlockOperation::NonBlockingLockExclusive) {
            // A sweep was faster than the lock.
            Err(Errno::WOULDBLOCK) => {}
            // The number of links does not tell: some file systems say 0 of every file.
            Ok(()) if !has_name(temporary.path()) => {}
            // Where the file system has no locks, a sweep gets none either, and leaves the file alone.
            Ok(()) | Err(_) => return Ok(temporary),
        }
    }
    Err(io::Error::other("its temporary file was removed again and again"))
}

/// Nobody gives another file this name: it is random.
fn has_name(path: &Path) -> bool {
    !fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn keep_access(file: &File, old: &Metadata) -> io::Result<()> {
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        // Only root may give a file away.
        let _ = fchown(file, Some(Uid::from_raw(old.uid())), Some(Gid::from_raw(old.gid())));
    }
    file.set_permissions(Permissions::from_mode(old.mode() & 0o777))
}

/// Removes a temporary entry that is old and that nobody holds.
fn remove_abandoned(path: &Path, found: &Metadata) {
    if !is_older(found, ABANDONED_AGE) {
        return;
    }
    // A link cannot be locked.
    let lock = if found.is_symlink() { None } else { Some(abandoned(path)) };
    if !matches!(lock, Some(None)) {
        // Another process may have swept it meanwhile.
        let _ = fs::remove_file(path);
    }
    // Not before: who gets the lock may write the file, and takes it for its own.
    drop(lock);
}

/// The lock on a temporary file that nobody holds any more; none where somebody does, or where the name is by now another
/// file's.
fn abandoned(path: &Path) -> Option<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    let (held, named) = (file.metadata().ok()?, fs::symlink_metadata(path).ok()?);
    let is_named = (held.dev(), held.ino()) == (named.dev(), named.ino());
    (held.is_file() && is_named && is_older(&held, ABANDONED_AGE)).then_some(file)
}

fn is_older(found: &Metadata, age: Duration) -> bool {
    let modified_ms = found.mtime().saturating_mul(1_000);
    clock::now_ms().saturating_sub(modified_ms) > i64::try_from(age.as_millis()).unwrap_or(i64::MAX)
}

/// Where a path leads to, through symbolic links of which the last may lead to nothing yet.
pub fn followed(path: &Path) -> PathBuf {
    /// As many as the kernel follows.
    const MOST_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = parent(&path).join(target);
    }
    path
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn of_many_writers_at_once_each_file_is_of_one_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        let texts: Vec<Vec<u8>> = (0..8_u8).map(|writer| vec![b'a' + writer; 200_000]).collect();
        std::thread::scope(|scope| {
            for text in &texts {
                scope.spawn(|| (0..20).for_each(|_| replace(&path, text).unwrap()));
            }
            for _ in 0..100 {
                if let Ok(found) = fs::read(&path) {
                    assert!(texts.contains(&found), "a torn file of {} bytes", found.len());
                }
                sweep(folder.path(), |_, _| false);
            }
        });
        assert_eq!(names(folder.path()), BTreeSet::from(["report".to_owned()]));
    }

    #[test]
    fn of_many_creators_at_once_one_creates() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        let created: Vec<_> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8).map(|_| scope.spawn(|| create(&path, b"{}").unwrap())).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        assert_eq!(created.iter().filter(|it| **it == Creation::Created).count(), 1);
        assert_eq!(names(folder.path()), BTreeSet::from(["run.json".to_owned()]));
    }

    /// Makes a file look as if it was last written when time began.
    fn age(path: &Path) {
        let long_ago = fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
        File::options().write(true).open(path).unwrap().set_times(long_ago).unwrap();
    }

    #[test]
    fn what_is_old_and_nobody_holds_is_swept_and_everything_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let held = held(folder.path()).unwrap();
        let mine = held.path().file_name().unwrap().to_string_lossy().into_owned();
        age(held.path());
        let old = [".loadgate-0123456789ab.tmp", ".loadgate-short.tmp", "loadgate-0123456789ab.tmp"];
        let young = [".loadgate-0123456789cd.tmp", ".run-1.json.tmp"];
        for name in old.into_iter().chain(young).chain([".run-2.json.tmp"]) {
            fs::write(folder.path().join(name), "left").unwrap();
        }
        old.into_iter().chain([".run-2.json.tmp"]).for_each(|name| age(&folder.path().join(name)));
        sweep(folder.path(), |name, found| name.starts_with(".run-") && found.is_file());
        let expected = [old[1], old[2], young[0], young[1], &mine];
        assert_eq!(names(folder.path()), expected.map(str::to_owned).into());
    }

    #[test]
    fn a_sweep_holds_what_it_removes_and_leaves_a_name_that_is_another_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".loadgate-0123456789ab.tmp");
        fs::write(&path, "left").unwrap();
        age(&path);
        let lock = abandoned(&path).unwrap();
        // While a sweep is about to remove it, nobody else gets it.
        let other = File::open(&path).unwrap();
        assert_eq!(flock(&other, FlockOperation::NonBlockingLockExclusive), Err(Errno::WOULDBLOCK));
        assert!(abandoned(&path).is_none());
        drop((lock, other));
        let aside = folder.path().join("aside");
        fs::rename(&path, &aside).unwrap();
        symlink("aside", &path).unwrap();
        assert!(abandoned(&path).is_none(), "a link to it is not the file");
    }

    #[test]
    fn where_nothing_can_be_renamed_to_a_free_name_only_a_file_is_created_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        let refused = |bytes: &[u8]| PersistError {
            error: Errno::PERM.into(),
            file: written(folder.path(), bytes).unwrap(),
        };
        assert_eq!(create_by_renaming(refused(b"first"), &path).unwrap(), Creation::Created);
        assert_eq!(create_by_renaming(refused(b"second"), &path).unwrap(), Creation::Existed);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        let nowhere = folder.path().join("run.json/below");
        assert_eq!(create_by_renaming(refused(b""), &nowhere).unwrap_err().raw_os_error(), Some(1));
        assert_eq!(names(folder.path()), BTreeSet::from(["run.json".to_owned()]));
    }

    #[test]
    fn an_error_names_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = replace(&folder.path().join("gone/report.html"), b"").unwrap_err();
        assert_eq!((error.raw_os_error(), error.to_string().contains(PREFIX)), (Some(2), false), "{error}");
    }

    #[test]
    fn a_new_file_has_the_mode_of_the_umask_and_a_replaced_one_keeps_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let [plain, path] = ["plain", "path"].map(|name| folder.path().join(name));
        fs::write(&plain, "").unwrap();
        replace(&path, b"1").unwrap();
        assert_eq!(mode(&path), mode(&plain));
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        replace(&path, b"2").unwrap();
        assert_eq!((mode(&path), fs::read(&path).unwrap().as_slice()), (0o640, &b"2"[..]));
    }

    #[test]
    fn no_link_is_followed_and_a_link_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let [aside, path] = ["aside", "path"].map(|name| folder.path().join(name));
        fs::write(&aside, "untouched").unwrap();
        symlink("aside", &path).unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read_to_string(&aside).unwrap(), "untouched");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        for target in ["a", "b"] {
            replace_link(Path::new(target), &folder.path().join("latest")).unwrap();
            assert_eq!(fs::read_link(folder.path().join("latest")).unwrap(), Path::new(target));
        }
    }
}
