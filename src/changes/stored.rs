//! Files beside the history: JSON with the name of a format and a version.
//!
//! The hazard it handles: they are optional. A file that cannot be used counts as empty, with a line that says why; the
//! file of a newer version is left alone.

use crate::platform::atomic_file::replace;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;

/// The name and the version of a format.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    pub(super) name: &'static str,
    pub(super) version: u32,
}

#[derive(Serialize, Deserialize)]
struct File<T> {
    format: String,
    version: u32,
    content: T,
}

#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
}

/// Reads a file; also returns why it could not be used.
pub(super) fn load<T: Default + DeserializeOwned>(format: Format, path: &Path) -> (T, Option<String>) {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (T::default(), None),
        Err(error) => {
            let line = format!("{} cannot be read: {error}; check the file", path.display());
            return (T::default(), Some(line));
        }
    };
    let read = || -> Result<T, String> {
        let header: Header = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        if header.format != format.name || header.version != format.version {
            return Err(format!("it is not version {} of {}", format.version, format.name));
        }
        let file: File<T> = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        Ok(file.content)
    };
    match read() {
        Ok(content) => (content, None),
        Err(reason) => {
            let line = format!(
                "{} cannot be used ({reason}): the run begins a new one",
                path.display()
            );
            (T::default(), Some(line))
        }
    }
}

/// Replaces a file, unless it is of a newer version; returns why it could not be written.
pub(super) fn save<T: Serialize>(format: Format, path: &Path, content: &T) -> Option<String> {
    let header = fs::read(path).ok();
    let header = header.and_then(|bytes| serde_json::from_slice::<Header>(&bytes).ok());
    if header.is_some_and(|header| header.format == format.name && header.version > format.version) {
        return None;
    }
    let file = File {
        format: format.name.to_owned(),
        version: format.version,
        content,
    };
    let written = serde_json::to_vec(&file)
        .map_err(io::Error::other)
        .and_then(|bytes| replace(path, &bytes));
    let error = written.err()?;
    Some(format!(
        "{} cannot be written: {error}; check the directory",
        path.display()
    ))
}
