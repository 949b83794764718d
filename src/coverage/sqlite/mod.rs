//! The part of the `SQLite` database file format (<https://www.sqlite.org/fileformat2.html>) that data files use.
//!
//! The hazard it handles: a file may be truncated, damaged or still being written. Every offset read from it is
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

/// Length of the header on page 1.
const HEADER: usize = 100;

/// Types of b-tree pages: the first byte of the page header.
mod kind {
    pub(super) const INDEX_INTERIOR: u8 = 0x02;
    pub(super) const TABLE_INTERIOR: u8 = 0x05;
    pub(super) const INDEX_LEAF: u8 = 0x0a;
    pub(super) const TABLE_LEAF: u8 = 0x0d;
}

/// Number of bytes of a payload stored in its cell; the rest is in overflow pages.
///
/// `usable` is the page size without the reserved bytes, `most` the maximum for the kind of cell.
fn local_length(payload: usize, usable: usize, most: usize) -> usize {
    if payload <= most {
        return payload;
    }
    let least = (usable - 12) * 32 / 255 - 23;
    let fitting = least + (payload - least) % (usable - 4);
    if fitting <= most { fitting } else { least }
}

/// Maximum payload in the cell of a table.
fn most_in_table(usable: usize) -> usize {
    usable - 35
}

/// Maximum payload in the cell of an index.
fn most_in_index(usable: usize) -> usize {
    (usable - 12) * 64 / 255 - 23
}
