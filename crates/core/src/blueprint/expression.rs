//! Expressions in `{{ }}`: parsing texts, finding the names that an expression uses, evaluating it.
//!
//! The evaluator is minijinja, for expressions only: no templates, no loaders, no functions, a few harmless filters,
//! and fuel that limits the run time. An undefined name is an error, never an empty text. A text is evaluated once; the
//! result is data and is not evaluated again.

use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet},
    io,
    rc::Rc,
    sync::OnceLock,
};

use minijinja::{Environment, Expression, UndefinedBehavior, filters, tests};
use serde_json::Value;

use super::scope::Scope;

/// Evaluator steps that one expression may take.
const FUEL: u64 = 20_000;
/// The largest result of one expression, in bytes of JSON.
const MAX_YIELD: usize = 256 << 10;
/// Bytes that each evaluation adds to its scope's total besides its result, so that very many small results are limited
/// too.
const EVALUATION: usize = 64;
/// How many compiled expressions a thread caches; enough for about a dozen blueprints.
const MAX_KEPT: usize = 1_000;
/// The longest expression, in bytes. Limits the nesting of an expression to what a small stack can hold.
const MAX_LENGTH: usize = 2_000;

/// The filters that expressions may use.
pub(super) const FILTERS: [&str; 11] =
    ["default", "first", "int", "join", "last", "length", "lower", "replace", "string", "trim", "upper"];
/// The tests (`x is ...`) that expressions may use.
pub(super) const TESTS: [&str; 6] = ["defined", "undefined", "none", "string", "number", "in"];

/// A part of a text that may contain expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Text that is not in braces.
    Literal(&'a str),
    /// An expression, without the `{{ }}` around it.
    Expression(&'a str),
}

/// Splits a text into pieces; a text without `{{` is one literal.
///
/// Errors: which rule of `{{ }}` is violated, and in which expression (counted from 0).
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, (usize, &'static str)> {
    let (mut pieces, mut rest, mut hole) = (Vec::new(), text, 0);
    while let Some(begin) = rest.find("{{") {
        if begin > 0 {
            pieces.push(Piece::Literal(&rest[..begin]));
        }
        let inner = &rest[begin + 2..];
        let end = end_of(inner).ok_or((hole, "`{{` is not closed by `}}`"))?;
        let expression = inner[..end].trim();
        if expression.is_empty() {
            return Err((hole, "nothing stands between `{{` and `}}`"));
        }
        pieces.push(Piece::Expression(expression));
        rest = &inner[end + 2..];
        hole += 1;
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    Ok(pieces)
}

/// The position of the closing braces: outside of quotes, and not those of a map within the expression.
fn end_of(inner: &str) -> Option<usize> {
    let (mut quote, mut depth, mut escaped) = (None, 0usize, false);
    for (at, byte) in inner.bytes().enumerate() {
        match (quote, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') if depth > 0 => depth -= 1,
            (None, b'}') if inner.as_bytes().get(at + 1) == Some(&b'}') => return Some(at),
            (None, _) => {}
        }
    }
    None
}

/// Whether a text contains an expression.
pub(super) fn is_dynamic(text: &str) -> bool {
    text.contains("{{")
}

/// The dotted names that an expression uses, e.g. `steps.app.appId`.
///
/// Errors: a syntax error of the evaluator, or an unknown filter or test.
pub(super) fn references(expression: &str) -> Result<BTreeSet<String>, String> {
    let compiled = compile(expression)?;
    let spoken_of = || {
        unknown_identifiers(expression)?;
        Ok(compiled.expression.undeclared_variables(true).into_iter().collect())
    };
    compiled.references.get_or_init(spoken_of).clone()
}

/// The dotted names that a text with `{{ }}` uses; none for an invalid text.
pub(super) fn references_in_text(text: &str) -> BTreeSet<String> {
    let expressions = pieces(text).unwrap_or_default().into_iter().filter_map(|piece| match piece {
        Piece::Literal(_) => None,
        Piece::Expression(expression) => references(expression).ok(),
    });
    expressions.flatten().collect()
}

/// Evaluates a text: a single expression keeps its type, anything else becomes a text.
///
/// Errors: the evaluator's message.
pub(super) fn evaluate_text(text: &str, scope: &Scope) -> Result<Value, String> {
    let pieces = pieces(text).map_err(|(_, why)| why.to_owned())?;
    if let [Piece::Expression(expression)] = pieces.as_slice() {
        return evaluate(expression, scope);
    }
    let mut whole = String::with_capacity(text.len());
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => whole.push_str(literal),
            Piece::Expression(expression) => match evaluate(expression, scope)? {
                Value::String(part) => whole.push_str(&part),
                Value::Null => return Err(format!("`{expression}` is null and can't be part of a text")),
                Value::Array(_) | Value::Object(_) => {
                    return Err(format!("`{expression}` is a list or map and can't be part of a text"));
                }
                part @ (Value::Bool(_) | Value::Number(_)) => whole.push_str(&part.to_string()),
            },
        }
    }
    Ok(Value::String(whole))
}

/// Evaluates one expression.
///
/// Errors: the evaluator's message.
pub(super) fn evaluate(expression: &str, scope: &Scope) -> Result<Value, String> {
    let compiled = compile(expression)?;
    let value = compiled.expression.eval(scope.root());
    let value = value.map_err(|error| format!("`{expression}`: {}", explain(&error)))?;
    if value.is_undefined() {
        return Err(format!("`{expression}` has no value"));
    }
    // The evaluator generates a repeated list only while it is read, so the size is limited while the value is written.
    let mut room = Room(MAX_YIELD);
    let fits = serde_json::to_writer(&mut room, &value);
    let value = fits.and_then(|()| serde_json::to_value(&value));
    let value = value.map_err(|error| format!("`{expression}`: {error}"))?;
    scope.spend(EVALUATION + MAX_YIELD - room.0)?;
    Ok(value)
}

/// A writer that keeps nothing and fails after this many bytes.
struct Room(usize);

impl io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.0.checked_sub(bytes.len());
        self.0 = left.ok_or_else(|| io::Error::other(format!("it comes to more than {MAX_YIELD} bytes")))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A compiled expression, and the names that it uses, once they are needed.
struct Compiled {
    expression: Expression<'static, 'static>,
    references: OnceCell<Result<BTreeSet<String>, String>>,
}

thread_local! {
    /// Caches compiled expressions by their text. A blueprint has the same few expressions for every tenant, and
    /// compiling one costs more than evaluating it.
    static COMPILED: RefCell<BTreeMap<String, Rc<Compiled>>> = const { RefCell::new(BTreeMap::new()) };
}

fn compile(expression: &str) -> Result<Rc<Compiled>, String> {
    if let Some(known) = COMPILED.with_borrow(|all| all.get(expression).cloned()) {
        return Ok(known);
    }
    if expression.len() > MAX_LENGTH {
        return Err(format!("an expression has at most {MAX_LENGTH} characters"));
    }
    let compiled = environment().compile_expression_owned(expression.to_owned());
    let compiled = compiled.map_err(|error| explain(&error))?;
    let compiled = Rc::new(Compiled { expression: compiled, references: OnceCell::new() });
    COMPILED.with_borrow_mut(|all| {
        if all.len() >= MAX_KEPT {
            all.clear();
        }
        all.insert(expression.to_owned(), Rc::clone(&compiled));
    });
    Ok(compiled)
}

/// The evaluator's message without its internal details.
fn explain(error: &minijinja::Error) -> String {
    use std::error::Error as _;
    let detail = match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    };
    match error.source() {
        Some(source) => format!("{detail}: {source}"),
        None => detail,
    }
}

fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut env = Environment::empty();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_fuel(Some(FUEL));
        env.set_recursion_limit(64);
        env.add_filter("default", filters::default);
        env.add_filter("first", filters::first);
        env.add_filter("int", filters::int);
        env.add_filter("join", filters::join);
        env.add_filter("last", filters::last);
        env.add_filter("length", filters::length);
        env.add_filter("lower", filters::lower);
        env.add_filter("replace", filters::replace);
        env.add_filter("string", filters::string);
        env.add_filter("trim", filters::trim);
        env.add_filter("upper", filters::upper);
        env.add_test("defined", tests::is_defined);
        env.add_test("undefined", tests::is_undefined);
        env.add_test("none", tests::is_none);
        env.add_test("string", tests::is_string);
        env.add_test("number", tests::is_number);
        env.add_test("in", tests::is_in);
        env
    })
}

/// Reports the first filter or test that does not exist. The evaluator would report it only at run time.
fn unknown_identifiers(expression: &str) -> Result<(), String> {
    let tokens = tokens(expression);
    for (at, token) in tokens.iter().enumerate() {
        let after = |skip: usize| tokens.get(at + skip).map(String::as_str).unwrap_or_default();
        if token == "|" && !FILTERS.contains(&after(1)) {
            return Err(format!("there is no filter `{}`; there are {}", after(1), FILTERS.join(", ")));
        }
        let tested = if after(1) == "not" { after(2) } else { after(1) };
        if token == "is" && !TESTS.contains(&tested) {
            return Err(format!("there is no test `is {tested}`; there are {}", TESTS.join(", ")));
        }
    }
    Ok(())
}

/// Splits an expression into words and single characters, without quoted texts. A dotted name is one word, so that a
/// member `is` is not the keyword.
fn tokens(expression: &str) -> Vec<String> {
    let (mut tokens, mut quote, mut token, mut escaped) = (Vec::new(), None, String::new(), false);
    for c in expression.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) => {
                if open == c {
                    quote = None;
                }
            }
            None if c.is_alphanumeric() || matches!(c, '_' | '.') => token.push(c),
            None => {
                if !token.is_empty() {
                    tokens.push(std::mem::take(&mut token));
                }
                if matches!(c, '"' | '\'') {
                    quote = Some(c);
                } else if !c.is_whitespace() {
                    tokens.push(c.to_string());
                }
            }
        }
    }
    tokens.push(token);
    tokens
}
