//! A ring buffer of words in shared memory that carries a worker's frames to the engine, whole or in pieces.
//!
//! One process writes and one reads. A frame is a word with its length in bytes, followed by its bytes padded to whole
//! words; a frame larger than the ring is transferred in pieces. Published data survives the death of the writer, so a
//! worker needs no system call to report a test: its reports are already in the controller's memory.

use std::sync::atomic::{AtomicU64, Ordering};

/// A view of the ring buffer in a slot.
#[derive(Debug, Clone, Copy)]
pub struct ByteRing<'a> {
    read: &'a AtomicU64,
    written: &'a AtomicU64,
    words: &'a [AtomicU64],
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "64-bit platforms only; positions are masked to the ring's size"
)]
impl<'a> ByteRing<'a> {
    /// Creates a view of the two position words (both counting up for ever) and the data words (a power of two of
    /// them).
    #[must_use]
    pub fn new(read: &'a AtomicU64, written: &'a AtomicU64, words: &'a [AtomicU64]) -> Self {
        debug_assert!(words.len().is_power_of_two());
        Self { read, written, words }
    }

    fn word(&self, position: u64) -> &AtomicU64 {
        &self.words[position as usize & (self.words.len() - 1)]
    }

    /// Number of unread words.
    #[must_use]
    pub fn len(&self) -> usize {
        self.written
            .load(Ordering::Acquire)
            .wrapping_sub(self.read.load(Ordering::Acquire)) as usize
    }

    /// Whether there are no unread words.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of words that can be written.
    #[must_use]
    pub fn room(&self) -> usize {
        self.words.len().saturating_sub(self.len())
    }

    /// Writer: publishes as many of `words` as fit; returns how many.
    #[must_use]
    pub fn write(&self, words: &[u64]) -> usize {
        let count = words.len().min(self.room());
        let start = self.written.load(Ordering::Relaxed);
        for (position, &word) in (start..).zip(&words[..count]) {
            self.word(position).store(word, Ordering::Relaxed);
        }
        self.written.store(start + count as u64, Ordering::Release);
        count
    }

    /// Reader: appends all unread words to `out`.
    pub fn read_into(&self, out: &mut Vec<u64>) {
        let start = self.read.load(Ordering::Relaxed);
        let count = self.len().min(self.words.len());
        out.extend((start..start + count as u64).map(|position| self.word(position).load(Ordering::Relaxed)));
        self.read.store(start + count as u64, Ordering::Release);
    }
}

/// Appends a frame's length and its padded bytes as words.
pub fn pack_frame(frame: &[u8], out: &mut Vec<u64>) {
    out.push(frame.len() as u64);
    out.extend(frame.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    }));
}

/// Reassembles frames from the words that have arrived.
#[derive(Debug, Default)]
pub struct FrameReader {
    words: Vec<u64>,
    consumed: usize,
    frame: Vec<u8>,
}

impl FrameReader {
    /// Takes over all unread words of the ring.
    pub fn fill(&mut self, ring: &ByteRing<'_>) {
        self.words.drain(..self.consumed);
        self.consumed = 0;
        ring.read_into(&mut self.words);
    }

    /// Returns the next complete frame, if any.
    pub fn next_frame(&mut self) -> Option<&[u8]> {
        let rest = &self.words[self.consumed..];
        let length = usize::try_from(*rest.first()?).ok()?;
        let words = rest.get(1..=length.div_ceil(8))?;
        self.frame.clear();
        self.frame
            .extend(words.iter().flat_map(|word| word.to_le_bytes()));
        self.frame.truncate(length);
        self.consumed += 1 + words.len();
        Some(&self.frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_of_any_size_arrive_whole_and_in_order_through_a_small_ring(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..40),
            start: u64,
        ) {
            let start = start >> 1;
            let (read, written) = (AtomicU64::new(start), AtomicU64::new(start));
            let words: Vec<_> = (0..8).map(|_| AtomicU64::new(0)).collect();
            let ring = ByteRing::new(&read, &written, &words);
            let mut sent = Vec::new();
            for frame in &frames {
                pack_frame(frame, &mut sent);
            }
            let (mut reader, mut got, mut at) = (FrameReader::default(), Vec::new(), 0);
            while at < sent.len() {
                at += ring.write(&sent[at..]);
                reader.fill(&ring);
                while let Some(frame) = reader.next_frame() {
                    got.push(frame.to_vec());
                }
            }
            prop_assert_eq!(got, frames);
            prop_assert!(ring.is_empty());
        }
    }

    #[test]
    fn a_frame_published_by_another_thread_is_never_seen_partly() {
        let (read, written) = (AtomicU64::new(0), AtomicU64::new(0));
        let words: Vec<_> = (0..16).map(|_| AtomicU64::new(0)).collect();
        let ring = ByteRing::new(&read, &written, &words);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let sent: Vec<u64> = (1..=100_000).collect();
                let mut at = 0;
                while at < sent.len() {
                    at += ring.write(&sent[at..]);
                }
            });
            let mut got = Vec::new();
            while got.len() < 100_000 {
                ring.read_into(&mut got);
            }
            assert!(got.iter().copied().eq(1..=100_000));
        });
    }
}
