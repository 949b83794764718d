//! A test suite: the information available to a scheduler, and the true durations.

use rustpar::schedule::policy::Test;

/// Tests in collection order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Suite {
    /// True seconds of each test, without shared fixtures.
    pub(crate) seconds: Vec<f64>,
    /// Number of each test's file.
    pub(crate) files: Vec<u32>,
    /// Number of each test's class, or of its file if it is in no class: the unit of `loadscope`.
    pub(crate) scopes: Vec<u32>,
    /// Shared fixture instances that each test needs, outermost first. An instance is a fixture of class, module or
    /// package scope in one class, module or package, or a fixture of session scope with one parameter.
    pub(crate) fixtures: Vec<Vec<u32>>,
    /// Definition of each instance.
    pub(crate) kinds: Vec<u32>,
    /// True set-up seconds of each definition.
    pub(crate) setups: Vec<f64>,
}

impl Suite {
    /// Number of tests.
    pub(crate) fn len(&self) -> usize {
        self.seconds.len()
    }

    /// The shared fixture instances that a test needs, outermost first.
    pub(crate) fn needs(&self, test: Test) -> &[u32] {
        &self.fixtures[test as usize]
    }

    /// Seconds that setting up an instance takes.
    pub(crate) fn setup(&self, instance: u32) -> f64 {
        self.setups[self.kinds[instance as usize] as usize]
    }
}

/// Builds a suite in collection order.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    suite: Suite,
    file: u32,
    scope: u32,
}

impl Builder {
    /// Adds a fixture definition with this setup time; returns its number.
    pub(crate) fn definition(&mut self, seconds: f64) -> u32 {
        self.suite.setups.push(seconds);
        number(self.suite.setups.len() - 1)
    }

    /// Adds an instance of a definition; returns its number.
    pub(crate) fn instance(&mut self, kind: u32) -> u32 {
        self.suite.kinds.push(kind);
        number(self.suite.kinds.len() - 1)
    }

    /// Starts a new file.
    pub(crate) fn file(&mut self) {
        self.file += 1;
        self.scope += 1;
    }

    /// Starts a new class in the same file.
    pub(crate) fn class(&mut self) {
        self.scope += 1;
    }

    /// Adds a test to the current file.
    pub(crate) fn test(&mut self, seconds: f64, fixtures: &[u32]) {
        self.place(seconds, self.file, self.scope, fixtures);
    }

    /// Adds a test to any file: session parameters make pytest visit a file more than once.
    pub(crate) fn place(&mut self, seconds: f64, file: u32, scope: u32, fixtures: &[u32]) {
        self.suite.seconds.push(seconds);
        self.suite.files.push(file);
        self.suite.scopes.push(scope);
        self.suite.fixtures.push(fixtures.to_vec());
    }

    /// The suite.
    pub(crate) fn done(self) -> Suite {
        self.suite
    }
}

fn number(count: usize) -> u32 {
    // 2^32 fixtures do not fit into memory.
    u32::try_from(count).unwrap_or(u32::MAX)
}
