//! Tests the fuzzer itself: given a decoder with known defects, it has to find each defect and report it with a short
//! input.

use serde_json::Value;

use super::Target;
use crate::{
    arguments::Arguments,
    canary,
    draw::Draw,
    run::{self, Outcome},
    shrink,
};

/// The most inputs that the fuzzer may need to find all defects.
const INPUTS: u64 = 40_000;

/// The defects, by a part of the message of each.
const DEFECTS: [&str; 4] =
    ["index out of bounds", "is not a char boundary", "memory: ", "the secret is in a refusal"];

/// The texts that an input has to contain in this order to make the guided target fail.
const TEXTS: [&str; 4] = ["who", "would", "write", "this"];

/// A decoder with known defects.
const HASTY: Target = Target {
    name: "fuzzer",
    check: hasty,
    seeds: || {
        vec![br#"{"at":0,"length":1,"steps":["group"],"text":"a region in the north of Europe"}"#.to_vec()]
    },
    tokens: &[],
    most: 16 << 10,
};

/// A target whose verdict says how many of the texts an input contains, so that the fuzzer can add them one by one.
const GUIDED: Target = Target {
    name: "fuzzer",
    check: |input| walked(input).to_string(),
    seeds: || vec![b"?".to_vec()],
    tokens: &TEXTS,
    most: 256,
};

/// The same target without that guidance: its verdict does not change until the input contains all texts.
const UNGUIDED: Target = Target { check: |input| (walked(input) < TEXTS.len()).to_string(), ..GUIDED };

pub(crate) fn run(_: &Arguments) -> Outcome {
    let quiet = Arguments::quiet(INPUTS);
    let mut outcome = run::target(&HASTY, &quiet);
    let found = std::mem::take(&mut outcome.faults);
    for defect in DEFECTS.iter().filter(|defect| !found.iter().any(|fault| fault.contains(**defect))) {
        outcome.faults.push(format!("not found: {defect}; found were {found:?}"));
    }
    let (guided, unguided) = (run::target(&GUIDED, &quiet), run::target(&UNGUIDED, &quiet));
    if guided.faults.is_empty() {
        outcome.faults.push(format!("verdicts do not guide: {} of them", guided.verdicts));
    }
    if !unguided.faults.is_empty() {
        outcome.faults.push("the end of the path is found by chance: it proves nothing".to_owned());
    }
    let whole = b"something before it, a needle, and something behind it";
    let least = shrink::shrink(whole, |input| input.windows(6).any(|part| part == b"needle"));
    if least != b"needle" {
        outcome.faults.push(format!("not shrunk: {:?}", String::from_utf8_lossy(&least)));
    }
    outcome.inputs += guided.inputs + unguided.inputs;
    outcome
}

fn hasty(input: &[u8]) -> String {
    let refusal = |input: &[u8]| {
        let value: Value = serde_json::from_slice(input).ok()?;
        // Defect: the length is not checked.
        let length = value["length"].as_u64().unwrap_or_default().min(256 << 20);
        let room: Vec<u8> = Vec::with_capacity(usize::try_from(length).ok()?);
        // Defect: a number from the input is used as an index.
        let step = &value["steps"].as_array()?[usize::try_from(value["at"].as_u64()?).ok()?];
        // Defect: the text is cut at a byte, and the refusal repeats it.
        let text = value["text"].as_str()?;
        let cut = if text.len() > 30 { &text[..30] } else { text };
        Some(format!("{cut} is not known to {step}, with room for {}", room.capacity()))
    };
    let verdict = refusal(input).map_or("no verdict", |_| "refused");
    if let Some(injected) = canary::instead_of_a_text(&mut Draw::of(input), input) {
        let refused = refusal(injected.to_string().as_bytes());
        canary::is_not_in(&refused.unwrap_or_default(), "a refusal");
    }
    verdict.to_owned()
}

/// How many of the texts an input starts with, in their order; panics if it starts with all of them.
#[track_caller]
fn walked(input: &[u8]) -> usize {
    let mut rest = input;
    for (n, text) in TEXTS.iter().enumerate() {
        let Some(next) = rest.strip_prefix(text.as_bytes()) else { return n };
        rest = next;
    }
    panic!("the end of the path");
}
