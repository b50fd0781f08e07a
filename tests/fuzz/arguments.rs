//! The arguments of the fuzz tests: the options of libtest that have a meaning here, and those of `cargo xtask fuzz`.

use std::time::Duration;

use tenantry::ports::{Clock as _, SystemClock};

use super::targets;

pub(crate) struct Arguments {
    /// Parts of the names of the targets to run; all targets run if there is none.
    filters: Vec<String>,
    /// Only targets whose whole name is a filter run.
    exact: bool,
    /// The number of inputs for each target. If neither this nor `seconds` is given, a test uses its default.
    inputs: Option<u64>,
    /// The time in seconds for all targets together; `None` if only the number of inputs limits the run.
    seconds: Option<u64>,
    /// The seed of all random choices.
    pub(crate) seed: u64,
    /// Whether this is a long run (`cargo xtask fuzz`): findings are saved, and slow inputs are reported.
    pub(crate) long: bool,
}

impl Arguments {
    /// Reads the arguments; `None` if nothing is to be run.
    pub(crate) fn read(mut given: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        /// Options of libtest that are followed by a value.
        const VALUED: [&str; 7] =
            ["--test-threads", "--skip", "--format", "--color", "--logfile", "--shuffle-seed", "-Z"];
        let (mut read, mut seed) = (Self { inputs: None, ..Self::quiet(0) }, None);
        while let Some(argument) = given.next() {
            let mut value = |what: &str| given.next().ok_or_else(|| format!("{argument} needs {what}"));
            match argument.as_str() {
                "--list" => {
                    targets::ALL.iter().for_each(|(name, _)| println!("{name}: test"));
                    return Ok(None);
                }
                // No target is ignored.
                "--ignored" => return Ok(None),
                "--exact" => read.exact = true,
                "--inputs" => read.inputs = Some(number(&value("a number")?)?),
                "--seconds" => read.seconds = Some(number(&value("a number")?)?),
                "--seed" => seed = Some(number(&value("a number")?)?),
                "--long" => read.long = true,
                valued if VALUED.contains(&valued) => drop(given.next()),
                // `cargo test` passes flags that have no meaning here, which are ignored. In a long run, unknown
                // flags are errors.
                flag if flag.starts_with('-') && read.long => return Err(format!("{flag} is not known")),
                flag if flag.starts_with('-') => {}
                _ => read.filters.push(argument),
            }
        }
        let known = |name: &String| targets::ALL.iter().any(|(known, _)| known == name);
        if let Some(name) = read.filters.iter().find(|name| read.long && !known(name)) {
            let all: Vec<&str> = targets::ALL.iter().map(|(known, _)| *known).collect();
            return Err(format!("there is no target {name}; there are {}", all.join(", ")));
        }
        read.exact |= read.long;
        // A test uses the same seed on every run. A long run takes its seed from the clock and prints it.
        let drawn = || if read.long { SystemClock.now().as_second().unsigned_abs() } else { read.seed };
        read.seed = seed.unwrap_or_else(drawn);
        Ok(Some(read))
    }

    /// Arguments for a run with this many inputs and seed 1, which saves no findings.
    pub(crate) fn quiet(inputs: u64) -> Self {
        Self { filters: Vec::new(), exact: false, inputs: Some(inputs), seconds: None, seed: 1, long: false }
    }

    /// The numbers of the inputs for one target; ends after the last input or when the target's share of the time is
    /// over.
    pub(crate) fn budget(&self, default: u64) -> impl Iterator<Item = u64> + use<> {
        let targets = targets::ALL.iter().filter(|(name, _)| self.asks_for(name)).count().max(1) as u64;
        let share = self.seconds.map(|seconds| Duration::from_millis(seconds * 1000 / targets));
        let end = share.map(|share| SystemClock.now().checked_add(share).unwrap());
        let most = self.inputs.unwrap_or(if end.is_some() { u64::MAX } else { default });
        (0..most).take_while(move |_| end.is_none_or(|end| SystemClock.now() < end))
    }

    pub(crate) fn asks_for(&self, name: &str) -> bool {
        let fits = |filter: &String| if self.exact { name == filter } else { name.contains(filter.as_str()) };
        self.filters.is_empty() || self.filters.iter().any(fits)
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.replace('_', "").parse().map_err(|_| format!("{text} is no number"))
}
