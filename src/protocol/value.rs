//! Lossless encoding of Python's plain values: tuples stay tuples, bytes stay bytes, sets stay sets.
//!
//! JSON would turn tuples into lists and keys into strings, and pickle would run code. The types are those of execnet's
//! serializer, which pytest-xdist's plugins rely on, plus integers of any size and text with lone surrogates (file
//! names that are not valid UTF-8).

use super::ProtocolError;
use super::wire::{Reader, put_bytes, put_float, put_uint};

/// Maximum nesting of values: far below Python's recursion limit (1,000), to leave room for the frames of a failing
/// test.
pub const MAX_DEPTH: usize = 200;

/// A plain Python value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer that fits 64 bits.
    Int(i64),
    /// Any larger integer, as decimal digits.
    BigInt(String),
    /// A float.
    Float(f64),
    /// A complex number.
    Complex(f64, f64),
    /// Text.
    Str(String),
    /// Text with lone surrogates, encoded with Python's `surrogatepass` error handler.
    Surrogates(Vec<u8>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A set.
    Set(Vec<Value>),
    /// A frozen set.
    FrozenSet(Vec<Value>),
    /// A dictionary, in insertion order.
    Dict(Vec<(Value, Value)>),
}

const NONE: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const BIG_INT: u8 = 4;
const FLOAT: u8 = 5;
const COMPLEX: u8 = 6;
const STR: u8 = 7;
const SURROGATES: u8 = 8;
const BYTES: u8 = 9;
const LIST: u8 = 10;
const TUPLE: u8 = 11;
const SET: u8 = 12;
const FROZEN_SET: u8 = 13;
const DICT: u8 = 14;

impl Value {
    /// Appends the value's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::None => out.push(NONE),
            Self::Bool(value) => out.push(if *value { TRUE } else { FALSE }),
            Self::Int(value) => {
                out.push(INT);
                put_uint(out, zigzag(*value));
            }
            Self::BigInt(digits) => {
                out.push(BIG_INT);
                put_bytes(out, digits.as_bytes());
            }
            Self::Float(value) => {
                out.push(FLOAT);
                put_float(out, *value);
            }
            Self::Complex(real, imaginary) => {
                out.push(COMPLEX);
                put_float(out, *real);
                put_float(out, *imaginary);
            }
            Self::Str(text) => {
                out.push(STR);
                put_bytes(out, text.as_bytes());
            }
            Self::Surrogates(bytes) => {
                out.push(SURROGATES);
                put_bytes(out, bytes);
            }
            Self::Bytes(bytes) => {
                out.push(BYTES);
                put_bytes(out, bytes);
            }
            Self::List(items) => encode_all(LIST, items, out),
            Self::Tuple(items) => encode_all(TUPLE, items, out),
            Self::Set(items) => encode_all(SET, items, out),
            Self::FrozenSet(items) => encode_all(FROZEN_SET, items, out),
            Self::Dict(pairs) => {
                out.push(DICT);
                put_uint(out, pairs.len() as u64);
                for (key, value) in pairs {
                    key.encode(out);
                    value.encode(out);
                }
            }
        }
    }

    /// Reads one value.
    ///
    /// # Errors
    /// Any [`ProtocolError`] but [`ProtocolError::Trailing`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        Self::decode_at(reader, 0)
    }

    fn decode_at(reader: &mut Reader<'_>, depth: usize) -> Result<Self, ProtocolError> {
        if depth > MAX_DEPTH {
            return Err(ProtocolError::Depth);
        }
        Ok(match reader.byte()? {
            NONE => Self::None,
            FALSE => Self::Bool(false),
            TRUE => Self::Bool(true),
            INT => Self::Int(unzigzag(reader.uint()?)),
            BIG_INT => Self::BigInt(reader.text()?.to_owned()),
            FLOAT => Self::Float(reader.float()?),
            COMPLEX => Self::Complex(reader.float()?, reader.float()?),
            STR => Self::Str(reader.text()?.to_owned()),
            SURROGATES => Self::Surrogates(reader.bytes()?.to_vec()),
            BYTES => Self::Bytes(reader.bytes()?.to_vec()),
            LIST => Self::List(decode_all(reader, depth)?),
            TUPLE => Self::Tuple(decode_all(reader, depth)?),
            SET => Self::Set(decode_all(reader, depth)?),
            FROZEN_SET => Self::FrozenSet(decode_all(reader, depth)?),
            DICT => {
                let count = reader.length()?;
                let mut pairs = Vec::new();
                for _ in 0..count {
                    pairs.push((
                        Self::decode_at(reader, depth + 1)?,
                        Self::decode_at(reader, depth + 1)?,
                    ));
                }
                Self::Dict(pairs)
            }
            byte => {
                return Err(ProtocolError::Unknown {
                    what: "value tag",
                    byte,
                });
            }
        })
    }
}

fn encode_all(tag: u8, items: &[Value], out: &mut Vec<u8>) {
    out.push(tag);
    put_uint(out, items.len() as u64);
    for item in items {
        item.encode(out);
    }
}

fn decode_all(reader: &mut Reader<'_>, depth: usize) -> Result<Vec<Value>, ProtocolError> {
    let count = reader.length()?;
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(Value::decode_at(reader, depth + 1)?);
    }
    Ok(items)
}

/// Maps small negative numbers to small unsigned ones (as Protocol Buffers' `sint64` does).
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::None),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            "-?[1-9][0-9]{20,40}".prop_map(Value::BigInt),
            prop::num::f64::NORMAL.prop_map(Value::Float),
            (prop::num::f64::NORMAL, prop::num::f64::NORMAL).prop_map(|(a, b)| Value::Complex(a, b)),
            any::<String>().prop_map(Value::Str),
            any::<Vec<u8>>().prop_map(Value::Surrogates),
            any::<Vec<u8>>().prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(5, 64, 8, |inner| {
            let items = prop::collection::vec(inner.clone(), 0..8);
            prop_oneof![
                items.clone().prop_map(Value::List),
                items.clone().prop_map(Value::Tuple),
                items.clone().prop_map(Value::Set),
                items.prop_map(Value::FrozenSet),
                prop::collection::vec((inner.clone(), inner), 0..8).prop_map(Value::Dict),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_round_trips(value in any_value()) {
            let mut out = Vec::new();
            value.encode(&mut out);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(Value::decode(&mut reader), Ok(value));
            prop_assert_eq!(reader.end(), Ok(()));
        }

        #[test]
        fn decoding_any_bytes_never_panics(bytes: Vec<u8>) {
            let _decoded = Value::decode(&mut Reader::new(&bytes));
        }

        #[test]
        fn every_truncated_value_is_refused(value in any_value(), at: prop::sample::Index) {
            let mut out = Vec::new();
            value.encode(&mut out);
            let cut = at.index(out.len());
            prop_assert!(Value::decode(&mut Reader::new(&out[..cut])).is_err());
        }
    }

    #[test]
    fn a_value_nested_too_deeply_is_refused_without_exhausting_the_stack() {
        let bytes = [LIST, 1].repeat(100_000);
        assert_eq!(Value::decode(&mut Reader::new(&bytes)), Err(ProtocolError::Depth));
    }
}
