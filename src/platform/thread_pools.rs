//! Thread pools of numerical libraries, of which every process has one.

use super::libraries::{OPENBLAS_COUNTS, largest_result, mappings};
use std::collections::BTreeSet;

/// What is known of a library.
struct Kind {
    /// A part of the library's file name.
    part: &'static str,
    name: &'static str,
    /// Functions that return the number of threads.
    counts: &'static [&'static str],
    /// The environment variable that sets it.
    variable: &'static str,
}

const KINDS: [Kind; 5] = [
    Kind {
        part: "openblas",
        name: "OpenBLAS",
        counts: &OPENBLAS_COUNTS,
        variable: "OPENBLAS_NUM_THREADS",
    },
    Kind {
        part: "mkl_rt",
        name: "MKL",
        counts: &["MKL_Get_Max_Threads"],
        variable: "MKL_NUM_THREADS",
    },
    openmp("libgomp"),
    openmp("libiomp"),
    openmp("libomp"),
];

const fn openmp(part: &'static str) -> Kind {
    Kind {
        part,
        name: "OpenMP",
        counts: &["omp_get_max_threads"],
        variable: "OMP_NUM_THREADS",
    }
}

/// The variable that sets the size of all pools.
const GENERAL: &str = "OMP_NUM_THREADS";

/// A thread pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadPool {
    /// The name of the library.
    pub library: &'static str,
    /// How many threads it uses.
    pub threads: u32,
    /// The environment variable that sets the number.
    pub variable: &'static str,
}

/// The largest pool of the libraries that this process has loaded; `None` if there is none whose size nobody has set.
/// `is_set` tells whether there is an environment variable.
#[must_use]
pub fn largest_pool(is_set: impl Fn(&str) -> bool) -> Option<ThreadPool> {
    let mapped = mappings();
    let files: BTreeSet<(&str, &[u8])> = mapped.iter().map(|one| (&*one.name, &*one.path)).collect();
    largest_of(files, is_set, largest_result)
}

/// The same, given the names and paths of libraries, and what calls those of their functions that return a number.
fn largest_of<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    is_set: impl Fn(&str) -> bool,
    threads: impl Fn(&[u8], &[&str]) -> Option<i32>,
) -> Option<ThreadPool> {
    let pool_of = |(name, file): (&str, &[u8])| {
        let kind = KINDS.iter().find(|kind| name.contains(kind.part))?;
        if is_set(kind.variable) || is_set(GENERAL) {
            return None;
        }
        let threads = u32::try_from(threads(file, kind.counts)?).ok()?;
        Some(ThreadPool {
            library: kind.name,
            threads,
            variable: kind.variable,
        })
    };
    files
        .into_iter()
        .filter_map(pool_of)
        .max_by_key(|pool| pool.threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [(&str, &[u8]); 4] = [
        ("libc.so.6", b"/lib/libc.so.6"),
        ("libscipy_openblas64_-1.so", b"/np/libscipy_openblas64_-1.so"),
        ("libgomp.so.1", b"/openblas/libgomp.so.1"),
        ("libmkl_rt.so", b"/libmkl_rt.so"),
    ];

    fn threads(file: &[u8], counts: &[&str]) -> Option<i32> {
        match counts {
            ["MKL_Get_Max_Threads"] => None,
            ["omp_get_max_threads"] => Some(16),
            _ => (file == FILES[1].1).then_some(8),
        }
    }

    #[test]
    fn the_largest_pool_is_found_by_the_names_of_files() {
        let found = largest_of(FILES, |_| false, threads).expect("a pool");
        assert_eq!(
            (found.library, found.threads, found.variable),
            ("OpenMP", 16, "OMP_NUM_THREADS")
        );
        let found = largest_of(FILES[..2].iter().copied(), |_| false, threads).expect("a pool");
        assert_eq!(
            (found.library, found.threads, found.variable),
            ("OpenBLAS", 8, "OPENBLAS_NUM_THREADS")
        );
    }

    #[test]
    fn a_pool_whose_size_is_set_is_none() {
        assert_eq!(largest_of(FILES, |name| name == GENERAL, threads), None);
        let found = largest_of(
            FILES[..2].iter().copied(),
            |name| name == "OPENBLAS_NUM_THREADS",
            threads,
        );
        assert_eq!(found, None);
        assert_eq!(largest_of([], |_| false, threads), None);
    }
}
