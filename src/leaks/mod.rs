//! What a test leaves behind: the state of the process before and after, and the texts about what was added. Pure.
//!
//! | file | what is in it |
//! |---|---|
//! | [`state`] | comparison of two states |
//! | [`text`] | the text about each leftover |

pub mod state;
pub mod text;

/// A kind of leftover; its name is that in `@pytest.mark.allow_leaks` and in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A child process that runs, or that nobody has waited for.
    Process,
    /// A thread that runs.
    Thread,
    /// An open descriptor.
    Descriptor,
    /// A file or directory made by `tempfile`.
    TemporaryFile,
    /// Changed environment variables.
    Environment,
    /// A changed working directory.
    Directory,
}

impl Kind {
    /// All kinds, in the order in which leftovers are listed.
    pub const ALL: [Self; 6] = [
        Self::Process,
        Self::Thread,
        Self::Descriptor,
        Self::TemporaryFile,
        Self::Environment,
        Self::Directory,
    ];

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "processes",
            Self::Thread => "threads",
            Self::Descriptor => "descriptors",
            Self::TemporaryFile => "tempfiles",
            Self::Environment => "environment",
            Self::Directory => "directory",
        }
    }
}
