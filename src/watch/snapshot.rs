//! The contents of a project's files, and what differs from those of an earlier look.

use super::walk::Found;
use blake2b_simd::Params;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Bytes up to which a file's content is compared; that of larger ones takes a second for each gigabyte.
const MOST_BYTES: u64 = 64 << 20;

/// A file that was written this shortly before it was read may be written again without another time: file systems
/// keep times in steps of up to 2 s.
const UNCERTAIN: Duration = Duration::from_secs(2);

/// What has happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It did not exist.
    Added,
    /// It does not exist any more.
    Deleted,
    /// It has another content.
    Modified,
}

/// Files that differ, with what has happened to them.
pub type Changes = BTreeMap<String, Event>;

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Digest([u8; 16]),
    /// Of a file that is too large: size and time.
    Large(u64, i64, i64),
    /// It cannot be read.
    Unknown,
}

/// What a file's entry says; if all is as before, so is the content.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

#[derive(Debug, Clone)]
struct Look {
    content: Content,
    /// `None` if the file may have been written again since.
    entry: Option<Entry>,
}

/// The contents of files at a time.
#[derive(Debug, Default)]
pub struct Snapshot {
    files: BTreeMap<String, Look>,
}

impl Snapshot {
    /// Looks at these files; the contents of those whose entries are as in the `earlier` snapshot are not read.
    #[must_use]
    pub fn take(found: &Found, earlier: &Self) -> Self {
        let now = SystemTime::now();
        let looks = found.par_iter().filter_map(|(path, file)| {
            // A file that was deleted meanwhile is none.
            let look = look_at(file, earlier.files.get(path), now).ok()?;
            Some((path.clone(), look))
        });
        Self {
            files: looks.collect(),
        }
    }

    /// What differs from an earlier snapshot.
    #[must_use]
    pub fn changes_since(&self, earlier: &Self) -> Changes {
        let mut changes = Changes::new();
        for (path, look) in &self.files {
            let event = match earlier.files.get(path) {
                None => Event::Added,
                Some(before) if before.content != look.content => Event::Modified,
                Some(_) => continue,
            };
            changes.insert(path.clone(), event);
        }
        for path in earlier
            .files
            .keys()
            .filter(|path| !self.files.contains_key(*path))
        {
            changes.insert(path.clone(), Event::Deleted);
        }
        changes
    }

    /// The paths of all files.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }
}

fn look_at(file: &Path, earlier: Option<&Look>, now: SystemTime) -> io::Result<Look> {
    let about = fs::metadata(file)?;
    if about.is_dir() {
        // A link to a directory: where it leads is its content.
        let target = fs::read_link(file)?;
        return Ok(Look {
            content: digest(target.as_os_str().as_bytes()),
            entry: None,
        });
    }
    let entry = Entry {
        device: about.dev(),
        inode: about.ino(),
        size: about.size(),
        modified: (about.mtime(), about.mtime_nsec()),
        changed: (about.ctime(), about.ctime_nsec()),
    };
    if let Some(look) = earlier.filter(|look| look.entry.as_ref() == Some(&entry)) {
        return Ok(look.clone());
    }
    let content = if entry.size > MOST_BYTES {
        Content::Large(entry.size, entry.modified.0, entry.modified.1)
    } else {
        match fs::read(file) {
            Ok(content) => digest(&content),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
            Err(_) => Content::Unknown,
        }
    };
    let is_certain = about.modified().is_ok_and(|time| {
        let age = now.duration_since(time);
        age.is_ok_and(|age| age > UNCERTAIN)
    });
    Ok(Look {
        content,
        entry: is_certain.then_some(entry),
    })
}

fn digest(content: &[u8]) -> Content {
    let hash = Params::new().hash_length(16).hash(content);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(hash.as_bytes());
    Content::Digest(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(directory: &Path, earlier: &Snapshot) -> Snapshot {
        let entries = fs::read_dir(directory).expect("a directory");
        let found = entries.flatten().map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, entry.path())
        });
        Snapshot::take(&found.collect(), earlier)
    }

    #[test]
    fn only_another_content_is_a_change() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        let write = |name: &str, text: &str| fs::write(path(name), text).expect("a file");
        for name in ["same", "changed", "deleted", "renamed over"] {
            write(name, "1");
        }
        let before = look(directory.path(), &Snapshot::default());
        assert_eq!(before.paths().count(), 4);
        write("same", "1");
        write("changed", "2");
        write("added", "1");
        fs::remove_file(path("deleted")).expect("it is deleted");
        write("temporary", "3");
        fs::rename(path("temporary"), path("renamed over")).expect("it is renamed");
        let after = look(directory.path(), &before);
        let expected = [
            ("added", Event::Added),
            ("changed", Event::Modified),
            ("deleted", Event::Deleted),
            ("renamed over", Event::Modified),
        ];
        assert_eq!(
            after.changes_since(&before),
            expected.map(|(name, event)| (name.to_owned(), event)).into()
        );
        assert_eq!(after.changes_since(&after), Changes::new());
    }

    #[test]
    fn a_link_to_another_directory_is_a_change() {
        let directory = tempfile::tempdir().expect("a directory");
        let link = directory.path().join("link");
        let lead = |target: &str| {
            let _missing = fs::remove_file(&link);
            std::os::unix::fs::symlink(target, &link).expect("a link");
        };
        lead("/");
        let before = look(directory.path(), &Snapshot::default());
        lead("/tmp");
        let after = look(directory.path(), &before);
        assert_eq!(
            after.changes_since(&before),
            [("link".to_owned(), Event::Modified)].into()
        );
    }
}
