//! JSON output of commands: indented, and in ASCII, which every encoding of a terminal or pipe can represent.

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};
use serde_json::value::RawValue;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

/// Serializes a value.
pub(super) fn ascii(value: &impl Serialize) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    let formatter = Ascii(PrettyFormatter::with_indent(b" "));
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    value.serialize(&mut serializer)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Serializes a path. Invalid bytes become lone surrogates, as in Python's own strings.
pub(super) fn path(path: &Path) -> serde_json::Result<Box<RawValue>> {
    let mut text = String::from("\"");
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        let valid = ascii(&chunk.valid())?;
        text.push_str(&valid[1..valid.len() - 1]);
        for byte in chunk.invalid() {
            let _ = write!(text, "\\udc{byte:02x}");
        }
    }
    text.push('"');
    RawValue::from_string(text)
}

struct Ascii(PrettyFormatter<'static>);

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for char in fragment.chars() {
            if char.is_ascii() {
                writer.write_all(&[char as u8])?;
            } else {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;
    use serde_json::json;

    #[test]
    fn values_are_indented_and_escaped() {
        let value =
            json!({ "ids": ["a.py::test[é🦀]", "tab\t\"\\\u{1}"], "none": [], "no": {}, "seconds": 0.5 });
        let text = ascii(&value).unwrap();
        assert_snapshot!(text, @r#"
        {
         "ids": [
          "a.py::test[\u00e9\ud83e\udd80]",
          "tab\t\"\\\u0001"
         ],
         "no": {},
         "none": [],
         "seconds": 0.5
        }
        "#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    #[cfg(unix)]
    fn a_path_need_not_be_utf8() {
        use std::os::unix::ffi::OsStrExt;
        let found = path(Path::new(std::ffi::OsStr::from_bytes(b"caf\xc3\xa9 \"1\"/\xff"))).unwrap();
        assert_eq!(ascii(&found).unwrap(), r#""caf\u00e9 \"1\"/\udcff""#);
    }
}
