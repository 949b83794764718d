//! Load tests: what a mark asks for, when each virtual user starts an iteration, and what is measured.
//!
//! | file | what is in it |
//! |---|---|
//! | [`curve`] | users or rate over time, piecewise linear |
//! | [`mark`] | the arguments of `@pytest.mark.load`, checked, as a [`plan::Plan`] |
//! | [`profile`] | the profiles of `--rustpar-load`, which change a plan |
//! | [`plan`] | one load test: model, curve, limits, thresholds |
//! | [`pacer`] | when the users of one process start their iterations |
//! | [`user`] | one of them: when it takes part, its tasks and pauses |
//! | [`threshold`] | limits on what is measured, and the condition that aborts a load test |
//! | [`measurement`] | what the samples of all processes add up to |
//! | [`figures`] | the figures of metrics that thresholds name |
//! | [`metric`] | histograms and counters of one metric |
//! | [`saturation`] | whether the processes that generate the load could keep up |
//!
//! Models, executors and the names of metrics follow k6 (<https://grafana.com/docs/k6/latest/using-k6/scenarios/>).

pub mod curve;
mod figures;
pub mod mark;
pub mod measurement;
pub mod metric;
pub mod pacer;
pub mod plan;
pub mod profile;
pub mod saturation;
pub mod threshold;
mod user;
