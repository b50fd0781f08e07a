//! Reads the app as the host does: `host.json` and one `function.json` per function.
//!
//! This repository's own files are compiled in, so that the binary needs no files; an app in a folder can be read
//! instead.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde::Deserialize;
use serde_json::Value;

/// Why the app can't be hosted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {why}")]
pub struct AppError {
    /// The file or folder with the error.
    pub file: String,
    /// What is wrong with the file.
    pub why: String,
}

fn bad(file: impl Into<String>, why: impl Into<String>) -> AppError {
    AppError { file: file.into(), why: why.into() }
}

/// An app: its settings and its functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppFiles {
    /// The contents of `host.json`.
    pub host: HostFile,
    /// The functions, by name.
    pub functions: Vec<FunctionFile>,
}

/// The members of `host.json` that the embedded host uses, with the real host's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFile {
    /// The time after which an invocation fails and the handler is killed; `None`: never.
    pub function_timeout: Option<Duration>,
    /// The time within which a handler must answer after its start.
    pub initialization_timeout: Duration,
    /// The handler's executable (`defaultExecutablePath`), as in the file.
    pub executable: String,
    /// The handler's arguments, as in the file.
    pub arguments: Vec<String>,
    /// The first segment of every HTTP function's path; may be empty.
    pub route_prefix: String,
    /// For how long a message's lock is renewed while its invocation runs.
    pub max_lock_renewal: Duration,
    /// How many messages of one queue without sessions are handled at once.
    pub max_concurrent_calls: usize,
    /// How many sessions of one queue are handled at once.
    pub max_concurrent_sessions: usize,
}

/// One function with its bindings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionFile {
    /// The function's name, which is that of its folder.
    pub name: String,
    /// The function's bindings, in the order of the file.
    pub bindings: Vec<Binding>,
    trigger: usize,
}

/// One entry of `bindings` in a `function.json`, with the members that the embedded host uses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// The binding's type, e.g. `serviceBusTrigger`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The binding's name, under which the envelope has its value.
    pub name: String,
    /// The direction: `in` or `out`; empty if the file has none.
    #[serde(default)]
    pub direction: String,
    /// The queue of a Service Bus binding.
    #[serde(default)]
    pub queue_name: Option<String>,
    /// Whether the queue of a Service Bus trigger has sessions.
    #[serde(default)]
    pub is_sessions_enabled: bool,
    /// How the value is passed: `binary` (as base64) or `string`; `None` means `string`.
    #[serde(default)]
    pub data_type: Option<String>,
    /// The schedule of a timer trigger, in NCRONTAB.
    #[serde(default)]
    pub schedule: Option<String>,
    /// Whether the host keeps a timer's status; `None` means yes.
    #[serde(default)]
    pub use_monitor: Option<bool>,
    /// Whether a timer also runs when the host starts.
    #[serde(default)]
    pub run_on_startup: bool,
    /// The methods of an HTTP trigger; `None` means all.
    #[serde(default)]
    pub methods: Option<Vec<String>>,
    /// The route of an HTTP trigger; `None` means the function's name.
    #[serde(default)]
    pub route: Option<String>,
}

impl Binding {
    /// Whether values of this binding are bytes.
    pub fn is_binary(&self) -> bool {
        self.data_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("binary"))
    }
}

/// What triggers a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerKind {
    /// A message in a Service Bus queue: `serviceBusTrigger`.
    ServiceBus,
    /// A schedule: `timerTrigger`.
    Timer,
    /// An HTTP call: `httpTrigger`.
    Http,
}

impl FunctionFile {
    /// The binding that triggers the function.
    pub fn trigger(&self) -> &Binding {
        // `trigger` is the index of an element, and `bindings` is not changed after its construction.
        &self.bindings[self.trigger]
    }

    /// The trigger's kind; `None` is only possible for a value that did not come from [`AppFiles`].
    pub fn kind(&self) -> Option<TriggerKind> {
        kind(&self.trigger().kind)
    }

    fn parse(name: &str, text: &str) -> Result<Self, AppError> {
        #[derive(Deserialize)]
        struct File {
            bindings: Vec<Binding>,
        }
        let file = format!("{name}/function.json");
        let File { bindings } = serde_json::from_str(text).map_err(|e| bad(&file, e.to_string()))?;
        if !is_name(name, "_-") || name.eq_ignore_ascii_case("host") {
            return Err(bad(
                file,
                "the host refuses this name: a letter, then letters, digits, `_`, `-`; not `host`",
            ));
        }
        if let Some(binding) = bindings.iter().find(|b| b.name != "$return" && !is_name(&b.name, "")) {
            let why =
                format!("the host refuses the binding name `{}`: only letters and digits", binding.name);
            return Err(bad(file, why));
        }
        let mut triggers = bindings.iter().enumerate().filter(|(_, b)| is_trigger(&b.kind));
        let (Some((trigger, binding)), None) = (triggers.next(), triggers.next()) else {
            return Err(bad(file, "a function has exactly one trigger"));
        };
        match kind(&binding.kind) {
            None => return Err(bad(file, format!("the embedded host knows no `{}`", binding.kind))),
            Some(TriggerKind::ServiceBus) if binding.queue_name.is_none() => {
                return Err(bad(file, "the trigger has no `queueName`"));
            }
            Some(TriggerKind::ServiceBus | TriggerKind::Timer | TriggerKind::Http) => {}
        }
        Ok(Self { name: name.to_owned(), bindings, trigger })
    }
}

fn is_trigger(kind: &str) -> bool {
    kind.to_ascii_lowercase().ends_with("trigger")
}

fn kind(text: &str) -> Option<TriggerKind> {
    let kinds = [
        ("serviceBusTrigger", TriggerKind::ServiceBus),
        ("timerTrigger", TriggerKind::Timer),
        ("httpTrigger", TriggerKind::Http),
    ];
    kinds.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, kind)| kind)
}

/// `^[a-zA-Z][a-zA-Z0-9]{0,127}$`, with further characters allowed after the first (azure-functions-host, `Utility`).
fn is_name(text: &str, further: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || further.contains(c))
}

const HOST: &str = include_str!("../../../host.json");
const FUNCTIONS: [(&str, &str); 10] = [
    ("audit", include_str!("../../../audit/function.json")),
    ("deadletter", include_str!("../../../deadletter/function.json")),
    ("drift", include_str!("../../../drift/function.json")),
    ("events", include_str!("../../../events/function.json")),
    ("reconcile", include_str!("../../../reconcile/function.json")),
    ("requests", include_str!("../../../requests/function.json")),
    ("retry", include_str!("../../../retry/function.json")),
    ("sweep", include_str!("../../../sweep/function.json")),
    ("tenants", include_str!("../../../tenants/function.json")),
    ("wakeup", include_str!("../../../wakeup/function.json")),
];

impl AppFiles {
    /// The app of this repository, as compiled in.
    ///
    /// # Errors
    /// [`AppError`] when one of its files is invalid; a test checks that none is.
    pub fn embedded() -> Result<Self, AppError> {
        Self::parse(HOST, FUNCTIONS.into_iter())
    }

    /// The app in a folder: `host.json`, and every folder in it that has a `function.json`.
    ///
    /// # Errors
    /// [`AppError`] when a file can't be read, or the real host would refuse it.
    pub fn read(folder: &Path) -> Result<Self, AppError> {
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|error| bad(path.display().to_string(), error.to_string()))
        };
        let entries =
            std::fs::read_dir(folder).map_err(|e| bad(folder.display().to_string(), e.to_string()))?;
        let mut functions = BTreeMap::new();
        for entry in entries.flatten() {
            let file = entry.path().join("function.json");
            if file.is_file() {
                functions.insert(entry.file_name().to_string_lossy().into_owned(), read(&file)?);
            }
        }
        let host = read(&folder.join("host.json"))?;
        Self::parse(&host, functions.iter().map(|(name, text)| (name.as_str(), text.as_str())))
    }

    fn parse<'a>(host: &str, functions: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, AppError> {
        let functions: Result<Vec<_>, _> =
            functions.map(|(name, text)| FunctionFile::parse(name, text)).collect();
        Ok(Self { host: HostFile::parse(host)?, functions: functions? })
    }

    /// The function with this name; case is ignored.
    pub fn function(&self, name: &str) -> Option<&FunctionFile> {
        self.functions.iter().find(|function| function.name.eq_ignore_ascii_case(name))
    }
}

impl HostFile {
    fn parse(text: &str) -> Result<Self, AppError> {
        let file: Value = serde_json::from_str(text).map_err(|e| bad("host.json", e.to_string()))?;
        let span = |pointer: &str, default: Option<Duration>| match file.pointer(pointer) {
            None => Ok(default),
            Some(value) => {
                time_span(value).ok_or_else(|| bad("host.json", format!("{pointer} is no time span")))
            }
        };
        let text = |pointer: &str| file.pointer(pointer).and_then(Value::as_str);
        let number = |pointer: &str, default: usize| {
            let number = file.pointer(pointer).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
            number.filter(|n| *n > 0).unwrap_or(default)
        };
        let executable = text("/customHandler/description/defaultExecutablePath")
            .ok_or_else(|| bad("host.json", "customHandler.description.defaultExecutablePath is missing"))?;
        let arguments = file.pointer("/customHandler/description/arguments").and_then(Value::as_array);
        let arguments =
            arguments.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        let seconds = |n| Some(Duration::from_secs(n));
        let bus = |name: &str| format!("/extensions/serviceBus/{name}");
        Ok(Self {
            function_timeout: span("/functionTimeout", seconds(1800))?,
            initialization_timeout: span("/customHandler/initializationTimeout", seconds(30))?
                .unwrap_or(Duration::MAX),
            executable: executable.to_owned(),
            arguments,
            route_prefix: text("/extensions/http/routePrefix").unwrap_or("api").trim_matches('/').to_owned(),
            max_lock_renewal: span(&bus("maxAutoLockRenewalDuration"), seconds(300))?
                .unwrap_or(Duration::MAX),
            max_concurrent_calls: number(&bus("maxConcurrentCalls"), 16),
            max_concurrent_sessions: number(&bus("maxConcurrentSessions"), 8),
        })
    }
}

/// Parses a .NET time span: `[d.]hh:mm:ss[.fraction]`. `Some(None)`, for a negative one, means no limit.
#[expect(clippy::option_option, reason = "no time span at all, or one that never ends")]
fn time_span(value: &Value) -> Option<Option<Duration>> {
    let text = value.as_str()?;
    if text.starts_with('-') {
        return Some(None);
    }
    let mut parts = text.split(':');
    let (days_and_hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let (days, hours) = days_and_hours.split_once('.').unwrap_or(("0", days_and_hours));
    let whole = |text: &str| text.parse::<u32>().ok().map(f64::from);
    let seconds: f64 = seconds.parse().ok()?;
    let total = whole(days)? * 86_400.0 + whole(hours)? * 3_600.0 + whole(minutes)? * 60.0 + seconds;
    Some(Some(Duration::try_from_secs_f64(total).ok()?))
}
