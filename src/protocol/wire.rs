//! Primitive encodings: LEB128 variable-length integers, little-endian floats, length-prefixed bytes.

use super::ProtocolError;

/// Appends an unsigned integer in LEB128 (seven bits a byte, low bits first).
pub fn put_uint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends a float as its eight little-endian bytes.
pub fn put_float(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a length and the bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A cursor over received bytes.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Creates a cursor at the beginning of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The unread bytes.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads one byte.
    ///
    /// # Errors
    /// [`ProtocolError::Truncated`] at the end.
    pub fn byte(&mut self) -> Result<u8, ProtocolError> {
        let (&first, rest) = self.rest.split_first().ok_or(ProtocolError::Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    /// Reads the next `count` bytes.
    ///
    /// # Errors
    /// [`ProtocolError::Truncated`] when there are fewer.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], ProtocolError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(ProtocolError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Reads an integer written by [`put_uint`].
    ///
    /// # Errors
    /// [`ProtocolError::Truncated`], or [`ProtocolError::Range`] when it needs more than 64 bits.
    pub fn uint(&mut self) -> Result<u64, ProtocolError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(ProtocolError::Range);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ProtocolError::Range)
    }

    /// Reads an integer that must fit a 32-bit index of a test, a string or a worker.
    ///
    /// # Errors
    /// As [`Reader::uint`].
    pub fn index(&mut self) -> Result<u32, ProtocolError> {
        u32::try_from(self.uint()?).map_err(|_| ProtocolError::Range)
    }

    /// Reads a length, which cannot exceed the remaining bytes, so that it is safe to allocate.
    ///
    /// # Errors
    /// As [`Reader::uint`], and [`ProtocolError::Truncated`].
    pub fn length(&mut self) -> Result<usize, ProtocolError> {
        let length = usize::try_from(self.uint()?).map_err(|_| ProtocolError::Range)?;
        if length > self.rest.len() {
            return Err(ProtocolError::Truncated);
        }
        Ok(length)
    }

    /// Reads a float written by [`put_float`].
    ///
    /// # Errors
    /// [`ProtocolError::Truncated`].
    pub fn float(&mut self) -> Result<f64, ProtocolError> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        Ok(f64::from_le_bytes(bytes))
    }

    /// Reads bytes written by [`put_bytes`].
    ///
    /// # Errors
    /// As [`Reader::length`].
    pub fn bytes(&mut self) -> Result<&'a [u8], ProtocolError> {
        let length = self.length()?;
        self.take(length)
    }

    /// Reads text written by [`put_bytes`].
    ///
    /// # Errors
    /// As [`Reader::bytes`], and [`ProtocolError::Utf8`].
    pub fn text(&mut self) -> Result<&'a str, ProtocolError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| ProtocolError::Utf8)
    }

    /// Checks that everything was read.
    ///
    /// # Errors
    /// [`ProtocolError::Trailing`].
    pub fn end(&self) -> Result<(), ProtocolError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(ProtocolError::Trailing(self.rest.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_and_floats_round_trip(value: u64, float: f64, bytes: Vec<u8>) {
            let mut out = Vec::new();
            put_uint(&mut out, value);
            put_float(&mut out, float);
            put_bytes(&mut out, &bytes);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.uint(), Ok(value));
            prop_assert_eq!(reader.float().map(f64::to_bits), Ok(float.to_bits()));
            prop_assert_eq!(reader.bytes(), Ok(&bytes[..]));
            prop_assert_eq!(reader.end(), Ok(()));
        }
    }

    #[test]
    fn an_integer_of_more_than_64_bits_is_refused() {
        assert_eq!(Reader::new(&[0xff; 11]).uint(), Err(ProtocolError::Range));
        let mut nine = vec![0xff; 9];
        nine.push(2);
        assert_eq!(Reader::new(&nine).uint(), Err(ProtocolError::Range));
    }
}
