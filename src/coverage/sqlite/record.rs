//! Records, the encoding of table rows and index entries.

/// A value of a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// NULL; also stored for an `integer primary key`, whose value is the row id.
    Null,
    /// An integer.
    Int(i64),
    /// A text, not checked to be UTF-8.
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

/// Reads a variable-length integer; returns its value and length.
#[must_use]
#[inline]
pub fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    match bytes.first() {
        Some(&byte) if byte < 0x80 => Some((u64::from(byte), 1)),
        _ => long_varint(bytes),
    }
}

fn long_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(9).enumerate() {
        if at == 8 {
            return Some((value << 8 | u64::from(byte), 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some((value, at + 1));
        }
    }
    None
}

/// Appends a variable-length integer.
pub fn push_varint(to: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        to.push(value as u8);
        return;
    }
    if value >> 56 != 0 {
        to.extend((0..8).map(|at| (value >> (57 - 7 * at)) as u8 | 0x80));
        to.push(value as u8);
        return;
    }
    let mut groups = (64 - value.leading_zeros() as usize).div_ceil(7);
    while groups > 1 {
        groups -= 1;
        to.push((value >> (7 * groups)) as u8 | 0x80);
    }
    to.push(value as u8 & 0x7f);
}

/// Reads the first `N` values of a record; missing columns are NULL.
///
/// `None` if the record is damaged or contains a float.
#[must_use]
pub fn values<const N: usize>(payload: &[u8]) -> Option<[Value<'_>; N]> {
    let mut found = [Value::Null; N];
    let (header, mut at) = varint(payload)?;
    let header = usize::try_from(header).ok()?;
    let mut body = header;
    for value in &mut found {
        if at >= header {
            break;
        }
        let (serial, length) = varint(payload.get(at..header)?)?;
        at += length;
        let size = match serial {
            0 | 8 | 9 => 0,
            1..=4 => serial as usize,
            5 => 6,
            6 => 8,
            7 | 10 | 11 => return None,
            _ => usize::try_from((serial - 12) / 2).ok()?,
        };
        let bytes = payload.get(body..body.checked_add(size)?)?;
        body += size;
        *value = match serial {
            0 => Value::Null,
            8 => Value::Int(0),
            9 => Value::Int(1),
            1..=6 => Value::Int(integer(bytes)),
            _ if serial % 2 == 0 => Value::Blob(bytes),
            _ => Value::Text(bytes),
        };
    }
    Some(found)
}

/// Decodes a big-endian signed integer of one to eight bytes.
fn integer(bytes: &[u8]) -> i64 {
    let sign = if bytes[0] >= 0x80 { -1 } else { 0 };
    bytes
        .iter()
        .fold(sign, |value, &byte| value << 8 | i64::from(byte))
}

/// Replaces `to` with the record of some values.
pub fn encode(to: &mut Vec<u8>, values: &[Value<'_>]) {
    to.clear();
    // The header includes its own length; one byte is enough for every record written here.
    to.push(0);
    for value in values {
        push_varint(to, serial_type(*value));
    }
    to[0] = to.len() as u8;
    for value in values {
        match value {
            Value::Null => {}
            Value::Int(number) => to.extend_from_slice(&number.to_be_bytes()[8 - integer_size(*number)..]),
            Value::Text(bytes) | Value::Blob(bytes) => to.extend_from_slice(bytes),
        }
    }
}

/// A record of integers, encoded in a third of the time that [`encode`] takes.
#[derive(Clone, Copy, Debug)]
pub struct Integers {
    bytes: [u8; MAX_LENGTH],
    length: usize,
}

/// Maximum number of integers in a record.
const MAX_INTEGERS: usize = 5;

/// Maximum length: header, integers, and the bytes that writing the last one may overshoot.
const MAX_LENGTH: usize = 1 + MAX_INTEGERS + 8 * MAX_INTEGERS + 8;

impl Integers {
    /// Encodes up to five integers.
    #[must_use]
    pub fn new<const N: usize>(numbers: [i64; N]) -> Self {
        const { assert!(N <= MAX_INTEGERS) };
        let mut bytes = [0; MAX_LENGTH];
        bytes[0] = 1 + N as u8;
        let mut length = 1 + N;
        for (at, number) in numbers.into_iter().enumerate() {
            let size = integer_size(number);
            bytes[1 + at] = serial_type(Value::Int(number)) as u8;
            // Write all eight bytes, significant ones first: the surplus is overwritten by the next number or cut off
            // at the end.
            let shifted = number.unbounded_shl(64 - 8 * size as u32);
            bytes[length..length + 8].copy_from_slice(&shifted.to_be_bytes());
            length += size;
        }
        Self { bytes, length }
    }

    /// The encoded record.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

fn serial_type(value: Value<'_>) -> u64 {
    match value {
        Value::Null => 0,
        Value::Int(number) => match (number, integer_size(number)) {
            (1, 0) => 9,
            (_, 0) => 8,
            (_, 6) => 5,
            (_, 8) => 6,
            (_, size) => size as u64,
        },
        Value::Blob(bytes) => 12 + 2 * bytes.len() as u64,
        Value::Text(bytes) => 13 + 2 * bytes.len() as u64,
    }
}

fn integer_size(number: i64) -> usize {
    if number == 0 || number == 1 {
        return 0;
    }
    // Drop all copies of the sign bit but one.
    let bits = 65 - (number ^ (number >> 63)).leading_zeros() as usize;
    match bits.div_ceil(8) {
        5 => 6,
        7 => 8,
        size => size,
    }
}
