//! Conversion of Python objects to [`Value`]s and back.

use super::text::to_bytes;
use crate::protocol::value::{MAX_DEPTH, Value};
use crate::protocol::wire::Reader;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyComplex, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple,
};

/// Converts an object. An object without a plain form is replaced by its `repr`, and its type is added to `lost`.
///
/// # Errors
/// What `repr` raises.
pub(super) fn to_value(object: &Bound<'_, PyAny>, lost: &mut Vec<String>) -> PyResult<Value> {
    convert(object, lost, 0)
}

fn convert(object: &Bound<'_, PyAny>, lost: &mut Vec<String>, depth: usize) -> PyResult<Value> {
    if object.is_none() {
        return Ok(Value::None);
    }
    if let Ok(text) = object.cast::<PyString>() {
        return text_value(text);
    }
    if let Ok(truth) = object.cast::<PyBool>() {
        return Ok(Value::Bool(truth.is_true()));
    }
    if let Ok(integer) = object.cast::<PyInt>() {
        return match integer.extract::<i64>() {
            Ok(small) => Ok(Value::Int(small)),
            Err(_) => Ok(Value::BigInt(
                integer.call_method1("__format__", ("d",))?.extract()?,
            )),
        };
    }
    if let Ok(float) = object.cast::<PyFloat>() {
        return Ok(Value::Float(float.value()));
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Value::Bytes(bytes.as_bytes().to_vec()));
    }
    if depth >= MAX_DEPTH {
        return replaced(object, lost);
    }
    let all = |items: Bound<'_, PyAny>, lost: &mut Vec<String>| -> PyResult<Vec<Value>> {
        items
            .try_iter()?
            .map(|item| convert(&item?, lost, depth + 1))
            .collect()
    };
    if object.is_instance_of::<PyList>() {
        return all(object.clone(), lost).map(Value::List);
    }
    if object.is_instance_of::<PyTuple>() {
        return all(object.clone(), lost).map(Value::Tuple);
    }
    if let Ok(dict) = object.cast::<PyDict>() {
        let mut pairs = Vec::with_capacity(dict.len());
        for (key, value) in dict.iter() {
            pairs.push((convert(&key, lost, depth + 1)?, convert(&value, lost, depth + 1)?));
        }
        return Ok(Value::Dict(pairs));
    }
    if object.is_instance_of::<PySet>() {
        return all(object.clone(), lost).map(Value::Set);
    }
    if object.is_instance_of::<PyFrozenSet>() {
        return all(object.clone(), lost).map(Value::FrozenSet);
    }
    if let Ok(complex) = object.cast::<PyComplex>() {
        return Ok(Value::Complex(complex.real(), complex.imag()));
    }
    replaced(object, lost)
}

fn text_value(text: &Bound<'_, PyString>) -> PyResult<Value> {
    Ok(match text.to_cow() {
        Ok(plain) => Value::Str(plain.into_owned()),
        Err(_) => Value::Surrogates(to_bytes(text)?.into_owned()),
    })
}

fn replaced(object: &Bound<'_, PyAny>, lost: &mut Vec<String>) -> PyResult<Value> {
    lost.push(object.get_type().fully_qualified_name()?.to_string());
    text_value(&object.repr()?)
}

/// Converts a value to an object.
///
/// # Errors
/// `ValueError` for invalid digits, `TypeError` for an unhashable key or member.
pub(super) fn to_object<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    let all = |items: &[Value]| -> PyResult<Vec<Bound<'py, PyAny>>> {
        items.iter().map(|item| to_object(py, item)).collect()
    };
    Ok(match value {
        Value::None => py.None().into_bound(py),
        Value::Bool(truth) => PyBool::new(py, *truth).to_owned().into_any(),
        Value::Int(integer) => integer.into_pyobject(py)?.into_any(),
        Value::BigInt(digits) => py.get_type::<PyInt>().call1((digits,))?,
        Value::Float(float) => PyFloat::new(py, *float).into_any(),
        Value::Complex(real, imaginary) => PyComplex::from_doubles(py, *real, *imaginary).into_any(),
        Value::Str(text) => PyString::new(py, text).into_any(),
        Value::Surrogates(bytes) => to_text(py, bytes)?.into_any(),
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Value::List(items) => PyList::new(py, all(items)?)?.into_any(),
        Value::Tuple(items) => PyTuple::new(py, all(items)?)?.into_any(),
        Value::Set(items) => PySet::new(py, all(items)?)?.into_any(),
        Value::FrozenSet(items) => PyFrozenSet::new(py, all(items)?)?.into_any(),
        Value::Dict(pairs) => {
            let dict = PyDict::new(py);
            for (key, value) in pairs {
                dict.set_item(to_object(py, key)?, to_object(py, value)?)?;
            }
            dict.into_any()
        }
    })
}

/// Decodes an object; None for empty bytes.
///
/// # Errors
/// `ValueError` for invalid bytes.
pub(super) fn decode_object<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    if bytes.is_empty() {
        return Ok(py.None().into_bound(py));
    }
    let mut reader = Reader::new(bytes);
    let value = Value::decode(&mut reader)?;
    reader.end()?;
    to_object(py, &value)
}

/// Decodes bytes from [`super::text::to_bytes`].
///
/// # Errors
/// `UnicodeDecodeError` for any other bytes.
pub(super) fn to_text<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    if let Ok(plain) = std::str::from_utf8(bytes) {
        return Ok(PyString::new(py, plain));
    }
    let text = PyBytes::new(py, bytes).call_method1("decode", ("utf-8", "surrogatepass"))?;
    Ok(text.cast_into::<PyString>()?)
}
