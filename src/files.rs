//! Replacing a file as a whole.
//!
//! The hazard it handles: a process can be killed while it writes. The new content goes to a file beside the old one and
//! takes its place when it is whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Replaces a file, or makes it and its directory. Where it is a link, what it points at is replaced.
///
/// # Errors
/// The system's; then the file is as it was.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
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

/// The directory that a file is in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
