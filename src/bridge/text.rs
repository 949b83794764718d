//! Conversion of Python strings. They may contain lone surrogates, from file names that are not UTF-8; these are
//! escaped unless a round trip is required.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use std::borrow::Cow;
use std::fmt::Write as _;

/// A string from Python; lone surrogates are escaped as pytest does in XML: `#xD800`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Text(pub(super) String);

impl<'py> FromPyObject<'_, 'py> for Text {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let text = object.cast::<PyString>()?;
        if let Ok(text) = text.to_cow() {
            return Ok(Self(text.into_owned()));
        }
        let bytes = text.call_method1("encode", ("utf-16-le", "surrogatepass"))?;
        let bytes = bytes.cast::<PyBytes>()?.as_bytes().chunks_exact(2);
        let units = bytes.map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        let mut whole = String::new();
        for char in char::decode_utf16(units) {
            match char {
                Ok(char) => whole.push(char),
                Err(lone) => {
                    let _ = write!(whole, "#x{:04X}", lone.unpaired_surrogate());
                }
            }
        }
        Ok(Self(whole))
    }
}

/// Converts to plain strings.
pub(super) fn texts<T: FromIterator<String>>(texts: Vec<Text>) -> T {
    texts.into_iter().map(|Text(text)| text).collect()
}

/// Encodes a string as UTF-8, with lone surrogates as in Python's `surrogatepass`.
pub(super) fn to_bytes<'a>(text: &'a Bound<'_, PyString>) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(plain) = text.to_cow() {
        return Ok(match plain {
            Cow::Borrowed(plain) => Cow::Borrowed(plain.as_bytes()),
            Cow::Owned(plain) => Cow::Owned(plain.into_bytes()),
        });
    }
    let bytes = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
    Ok(Cow::Owned(bytes.cast::<PyBytes>()?.as_bytes().to_vec()))
}
