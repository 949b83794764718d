//! Files that commands write for other programs.

use super::console::Console;
use super::error::Error;
use crate::platform::special_file::{Kind, kind, open_pipe};
use std::fs::File;
use std::path::Path;

/// Writes a document to a file, or as lines to standard output where that is `-`.
pub(super) fn write(path: &Path, content: &[u8], console: &mut Console<'_>) -> Result<(), Error> {
    if path.as_os_str() == "-" {
        console.bytes(content)?;
        if !content.ends_with(b"\n") {
            console.bytes(b"\n")?;
        }
        return Ok(());
    }
    let unwritable = |source| Error::Unwritable {
        path: path.to_owned(),
        source,
    };
    let file = if kind(path) == Kind::Pipe {
        let pipe = open_pipe(path).map_err(unwritable)?;
        pipe.ok_or_else(|| Error::NoReader(path.to_owned()))?
    } else {
        File::create(path).map_err(unwritable)?
    };
    console.write_to(file, content, unwritable)
}
