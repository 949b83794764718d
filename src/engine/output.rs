//! Splitting a worker's standard output into complete lines.
//!
//! The hazard it handles: output of two workers must not be mixed in one line, and output without line ends must not
//! use unlimited memory.

/// A longer line is passed on in pieces.
const MAX_LINE_LENGTH: usize = 64 * 1024;

/// Collects bytes and returns complete lines.
#[derive(Debug, Default)]
pub struct LineBuffer(Vec<u8>);

impl LineBuffer {
    /// Adds bytes; returns the text of all lines that are now complete, with their line ends.
    pub fn push(&mut self, bytes: &[u8]) -> Option<String> {
        self.0.extend_from_slice(bytes);
        let end = match self.0.iter().rposition(|&byte| byte == b'\n') {
            Some(last) => last + 1,
            None if self.0.len() > MAX_LINE_LENGTH => self.0.len(),
            None => return None,
        };
        let rest = self.0.split_off(end);
        Some(text(std::mem::replace(&mut self.0, rest)))
    }

    /// Returns the rest at the end of the output.
    pub fn finish(&mut self) -> Option<String> {
        (!self.0.is_empty()).then(|| text(std::mem::take(&mut self.0)))
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_lines_are_returned_until_the_end() {
        let mut buffer = LineBuffer::default();
        assert_eq!(buffer.push(b"one\ntw"), Some("one\n".to_owned()));
        assert_eq!(buffer.push(b"o"), None);
        assert_eq!(buffer.finish(), Some("two".to_owned()));
        assert_eq!(buffer.finish(), None);
    }

    #[test]
    fn a_very_long_line_is_returned_in_pieces_and_bad_bytes_are_replaced() {
        let mut buffer = LineBuffer::default();
        assert_eq!(
            buffer
                .push(&vec![0xff; MAX_LINE_LENGTH + 1])
                .map(|text| text.chars().count()),
            Some(MAX_LINE_LENGTH + 1)
        );
    }
}
