//! Contents of one data file.

use super::sqlite::record::{Value, values};
use super::sqlite::{Damaged, Database};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

/// The supported version of the schema.
pub const SCHEMA_VERSION: i64 = 7;

/// Why a file cannot be joined here and is left to coverage.py; the message completes "the file …".
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is not a readable database.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// It cannot be read.
    #[error("cannot be read ({0})")]
    Io(#[from] io::Error),
    /// It was written by another version of coverage.py.
    #[error("has schema {0} instead of {SCHEMA_VERSION}")]
    Schema(i64),
    /// It is another program's database.
    #[error("is not a coverage data file")]
    Foreign,
    /// It is being written, or was not written completely.
    #[error("has a journal")]
    Journal,
    /// It contains values that coverage.py does not write.
    #[error("contains unexpected data")]
    Strange,
}

/// A jump between two executed lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arc {
    /// The file, as an index into [`Data::files`] or [`super::Joined`].
    pub file: u32,
    /// The context, as an index.
    pub context: u32,
    /// The line jumped from; -N is an entry to the code at line N.
    pub from: i32,
    /// The line jumped to; -N is an exit from the code at line N.
    pub to: i32,
}

impl Arc {
    /// A sort key with the same order, which is faster to compare.
    #[must_use]
    pub fn key(&self) -> u128 {
        let unsigned = |line: i32| u128::from(line.cast_unsigned() ^ 1 << 31);
        u128::from(self.file) << 96
            | u128::from(self.context) << 64
            | unsigned(self.from) << 32
            | unsigned(self.to)
    }
}

/// The lines of a file that were executed in a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    /// The file, as an index.
    pub file: u32,
    /// The context, as an index.
    pub context: u32,
    /// Line n is bit `n % 8` of byte `n / 8`.
    pub bits: Vec<u8>,
}

/// The contents of a data file.
#[derive(Debug, Default)]
pub struct Data {
    /// Whether it measures branches; `None` if not stated.
    pub has_arcs: Option<bool>,
    /// Rows of the table `meta` other than `has_arcs`.
    pub meta: Vec<(String, String)>,
    /// Paths of the measured files.
    pub files: Vec<String>,
    /// The measured contexts.
    pub contexts: Vec<String>,
    /// Executed lines, if branches are not measured.
    pub lines: Vec<Lines>,
    /// Jumps between lines, if branches are measured.
    pub arcs: Vec<Arc>,
    /// Pairs of file index and name of the plugin that measured it.
    pub tracers: Vec<(u32, String)>,
}

impl Data {
    /// Reads a file.
    ///
    /// # Errors
    /// If it is not a complete data file of schema 7.
    pub fn read(path: &Path) -> Result<Self, Unreadable> {
        let mut journal = path.as_os_str().to_owned();
        journal.push("-journal");
        if fs::exists(journal)? {
            return Err(Unreadable::Journal);
        }
        Self::from_bytes(&fs::read(path)?)
    }

    /// Parses the bytes of a file.
    ///
    /// # Errors
    /// If they are not a complete data file of schema 7.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        let database = Database::new(bytes)?;
        let tables = Tables::of(&database)?;
        let version = tables.version()?;
        if version != SCHEMA_VERSION {
            return Err(Unreadable::Schema(version));
        }
        let mut data = Self::default();
        tables.each("meta", |_, [key, value]| {
            let (key, value) = (text(key)?, text(value)?);
            if key == "has_arcs" {
                data.has_arcs = Some(value.parse::<i64>().map_err(|_| Unreadable::Strange)? != 0);
            } else {
                data.meta.push((key, value));
            }
            Ok(())
        })?;
        let files = tables.indices("file", &mut data.files)?;
        let contexts = tables.indices("context", &mut data.contexts)?;
        // A row whose file or context does not exist is ignored, as coverage.py does.
        tables.each("line_bits", |_, [file, context, bits]| {
            if let (Some(file), Some(context)) = (files.of(file)?, contexts.of(context)?) {
                let Value::Blob(bits) = bits else {
                    return Err(Unreadable::Strange);
                };
                let bits = bits.to_vec();
                data.lines.push(Lines { file, context, bits });
            }
            Ok(())
        })?;
        tables.each("arc", |_, [file, context, from, to]| {
            if let (Some(file), Some(context)) = (files.of(file)?, contexts.of(context)?) {
                let (from, to) = (line(from)?, line(to)?);
                data.arcs.push(Arc {
                    file,
                    context,
                    from,
                    to,
                });
            }
            Ok(())
        })?;
        tables.each("tracer", |number, [_, tracer]| {
            if let Some(file) = files.at(number) {
                data.tracers.push((file, text(tracer)?));
            }
            Ok(())
        })?;
        Ok(data)
    }
}

/// The root pages of the tables of a database.
struct Tables<'d> {
    database: &'d Database<'d>,
    roots: HashMap<String, u32>,
}

impl<'d> Tables<'d> {
    fn of(database: &'d Database<'d>) -> Result<Self, Unreadable> {
        let mut roots = HashMap::new();
        database.rows(1, &mut |_, record| {
            let [kind, name, _, root] = values(record).ok_or(Unreadable::Foreign)?;
            if let (Value::Text(b"table"), Value::Int(root)) = (kind, root) {
                let root = u32::try_from(root).map_err(|_| Unreadable::Foreign)?;
                roots.insert(text(name)?, root);
            }
            Ok::<_, Unreadable>(())
        })?;
        Ok(Self { database, roots })
    }

    fn each<const N: usize>(
        &self,
        table: &str,
        mut row: impl FnMut(i64, [Value<'_>; N]) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        let root = *self.roots.get(table).ok_or(Unreadable::Foreign)?;
        self.database.rows(root, &mut |number, record| {
            row(number, values(record).ok_or(Unreadable::Strange)?)
        })
    }

    fn version(&self) -> Result<i64, Unreadable> {
        let mut version = None;
        self.each("coverage_schema", |_, [value]| {
            if let Value::Int(value) = value {
                version.get_or_insert(value);
            }
            Ok(())
        })?;
        version.ok_or(Unreadable::Foreign)
    }

    /// Reads a table of names; returns the index of each row id.
    fn indices(&self, table: &str, names: &mut Vec<String>) -> Result<Indices, Unreadable> {
        let mut indices = Vec::new();
        self.each(table, |number, [_, name]| {
            let id = usize::try_from(number).ok().filter(|id| *id < MAX_ROW_ID);
            let id = id.ok_or(Unreadable::Strange)?;
            indices.resize(indices.len().max(id + 1), None);
            indices[id] = Some(u32::try_from(names.len()).map_err(|_| Unreadable::Strange)?);
            names.push(text(name)?);
            Ok(())
        })?;
        Ok(Indices(indices))
    }
}

fn text(value: Value<'_>) -> Result<String, Unreadable> {
    match value {
        Value::Text(bytes) => String::from_utf8(bytes.to_vec()).map_err(|_| Unreadable::Strange),
        _ => Err(Unreadable::Strange),
    }
}

/// Upper limit for ids. They count from 1 without gaps, unless another program has written the file.
const MAX_ROW_ID: usize = 1 << 24;

/// The index of each row id.
struct Indices(Vec<Option<u32>>);

impl Indices {
    fn at(&self, id: i64) -> Option<u32> {
        *self.0.get(usize::try_from(id).ok()?)?
    }

    fn of(&self, value: Value<'_>) -> Result<Option<u32>, Unreadable> {
        match value {
            Value::Int(id) => Ok(self.at(id)),
            Value::Null => Ok(None),
            _ => Err(Unreadable::Strange),
        }
    }
}

fn line(value: Value<'_>) -> Result<i32, Unreadable> {
    match value {
        Value::Int(number) => i32::try_from(number).map_err(|_| Unreadable::Strange),
        _ => Err(Unreadable::Strange),
    }
}
