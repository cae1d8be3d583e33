//! The log of a target command. What it writes may hold secrets of the configuration: where there are any, it goes
//! into a file without a name, and into the one that is kept only afterwards, without them. A loadgate that is
//! killed meanwhile leaves no log rather than one with secrets.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::tail::LastLines;
use crate::plan::secrets::Secrets;

/// How much of its end is looked at for the last lines.
const BYTES: u64 = 8 * 1024;
/// How much of its end is kept where there are secrets: a job that is cancelled waits seconds for it.
const MOST: u64 = 64 * 1024 * 1024;

/// What stands for a log that cannot be cleaned.
const NOT_KEPT: &str =
    "(loadgate left this log out: more secrets were captured from responses than it can look for)";

/// The log of one command, from where it began to write. Dropping it keeps what was written.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    /// What the command writes, to be read.
    written: File,
    begin: u64,
    secrets: Arc<Secrets>,
    state: State,
}

/// Whether the file that is kept holds everything.
#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Not yet.
    Withheld,
    /// It does, or nothing more can be done.
    Kept,
}

impl Log {
    /// Opens a file for the command to append to. What it writes will be found at `path`, after what is there.
    pub(super) fn open(path: PathBuf, secrets: Arc<Secrets>) -> io::Result<(File, Self)> {
        let named = !secrets.are_possible();
        let place = if named { path.clone() } else { path.with_extension("part") };
        let file = append(&place)?;
        let written = File::open(&place);
        if !named {
            fs::remove_file(&place)?;
        }
        let written = written?;
        let begin = written.metadata()?.len();
        let state = if named { State::Kept } else { State::Withheld };
        Ok((file, Self { path, written, begin, secrets, state }))
    }

    /// Where it is found.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts what was written by now where it is found, without secrets. Only the first time counts.
    pub(super) fn keep(&mut self) -> io::Result<()> {
        self.keep_last(MOST)
    }

    fn keep_last(&mut self, most: u64) -> io::Result<()> {
        if std::mem::replace(&mut self.state, State::Kept) == State::Kept {
            return Ok(());
        }
        let mut kept = BufWriter::new(append(&self.path)?);
        // How much is kept is known before what is taken out of it: what is written later may hold more.
        let length = self.length()?;
        let Some(redactor) = self.secrets.complete_redactor() else {
            writeln!(kept, "{NOT_KEPT}")?;
            return kept.flush();
        };
        let (end, ahead, left_out) = self.end(length, most, redactor.reach())?;
        if left_out > 0 {
            writeln!(kept, "(loadgate left out {left_out} bytes that stood here)")?;
        }
        redactor.copy(end, ahead, &mut kept)?;
        kept.flush()
    }

    /// The last lines written so far, without secrets; none when the file cannot be read.
    pub(super) fn last_lines(&self) -> LastLines {
        LastLines::of(&self.path, &self.last_text().unwrap_or_default())
    }

    fn last_text(&self) -> io::Result<String> {
        let (mut end, ahead, _) = self.end(self.length()?, BYTES, self.secrets.redactor().reach())?;
        let mut bytes = Vec::new();
        end.read_to_end(&mut bytes)?;
        // Users may go on and capture what the target has already written.
        let Some(redactor) = self.secrets.complete_redactor() else { return Ok(NOT_KEPT.to_owned()) };
        Ok(redactor.clean_from(&bytes, ahead.min(bytes.len())))
    }

    /// How many bytes the file has by now.
    fn length(&self) -> io::Result<u64> {
        Ok(self.written.metadata()?.len())
    }

    /// The last of so many bytes, how many more stand before them, for a secret may begin there, and how many are left
    /// out.
    fn end(&self, length: u64, most: u64, reach: usize) -> io::Result<(impl Read, usize, u64)> {
        let mut file = &self.written;
        let wanted = length.saturating_sub(most).max(self.begin);
        let from = wanted.saturating_sub(reach as u64).max(self.begin);
        file.seek(SeekFrom::Start(from))?;
        // No further: what still writes, although it should be gone, would keep this busy.
        Ok((file.take(length.saturating_sub(from)), (wanted - from) as usize, wanted - self.begin))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Whoever wants to know of a failure keeps it before.
        let _ = self.keep();
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::plan::secrets::Captures;

    const SECRET: &str = "postgres://shop:hunter2@db/shop";

    fn opened(folder: &tempfile::TempDir, secrets: &[&str]) -> (File, Log, PathBuf) {
        let path = folder.path().join("target.log");
        let secrets: Vec<_> = secrets.iter().map(ToString::to_string).collect();
        let secrets = Arc::new(Secrets::new(secrets, Captures::Never));
        let (file, log) = Log::open(path.clone(), secrets).expect("a log");
        (file, log, path)
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    #[test]
    fn what_an_earlier_command_wrote_is_kept_but_not_shown() {
        for secrets in [&[][..], &[SECRET]] {
            let folder = folder();
            fs::write(folder.path().join("target.log"), "earlier\n").expect("written");
            let (mut file, log, path) = opened(&folder, secrets);
            assert_eq!(log.last_lines().to_string(), "; it wrote nothing");
            file.write_all(b"later\n").expect("written");
            assert_eq!(log.last_lines().to_string(), "; its last lines:\n  | later");
            drop(log);
            assert_eq!(fs::read_to_string(path).expect("the log"), "earlier\nlater\n");
        }
    }

    #[test]
    fn without_secrets_the_log_can_be_read_while_it_is_written() {
        let folder = folder();
        let (mut file, _log, path) = opened(&folder, &[]);
        file.write_all(b"now\n").expect("written");
        assert_eq!(fs::read_to_string(path).expect("the log"), "now\n");
    }

    #[test]
    fn a_secret_is_at_no_time_in_a_file_that_has_a_name() {
        let folder = folder();
        let (mut file, mut log, path) = opened(&folder, &[SECRET]);
        writeln!(file, "connecting to {SECRET}").expect("written");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
        assert_eq!(log.last_lines().to_string(), "; its last lines:\n  | connecting to ***");
        log.keep().expect("kept");
        writeln!(file, "too late").expect("written");
        drop(log);
        assert_eq!(fs::read_to_string(path).expect("the log"), "connecting to ***\n");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn of_a_log_with_secrets_that_is_too_long_the_end_is_kept() {
        let (folder, text) = (folder(), format!("begin {SECRET} is cut\n{SECRET}, the end\n"));
        for most in 1..text.len() {
            let (mut file, mut log, path) = opened(&folder, &[SECRET]);
            file.write_all(text.as_bytes()).expect("written");
            log.keep_last(most as u64).expect("kept");
            let kept = fs::read_to_string(&path).expect("the log");
            assert!(kept.starts_with("(loadgate left out "), "{kept}");
            assert!(!kept.contains("shop") && !kept.contains("hunter2"), "{kept}");
            assert_eq!(kept.contains("***, the end\n"), most >= SECRET.len() + 10, "{most}: {kept}");
            fs::remove_file(path).expect("removed");
        }
    }

    #[test]
    fn a_secret_across_the_beginning_of_the_last_lines_is_not_shown_in_part() {
        let folder = folder();
        for hidden in 0..SECRET.len() {
            let (mut file, log, _path) = opened(&folder, &[SECRET]);
            let after = "\n".repeat(BYTES as usize - hidden);
            write!(file, "{}{SECRET}{after}", "x".repeat(70)).expect("written");
            assert_eq!(log.last_lines().to_string(), "; it wrote nothing", "{hidden}");
        }
    }
}
