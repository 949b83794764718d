//! Records by name, sorted by name.
//!
//! A sorted vector instead of a map: the file is sorted, so reading it needs no search for each record's position.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

/// Records of one kind; names are unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Records<R>(Vec<(Box<str>, R)>);

impl<R> Default for Records<R> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<R> Records<R> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, name: &str) -> Option<&R> {
        self.index_of(name).map(|index_of| &self.0[index_of].1)
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        self.0.binary_search_by(|(other, _)| (**other).cmp(name)).ok()
    }

    /// The index of each name. For 100,000 names among as many, a binary search takes 2 us each and a hash table a
    /// tenth of that.
    fn indices<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<Option<usize>> {
        let numbered = self.0.iter().enumerate();
        let table: HashMap<&str, usize> = numbered
            .map(|(index_of, (name, _))| (&**name, index_of))
            .collect();
        names.map(|name| table.get(name).copied()).collect()
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &R)> {
        self.0.iter().map(|(name, record)| (&**name, record))
    }

    /// Calls `change` for each name, with its record (a new one if there is none) and the value that belongs to the
    /// name. Names must be unique.
    pub(super) fn change_each<N, W>(
        &mut self,
        names: impl Iterator<Item = (N, W)>,
        mut change: impl FnMut(&mut R, W),
    ) where
        N: AsRef<str> + Into<Box<str>>,
        R: Default,
    {
        let names: Vec<(N, W)> = names.collect();
        let indices = self.indices(names.iter().map(|(name, _)| name.as_ref()));
        let mut fresh = Vec::new();
        for ((name, with), index_of) in names.into_iter().zip(indices) {
            if let Some(index_of) = index_of {
                change(&mut self.0[index_of].1, with);
            } else {
                let mut record = R::default();
                change(&mut record, with);
                fresh.push((name.into(), record));
            }
        }
        if !fresh.is_empty() {
            self.0.append(&mut fresh);
            self.0.sort_by(|(left, _), (right, _)| left.cmp(right));
        }
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&R) -> bool) {
        self.0.retain(|(_, record)| keep(record));
    }

    /// Keeps the `most` records with the greatest `seen`; among equals, the last ones.
    pub(super) fn keep_latest(&mut self, most: usize, seen: impl Fn(&R) -> u64) {
        let Some(excess) = self.len().checked_sub(most).filter(|&excess| excess > 0) else {
            return;
        };
        let mut by_age: Vec<usize> = (0..self.len()).collect();
        by_age.sort_by_key(|&index_of| seen(&self.0[index_of].1));
        let mut gone = vec![false; self.len()];
        for &index_of in &by_age[..excess] {
            gone[index_of] = true;
        }
        let mut gone = gone.into_iter();
        self.0.retain(|_| !gone.next().unwrap_or_default());
    }
}

impl<R> FromIterator<(Box<str>, R)> for Records<R> {
    /// If several records have the same name, the first one counts.
    fn from_iter<I: IntoIterator<Item = (Box<str>, R)>>(records: I) -> Self {
        let mut records: Vec<_> = records.into_iter().collect();
        if !records.is_sorted_by(|(left, _), (right, _)| left < right) {
            records.sort_by(|(left, _), (right, _)| left.cmp(right));
            records.dedup_by(|(left, _), (right, _)| left == right);
        }
        Self(records)
    }
}

impl<R> IntoIterator for Records<R> {
    type Item = (Box<str>, R);
    type IntoIter = std::vec::IntoIter<(Box<str>, R)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<R: Serialize> Serialize for Records<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, R: Deserialize<'de>> Deserialize<'de> for Records<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RecordsVisitor(PhantomData))
    }
}

struct RecordsVisitor<R>(PhantomData<R>);

impl<'de, R: Deserialize<'de>> Visitor<'de> for RecordsVisitor<R> {
    type Value = Records<R>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("records by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut records = Vec::new();
        while let Some(record) = map.next_entry()? {
            records.push(record);
        }
        Ok(records.into_iter().collect())
    }
}
