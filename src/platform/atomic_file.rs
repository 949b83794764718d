//! Replacing a file atomically.
//!
//! The hazard it handles: a process can be killed while it writes. The new content is written to a temporary file
//! beside the old one, which then replaces it. Only regular files are replaced: a device, a pipe or a link belongs to
//! the system or the user.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Maximum length of a chain of links; Linux has the same limit.
const MOST_LINKS: usize = 40;

/// Replaces a file, or creates it and its directory. If the path is a link, its target is replaced.
///
/// # Errors
/// The system's error, or one that wraps [`NotRegularFile`]; the file is then unchanged.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = target_of(path);
    if target.try_exists()? && !fs::metadata(&target)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, NotRegularFile));
    }
    let directory = directory_of(&target);
    fs::create_dir_all(directory)?;
    let mut name = target
        .file_name()
        .ok_or(io::ErrorKind::InvalidFilename)?
        .to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = directory.join(name);
    let written = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&temporary, &target));
    if written.is_err() {
        let _gone = fs::remove_file(&temporary);
    }
    written
}

/// The path is a directory, a device or a pipe.
#[derive(Debug, thiserror::Error)]
#[error("it is not a regular file")]
pub(crate) struct NotRegularFile;

/// Follows links to their target, which need not exist.
fn target_of(path: &Path) -> PathBuf {
    if let Ok(target) = fs::canonicalize(path) {
        return target;
    }
    let mut target = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Ok(next) = fs::read_link(&target) else {
            break;
        };
        target = directory_of(&target).join(next);
    }
    target
}

/// The directory of a file.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_kept_and_its_target_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let [file, link, other] = ["file", "link", "other"].map(|name| directory.path().join(name));
        std::os::unix::fs::symlink("file", &link).expect("a link");
        std::os::unix::fs::symlink("link", &other).expect("a link");
        for content in [b"new", b"old"] {
            replace(&other, content).expect("a file that was written");
            assert_eq!(fs::read(&file).expect("the file"), content);
            assert!(link.is_symlink() && other.is_symlink());
        }
    }

    #[test]
    fn special_files_are_not_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).expect("a link");
        for path in [&*link, Path::new("/dev/null"), directory.path()] {
            let error = replace(path, b"new").expect_err("no file");
            assert_eq!(error.to_string(), "it is not a regular file");
        }
        let circle = directory.path().join("circle");
        std::os::unix::fs::symlink("circle", &circle).expect("a link");
        assert!(replace(&circle, b"new").is_err());
        assert!(circle.is_symlink());
    }
}
