//! A worker's standard output, cut into whole lines.
//!
//! The hazard it handles: two workers that print at once must not end up in one line, and output that never ends its
//! line must not grow without bound.

/// A line longer than this is passed on in pieces.
const LONGEST: usize = 64 * 1024;

/// Collects bytes and gives out whole lines.
#[derive(Debug, Default)]
pub struct LineBuffer(Vec<u8>);

impl LineBuffer {
    /// Takes bytes; returns the text of all lines that are complete now, each with its line end.
    pub fn push(&mut self, bytes: &[u8]) -> Option<String> {
        self.0.extend_from_slice(bytes);
        let end = match self.0.iter().rposition(|&byte| byte == b'\n') {
            Some(last) => last + 1,
            None if self.0.len() > LONGEST => self.0.len(),
            None => return None,
        };
        let rest = self.0.split_off(end);
        Some(text(std::mem::replace(&mut self.0, rest)))
    }

    /// What is left when nothing more can come.
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
    fn only_whole_lines_come_out_until_the_end() {
        let mut buffer = LineBuffer::default();
        assert_eq!(buffer.push(b"one\ntw"), Some("one\n".to_owned()));
        assert_eq!(buffer.push(b"o"), None);
        assert_eq!(buffer.finish(), Some("two".to_owned()));
        assert_eq!(buffer.finish(), None);
    }

    #[test]
    fn a_line_without_end_comes_in_pieces_and_bad_bytes_are_replaced() {
        let mut buffer = LineBuffer::default();
        assert_eq!(
            buffer
                .push(&vec![0xff; LONGEST + 1])
                .map(|text| text.chars().count()),
            Some(LONGEST + 1)
        );
    }
}
