//! What one data file holds.

use super::sqlite::record::{Value, values};
use super::sqlite::{Damaged, Database};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

/// The version of the schema that is read and written.
pub const SCHEMA_VERSION: i64 = 7;

/// Why a file is left to coverage.py, in words that complete "the file …".
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It cannot be read as a database.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The system does not let it be read.
    #[error("cannot be read ({0})")]
    Io(#[from] io::Error),
    /// It has been made by another coverage.py.
    #[error("has schema {0} instead of {SCHEMA_VERSION}")]
    Schema(i64),
    /// It is a database of something else.
    #[error("is not a coverage data file")]
    Foreign,
    /// It is being written, or was not written to its end.
    #[error("has a journal")]
    Journal,
    /// It holds what coverage.py does not write.
    #[error("holds what is not known")]
    Strange,
}

/// A line that was executed and the one executed after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arc {
    /// The file, by its place in [`Data::files`] or [`super::Joined`].
    pub file: u32,
    /// The context, by its place.
    pub context: u32,
    /// The line jumped from; an entry to the code at line N where it is -N.
    pub from: i32,
    /// The line jumped to; an exit from the code at line N where it is -N.
    pub to: i32,
}

impl Arc {
    /// A number that is in the same order, and quicker to compare.
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
    /// The file, by its place.
    pub file: u32,
    /// The context, by its place.
    pub context: u32,
    /// Bit `n % 8` of byte `n / 8` for each line n.
    pub bits: Vec<u8>,
}

/// A data file, as far as it matters to others.
#[derive(Debug, Default)]
pub struct Data {
    /// Whether it measures branches, if it says.
    pub has_arcs: Option<bool>,
    /// All that is said of it, `has_arcs` left out.
    pub meta: Vec<(String, String)>,
    /// The paths of the files measured.
    pub files: Vec<String>,
    /// The contexts measured.
    pub contexts: Vec<String>,
    /// Lines, where branches are not measured.
    pub lines: Vec<Lines>,
    /// Branches.
    pub arcs: Vec<Arc>,
    /// Files, by their places, and the plugins that measured them.
    pub tracers: Vec<(u32, String)>,
}

impl Data {
    /// Reads a file.
    ///
    /// # Errors
    /// If it is anything but a whole data file of schema 7.
    pub fn read(path: &Path) -> Result<Self, Unreadable> {
        let mut journal = path.as_os_str().to_owned();
        journal.push("-journal");
        if fs::exists(journal)? {
            return Err(Unreadable::Journal);
        }
        Self::from_bytes(&fs::read(path)?)
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// If they are anything but those of a whole data file of schema 7.
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
        let files = tables.places("file", &mut data.files)?;
        let contexts = tables.places("context", &mut data.contexts)?;
        // A row whose file or context is not there belongs to nothing; coverage.py passes over it, too.
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

/// Where the tables of a database begin.
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

    /// Reads a table of names, and says at which place the row with a number is.
    fn places(&self, table: &str, names: &mut Vec<String>) -> Result<Places, Unreadable> {
        let mut places = Vec::new();
        self.each(table, |number, [_, name]| {
            let id = usize::try_from(number).ok().filter(|id| *id < MOST_IDS);
            let id = id.ok_or(Unreadable::Strange)?;
            places.resize(places.len().max(id + 1), None);
            places[id] = Some(u32::try_from(names.len()).map_err(|_| Unreadable::Strange)?);
            names.push(text(name)?);
            Ok(())
        })?;
        Ok(Places(places))
    }
}

fn text(value: Value<'_>) -> Result<String, Unreadable> {
    match value {
        Value::Text(bytes) => String::from_utf8(bytes.to_vec()).map_err(|_| Unreadable::Strange),
        _ => Err(Unreadable::Strange),
    }
}

/// Ids count from 1 without gaps, unless somebody else has written the file.
const MOST_IDS: usize = 1 << 24;

/// At which place the row with an id is.
struct Places(Vec<Option<u32>>);

impl Places {
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
