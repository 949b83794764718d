//! Writing joined data as a data file of schema 7.
//!
//! The hazard it handles: a process may be killed, or a disk full, at any moment. The data is written to a temporary
//! file, which then replaces the target.

use super::data::{Arc, SCHEMA_VERSION};
use super::join::Joined;
use super::sqlite::record::{Integers, Value, encode};
use super::sqlite::write::Pages;
use super::sqlite::{Part, Tree, Writer};
use rayon::prelude::*;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::Path;

impl Joined {
    /// Writes the data to a temporary file, which then replaces the target.
    ///
    /// # Errors
    /// If it cannot be written. The previous file is then unchanged.
    pub fn write(mut self, path: &Path) -> io::Result<()> {
        self.sort_and_deduplicate();
        // If the path is a link, its target is replaced.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        // The name must not look like one of coverage.py's parallel data files.
        let beside = target.with_file_name(format!("rustpar-{}-{name}", std::process::id()));
        let written = self.write_new(&beside).and_then(|()| {
            if let Ok(before) = fs::metadata(&target) {
                fs::set_permissions(&beside, before.permissions())?;
            }
            fs::rename(&beside, &target)
        });
        if written.is_err() {
            // The file may not exist.
            let _ = fs::remove_file(&beside);
        }
        written
    }

    fn write_new(self, path: &Path) -> io::Result<()> {
        let mut writer = Writer::new(BufWriter::with_capacity(1 << 20, File::create(path)?))?;
        let schema = self.write_tables(&mut writer)?;
        let out = writer.finish(&schema)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(())
    }

    fn write_tables<W: io::Write + io::Seek + Send>(
        self,
        writer: &mut Writer<W>,
    ) -> io::Result<Vec<Vec<u8>>> {
        let mut schema = Schema::default();
        let mut record = Vec::new();

        let mut table = Tree::table();
        encode(&mut record, &[Value::Int(SCHEMA_VERSION)]);
        table.row(writer, 1, &record)?;
        schema.table("coverage_schema", "version integer", table.end(writer)?);

        let mut meta = self.meta;
        if let Some(has_arcs) = self.has_arcs {
            meta.push(("has_arcs".to_owned(), u8::from(has_arcs).to_string()));
        }
        let mut table = Tree::table();
        for (number, (key, value)) in (1..).zip(&meta) {
            encode(
                &mut record,
                &[Value::Text(key.as_bytes()), Value::Text(value.as_bytes())],
            );
            table.row(writer, number, &record)?;
        }
        schema.table("meta", "key text, value text, unique (key)", table.end(writer)?);
        let keys: Vec<&str> = meta.iter().map(|(key, _)| key.as_str()).collect();
        schema.index("meta", names_index(writer, &keys)?);

        for (table_name, column, names) in [
            ("file", "path", &self.files),
            ("context", "context", &self.contexts),
        ] {
            let names: Vec<&str> = names.in_order();
            let mut table = Tree::table();
            for (number, name) in (1..).zip(&names) {
                encode(&mut record, &[Value::Null, Value::Text(name.as_bytes())]);
                table.row(writer, number, &record)?;
            }
            let columns = format!("id integer primary key, {column} text, unique ({column})");
            schema.table(table_name, &columns, table.end(writer)?);
            schema.index(table_name, names_index(writer, &names)?);
        }

        let mut lines: Vec<((u32, u32), Vec<u8>)> = self.lines.into_iter().collect();
        lines.par_sort_unstable_by_key(|(key, _)| *key);
        let mut table = Tree::table();
        for (number, ((file, context), bits)) in (1..).zip(&lines) {
            let row = [row_id(*file), row_id(*context), Value::Blob(bits)];
            encode(&mut record, &row);
            table.row(writer, number, &record)?;
        }
        schema.table("line_bits", LINE_BITS, table.end(writer)?);
        let mut index = Tree::index();
        for (number, ((file, context), _)) in (1..).zip(&lines) {
            encode(
                &mut record,
                &[row_id(*file), row_id(*context), Value::Int(number)],
            );
            index.entry(writer, &record)?;
        }
        schema.index("line_bits", index.end(writer)?);

        schema.table("arc", ARC, ArcTree::Rows.write(writer, &self.arcs)?);
        schema.index("arc", ArcTree::Index.write(writer, &self.arcs)?);

        let mut table = Tree::table();
        for (number, tracer) in (1..).zip(&self.tracers).filter(|(_, tracer)| !tracer.is_empty()) {
            encode(&mut record, &[Value::Null, Value::Text(tracer.as_bytes())]);
            table.row(writer, number, &record)?;
        }
        schema.table("tracer", TRACER, table.end(writer)?);
        Ok(schema.records)
    }
}

const LINE_BITS: &str = "file_id integer, context_id integer, numbits blob, \
     foreign key (file_id) references file (id), foreign key (context_id) references context (id), \
     unique (file_id, context_id)";
const ARC: &str = "file_id integer, context_id integer, fromno integer, tono integer, \
     foreign key (file_id) references file (id), foreign key (context_id) references context (id), \
     unique (file_id, context_id, fromno, tono)";
const TRACER: &str = "file_id integer primary key, tracer text, foreign key (file_id) references file (id)";

/// The row id of an index; ids count from 1.
fn row_id(place: u32) -> Value<'static> {
    Value::Int(i64::from(place) + 1)
}

/// Number of arcs per part of a tree: fewer are not worth a thread.
const ARCS_IN_A_PART: usize = 1 << 15;

/// Number of parts built concurrently, while as many are written; each takes less than 1 MiB.
const PARTS_AT_A_TIME: usize = 8;

/// The table of arcs, or its unique index. The first row has the number 1.
#[derive(Clone, Copy)]
enum ArcTree {
    Rows,
    Index,
}

impl ArcTree {
    fn tree(self) -> Tree {
        match self {
            Self::Rows => Tree::table(),
            Self::Index => Tree::index(),
        }
    }

    fn record(self, number: i64, arc: &Arc) -> Integers {
        let [file, context] = [arc.file, arc.context].map(|place| i64::from(place) + 1);
        let [from, to] = [arc.from, arc.to].map(i64::from);
        match self {
            Self::Rows => Integers::new([file, context, from, to]),
            Self::Index => Integers::new([file, context, from, to, number]),
        }
    }

    fn push(self, tree: &mut Tree, out: &mut impl Pages, first: i64, arcs: &[Arc]) -> io::Result<()> {
        for (number, arc) in (first..).zip(arcs) {
            let record = self.record(number, arc);
            match self {
                Self::Rows => tree.row(out, number, record.as_slice())?,
                Self::Index => tree.entry(out, record.as_slice())?,
            }
        }
        Ok(())
    }

    fn part(self, first: i64, arcs: &[Arc]) -> io::Result<Part> {
        let (mut tree, mut part) = (self.tree(), Part::default());
        if let (Self::Index, Some((last, before))) = (self, arcs.split_last()) {
            self.push(&mut tree, &mut part, first, before)?;
            let record = self.record(first + before.len().cast_signed() as i64, last);
            return tree.into_index_part(part, record.as_slice());
        }
        self.push(&mut tree, &mut part, first, arcs)?;
        tree.into_table_part(part)
    }

    fn parts(self, numbered: &[(i64, &[Arc])]) -> io::Result<Vec<Part>> {
        let made = numbered.par_iter().map(|(first, arcs)| self.part(*first, arcs));
        made.collect()
    }

    /// Writes the tree and returns its root page. Parts are built while the previous ones are written.
    fn write(self, out: &mut (impl Pages + Send), arcs: &[Arc]) -> io::Result<u32> {
        let numbered: Vec<(i64, &[Arc])> = (1..)
            .step_by(ARCS_IN_A_PART)
            .zip(arcs.chunks(ARCS_IN_A_PART))
            .collect();
        let mut tree = self.tree();
        if let Some(((first, last), parts)) = numbered.split_last() {
            let mut made = Vec::new();
            for some in parts.chunks(PARTS_AT_A_TIME) {
                let append = || made.into_iter().try_for_each(|part| tree.append(out, part));
                let (appended, next) = rayon::join(append, || self.parts(some));
                appended?;
                made = next?;
            }
            for part in made {
                tree.append(out, part)?;
            }
            self.push(&mut tree, out, *first, last)?;
        }
        tree.end(out)
    }
}

/// Writes the unique index of a table of names, whose first row has the number 1.
fn names_index<W: io::Write + io::Seek>(writer: &mut Writer<W>, names: &[&str]) -> io::Result<u32> {
    let mut sorted: Vec<(&[u8], i64)> = names.iter().map(|name| name.as_bytes()).zip(1..).collect();
    sorted.sort_unstable();
    let mut record = Vec::new();
    let mut index = Tree::index();
    for (name, number) in sorted {
        encode(&mut record, &[Value::Text(name), Value::Int(number)]);
        index.entry(writer, &record)?;
    }
    index.end(writer)
}

/// The records of the table `sqlite_schema`.
#[derive(Default)]
struct Schema {
    records: Vec<Vec<u8>>,
}

impl Schema {
    fn table(&mut self, name: &str, columns: &str, root: u32) {
        let sql = format!("CREATE TABLE {name} ({columns})");
        self.add("table", name, name, root, Value::Text(sql.as_bytes()));
    }

    /// The index of a table's `unique` columns.
    fn index(&mut self, table: &str, root: u32) {
        self.add(
            "index",
            &format!("sqlite_autoindex_{table}_1"),
            table,
            root,
            Value::Null,
        );
    }

    fn add(&mut self, kind: &str, name: &str, table: &str, root: u32, sql: Value<'_>) {
        let mut record = Vec::new();
        let names = [kind, name, table].map(|text| Value::Text(text.as_bytes()));
        encode(
            &mut record,
            &[names[0], names[1], names[2], Value::Int(root.into()), sql],
        );
        self.records.push(record);
    }
}
