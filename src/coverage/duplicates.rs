//! Data files with the same contents, of which one is enough.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

/// By what a file is recognized as a duplicate.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    /// The hash of its contents that its name contains.
    Hash(String),
    /// The digest of its contents, which are only read if another file has the same size.
    Contents(u64, Option<String>),
}

/// Groups files that should have the same contents, by coverage.py's criterion: the hash at the end of a file's name, or
/// else the contents. The groups and the files in them keep their order.
///
/// # Errors
/// If a file is gone or cannot be read.
pub fn group(files: Vec<(PathBuf, Option<String>)>) -> io::Result<Vec<Vec<PathBuf>>> {
    let sizes = files.iter().map(|(file, _)| Ok(file.metadata()?.len()));
    let sizes: Vec<u64> = sizes.collect::<io::Result<_>>()?;
    let mut counts: HashMap<u64, usize> = HashMap::new();
    for size in &sizes {
        *counts.entry(*size).or_default() += 1;
    }
    let mut numbers = HashMap::new();
    let mut groups: Vec<Vec<PathBuf>> = Vec::new();
    for ((file, hash), size) in files.into_iter().zip(sizes) {
        let identity = match hash {
            Some(hash) => Identity::Hash(hash),
            None if counts[&size] == 1 => Identity::Contents(size, None),
            None => Identity::Contents(size, Some(digest(&file)?)),
        };
        let number = *numbers.entry(identity).or_insert(groups.len());
        if number == groups.len() {
            groups.push(Vec::new());
        }
        groups[number].push(file);
    }
    Ok(groups)
}

fn digest(file: &Path) -> io::Result<String> {
    let digest = blake2b_simd::blake2b(&std::fs::read(file)?);
    Ok(digest.to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_grouped_by_the_hash_in_their_names_or_by_their_contents() {
        let directory = tempfile::tempdir().unwrap();
        let contents = [
            ("a", "12"),
            ("b", "34"),
            ("c", "12"),
            ("d", "567"),
            ("e", "x"),
            ("f", "yz"),
        ];
        let files = contents.map(|(name, content)| {
            let path = directory.path().join(name);
            std::fs::write(&path, content).unwrap();
            let hash = ["e", "f"].contains(&name).then(|| "hash".to_owned());
            (path, hash)
        });
        let groups = group(files.to_vec()).unwrap();
        let names = |group: &Vec<PathBuf>| -> String {
            let names = group.iter().filter_map(|path| path.file_name()?.to_str());
            names.collect()
        };
        assert_eq!(
            groups.iter().map(names).collect::<Vec<_>>(),
            ["ac", "b", "d", "ef"]
        );
    }

    #[test]
    fn a_file_that_is_gone_is_an_error() {
        assert!(group(vec![(PathBuf::from("no-such-file"), None)]).is_err());
    }
}
