//! Python's text where it need not come back as it went: lone surrogates (of file names that are not UTF-8) are replaced.

use pyo3::prelude::*;
use pyo3::types::PyString;

/// A text from Python; what is no character, a lone surrogate, is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Text(pub(super) String);

impl<'py> FromPyObject<'_, 'py> for Text {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let text = object.cast::<PyString>()?;
        Ok(Self(text.to_string_lossy().into_owned()))
    }
}

/// The texts themselves.
pub(super) fn texts<T: FromIterator<String>>(texts: Vec<Text>) -> T {
    texts.into_iter().map(|Text(text)| text).collect()
}
