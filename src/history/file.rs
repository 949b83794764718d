//! The history file: versioned JSON, one line per test. `docs/history.md` describes it.
//!
//! The hazard it handles: runs end at the same time, and a run can be killed while it writes. The file is locked, read,
//! changed and replaced as a whole. A file that cannot be parsed is reported in one line and counts as empty; the file
//! of a newer version is left alone.

use super::records::Records;
use super::run::Run;
use super::{Fixture, History, KEPT_DAYS, Test};
use crate::platform::atomic_file::{directory_of, replace};
use serde::{Deserialize, Serialize};
use serde_json::ser::{CompactFormatter, Formatter};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Version of the file.
pub const VERSION: u32 = 1;

/// Name of the format, in the file's header.
const FORMAT: &str = "rustpar-history";

/// How long to wait for another run that is writing. Writing 100,000 tests takes 0.13 s. After the timeout the run goes
/// on without the lock, and the last writer wins.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// Interval between attempts to lock. Writing 1,000 tests takes 1 ms.
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(2);

/// Approximate size of a test's record, with a node id of 60 characters.
const BYTES_PER_TEST: usize = 150;

/// Why a history could not be read or written: one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Warning {
    /// The file cannot be read.
    #[error("the history in {} cannot be read: {source}; check the file, or name another one", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("the history in {} cannot be written: {source}; check the directory, or name another file", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is not a history, or is incomplete.
    #[error("the history in {} is damaged ({reason}): the next run begins a new one", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file has a version that is not supported.
    #[error("the history in {} has format {version}, known here is {VERSION}: update pytest-rustpar, or name another file",
            .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
}

/// What is wrong with the bytes of a file.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// It is not JSON, or not the JSON of a history.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// It belongs to another program.
    #[error("it is not a history of rustpar")]
    Format,
    /// It has another version.
    #[error("format {0}")]
    Version(u32),
}

#[derive(Serialize)]
struct Written<'a> {
    format: &'static str,
    version: u32,
    tests: &'a Records<Test>,
    fixtures: &'a Records<Fixture>,
}

#[derive(Deserialize)]
struct Content {
    format: String,
    version: u32,
    tests: Records<Test>,
    fixtures: Records<Fixture>,
}

/// The fields that all versions have in common.
#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
}

/// The current time in seconds since the epoch.
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Reads the history in a file. If the file is missing or cannot be read, the history is empty; in the latter case the
/// warning says why.
#[must_use]
pub fn load(path: &Path) -> (History, Option<Warning>) {
    match read(path) {
        Ok(history) => (history, None),
        Err(warning) => (History::default(), Some(warning)),
    }
}

/// Reads the history in a file; empty if there is no file.
///
/// # Errors
/// Any [`Warning`] but [`Warning::Unwritable`].
pub fn read(path: &Path) -> Result<History, Warning> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(History::default()),
        Err(source) => {
            let path = path.into();
            return Err(Warning::Unreadable { path, source });
        }
    };
    parse(&bytes).map_err(|damage| match damage {
        Damage::Version(version) if version > VERSION => Warning::Newer {
            path: path.into(),
            version,
        },
        damage => Warning::Damaged {
            path: path.into(),
            reason: damage.to_string(),
        },
    })
}

/// Adds a run that ends now to the history in a file. Returns a warning if nothing could be written, or if a damaged
/// file was replaced by a new one.
#[must_use]
pub fn save(path: &Path, run: &Run) -> Option<Warning> {
    let _lock = Lock::of(path);
    let (mut history, warning) = load(path);
    if !matches!(warning, None | Some(Warning::Damaged { .. })) {
        return warning;
    }
    let now = now();
    history.apply(run, now);
    history.prune(now, KEPT_DAYS);
    write(path, &history).err().or(warning)
}

/// Changes the history in a file under the lock, so that runs that end meanwhile are not lost.
///
/// # Errors
/// Any [`Warning`]; the file is then unchanged.
pub fn update<T>(path: &Path, change: impl FnOnce(&mut History) -> T) -> Result<T, Warning> {
    let _lock = Lock::of(path);
    let mut history = read(path)?;
    let result = change(&mut history);
    write(path, &history)?;
    Ok(result)
}

/// Replaces the file, or creates it and its directory.
fn write(path: &Path, history: &History) -> Result<(), Warning> {
    replace(path, &bytes(history)).map_err(|source| Warning::Unwritable {
        path: path.into(),
        source,
    })
}

/// Parses the bytes of a file.
///
/// # Errors
/// [`Damage`].
pub fn parse(bytes: &[u8]) -> Result<History, Damage> {
    let error = match serde_json::from_slice::<Content>(bytes) {
        Ok(content) => {
            check(&content.format, content.version)?;
            return Ok(History {
                tests: content.tests,
                fixtures: content.fixtures,
            });
        }
        Err(error) => error,
    };
    // Check the version first: another version may have different fields.
    if let Ok(header) = serde_json::from_slice::<Header>(bytes) {
        check(&header.format, header.version)?;
    }
    Err(error.into())
}

fn check(format: &str, version: u32) -> Result<(), Damage> {
    match (format, version) {
        (FORMAT, VERSION) => Ok(()),
        (FORMAT, _) => Err(Damage::Version(version)),
        _ => Err(Damage::Format),
    }
}

/// Serializes a history.
#[must_use]
pub fn bytes(history: &History) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024 + BYTES_PER_TEST * history.tests.len());
    let written = Written {
        format: FORMAT,
        version: VERSION,
        tests: &history.tests,
        fixtures: &history.fixtures,
    };
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, Lines::default());
    // Writing to memory cannot fail, and JSON can represent every history.
    let written = written.serialize(&mut serializer);
    debug_assert!(written.is_ok());
    out.push(b'\n');
    out
}

/// Formats compact JSON with one line per test and fixture, so that a file under version control has readable diffs.
#[derive(Default)]
struct Lines {
    depth: usize,
}

impl Formatter for Lines {
    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        CompactFormatter.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        CompactFormatter.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        CompactFormatter.begin_object_key(writer, first)?;
        if self.depth == 2 {
            writer.write_all(b"\n")
        } else {
            Ok(())
        }
    }
}

/// Lock on the directory of the history file. It creates no lock file, and is released at the latest when the process
/// ends.
struct Lock {
    _directory: File,
}

impl Lock {
    /// Waits for the lock up to the timeout; `None` on timeout or if the file system has no locks.
    fn of(path: &Path) -> Option<Self> {
        let directory = directory_of(path);
        fs::create_dir_all(directory).ok()?;
        let directory = File::open(directory).ok()?;
        let deadline = Instant::now() + LOCK_TIMEOUT;
        loop {
            match directory.try_lock() {
                Ok(()) => {
                    return Some(Self {
                        _directory: directory,
                    });
                }
                Err(fs::TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(LOCK_RETRY_INTERVAL);
                }
                Err(_) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{any_history, run_of};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_history_round_trips(history in any_history()) {
            let written = bytes(&history);
            prop_assert_eq!(parse(&written).unwrap(), history.clone());
            prop_assert_eq!(bytes(&history), written);
        }

        #[test]
        fn a_truncated_file_is_refused(history in any_history(), part in 0.0..1.0f64) {
            let written = bytes(&history);
            let text = written.trim_ascii_end();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
                reason = "part of a short length")]
            let end = (text.len() as f64 * part) as usize;
            prop_assert!(parse(&text[..end]).is_err());
        }

        #[test]
        fn a_changed_byte_never_panics(history in any_history(), place: prop::sample::Index, byte: u8) {
            let mut written = bytes(&history);
            let place = place.index(written.len());
            written[place] = byte;
            if let Ok(history) = parse(&written) {
                prop_assert_eq!(parse(&bytes(&history)).unwrap(), history);
            }
        }

        #[test]
        fn parsing_any_bytes_never_panics(bytes: Vec<u8>) {
            let _parsed = parse(&bytes);
        }
    }

    #[test]
    fn a_missing_file_is_an_empty_history_without_a_warning() {
        let directory = tempfile::tempdir().unwrap();
        let (history, warning) = load(&directory.path().join("none"));
        assert_eq!(history, History::default());
        assert!(warning.is_none());
    }

    #[test]
    fn the_next_run_replaces_a_damaged_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.json");
        fs::write(&path, "{").unwrap();
        let (history, warning) = load(&path);
        assert_eq!(history, History::default());
        let told = warning.unwrap().to_string();
        assert!(
            told.contains("history.json is damaged") && !told.contains('\n'),
            "{told}"
        );
        assert!(matches!(save(&path, &run_of("a")), Some(Warning::Damaged { .. })));
        assert_eq!(read(&path).unwrap().tests().len(), 1);
    }

    #[test]
    fn the_file_of_a_newer_version_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.json");
        let newer = r#"{"format":"rustpar-history","version":2,"tests":[]}"#;
        fs::write(&path, newer).unwrap();
        assert!(matches!(
            save(&path, &run_of("a")),
            Some(Warning::Newer { version: 2, .. })
        ));
        assert_eq!(fs::read_to_string(&path).unwrap(), newer);
    }

    #[test]
    fn concurrent_runs_are_all_saved() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("in/here/history.json");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let path = &path;
                scope.spawn(move || assert!(save(path, &run_of(&format!("test{number}"))).is_none()));
            }
        });
        assert_eq!(read(&path).unwrap().tests().len(), 8);
        // No lock files or temporary files are left.
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn each_test_has_a_line() {
        let mut history = History::default();
        let mut run = run_of("test_a.py::test_b");
        run.fixture("test_a.py::test_b", "::db", 0.25);
        history.apply(&run, 7);
        assert_eq!(
            String::from_utf8(bytes(&history)).unwrap(),
            "{\"format\":\"rustpar-history\",\"version\":1,\"tests\":{\n\
             \"test_a.py::test_b\":{\"t\":7,\"n\":1,\"o\":\"p\",\"a\":[1000,2000,3],\"l\":[1000,2000,3]}},\
             \"fixtures\":{\n\"::db\":{\"t\":7,\"n\":1,\"a\":250000,\"l\":250000}}}\n"
        );
    }
}
