//! The `SQLite` database file format (<https://www.sqlite.org/fileformat2.html>), as far as data files need it.
//!
//! The hazard it handles: a file may be truncated, damaged or still being written. Every offset that is read from it is
//! checked, and no chain of pages is followed for longer than the file has pages.

#![expect(
    clippy::cast_possible_truncation,
    reason = "offsets on a page and single bytes of numbers are small"
)]

pub mod read;
pub mod record;
pub mod write;

pub use read::{Damaged, Database};
pub use write::{Part, Tree, Writer};

/// The first bytes of every database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Bytes of the header on page 1.
const HEADER: usize = 100;

/// What a page of a b-tree is, by its first byte.
mod kind {
    pub(super) const INDEX_INTERIOR: u8 = 0x02;
    pub(super) const TABLE_INTERIOR: u8 = 0x05;
    pub(super) const INDEX_LEAF: u8 = 0x0a;
    pub(super) const TABLE_LEAF: u8 = 0x0d;
}

/// How many bytes of a payload lie on the page of its cell; the rest is in overflow pages.
///
/// `usable` is the size of a page without what is reserved, `most` the most that a cell of its kind holds.
fn local_length(payload: usize, usable: usize, most: usize) -> usize {
    if payload <= most {
        return payload;
    }
    let least = (usable - 12) * 32 / 255 - 23;
    let fitting = least + (payload - least) % (usable - 4);
    if fitting <= most { fitting } else { least }
}

/// The most that a cell of a table holds of its payload.
fn most_in_table(usable: usize) -> usize {
    usable - 35
}

/// The most that a cell of an index holds of its payload.
fn most_in_index(usable: usize) -> usize {
    (usable - 12) * 64 / 255 - 23
}
