//! Reading the rows of tables.

use super::record::varint;
use super::{HEADER, MAGIC, kind, local_length, most_in_table};
use std::borrow::Cow;

/// Maximum depth: a deeper b-tree would have more rows than a file can have bytes.
const MAX_DEPTH: usize = 20;

/// Why a file cannot be read as a database; the message completes "the file …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Damaged(pub &'static str);

const DAMAGED: Damaged = Damaged("is damaged");

/// A database in memory.
#[derive(Debug)]
pub struct Database<'a> {
    bytes: &'a [u8],
    page_size: usize,
    /// The page size without the reserved bytes.
    usable: usize,
}

impl<'a> Database<'a> {
    /// Checks the header of a file's bytes.
    ///
    /// # Errors
    /// If it is not a database, is truncated, or uses features that coverage.py does not use.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Damaged> {
        if bytes.len() < HEADER || !bytes.starts_with(MAGIC) {
            return Err(Damaged("is not an SQLite database"));
        }
        let page_size = match u16_at(bytes, 16) {
            1 => 0x1_0000,
            size => usize::from(size),
        };
        if !page_size.is_power_of_two() || page_size < 512 {
            return Err(DAMAGED);
        }
        if bytes[18] != 1 || bytes[19] != 1 {
            return Err(Damaged("has a write-ahead log"));
        }
        if u32_at(bytes, 56) != 1 {
            return Err(Damaged("is not in UTF-8"));
        }
        let is_counted = u32_at(bytes, 24) == u32_at(bytes, 92);
        let pages = u32_at(bytes, 28) as usize;
        if !bytes.len().is_multiple_of(page_size) || is_counted && bytes.len() / page_size < pages {
            return Err(Damaged("is truncated"));
        }
        let usable = page_size - usize::from(bytes[20]);
        if usable < 480 {
            return Err(DAMAGED);
        }
        Ok(Self {
            bytes,
            page_size,
            usable,
        })
    }

    /// Calls `row` with the row id and the record of each row of the table with this root page, in order of row ids.
    ///
    /// # Errors
    /// If the table is damaged, or `row` fails.
    pub fn rows<E: From<Damaged>>(
        &self,
        root: u32,
        row: &mut impl FnMut(i64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut pages_left = self.bytes.len() / self.page_size;
        self.rows_below(root, MAX_DEPTH, &mut pages_left, row)
    }

    fn rows_below<E: From<Damaged>>(
        &self,
        page: u32,
        depth: usize,
        pages_left: &mut usize,
        row: &mut impl FnMut(i64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if depth == 0 || *pages_left == 0 {
            return Err(DAMAGED.into());
        }
        *pages_left -= 1;
        let bytes = self.page(page)?;
        let start = if page == 1 { HEADER } else { 0 };
        let cells = usize::from(u16_at(bytes, start + 3));
        match bytes[start] {
            kind::TABLE_LEAF => {
                for cell in 0..cells {
                    let at = cell_at(bytes, start + 8 + 2 * cell)?;
                    let (number, payload) = self.leaf_cell(bytes, at)?;
                    row(number, &payload)?;
                }
                Ok(())
            }
            kind::TABLE_INTERIOR => {
                for cell in 0..cells {
                    let at = cell_at(bytes, start + 12 + 2 * cell)?;
                    let child = bytes.get(at..at + 4).ok_or(DAMAGED)?;
                    self.rows_below(u32_at(child, 0), depth - 1, pages_left, row)?;
                }
                self.rows_below(u32_at(bytes, start + 8), depth - 1, pages_left, row)
            }
            _ => Err(DAMAGED.into()),
        }
    }

    fn leaf_cell(&self, page: &'a [u8], at: usize) -> Result<(i64, Cow<'a, [u8]>), Damaged> {
        let cell = page.get(at..).ok_or(DAMAGED)?;
        let (length, first) = varint(cell).ok_or(DAMAGED)?;
        let (number, second) = varint(&cell[first..]).ok_or(DAMAGED)?;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= self.bytes.len())
            .ok_or(DAMAGED)?;
        let local = local_length(length, self.usable, most_in_table(self.usable));
        let start = first + second;
        let payload = cell.get(start..start + local).ok_or(DAMAGED)?;
        if local == length {
            return Ok((number.cast_signed(), Cow::Borrowed(payload)));
        }
        let next = cell.get(start + local..start + local + 4).ok_or(DAMAGED)?;
        let whole = self.with_overflow(payload, u32_at(next, 0), length)?;
        Ok((number.cast_signed(), Cow::Owned(whole)))
    }

    fn with_overflow(&self, local: &[u8], first: u32, length: usize) -> Result<Vec<u8>, Damaged> {
        let mut whole = Vec::with_capacity(length);
        whole.extend(local);
        let mut next = first;
        while whole.len() < length {
            let page = self.page(next)?;
            let part = (length - whole.len()).min(self.usable - 4);
            whole.extend(&page[4..4 + part]);
            next = u32_at(page, 0);
        }
        Ok(whole)
    }

    /// The page with this number (counted from 1), without its reserved bytes.
    fn page(&self, number: u32) -> Result<&'a [u8], Damaged> {
        let start = (number as usize)
            .checked_sub(1)
            .and_then(|before| before.checked_mul(self.page_size));
        let start = start.ok_or(DAMAGED)?;
        let page = self.bytes.get(start..).and_then(|rest| rest.get(..self.usable));
        page.ok_or(DAMAGED)
    }
}

fn cell_at(page: &[u8], at: usize) -> Result<usize, Damaged> {
    let pointer = page.get(at..at + 2).ok_or(DAMAGED)?;
    Ok(usize::from(u16_at(pointer, 0)))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
