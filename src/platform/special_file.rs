//! Writing to pipes and devices, which must not be replaced by a file.
//!
//! The hazard it handles: opening a pipe that nobody reads blocks for ever.

use std::fs::File;
use std::io;
use std::path::Path;

/// The kind of file at a path; links are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A pipe.
    Pipe,
    /// A character device, such as a terminal or the null device.
    Device,
    /// A regular file, a directory, anything else, or nothing.
    Other,
}

/// The kind of file at a path.
#[must_use]
#[cfg(unix)]
pub fn kind(path: &Path) -> Kind {
    use std::os::unix::fs::FileTypeExt;
    match std::fs::metadata(path).map(|about| about.file_type()) {
        Ok(kind) if kind.is_fifo() => Kind::Pipe,
        Ok(kind) if kind.is_char_device() => Kind::Device,
        _ => Kind::Other,
    }
}

/// The kind of file at a path: on this system, neither pipes nor devices have one.
#[must_use]
#[cfg(not(unix))]
pub fn kind(_path: &Path) -> Kind {
    Kind::Other
}

/// Opens a pipe for writing; `None` if it has no reader.
///
/// # Errors
/// The system's error.
#[cfg(unix)]
pub fn open_pipe(path: &Path) -> io::Result<Option<File>> {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    use rustix::io::Errno;
    use std::os::unix::fs::OpenOptionsExt;

    let opened = File::options()
        .write(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path);
    let pipe = match opened {
        Ok(pipe) => pipe,
        Err(error) if Errno::from_io_error(&error) == Some(Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error),
    };
    // Only the opening must not block: writes wait for a slow reader.
    fcntl_setfl(&pipe, fcntl_getfl(&pipe)? - OFlags::NONBLOCK)?;
    Ok(Some(pipe))
}

/// Opens a pipe for writing.
///
/// # Errors
/// The system's error.
#[cfg(not(unix))]
pub fn open_pipe(path: &Path) -> io::Result<Option<File>> {
    File::options().write(true).open(path).map(Some)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_link_to_a_device_is_a_device() {
        let directory = tempfile::tempdir().unwrap();
        let [link, file, none] = ["link", "file", "none"].map(|name| directory.path().join(name));
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        fs::write(&file, "").unwrap();
        let kinds = [&*link, &file, &none, directory.path()].map(kind);
        assert_eq!(kinds, [Kind::Device, Kind::Other, Kind::Other, Kind::Other]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_pipe_without_a_reader_is_not_opened() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert_eq!(kind(&pipe), Kind::Pipe);
        assert!(open_pipe(&pipe).unwrap().is_none());
        // On Linux, opening for reading and writing does not block.
        let _reader = File::options().read(true).write(true).open(&pipe).unwrap();
        assert!(open_pipe(&pipe).unwrap().is_some());
    }
}
