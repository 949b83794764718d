//! Python bindings for properties of collected tests: order, shard and constraints.

use super::text::{Text, texts, to_bytes};
use crate::schedule::constraints::marks::{self, Mark, NamedNeeds, Value};
use crate::schedule::order_classes::{self, Order as CoreOrder};
use crate::schedule::policy::Test;
use crate::schedule::sharding::{Entry, InvalidShard, Rule, Shard as CoreShard, UnknownRule};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

/// Converts a parse error to ValueError.
fn refused(error: &dyn std::error::Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// A mark, of which only the name is read.
#[derive(FromPyObject)]
struct NameOnly {
    name: Text,
}

/// The names of the marks of tests, by index; `marked` is the result of `markers.marked`.
pub(super) fn names(marked: &Bound<'_, PyDict>) -> PyResult<Vec<(Test, Vec<String>)>> {
    let names = marked.iter().map(|(test, marks)| {
        let marks = marks.extract::<Vec<NameOnly>>()?;
        let marks = marks.into_iter().map(|NameOnly { name: Text(name) }| name);
        Ok((test.extract()?, marks.collect()))
    });
    names.collect()
}

/// The test order of `--rustpar-order`.
#[pyclass(frozen, module = "rustpar._core")]
pub(super) struct Order(CoreOrder);

#[pymethods]
impl Order {
    /// Parses lines. Raises ValueError with one line that says what to write.
    #[new]
    fn new(lines: Vec<Text>) -> PyResult<Self> {
        let lines: Vec<String> = texts(lines);
        CoreOrder::parse(&lines)
            .map(Self)
            .map_err(|error| refused(&error))
    }

    /// The markers that define the classes, in order.
    #[getter]
    fn markers(&self) -> Vec<&str> {
        self.0.markers().collect()
    }

    /// The number of classes.
    #[getter]
    fn count(&self) -> usize {
        self.0.count()
    }

    /// The class of each of so many tests; `marked` are marks by index.
    fn classes(&self, tests: usize, marked: &Bound<'_, PyDict>) -> PyResult<Vec<usize>> {
        Ok(self.0.classes(tests, &names(marked)?))
    }

    /// The indices of the tests sorted by class.
    #[staticmethod]
    fn sorted(py: Python<'_>, classes: Vec<usize>) -> Vec<usize> {
        py.detach(|| order_classes::sorted(&classes))
    }
}

/// A shard of a suite.
#[pyclass(frozen, module = "rustpar._core")]
pub(super) struct Shard {
    core: CoreShard,
    rule: Rule,
}

#[pymethods]
impl Shard {
    /// Parses K/N, and "duration" or "hash". Raises ValueError with one line that says what to write.
    #[new]
    fn new(text: Text, rule: &str) -> PyResult<Self> {
        Ok(Self {
            core: text.0.parse().map_err(|error: InvalidShard| refused(&error))?,
            rule: rule.parse().map_err(|error: UnknownRule| refused(&error))?,
        })
    }

    /// Whether each test belongs to this shard, and the notice about it. The arguments are the node id, line, expected
    /// seconds and group of each test.
    fn divide(
        &self,
        py: Python<'_>,
        node_ids: &Bound<'_, PyList>,
        lines: Vec<i64>,
        seconds: Vec<Option<f64>>,
        groups: Vec<Option<Bound<'_, PyString>>>,
    ) -> PyResult<(Vec<bool>, String)> {
        let known = lines.into_iter().zip(seconds).zip(groups);
        let entries = node_ids
            .iter()
            .zip(known)
            .map(|(node_id, ((line, seconds), group))| {
                let group = group.map(|group| Ok::<_, PyErr>(to_bytes(&group)?.into_owned()));
                Ok(Entry {
                    node_id: to_bytes(node_id.cast::<PyString>()?)?.into_owned(),
                    line,
                    seconds,
                    group: group.transpose()?,
                })
            });
        let entries = entries.collect::<PyResult<Vec<_>>>()?;
        Ok(py.detach(|| {
            let mine = self.core.selects(self.rule, &entries);
            let words = self.core.description(&entries, &mine);
            (mine, words)
        }))
    }
}

/// Converts an argument of a mark.
fn value(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    if object.is_instance_of::<PyString>() {
        return Ok(Value::Text(object.extract::<Text>()?.0));
    }
    Ok(Value::Other(object.repr()?.extract::<Text>()?.0))
}

/// Converts a mark.
fn mark(object: &Bound<'_, PyAny>) -> PyResult<Mark> {
    let args = object.getattr("args")?.try_iter()?;
    let kwargs = object.getattr("kwargs")?.call_method0("items")?.try_iter()?;
    let kwargs = kwargs.map(|pair| {
        let (Text(key), argument) = pair?.extract::<(Text, Bound<'_, PyAny>)>()?;
        Ok((key, value(&argument)?))
    });
    Ok(Mark {
        name: object.getattr("name")?.extract::<Text>()?.0,
        args: args.map(|argument| value(&argument?)).collect::<PyResult<_>>()?,
        kwargs: kwargs.collect::<PyResult<_>>()?,
    })
}

/// The constraints of a test: index, whether it is serial, and the resources with whether each may be shared.
pub(super) type NeedsOf = (Test, bool, Vec<(String, bool)>);

/// The constraints of tests, and a line for each function with invalid marks; `marked` are marks by index, and
/// `node_ids` of the same tests.
#[pyfunction]
pub(super) fn needs(
    marked: &Bound<'_, PyDict>,
    node_ids: Vec<Text>,
) -> PyResult<(Vec<NeedsOf>, Vec<String>)> {
    let tests = marked.iter().zip(node_ids).map(|((test, marks), Text(node_id))| {
        let marks = marks.try_iter()?.map(|object| mark(&object?));
        Ok((test.extract()?, node_id, marks.collect::<PyResult<Vec<_>>>()?))
    });
    let (needs, errors) = marks::read_all(tests.collect::<PyResult<Vec<_>>>()?);
    let needs = needs
        .into_iter()
        .map(|(test, NamedNeeds { serial, holds })| (test, serial, holds.into_iter().collect()));
    Ok((needs.collect(), errors.iter().map(ToString::to_string).collect()))
}

/// Parses the number of places of each resource. Raises ValueError with one line that says what to write.
#[pyfunction]
pub(super) fn resource_limits(lines: Vec<Text>) -> PyResult<Vec<(String, u32)>> {
    let lines: Vec<String> = texts(lines);
    marks::limits(&lines).map_err(|error| refused(&error))
}
