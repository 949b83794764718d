//! Paths that are shown.
//!
//! A name of a file need not be UTF-8. Its other bytes are written out as Python writes them where it escapes what an
//! encoding lacks, so that two names never look alike.

use std::fmt::Write as _;
use std::path::Path;

/// A path as text; a byte that is no part of a character is written as `\udcff`.
#[must_use]
pub fn shown(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\udc{byte:02x}");
        }
    }
    text
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn bytes_that_are_no_text_are_written_out() {
        let path = Path::new(OsStr::from_bytes(b"caf\xc3\xa9/\xff\x80.jsonl"));
        assert_eq!(shown(path), r"café/\udcff\udc80.jsonl");
    }
}
