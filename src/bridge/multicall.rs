//! Native hook calls, equivalent to pluggy's `_multicall`, for implementations in pytest and in this project.
//!
//! The hazard it handles: a call from here has no Python frame. Code that counts frames (the `stacklevel` of a warning,
//! `inspect.stack`) would find another frame. So pluggy makes the call if any implementation comes from elsewhere, and for
//! the hooks whose implementations in pytest call users' functions.
//!
//! Without it (medians of pairs, `-n 2`): 10,000 trivial tests take 1.08 of the wall time and 1.09 of the CPU time; the
//! suites of marshmallow 1.05, click 1.03 and dateutil 1.025 of the CPU time, that of attrs 0.99.

use parking_lot::Mutex;
use pyo3::call::PyCallArgs;
use pyo3::exceptions::{PyBaseException, PyRuntimeError, PyStopIteration};
use pyo3::prelude::*;
use pyo3::types::iterator::PySendResult;
use pyo3::types::{PyBool, PyDict, PyIterator, PyList, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use std::collections::HashMap;
use std::sync::Arc;

/// The flag of a generator function's code.
const CO_GENERATOR: u32 = 0x20;

/// The replacement for pluggy's `_multicall`.
#[pyclass(frozen, module = "rustpar._core")]
pub(super) struct Multicall {
    fallback: Py<PyAny>,
    ours: Vec<String>,
    next_to_users: Vec<String>,
    missing: Py<PyAny>,
    did_not_yield: Py<PyAny>,
    second_yield: Py<PyAny>,
    /// Implementations that can be called natively, by the address of the `HookImpl`, which the value keeps alive. Others
    /// are not cached, because their plugins may be registered and unregistered with every test.
    known: Mutex<HashMap<usize, Known>>,
}

struct Known {
    hook_impl: Py<PyAny>,
    implementation: Arc<Implementation>,
}

/// The function of a `HookImpl`, and how to call it.
struct Implementation {
    function: Py<PyAny>,
    names: Vec<Py<PyString>>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Wrapper,
    /// Can only be called by pluggy.
    Other,
}

#[pymethods]
impl Multicall {
    /// Calls implementations whose module's name starts with one of `ours`. All other calls, and all calls of the hooks
    /// `next_to_users`, are passed to `fallback`, which is pluggy's function. Pluggy's errors are raised by `missing` (for
    /// an argument's name), `did_not_yield` (for a generator and its return value) and `second_yield` (for a generator).
    #[new]
    #[pyo3(signature = (fallback, *, ours, next_to_users, missing, did_not_yield, second_yield))]
    fn new(
        fallback: Py<PyAny>,
        ours: Vec<String>,
        next_to_users: Vec<String>,
        missing: Py<PyAny>,
        did_not_yield: Py<PyAny>,
        second_yield: Py<PyAny>,
    ) -> Self {
        Self {
            fallback,
            ours,
            next_to_users,
            missing,
            did_not_yield,
            second_yield,
            known: Mutex::default(),
        }
    }

    /// Calls the implementations, last one first, as pluggy does.
    #[pyo3(signature = (hook_name, hook_impls, caller_kwargs, firstresult, /))]
    fn __call__<'py>(
        &self,
        hook_name: &Bound<'py, PyAny>,
        hook_impls: &Bound<'py, PyAny>,
        caller_kwargs: &Bound<'py, PyAny>,
        firstresult: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let (Ok(impls), Ok(given), Ok(first)) = (
            hook_impls.cast_exact::<PyList>(),
            caller_kwargs.cast_exact::<PyDict>(),
            firstresult.cast_exact::<PyBool>(),
        ) && let Some(implementations) = self.implementations(hook_name, impls)?
        {
            return self.call(&implementations, given, first.is_true());
        }
        let arguments = (hook_name, hook_impls, caller_kwargs, firstresult);
        self.fallback.bind(hook_name.py()).call1(arguments)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.fallback)?;
        for known in self.known.lock().values() {
            visit.call(&known.hook_impl)?;
            visit.call(&known.implementation.function)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        let known = std::mem::take(&mut *self.known.lock());
        drop(known);
    }
}

impl Multicall {
    /// The implementations in the order of their calls; None if pluggy has to make the call.
    fn implementations(
        &self,
        hook_name: &Bound<'_, PyAny>,
        impls: &Bound<'_, PyList>,
    ) -> PyResult<Option<Vec<Arc<Implementation>>>> {
        let py = impls.py();
        let mut found = Vec::with_capacity(impls.len());
        for hook_impl in impls.iter().rev() {
            let function = hook_impl.getattr(pyo3::intern!(py, "function"))?;
            let implementation = match self.known(&hook_impl) {
                // Some plugins replace the function of a `HookImpl`.
                Some(known) if known.function.is(&function) => known,
                _ => match self.learn(hook_name, &hook_impl, function)? {
                    Some(learnt) => learnt,
                    None => return Ok(None),
                },
            };
            if implementation.kind == Kind::Other {
                return Ok(None);
            }
            found.push(implementation);
        }
        Ok(Some(found))
    }

    /// Runs the implementations, then the second half of each wrapper.
    fn call<'py>(
        &self,
        implementations: &[Arc<Implementation>],
        given: &Bound<'py, PyDict>,
        first: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = given.py();
        let (mut results, mut wrappers) = (Vec::new(), Vec::new());
        let mut outcome = match self.run(implementations, given, first, &mut results, &mut wrappers) {
            Err(error) => Err(error.into_value(py)),
            Ok(()) if first => Ok(results.pop().unwrap_or_else(|| py.None().into_bound(py))),
            Ok(()) => Ok(PyList::new(py, results)?.into_any()),
        };
        for wrapper in wrappers.iter().rev() {
            outcome = match resume(wrapper, &outcome) {
                Ok(PySendResult::Return(result)) => Ok(result),
                Ok(PySendResult::Next(_)) => match wrapper.call_method0(pyo3::intern!(py, "close")) {
                    Ok(_) => return Err(made_by(py, &self.second_yield, (wrapper,))),
                    Err(error) => Err(error.into_value(py)),
                },
                Err(error) => match &outcome {
                    Err(thrown) if is_made_of(py, &error, thrown) => continue,
                    _ => Err(error.into_value(py)),
                },
            };
        }
        // Raised again, as pluggy does: the exception that the caller is handling becomes its context.
        outcome.map_err(|exception| PyErr::from_type(exception.bind(py).get_type(), exception))
    }

    /// Runs the implementations, and the first half of each wrapper.
    fn run<'py>(
        &self,
        implementations: &[Arc<Implementation>],
        given: &Bound<'py, PyDict>,
        first: bool,
        results: &mut Vec<Bound<'py, PyAny>>,
        wrappers: &mut Vec<Bound<'py, PyIterator>>,
    ) -> PyResult<()> {
        let py = given.py();
        for implementation in implementations {
            let function = implementation.function.bind(py);
            let argument = |name: &Py<PyString>| match given.get_item(name)? {
                Some(value) => Ok(value),
                None => Err(made_by(py, &self.missing, (name.bind(py),))),
            };
            let result = match implementation.names.as_slice() {
                [] => function.call0(),
                [one] => function.call1((argument(one)?,)),
                [one, two] => function.call1((argument(one)?, argument(two)?)),
                more => {
                    let arguments: PyResult<Vec<_>> = more.iter().map(argument).collect();
                    function.call1(PyTuple::new(py, arguments?)?)
                }
            }?;
            if implementation.kind == Kind::Wrapper {
                let wrapper = result.cast_into::<PyIterator>()?;
                if let PySendResult::Return(value) = wrapper.send(&py.None().into_bound(py))? {
                    return Err(made_by(py, &self.did_not_yield, (wrapper, value)));
                }
                wrappers.push(wrapper);
            } else if !result.is_none() {
                results.push(result);
                if first {
                    break;
                }
            }
        }
        Ok(())
    }

    fn known(&self, hook_impl: &Bound<'_, PyAny>) -> Option<Arc<Implementation>> {
        let known = self.known.lock();
        let known = known.get(&hook_impl.as_ptr().addr())?;
        Some(Arc::clone(&known.implementation))
    }

    /// Examines an implementation and caches it; None if its module's name does not start with one of `ours`.
    fn learn(
        &self,
        hook_name: &Bound<'_, PyAny>,
        hook_impl: &Bound<'_, PyAny>,
        function: Bound<'_, PyAny>,
    ) -> PyResult<Option<Arc<Implementation>>> {
        let py = hook_impl.py();
        if !module_of(&function).is_some_and(|module| self.ours.iter().any(|ours| module.starts_with(ours))) {
            return Ok(None);
        }
        let names = hook_impl.getattr(pyo3::intern!(py, "argnames"))?;
        let implementation = Arc::new(Implementation {
            kind: self.kind(hook_name, hook_impl, &function)?,
            names: names.extract()?,
            function: function.unbind(),
        });
        let known = Known {
            hook_impl: hook_impl.clone().unbind(),
            implementation: Arc::clone(&implementation),
        };
        let replaced = self.known.lock().insert(hook_impl.as_ptr().addr(), known);
        drop(replaced);
        Ok(Some(implementation))
    }

    fn kind(
        &self,
        hook_name: &Bound<'_, PyAny>,
        hook_impl: &Bound<'_, PyAny>,
        function: &Bound<'_, PyAny>,
    ) -> PyResult<Kind> {
        let py = hook_impl.py();
        // Arguments with defaults, which recent versions of pluggy pass by keyword.
        let by_name = hook_impl.getattr_opt(pyo3::intern!(py, "kwargnames"))?;
        let by_name = by_name.map_or(Ok(false), |names| names.is_truthy())?;
        if by_name
            || hook_impl.getattr(pyo3::intern!(py, "hookwrapper"))?.is_truthy()?
            || self.next_to_users.contains(&hook_name.extract::<String>()?)
        {
            return Ok(Kind::Other);
        }
        if !hook_impl.getattr(pyo3::intern!(py, "wrapper"))?.is_truthy()? {
            return Ok(Kind::Plain);
        }
        let code = function.getattr(pyo3::intern!(py, "__code__"))?;
        let flags: u32 = code.getattr(pyo3::intern!(py, "co_flags"))?.extract()?;
        Ok(if flags & CO_GENERATOR == 0 {
            Kind::Other
        } else {
            Kind::Wrapper
        })
    }
}

type Outcome<'py> = Result<Bound<'py, PyAny>, Py<PyBaseException>>;

/// The name of the module in which a function was defined. Not its `__module__`, which a wrapper may have copied from
/// another function.
fn module_of(function: &Bound<'_, PyAny>) -> Option<String> {
    let py = function.py();
    let globals = function.getattr(pyo3::intern!(py, "__globals__")).ok()?;
    globals
        .get_item(pyo3::intern!(py, "__name__"))
        .ok()?
        .extract()
        .ok()
}

/// Sends a result into a wrapper, or throws an exception.
fn resume<'py>(wrapper: &Bound<'py, PyIterator>, outcome: &Outcome<'py>) -> PyResult<PySendResult<'py>> {
    let py = wrapper.py();
    let exception = match outcome {
        Ok(result) => return wrapper.send(result),
        Err(exception) => exception,
    };
    match wrapper.call_method1(pyo3::intern!(py, "throw"), (exception,)) {
        Ok(yielded) => Ok(PySendResult::Next(yielded)),
        Err(error) if error.is_instance_of::<PyStopIteration>(py) => {
            let result = error.value(py).getattr(pyo3::intern!(py, "value"))?;
            Ok(PySendResult::Return(result))
        }
        Err(error) => Err(error),
    }
}

/// Whether an error is the `RuntimeError` into which Python converts a `StopIteration` that leaves a generator.
fn is_made_of(py: Python<'_>, error: &PyErr, thrown: &Py<PyBaseException>) -> bool {
    let thrown = thrown.bind(py);
    thrown.is_instance_of::<PyStopIteration>()
        && error.is_instance_of::<PyRuntimeError>(py)
        && error.cause(py).is_some_and(|cause| cause.value(py).is(thrown))
}

/// The error that a Python function raises.
fn made_by<'py>(py: Python<'py>, function: &Py<PyAny>, arguments: impl PyCallArgs<'py>) -> PyErr {
    function
        .bind(py)
        .call1(arguments)
        .map_or_else(|error| error, PyErr::from_value)
}
