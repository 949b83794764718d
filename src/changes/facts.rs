//! What a file of Python says about others: `python/rustpar/changed/scan.py` reads it.

use serde::{Deserialize, Serialize};

/// An import statement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The number of leading dots; 0 for an absolute import.
    pub level: usize,
    /// The name of the module after them; may be empty.
    pub module: String,
    /// The imported names, any of which may be a module; none for `import a.b` and `import *`.
    pub names: Vec<String>,
}

/// What a file says.
#[expect(
    clippy::struct_excessive_bools,
    reason = "properties that are independent of each other"
)]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Its imports, wherever they are.
    pub imports: Vec<Import>,
    /// Its literals that may be the name of a module or of a file.
    pub strings: Vec<String>,
    /// Whether it imports or executes what is not known before.
    pub is_dynamic: bool,
    /// Whether it imports by name, so that any word may be one.
    pub imports_by_name: bool,
    /// Whether it lists directories.
    pub lists_directories: bool,
    /// Whether it starts processes.
    pub starts_processes: bool,
    /// Whether it starts processes of Python.
    pub starts_python: bool,
    /// Whether it starts processes in other code than that of fixtures.
    pub starts_outside_fixtures: bool,
    /// Whether it requests fixtures by names that are computed while tests run.
    pub requests_fixtures: bool,
}
