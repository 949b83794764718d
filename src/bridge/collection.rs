//! What is read of collected tests: their order, their shard, and what they must not run beside.

use super::text::{Text, texts, to_bytes};
use crate::schedule::constraints::marks::{self, Mark, NamedNeeds, Value};
use crate::schedule::order_classes::{self, Order as CoreOrder};
use crate::schedule::policy::Test;
use crate::schedule::sharding::{Entry, InvalidShard, Rule, Shard as CoreShard, UnknownRule};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

/// What was written makes no sense.
fn refused(error: &dyn std::error::Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// A mark, of which the name is enough.
#[derive(FromPyObject)]
struct NameOnly {
    name: Text,
}

/// The names of the marks of tests, by index; `marked` is what `markers.marked` returns.
pub(super) fn names(marked: &Bound<'_, PyDict>) -> PyResult<Vec<(Test, Vec<String>)>> {
    let names = marked.iter().map(|(test, marks)| {
        let marks = marks.extract::<Vec<NameOnly>>()?;
        let marks = marks.into_iter().map(|NameOnly { name: Text(name) }| name);
        Ok((test.extract()?, marks.collect()))
    });
    names.collect()
}

/// The order that `--rustpar-order` asks for.
#[pyclass(frozen, module = "rustpar._core")]
pub(super) struct Order(CoreOrder);

#[pymethods]
impl Order {
    /// Reads lines. Raises ValueError with one line that says what to write.
    #[new]
    fn new(lines: Vec<Text>) -> PyResult<Self> {
        let lines: Vec<String> = texts(lines);
        CoreOrder::parse(&lines)
            .map(Self)
            .map_err(|error| refused(&error))
    }

    /// The markers that tell the classes apart, in their order.
    #[getter]
    fn markers(&self) -> Vec<&str> {
        self.0.markers().collect()
    }

    /// How many classes there are.
    #[getter]
    fn count(&self) -> usize {
        self.0.count()
    }

    /// The class of each of so many tests; `marked` are marks by index.
    fn classes(&self, tests: usize, marked: &Bound<'_, PyDict>) -> PyResult<Vec<usize>> {
        Ok(self.0.classes(tests, &names(marked)?))
    }

    /// The tests in the order of their classes, as indices.
    #[staticmethod]
    fn sorted(py: Python<'_>, classes: Vec<usize>) -> Vec<usize> {
        py.detach(|| order_classes::sorted(&classes))
    }
}

/// One of several parts of a suite.
#[pyclass(frozen, module = "rustpar._core")]
pub(super) struct Shard {
    core: CoreShard,
    rule: Rule,
}

#[pymethods]
impl Shard {
    /// Reads K/N, and "duration" or "hash". Raises ValueError with one line that says what to write.
    #[new]
    fn new(text: Text, rule: &str) -> PyResult<Self> {
        Ok(Self {
            core: text.0.parse().map_err(|error: InvalidShard| refused(&error))?,
            rule: rule.parse().map_err(|error: UnknownRule| refused(&error))?,
        })
    }

    /// Whether each test is in this part, and what the run says of it; of each test the node id, the line, the seconds that
    /// it is expected to take, and its group.
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

/// A value of a mark.
fn value(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    if object.is_instance_of::<PyString>() {
        return Ok(Value::Text(object.extract::<Text>()?.0));
    }
    Ok(Value::Other(object.repr()?.extract::<Text>()?.0))
}

/// A mark with its values.
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

/// What a test needs: its index, whether it is serial, and the resources with whether they may be shared.
pub(super) type NeedsOf = (Test, bool, Vec<(String, bool)>);

/// What tests need, and a line for each function whose marks make no sense; `marked` are marks by index, and `node_ids` of
/// the same tests.
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

/// How many tests may hold each resource at a time. Raises ValueError with one line that says what to write.
#[pyfunction]
pub(super) fn resource_limits(lines: Vec<Text>) -> PyResult<Vec<(String, u32)>> {
    let lines: Vec<String> = texts(lines);
    marks::limits(&lines).map_err(|error| refused(&error))
}
