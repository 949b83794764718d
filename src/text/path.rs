//! Paths for display.
//!
//! File names need not be UTF-8. Invalid bytes are shown as Python's `surrogateescape` and `backslashreplace` show
//! them, so that different names never look alike.

use std::fmt::Write as _;
use std::path::Path;

/// A path as text; a byte that is not valid UTF-8 is shown as `\udcff`.
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
    fn invalid_utf8_is_escaped() {
        let path = Path::new(OsStr::from_bytes(b"caf\xc3\xa9/\xff\x80.jsonl"));
        assert_eq!(shown(path), r"café/\udcff\udc80.jsonl");
    }
}
