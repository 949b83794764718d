//! The union of data files, by the rules of `CoverageData.update` in coverage.py 7.

use super::data::{Arc, Data, Lines};
use rayon::prelude::*;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Number of arcs collected before duplicates are removed: 64 MiB.
const MIN_ARCS_TO_DEDUPLICATE: usize = 1 << 22;

/// Two files cannot be joined: one measures branches and the other lines, or they measured one file with different
/// plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the files cannot be joined")]
pub struct Conflict;

/// The union of the files added so far.
#[derive(Debug, Default)]
pub struct Joined {
    pub(super) has_arcs: Option<bool>,
    pub(super) meta: Vec<(String, String)>,
    pub(super) files: Names,
    /// The plugin that measured each file, or "".
    pub(super) tracers: Vec<String>,
    pub(super) contexts: Names,
    pub(super) lines: HashMap<(u32, u32), Vec<u8>>,
    pub(super) arcs: Vec<Arc>,
    /// Number of arcs that are sorted and without duplicates.
    deduplicated: usize,
}

impl Joined {
    /// Starts with the file to which the others are added; all its contents are kept.
    ///
    /// # Errors
    /// If the file contradicts itself.
    pub fn onto(data: Data) -> Result<Self, Conflict> {
        let meta = data.meta.clone();
        let has_arcs = data.has_arcs;
        let mut joined = Self {
            has_arcs,
            meta,
            ..Self::default()
        };
        let paths = data.files.clone();
        joined.add(data, paths)?;
        Ok(joined)
    }

    /// Sets a row of the table `meta`, unless the key exists.
    pub fn set_default_meta(&mut self, key: &str, value: &str) {
        if self.meta.iter().all(|(known, _)| known != key) {
            self.meta.push((key.to_owned(), value.to_owned()));
        }
    }

    /// Adds the contents of a file; `paths` replace its own paths.
    ///
    /// # Errors
    /// If it conflicts with the files added before. The union must then be discarded.
    pub fn add(&mut self, data: Data, paths: Vec<String>) -> Result<(), Conflict> {
        self.check_branches(&data)?;
        let files = self.add_files(&data, paths)?;
        let contexts: Vec<u32> = data
            .contexts
            .into_iter()
            .map(|name| self.contexts.index_of(name).0)
            .collect();
        for Lines { file, context, bits } in data.lines {
            match self
                .lines
                .entry((files[file as usize], contexts[context as usize]))
            {
                Entry::Vacant(entry) => {
                    entry.insert(bits);
                }
                Entry::Occupied(mut entry) => add_bits(entry.get_mut(), &bits),
            }
        }
        let mut arcs = data.arcs;
        arcs.par_iter_mut().for_each(|arc| {
            arc.file = files[arc.file as usize];
            arc.context = contexts[arc.context as usize];
        });
        self.arcs.append(&mut arcs);
        if self.arcs.len() > MIN_ARCS_TO_DEDUPLICATE + 2 * self.deduplicated {
            self.sort_and_deduplicate();
        }
        Ok(())
    }

    fn check_branches(&mut self, data: &Data) -> Result<(), Conflict> {
        let measured = [(true, data.arcs.is_empty()), (false, data.lines.is_empty())];
        for has_arcs in measured
            .into_iter()
            .filter_map(|(arcs, is_empty)| (!is_empty).then_some(arcs))
        {
            if *self.has_arcs.get_or_insert(has_arcs) != has_arcs {
                return Err(Conflict);
            }
        }
        match (self.has_arcs, data.has_arcs) {
            (Some(ours), Some(theirs)) if ours != theirs => Err(Conflict),
            _ => Ok(()),
        }
    }

    /// Adds files and their plugins; returns the index of each file.
    fn add_files(&mut self, data: &Data, paths: Vec<String>) -> Result<Vec<u32>, Conflict> {
        let mut tracers = vec![""; paths.len()];
        for (file, tracer) in &data.tracers {
            tracers[*file as usize] = tracer;
        }
        let mut indices = Vec::with_capacity(paths.len());
        for (path, tracer) in paths.into_iter().zip(tracers) {
            let (index_of, is_new) = self.files.index_of(path);
            if is_new {
                self.tracers.push(tracer.to_owned());
            } else if self.tracers[index_of as usize] != tracer {
                return Err(Conflict);
            }
            indices.push(index_of);
        }
        Ok(indices)
    }

    /// Sorts the arcs and removes duplicates.
    pub(super) fn sort_and_deduplicate(&mut self) {
        self.arcs.par_sort_unstable_by_key(Arc::key);
        self.arcs.dedup();
        self.deduplicated = self.arcs.len();
    }
}

/// Adds the bits of `others`.
fn add_bits(bits: &mut Vec<u8>, others: &[u8]) {
    if bits.len() < others.len() {
        bits.resize(others.len(), 0);
    }
    for (bits, others) in bits.iter_mut().zip(others) {
        *bits |= others;
    }
}

/// Unique names; the index is the order of first occurrence.
#[derive(Debug, Default)]
pub(super) struct Names {
    indices: HashMap<String, u32>,
}

impl Names {
    /// Returns the index of a name, and whether it is new.
    fn index_of(&mut self, name: String) -> (u32, bool) {
        let next = u32::try_from(self.indices.len()).unwrap_or(u32::MAX);
        match self.indices.entry(name) {
            Entry::Occupied(entry) => (*entry.get(), false),
            Entry::Vacant(entry) => (*entry.insert(next), true),
        }
    }

    pub(super) fn in_order(&self) -> Vec<&str> {
        let mut names: Vec<(u32, &str)> = self
            .indices
            .iter()
            .map(|(name, index_of)| (*index_of, name.as_str()))
            .collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect()
    }
}
