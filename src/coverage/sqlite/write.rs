//! Writing a database from sorted rows, page by page.
//!
//! Leaves are filled one after the other and written at once; the pages above them are written at the end. Nothing is
//! searched and no page is split, which is most of the cost of inserting rows one by one. For very many rows, parts of
//! a tree are built concurrently; payloads in such parts must not overflow their pages.

use super::record::push_varint;
use super::{HEADER, MAGIC, kind, local_length, most_in_index, most_in_table};
use std::io::{self, Seek, SeekFrom, Write};

/// Page size: the default of `SQLite`.
const PAGE: usize = 4096;

/// The `SQLite` version number in the header: 3.39.0.
const RELEASE: u32 = 3_039_000;

/// A destination for consecutive pages.
pub trait Pages {
    /// Number of pages so far; the next page gets the number after it.
    fn count(&self) -> u32;

    /// Appends pages.
    ///
    /// # Errors
    /// If they cannot be written.
    fn add(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// Writes a database.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    count: u32,
}

impl<W: Write> Pages for Writer<W> {
    fn count(&self) -> u32 {
        self.count
    }

    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.count += (bytes.len() / PAGE) as u32;
        Ok(())
    }
}

impl<W: Write + Seek> Writer<W> {
    /// Starts a database; its first page is written by [`Writer::finish`].
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn new(out: W) -> io::Result<Self> {
        let mut writer = Self { out, count: 0 };
        writer.add(&[0; PAGE])?;
        Ok(writer)
    }

    /// Completes the database by writing its first page with the records of the table `sqlite_schema`.
    ///
    /// # Errors
    /// If it cannot be written, or the records do not fit on one page.
    pub fn finish(mut self, schema: &[Vec<u8>]) -> io::Result<W> {
        let mut page = Page::new(kind::TABLE_LEAF);
        page.before = HEADER;
        for (number, record) in (1u64..).zip(schema) {
            let mut cell = Vec::new();
            push_varint(&mut cell, record.len() as u64);
            push_varint(&mut cell, number);
            cell.extend(record);
            if !page.fits(&cell) {
                return Err(io::Error::other("the schema does not fit on a page"));
            }
            page.push(&cell);
        }
        let mut bytes = page.take(None);
        bytes[..HEADER].copy_from_slice(&header(self.count));
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&bytes)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Pages in memory that are appended to a database later; see [`Tree::append`].
#[derive(Debug, Default)]
pub struct Part {
    bytes: Vec<u8>,
    children: Children,
}

impl Pages for Part {
    fn count(&self) -> u32 {
        (self.bytes.len() / PAGE) as u32
    }

    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.extend(bytes);
        Ok(())
    }
}

/// Child pages, each with the key that separates it from the next one.
type Children = Vec<(u32, Vec<u8>)>;

/// A table or an index being written.
#[derive(Debug)]
pub struct Tree {
    leaf: Page,
    children: Children,
    /// The row id of the last row of a table.
    last: i64,
    /// The entry of an index that did not fit on the leaf.
    separator: Option<Vec<u8>>,
    /// Buffer for a cell.
    cell: Vec<u8>,
}

impl Tree {
    /// Starts a table.
    #[must_use]
    pub fn table() -> Self {
        Self::new(kind::TABLE_LEAF)
    }

    /// Starts an index.
    #[must_use]
    pub fn index() -> Self {
        Self::new(kind::INDEX_LEAF)
    }

    fn new(leaf: u8) -> Self {
        Self {
            leaf: Page::new(leaf),
            children: Children::new(),
            last: 0,
            separator: None,
            cell: Vec::new(),
        }
    }

    /// Appends a row to a table. Row ids must increase.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn row(&mut self, out: &mut impl Pages, number: i64, record: &[u8]) -> io::Result<()> {
        self.cell.clear();
        push_varint(&mut self.cell, record.len() as u64);
        push_varint(&mut self.cell, number.cast_unsigned());
        push_payload(out, &mut self.cell, record, most_in_table(PAGE))?;
        if !self.leaf.fits(&self.cell) {
            self.end_leaf(out, None)?;
        }
        self.leaf.push(&self.cell);
        self.last = number;
        Ok(())
    }

    /// Appends an entry to an index. Records must increase.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn entry(&mut self, out: &mut impl Pages, record: &[u8]) -> io::Result<()> {
        self.cell.clear();
        push_varint(&mut self.cell, record.len() as u64);
        push_payload(out, &mut self.cell, record, most_in_index(PAGE))?;
        if let Some(separator) = self.separator.take() {
            self.end_leaf(out, Some(separator))?;
        }
        if self.leaf.fits(&self.cell) {
            self.leaf.push(&self.cell);
        } else {
            // It becomes a separator between this leaf and the next one, if there is a next one.
            self.separator = Some(self.cell.clone());
        }
        Ok(())
    }

    /// Writes the full leaf; in an index, `separator` is the separator between it and the next leaf.
    fn end_leaf(&mut self, out: &mut impl Pages, separator: Option<Vec<u8>>) -> io::Result<()> {
        let key = separator.unwrap_or_else(|| {
            let mut key = Vec::new();
            push_varint(&mut key, self.last.cast_unsigned());
            key
        });
        out.add(&self.leaf.take(None))?;
        self.children.push((out.count(), key));
        Ok(())
    }

    /// Ends a part of a table that is followed by another part.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn into_table_part(mut self, mut part: Part) -> io::Result<Part> {
        self.end_leaf(&mut part, None)?;
        part.children = self.children;
        Ok(part)
    }

    /// Ends a part of an index, which is not empty; `record` separates it from the next part.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn into_index_part(mut self, mut part: Part, record: &[u8]) -> io::Result<Part> {
        self.place_separator(&mut part)?;
        let mut separator = Vec::new();
        push_varint(&mut separator, record.len() as u64);
        push_payload(&mut part, &mut separator, record, most_in_index(PAGE))?;
        self.end_leaf(&mut part, Some(separator))?;
        part.children = self.children;
        Ok(part)
    }

    /// Appends a part; the tree must not contain anything but such parts.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn append(&mut self, out: &mut impl Pages, part: Part) -> io::Result<()> {
        let before = out.count();
        out.add(&part.bytes)?;
        let children = part.children.into_iter();
        self.children
            .extend(children.map(|(page, key)| (before + page, key)));
        Ok(())
    }

    /// Writes the full leaf, so that the entry that did not fit can be placed on a new one.
    fn place_separator(&mut self, out: &mut impl Pages) -> io::Result<()> {
        if let Some(last) = self.separator.take() {
            // A leaf must not be empty: the last entry of the full leaf becomes the separator instead.
            let separator = self.leaf.pop();
            self.end_leaf(out, Some(separator))?;
            self.leaf.push(&last);
        }
        Ok(())
    }

    /// Writes the last leaf and all levels above the leaves. Returns the number of the root page.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn end(mut self, out: &mut impl Pages) -> io::Result<u32> {
        self.place_separator(out)?;
        let interior = match self.leaf.kind {
            kind::TABLE_LEAF => kind::TABLE_INTERIOR,
            _ => kind::INDEX_INTERIOR,
        };
        out.add(&self.leaf.take(None))?;
        let mut root = out.count();
        while !self.children.is_empty() {
            (self.children, root) = level(out, interior, &self.children, root)?;
        }
        Ok(root)
    }
}

/// Writes the level above `children` and the `last` child; returns its pages except the last one, and the last one's
/// number.
fn level(out: &mut impl Pages, interior: u8, children: &Children, last: u32) -> io::Result<(Children, u32)> {
    let mut above = Children::new();
    let mut page = Page::new(interior);
    let mut at = 0;
    loop {
        while let Some((child, key)) = children.get(at) {
            let cell = [&child.to_be_bytes()[..], key].concat();
            if !page.fits(&cell) {
                break;
            }
            page.push(&cell);
            at += 1;
        }
        if at == children.len() {
            out.add(&page.take(Some(last)))?;
            return Ok((above, out.count()));
        }
        if at + 1 == children.len() {
            // The last page needs a cell, too. This one has several: a cell is at most a quarter of a page.
            page.pop();
            at -= 1;
        }
        let (child, key) = &children[at];
        out.add(&page.take(Some(*child)))?;
        above.push((out.count(), key.clone()));
        at += 1;
    }
}

/// Appends the part of a payload that is stored in its cell, and writes the rest to overflow pages.
fn push_payload(out: &mut impl Pages, cell: &mut Vec<u8>, payload: &[u8], most: usize) -> io::Result<()> {
    let (local, rest) = payload.split_at(local_length(payload.len(), PAGE, most));
    cell.extend_from_slice(local);
    if rest.is_empty() {
        return Ok(());
    }
    cell.extend((out.count() + 1).to_be_bytes());
    let mut parts = rest.chunks(PAGE - 4).peekable();
    while let Some(part) = parts.next() {
        let next = if parts.peek().is_some() {
            out.count() + 2
        } else {
            0
        };
        let mut page = [0; PAGE];
        page[..4].copy_from_slice(&next.to_be_bytes());
        page[4..4 + part.len()].copy_from_slice(part);
        out.add(&page)?;
    }
    Ok(())
}

/// A b-tree page being filled.
#[derive(Debug)]
struct Page {
    kind: u8,
    /// Number of bytes before the page's own header; non-zero only on page 1.
    before: usize,
    /// The cells, one after the other.
    cells: Vec<u8>,
    /// Offset of each cell.
    starts: Vec<usize>,
}

impl Page {
    fn new(kind: u8) -> Self {
        Self {
            kind,
            before: 0,
            cells: Vec::with_capacity(PAGE),
            starts: Vec::new(),
        }
    }

    fn header(&self) -> usize {
        let is_leaf = matches!(self.kind, kind::TABLE_LEAF | kind::INDEX_LEAF);
        self.before + if is_leaf { 8 } else { 12 }
    }

    fn fits(&self, cell: &[u8]) -> bool {
        self.header() + 2 * (self.starts.len() + 1) + self.cells.len() + cell.len() <= PAGE
    }

    fn push(&mut self, cell: &[u8]) {
        self.starts.push(self.cells.len());
        self.cells.extend_from_slice(cell);
    }

    /// Removes the last cell.
    fn pop(&mut self) -> Vec<u8> {
        let start = self.starts.pop().unwrap_or_default();
        self.cells.split_off(start)
    }

    /// Returns the page as bytes and starts the next one; `right` is the rightmost child of an interior page.
    fn take(&mut self, right: Option<u32>) -> [u8; PAGE] {
        let mut page = [0; PAGE];
        let content = PAGE - self.cells.len();
        let at = self.before;
        page[at] = self.kind;
        page[at + 3..at + 5].copy_from_slice(&two(self.starts.len()));
        page[at + 5..at + 7].copy_from_slice(&two(content));
        if let Some(right) = right {
            page[at + 8..at + 12].copy_from_slice(&right.to_be_bytes());
        }
        for (pointer, start) in page[self.header()..].chunks_exact_mut(2).zip(&self.starts) {
            pointer.copy_from_slice(&two(content + start));
        }
        page[content..].copy_from_slice(&self.cells);
        self.cells.clear();
        self.starts.clear();
        page
    }
}

/// A 16-bit big-endian number; offsets on a page fit.
fn two(number: usize) -> [u8; 2] {
    [(number >> 8) as u8, number as u8]
}

/// The database header for so many pages.
fn header(pages: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..16].copy_from_slice(MAGIC);
    header[16..18].copy_from_slice(&two(PAGE));
    // Rollback journal mode; the payload fractions required by the format.
    header[18..24].copy_from_slice(&[1, 1, 0, 64, 32, 32]);
    let mut set = |at: usize, number: u32| header[at..at + 4].copy_from_slice(&number.to_be_bytes());
    set(24, 1); // the file change counter
    set(28, pages);
    set(40, 1); // the schema cookie
    set(44, 4); // the schema format
    set(56, 1); // UTF-8
    set(92, 1); // the change counter for which the number of pages is valid
    set(96, RELEASE);
    header
}
