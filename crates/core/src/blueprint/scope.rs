//! What expressions can refer to: the roots such as `tenant`, the named values, and the known outputs of steps.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
    },
};

use minijinja::{
    Error, ErrorKind, Value as Seen,
    value::{Object, Serde},
};
use serde_json::Value;

use super::{Outputs, expression};
use crate::ids::StepName;

/// How deeply named values may use one another. A checked file has no cycles; a stored plan may.
const MAX_NESTING: u8 = 16;

/// The largest total size of all results in a scope, in bytes: more than a tenant document may have. Without this
/// limit, named values that use one another several times could grow exponentially, although each expression stays
/// within its own limits.
const MAX_YIELD: usize = 4 << 20;

/// Everything that an expression can refer to; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Scope(Arc<Inner>);

#[derive(Debug, Clone, Default)]
struct Inner {
    roots: BTreeMap<String, Seen>,
    values: BTreeMap<String, String>,
    steps: BTreeMap<String, BTreeMap<String, Seen>>,
    asked_too_early: Arc<AtomicBool>,
    nesting: Arc<AtomicU8>,
    /// The total size of the results so far, in bytes.
    yielded: Arc<AtomicUsize>,
}

/// The result of an evaluation before anything exists.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Early {
    /// The value is known.
    Known(Value),
    /// The expression uses an output that only Azure knows, so it is evaluated later.
    Late,
}

impl Scope {
    /// A scope with the members of `context` as roots (`tenant`, `parameters`, ...; also the `values` that are already
    /// known) and the texts of the named values.
    pub(super) fn new(context: &Value, values: &BTreeMap<String, String>) -> Self {
        let members = context.as_object().into_iter().flatten();
        let roots = members.map(|(name, value)| (name.clone(), Seen::from(Serde(value)))).collect();
        Self(Arc::new(Inner { roots, values: values.clone(), ..Inner::default() }))
    }

    /// Adds a step with the outputs that are known so far; its other outputs count as not known yet.
    pub(super) fn set_outputs(&mut self, step: &StepName, outputs: &Outputs) {
        let inner = Arc::make_mut(&mut self.0);
        let known = inner.steps.entry(step.to_string()).or_default();
        known.extend(outputs.iter().map(|(name, value)| (name.clone(), Seen::from(Serde(value)))));
    }

    /// Evaluates a text at planning time; an output that is not known yet is not an error.
    ///
    /// Errors: the evaluator's message.
    pub(super) fn early(&self, text: &str) -> Result<Early, String> {
        self.waiting(|| expression::evaluate_text(text, self))
    }

    /// Like [`Self::early`], for an expression without braces.
    pub(super) fn early_expression(&self, text: &str) -> Result<Early, String> {
        self.waiting(|| expression::evaluate(text, self))
    }

    fn waiting(&self, evaluate: impl FnOnce() -> Result<Value, String>) -> Result<Early, String> {
        self.0.asked_too_early.store(false, Ordering::Relaxed);
        let result = evaluate();
        if self.0.asked_too_early.load(Ordering::Relaxed) {
            Ok(Early::Late)
        } else {
            result.map(Early::Known)
        }
    }

    /// Adds the size of a result to the total of the scope.
    ///
    /// Errors: the total is too large.
    pub(super) fn spend(&self, bytes: usize) -> Result<(), String> {
        let before = self.0.yielded.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > MAX_YIELD {
            return Err(format!("the blueprint's expressions come to more than {} MiB", MAX_YIELD >> 20));
        }
        Ok(())
    }

    /// The root value for the evaluator.
    pub(super) fn root(&self) -> Seen {
        Seen::from_object(Root(self.clone()))
    }
}

#[derive(Debug)]
struct Root(Scope);
#[derive(Debug)]
struct Steps(Scope);
#[derive(Debug)]
struct Step(Scope, String);
#[derive(Debug)]
struct Values(Scope);

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Seen) -> Option<Seen> {
        match key.as_str()? {
            "steps" => Some(Seen::from_object(Steps(self.0.clone()))),
            "values" => Some(Seen::from_object(Values(self.0.clone()))),
            root => self.0.0.roots.get(root).cloned(),
        }
    }
}

impl Object for Steps {
    fn get_value(self: &Arc<Self>, key: &Seen) -> Option<Seen> {
        let name = key.as_str()?;
        let known = self.0.0.steps.contains_key(name);
        known.then(|| Seen::from_object(Step(self.0.clone(), name.to_owned())))
    }
}

impl Object for Step {
    fn get_value(self: &Arc<Self>, key: &Seen) -> Option<Seen> {
        let inner = &self.0.0;
        let output = inner.steps.get(&self.1)?.get(key.as_str()?).cloned();
        if output.is_none() {
            inner.asked_too_early.store(true, Ordering::Relaxed);
        }
        output
    }
}

impl Object for Values {
    fn get_value(self: &Arc<Self>, key: &Seen) -> Option<Seen> {
        let (inner, name) = (&self.0.0, key.as_str()?);
        if let Some(known) = inner.roots.get("values").and_then(|values| values.get_attr(name).ok())
            && !known.is_undefined()
        {
            return Some(known);
        }
        let text = inner.values.get(name)?;
        let depth = inner.nesting.fetch_add(1, Ordering::Relaxed);
        let result = if depth < MAX_NESTING {
            expression::evaluate_text(text, &self.0)
        } else {
            Err("values use one another in a circle".to_owned())
        };
        inner.nesting.fetch_sub(1, Ordering::Relaxed);
        Some(match result {
            Ok(value) => Seen::from(Serde(&value)),
            Err(why) => Seen::from(Error::new(ErrorKind::InvalidOperation, format!("value `{name}`: {why}"))),
        })
    }
}
