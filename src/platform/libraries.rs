//! Native libraries that this process has loaded.
//!
//! Format: Linux `Documentation/filesystems/proc.rst`, for `maps`.

use std::ffi::{CString, c_char, c_int};

/// Where the kernel lists what this process has mapped.
const MAPS: &str = "/proc/self/maps";

/// Functions of the variants of `OpenBLAS` that return the number of threads.
pub(super) const OPENBLAS_COUNTS: [&str; 6] = [
    "openblas_get_num_threads",
    "openblas_get_num_threads64_",
    "openblas_get_num_threads_64",
    "scipy_openblas_get_num_threads",
    "scipy_openblas_get_num_threads64_",
    "scipy_openblas_get_num_threads_64",
];

/// A mapped part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) is_code: bool,
    /// The path; empty for what is no file.
    pub(super) path: Vec<u8>,
    /// The file's name, or one such as `[vdso]`.
    pub(super) name: String,
}

/// Parses the kernel's list; leaves out what has neither a file nor a name.
pub(super) fn parse_maps(text: &[u8]) -> impl Iterator<Item = Mapping> + '_ {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        // Five columns, and a path in which there may be anything.
        let at = line.iter().position(|byte| b"/[".contains(byte))?;
        let (columns, place) = line.split_at(at);
        let mut columns = std::str::from_utf8(columns).ok()?.split_ascii_whitespace();
        let (start, end) = columns.next()?.split_once('-')?;
        let name = place.rsplit(|byte| *byte == b'/').next()?;
        Some(Mapping {
            start: u64::from_str_radix(start, 16).ok()?,
            end: u64::from_str_radix(end, 16).ok()?,
            is_code: columns.next()?.contains('x'),
            path: if place[0] == b'/' {
                place.to_owned()
            } else {
                Vec::new()
            },
            name: String::from_utf8_lossy(name).into_owned(),
        })
    })
}

/// What this process has mapped, ascending; empty if the system does not list it.
pub(super) fn mappings() -> Vec<Mapping> {
    parse_maps(&std::fs::read(MAPS).unwrap_or_default()).collect()
}

/// Calls each of `functions` that a loaded library has, and returns the largest result; `None` if it has none of them,
/// or is not loaded. Each must be a C function without parameters that returns an `int`.
pub(super) fn largest_result(library: &[u8], functions: &[&str]) -> Option<c_int> {
    let path = CString::new(library).ok()?;
    #[expect(unsafe_code, reason = "functions of libraries that others have loaded")]
    // SAFETY: with RTLD_NOLOAD nothing is loaded, so no code of the library runs but the functions of this name, which
    // its documentation gives this type. The library stays loaded until it is closed.
    unsafe {
        let handle = libc::dlopen(path.as_ptr(), libc::RTLD_NOLOAD | libc::RTLD_NOW);
        if handle.is_null() {
            return None;
        }
        let results = functions.iter().filter_map(|name| {
            let name = CString::new(*name).ok()?;
            let found = libc::dlsym(handle, name.as_ptr().cast::<c_char>());
            let function: Option<extern "C" fn() -> c_int> = std::mem::transmute(found);
            Some(function?())
        });
        let largest = results.max();
        libc::dlclose(handle);
        largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"\
5581a000-5581b000 r--p 00000000 08:01 11                         /usr/bin/python3
5581b000-7ffd3000 r-xp 00001000 08:01 11                         /usr/bin/python3
7ffd3000-7ffd4000 rw-p 00000000 00:00 0 
7ffd4000-7ffd5000 r-xp 00000000 08:01 12                         /opt/my libs/libblas.so (deleted)
7ffd6000-7ffd7000 r-xp 00000000 00:00 0                          [vdso]
broken
";

    #[test]
    fn mappings_have_their_addresses_access_and_files() {
        let found: Vec<_> = parse_maps(TEXT).collect();
        let names: Vec<_> = found.iter().map(|one| &*one.name).collect();
        assert_eq!(names, ["python3", "python3", "libblas.so (deleted)", "[vdso]"]);
        assert_eq!(
            found.iter().map(|one| one.is_code).collect::<Vec<_>>(),
            [false, true, true, true]
        );
        assert_eq!((found[1].start, found[1].end), (0x5581_b000, 0x7ffd_3000));
        assert_eq!(found[2].path, b"/opt/my libs/libblas.so (deleted)");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_function_of_a_loaded_library_is_called() {
        let found = mappings().into_iter().find(|one| one.name.starts_with("libc."));
        let library = found.expect("the C library").path;
        assert_eq!(
            largest_result(&library, &["getpid", "no_such_function"]),
            i32::try_from(std::process::id()).ok()
        );
        assert_eq!(largest_result(&library, &["no_such_function"]), None);
        assert_eq!(largest_result(b"/nowhere/libnone.so", &["getpid"]), None);
    }
}
