//! Commands as pages show them.

/// One command of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    /// The command line.
    pub(super) text: String,
    /// The expected exit code.
    pub(super) code: i32,
}

impl Command {
    /// A block of Python as one command.
    pub(super) fn python(block: &str) -> Self {
        Self { text: format!("python3 - <<'THE_BLOCK'\n{block}THE_BLOCK"), code: 0 }
    }

    /// The tokens before the first `|`, `&&` or `>`, without the environment variables in front.
    fn tokens(&self) -> Vec<&str> {
        let tokens = self.text.split_whitespace().take_while(|token| !["|", "&&", ">"].contains(token));
        tokens.skip_while(|token| is_setting(token)).collect()
    }

    /// The arguments of `tenantry`, whether it is started directly or by cargo; `None` for other commands.
    pub(super) fn call(&self) -> Option<Vec<&str>> {
        let tokens = self.tokens();
        match *tokens.first()? {
            "tenantry" => Some(tokens[1..].to_vec()),
            "cargo" if tokens.get(1) == Some(&"run") => {
                let at = tokens.iter().position(|token| *token == "--")?;
                Some(tokens[at + 1..].to_vec())
            }
            _ => None,
        }
    }

    /// Whether the command serves until it is ended.
    pub(super) fn serves(&self) -> bool {
        let Some(call) = self.call() else { return false };
        let files = || call.iter().filter(|argument| argument.ends_with(".json")).count();
        match call.first() {
            Some(&"local") => {
                call.contains(&"--stay") || (files() == 0 && !call.contains(&"--exit-when-idle"))
            }
            Some(&"cloud" | &"serve") => true,
            _ => false,
        }
    }

    /// Whether the command calls a running instance.
    pub(super) fn asks(&self) -> bool {
        let asking = ["submit", "status", "list", "history", "retry", "reconcile", "verify", "drift"];
        let call = self.call().is_some_and(|call| call.first().is_some_and(|name| asking.contains(name)));
        call || self.text.contains("127.0.0.1:7071")
    }

    /// Whether tenants are reconciled after the command.
    pub(super) fn sets_to_work(&self) -> bool {
        self.call().is_some_and(|call| ["submit", "retry", "reconcile"].contains(call.first().unwrap_or(&"")))
    }
}

fn is_setting(token: &str) -> bool {
    let name = token.split('=').next().unwrap_or_default();
    token.contains('=') && !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A line without its comment, and the comment.
fn split(line: &str) -> (&str, &str) {
    if line.trim_start().starts_with('#') {
        return ("", line);
    }
    line.split_once(" #").map_or((line, ""), |(command, comment)| (command.trim_end(), comment))
}

/// The commands of a block, one a line. A line that ends with a backslash continues in the next one.
pub(super) fn commands(block: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut text = String::new();
    for line in block.lines() {
        let (part, comment) = split(line);
        text.push_str(part.trim());
        if text.ends_with('\\') {
            text.pop();
            continue;
        }
        let code = comment
            .split("ends with ")
            .nth(1)
            .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
        if !text.is_empty() {
            commands.push(Command { text: std::mem::take(&mut text), code: code.unwrap_or(0) });
        }
    }
    commands
}

/// Whether a command is harmless and needs nothing but this machine.
pub(super) fn is_runnable(text: &str) -> bool {
    if let Some(block) = text.strip_prefix("python3 - <<") {
        return foreign_import(block).is_none();
    }
    let parts = text.split(" | ").flat_map(|part| part.split(" && "));
    let mut parts = parts.map(|part| part.split_whitespace().skip_while(|token| is_setting(token)));
    parts.all(|mut tokens| match tokens.next() {
        Some("tenantry" | "export" | "cd" | "mkdir" | "cp" | "cat" | "ls" | "head" | "grep" | "python3") => {
            true
        }
        // Only the program itself has a replacement; an example or another package would be built.
        Some("cargo") => {
            let mut before = tokens.by_ref().take_while(|token| *token != "--");
            before.next() == Some("run")
                && before.all(|token| token == "--release")
                && tokens.next().is_some()
        }
        Some("curl") => {
            let addresses: Vec<&str> = text.match_indices("://").map(|(at, _)| &text[at + 3..]).collect();
            !addresses.is_empty() && addresses.iter().all(|rest| rest.starts_with("127.0.0.1:707"))
        }
        _ => false,
    })
}

/// The first module that a Python block imports and that is not in the short list of standard modules that pages use.
pub(super) fn foreign_import(block: &str) -> Option<String> {
    const STANDARD: [&str; 8] = ["datetime", "http", "json", "os", "sys", "time", "urllib", "uuid"];
    let imports = block.lines().filter_map(|line| {
        let rest =
            line.trim_start().strip_prefix("import ").or_else(|| line.trim_start().strip_prefix("from "))?;
        rest.split(['.', ' ', ',']).next().map(str::to_owned)
    });
    imports.into_iter().find(|module| !STANDARD.contains(&module.as_str()))
}

#[test]
fn commands_are_read_from_a_block() {
    let found =
        commands("# list\ntenantry a \\\n  b   # it ends with 1.\nX=1 tenantry local x.json\n\ncurl a#b\n");
    let texts: Vec<_> = found.iter().map(|command| (command.text.as_str(), command.code)).collect();
    assert_eq!(texts, [("tenantry a b", 1), ("X=1 tenantry local x.json", 0), ("curl a#b", 0)]);
    let serves: Vec<bool> = ["tenantry local", "X=1 tenantry local --stay a.json", "tenantry local a.json"]
        .map(|text| Command { text: text.to_owned(), code: 0 }.serves())
        .to_vec();
    assert_eq!(serves, [true, true, false]);
    for (text, expected) in [
        ("tenantry list | head -3", true),
        ("cargo run --release -- list", true),
        ("cargo build --release", false),
        ("cargo run --example signup-app -- serve", false),
        ("curl -X POST http://127.0.0.1:7073/_sim/chaos -d '{}'", true),
        ("curl https://management.azure.com/", false),
        ("tenantry list | az login", false),
        ("rm -rf .tenantry", false),
    ] {
        assert_eq!(is_runnable(text), expected, "{text}");
    }
}
