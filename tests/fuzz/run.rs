//! Runs one target: its corpus, earlier findings, and new inputs.

use std::{
    collections::BTreeSet,
    fmt, fs,
    panic::{self, AssertUnwindSafe},
    sync::Mutex,
};

use jiff::Timestamp;
use tenantry::ports::{Clock as _, SystemClock};

use super::{arguments::Arguments, corpus, draw::Draw, mutate, shrink, targets::Target};

/// The number of new inputs per target by default: all targets together take a few seconds without optimisation.
const INPUTS: u64 = 3000;
/// The most inputs that are added to the corpus during a run. An input is added if its verdict was new.
const KEPT: usize = 4096;
/// The memory in bytes that any check may need, and the additional memory for each byte of its input.
const MEMORY_FLOOR: usize = 32 << 20;
const MEMORY_PER_BYTE: usize = 200;
/// In a long run, inputs that take longer are reported. Tests measure no time.
const SLOW: std::time::Duration = std::time::Duration::from_millis(400);
/// The number of findings after which a target is ended.
const ENOUGH: usize = 5;

/// The result of running one target.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) inputs: u64,
    pub(crate) verdicts: usize,
    slowest: std::time::Duration,
    hungriest: usize,
    slow: usize,
    pub(crate) faults: Vec<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inputs, verdicts, hungriest, .. } = self;
        let result = if self.faults.is_empty() { "ok" } else { "FAILED" };
        write!(f, "{result}: {inputs} inputs, {verdicts} kinds of verdict, at most {} KiB", hungriest >> 10)?;
        if self.slow > 0 {
            write!(f, ", {} slow ones, the slowest {} ms", self.slow, self.slowest.as_millis())?;
        }
        self.faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

/// The location and the message of the last panic.
static PANIC: Mutex<(String, String)> = Mutex::new((String::new(), String::new()));

/// The result of checking one input.
enum Judged {
    /// The check passed; the text is the kind of verdict.
    Fine(String),
    /// A guarantee is violated: where, and how.
    Violated(String, String),
}

pub(crate) fn target(target: &Target, arguments: &Arguments) -> Outcome {
    panic::set_hook(Box::new(|info| {
        let at = info.location().map(ToString::to_string).unwrap_or_default();
        let said = info.payload_as_str().unwrap_or("a panic without a message").to_owned();
        *PANIC.lock().unwrap() = (at, said);
    }));
    let mut run = Run { target, long: arguments.long, outcome: Outcome::default(), seen: BTreeSet::new() };
    let mut known = corpus::files(&format!("tests/fuzz/corpus/{}", target.name), "");
    known.extend((target.seeds)());
    assert!(!known.is_empty(), "{} has nothing to begin with", target.name);
    for (file, input) in corpus::regressions(target.name) {
        if let Some(fault) = run.try_one(&input).1 {
            run.outcome.faults.push(format!("regressions/{}/{file}: {fault}", target.name));
        }
        known.push(input);
    }
    for input in known.clone() {
        run.take(&input);
    }
    let begins_with = known.len();
    let mut draw = Draw::new(arguments.seed);
    for _ in arguments.budget(INPUTS) {
        // Most inputs are short; a few may be as long as the target's longest input.
        let most = if draw.one_in(300) { target.most } else { target.most.min(24 << 10) };
        let input = mutate::mutant(&mut draw, &known, target.tokens, most);
        if run.take(&input) && known.len() < begins_with + KEPT && input.len() < 16 << 10 {
            known.push(input);
        }
        if run.outcome.faults.len() >= ENOUGH {
            break;
        }
    }
    let _ = panic::take_hook();
    run.outcome
}

struct Run<'a> {
    target: &'a Target,
    long: bool,
    outcome: Outcome,
    seen: BTreeSet<String>,
}

impl Run<'_> {
    /// Tries an input and returns whether its verdict is new.
    fn take(&mut self, input: &[u8]) -> bool {
        if self.long {
            // The input is saved before it is tried: a stack overflow ends the process, and this file then holds its
            // cause.
            let _ = fs::write(corpus::root().join("target/fuzz-input"), input);
        }
        let begun = self.now();
        let (verdict, fault) = self.try_one(input);
        let took = std::time::Duration::try_from(self.now().duration_since(begun)).unwrap_or_default();
        if took > SLOW && self.long {
            self.outcome.slow += 1;
            let path = corpus::root().join(format!("target/fuzz-slow-{}", self.target.name));
            if took > self.outcome.slowest {
                let _ = fs::write(path, input);
            }
        }
        self.outcome.slowest = self.outcome.slowest.max(took);
        if let Some(fault) = fault {
            self.report(input, &fault);
            return false;
        }
        let new = self.seen.insert(verdict);
        self.outcome.verdicts = self.seen.len();
        new
    }

    fn now(&self) -> Timestamp {
        if self.long { SystemClock.now() } else { Timestamp::UNIX_EPOCH }
    }

    fn try_one(&mut self, input: &[u8]) -> (String, Option<String>) {
        self.outcome.inputs += 1;
        let (judged, used) = judge(self.target, input);
        self.outcome.hungriest = self.outcome.hungriest.max(used);
        match judged {
            Judged::Violated(at, said) => (String::new(), Some(format!("{at}: {said}"))),
            Judged::Fine(verdict) => (verdict, None),
        }
    }

    fn report(&mut self, input: &[u8], fault: &str) {
        // A fault at the same location counts as the same fault, whatever its message.
        let kind = |fault: &str| fault.split(": ").next().unwrap_or_default().to_owned();
        if self.outcome.faults.iter().any(|known| known.contains(&kind(fault))) {
            return;
        }
        let fails_alike = |input: &[u8]| match judge(self.target, input).0 {
            Judged::Violated(at, _) => at == kind(fault),
            Judged::Fine(_) => false,
        };
        let shrunk = shrink::shrink(input, fails_alike);
        let (_, fault) = self.try_one(&shrunk);
        let fault = fault.unwrap_or_default();
        let kept = if self.long {
            format!(", kept as {}", corpus::remember(self.target.name, &shrunk).display())
        } else {
            String::new()
        };
        let shown: String = String::from_utf8_lossy(&shrunk).chars().take(600).collect();
        self.outcome.faults.push(format!("{fault:.1200}\n    by {} bytes{kept}: {shown:?}", shrunk.len()));
    }
}

/// Checks an input and measures how many bytes of memory that needed.
fn judge(target: &Target, input: &[u8]) -> (Judged, usize) {
    let mut checked = None;
    let allocated = allocation_counter::measure(|| {
        checked = Some(panic::catch_unwind(AssertUnwindSafe(|| (target.check)(input))));
    });
    let used = usize::try_from(allocated.bytes_max).unwrap();
    let judged = match checked.unwrap() {
        Ok(_) if used > MEMORY_FLOOR + MEMORY_PER_BYTE * input.len() => {
            Judged::Violated("memory".to_owned(), format!("{} KiB for {} bytes", used >> 10, input.len()))
        }
        Ok(verdict) => Judged::Fine(verdict),
        Err(_) => {
            let (at, said) = PANIC.lock().unwrap().clone();
            Judged::Violated(at, said)
        }
    };
    (judged, used)
}
