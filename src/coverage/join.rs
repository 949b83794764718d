//! The union of data files, by the rules of `CoverageData.update` in coverage.py 7.

use super::data::{Arc, Data, Lines};
use rayon::prelude::*;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Arcs that are kept before those that are there twice are taken out: 64 MiB of them.
const FEW_ARCS: usize = 1 << 22;

/// Two files measure what cannot be in one: branches and lines, or one file by two plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the files cannot be joined")]
pub struct Conflict;

/// What the files that were added so far have measured.
#[derive(Debug, Default)]
pub struct Joined {
    pub(super) has_arcs: Option<bool>,
    pub(super) meta: Vec<(String, String)>,
    pub(super) files: Names,
    /// By the place of a file: the plugin that measures it, or "".
    pub(super) tracers: Vec<String>,
    pub(super) contexts: Names,
    pub(super) lines: HashMap<(u32, u32), Vec<u8>>,
    pub(super) arcs: Vec<Arc>,
    /// How many of them are in order, and each there once.
    settled: usize,
}

impl Joined {
    /// Begins with the file that the others are joined to, of which everything is kept.
    ///
    /// # Errors
    /// If it is in conflict with itself.
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

    /// Says something of the result, if nothing is said yet.
    pub fn describe(&mut self, key: &str, value: &str) {
        if self.meta.iter().all(|(known, _)| known != key) {
            self.meta.push((key.to_owned(), value.to_owned()));
        }
    }

    /// Adds what a file has measured; `paths` are its own, as they are to be called.
    ///
    /// # Errors
    /// If it is in conflict with those that were added before. What is joined is of no use then.
    pub fn add(&mut self, data: Data, paths: Vec<String>) -> Result<(), Conflict> {
        self.agree_on_branches(&data)?;
        let files = self.add_files(&data, paths)?;
        let contexts: Vec<u32> = data
            .contexts
            .into_iter()
            .map(|name| self.contexts.place(name).0)
            .collect();
        for Lines { file, context, bits } in data.lines {
            match self
                .lines
                .entry((files[file as usize], contexts[context as usize]))
            {
                Entry::Vacant(entry) => {
                    entry.insert(bits);
                }
                Entry::Occupied(mut entry) => unite(entry.get_mut(), &bits),
            }
        }
        let mut arcs = data.arcs;
        arcs.par_iter_mut().for_each(|arc| {
            arc.file = files[arc.file as usize];
            arc.context = contexts[arc.context as usize];
        });
        self.arcs.append(&mut arcs);
        if self.arcs.len() > FEW_ARCS + 2 * self.settled {
            self.settle();
        }
        Ok(())
    }

    fn agree_on_branches(&mut self, data: &Data) -> Result<(), Conflict> {
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

    /// Adds files and their tracers; says at which places they are.
    fn add_files(&mut self, data: &Data, paths: Vec<String>) -> Result<Vec<u32>, Conflict> {
        let mut tracers = vec![""; paths.len()];
        for (file, tracer) in &data.tracers {
            tracers[*file as usize] = tracer;
        }
        let mut places = Vec::with_capacity(paths.len());
        for (path, tracer) in paths.into_iter().zip(tracers) {
            let (place, is_new) = self.files.place(path);
            if is_new {
                self.tracers.push(tracer.to_owned());
            } else if self.tracers[place as usize] != tracer {
                return Err(Conflict);
            }
            places.push(place);
        }
        Ok(places)
    }

    /// Takes out what is there twice.
    pub(super) fn settle(&mut self) {
        self.arcs.par_sort_unstable_by_key(Arc::key);
        self.arcs.dedup();
        self.settled = self.arcs.len();
    }
}

/// The bits of both.
fn unite(bits: &mut Vec<u8>, others: &[u8]) {
    if bits.len() < others.len() {
        bits.resize(others.len(), 0);
    }
    for (bits, others) in bits.iter_mut().zip(others) {
        *bits |= others;
    }
}

/// Names, each with the place at which it was met first.
#[derive(Debug, Default)]
pub(super) struct Names {
    places: HashMap<String, u32>,
}

impl Names {
    /// The place of a name, and whether it is new.
    fn place(&mut self, name: String) -> (u32, bool) {
        let next = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        match self.places.entry(name) {
            Entry::Occupied(entry) => (*entry.get(), false),
            Entry::Vacant(entry) => (*entry.insert(next), true),
        }
    }

    pub(super) fn in_order(&self) -> Vec<&str> {
        let mut names: Vec<(u32, &str)> = self
            .places
            .iter()
            .map(|(name, place)| (*place, name.as_str()))
            .collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect()
    }
}
