//! Files that are written whole or not at all, also where many processes write them at once.
//!
//! A file is written under a temporary name that no other writer can have (random, and created exclusively, so that no
//! link is followed), synchronised, and renamed. A reader sees the old file or the new one. While it is written, its
//! writer holds a lock on it (`flock`). A temporary file that nobody holds was left by a process that was killed, and
//! `sweep` removes it.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, fchown, flock, open};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use tempfile::{Builder, NamedTempFile};

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
/// Nobody takes so long to rename a link.
const LINK_AGE: Duration = Duration::from_mins(1);
/// Earlier versions held no lock on what they wrote: only what is so old is taken for abandoned.
const EARLIER_AGE: Duration = Duration::from_hours(1);

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
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(Creation::Existed),
        Err(error) => Err(error.error),
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
    file.write_all(&vec![0x5a; bytes])?;
    file.sync_all()
}

/// Removes what killed processes left in a folder: temporary files that nobody holds, and old files of other names that
/// `is_earlier` knows as temporary files of earlier versions. Best effort: what cannot be removed stays.
pub fn sweep(folder: &Path, is_earlier: impl Fn(&str) -> bool) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_SWEPT) {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = entry.path();
        let abandoned = if is_temporary(&name) {
            is_abandoned(&path)
        } else {
            is_earlier(&name) && is_older(&path, EARLIER_AGE)
        };
        if abandoned {
            // Another process may have swept it meanwhile.
            let _ = fs::remove_file(&path);
        }
    }
}

/// Whether a file is so old that no version of loadgate still writes it.
pub fn is_long_abandoned(path: &Path) -> bool {
    is_older(path, EARLIER_AGE)
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
    for _ in 0..TRIES {
        let temporary = builder().permissions(Permissions::from_mode(MODE)).tempfile_in(folder)?;
        match flock(temporary.as_file(), FlockOperation::NonBlockingLockExclusive) {
            // A sweep was faster than the lock.
            Err(Errno::WOULDBLOCK) => {}
            Ok(()) if temporary.as_file().metadata()?.nlink() == 0 => {}
            // Where the file system has no locks, a sweep gets none either, and leaves the file alone.
            Ok(()) | Err(_) => return Ok(temporary),
        }
    }
    Err(io::Error::other("its temporary file was removed again and again"))
}

fn keep_access(file: &File, old: &Metadata) -> io::Result<()> {
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        // Only root may give a file away.
        let _ = fchown(file, Some(Uid::from_raw(old.uid())), Some(Gid::from_raw(old.gid())));
    }
    file.set_permissions(Permissions::from_mode(old.mode() & 0o777))
}

/// Whether nobody holds a temporary file any more.
fn is_abandoned(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        // A link cannot be locked.
        Ok(found) if found.is_symlink() => is_older(path, LINK_AGE),
        Ok(found) if found.is_file() => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let lock = |file| flock(file, FlockOperation::NonBlockingLockExclusive);
            open(path, flags, Mode::empty()).and_then(lock).is_ok()
        }
        _ => false,
    }
}

fn is_older(path: &Path, age: Duration) -> bool {
    let Ok(found) = fs::symlink_metadata(path) else { return false };
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
                sweep(folder.path(), |_| false);
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

    #[test]
    fn what_nobody_holds_is_swept_and_what_somebody_writes_stays() {
        let folder = tempfile::tempdir().unwrap();
        let held = held(folder.path()).unwrap();
        let mine = held.path().file_name().unwrap().to_string_lossy().into_owned();
        for left in [".loadgate-0123456789ab.tmp", ".loadgate-short.tmp", "loadgate-0123456789ab.tmp"] {
            fs::write(folder.path().join(left), "left").unwrap();
        }
        let young = folder.path().join(".run-1.json.tmp");
        fs::write(&young, "an earlier version may be writing it").unwrap();
        let old = folder.path().join(".run-2.json.tmp");
        fs::write(&old, "").unwrap();
        let hours_ago = fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
        File::options().write(true).open(&old).unwrap().set_times(hours_ago).unwrap();
        sweep(folder.path(), |name| name.starts_with(".run-"));
        let expected = [&mine, ".loadgate-short.tmp", "loadgate-0123456789ab.tmp", ".run-1.json.tmp"];
        assert_eq!(names(folder.path()), expected.map(str::to_owned).into());
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
