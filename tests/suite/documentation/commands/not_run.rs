//! The commands on pages that the tests of the pages do not run, counted, with the reason.

/// Why a command is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Because {
    /// It works on Azure itself.
    NeedsAzure,
    /// It needs Docker and its images.
    NeedsDocker,
    /// It needs the Azure Functions Core Tools, or settings that are made for them.
    NeedsCoreTools,
    /// It needs a package that is not part of the toolchain or of the standard library.
    NeedsPackage,
    /// It builds or tests the program, which is under way while this test runs.
    Builds,
    /// It is run by a test of its own.
    TestedElsewhere,
    /// It runs for minutes or more, in a stage of its own in the pipeline.
    RunsLong,
}

impl Because {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NeedsAzure => "needs Azure",
            Self::NeedsDocker => "needs Docker",
            Self::NeedsCoreTools => "needs the Core Tools",
            Self::NeedsPackage => "needs a package",
            Self::Builds => "builds or tests the program",
            Self::TestedElsewhere => "is run by a test of its own",
            Self::RunsLong => "runs for long",
        }
    }
}

/// The commands of one page that begin with the same text.
pub(super) struct Row {
    pub(super) page: &'static str,
    /// How the commands begin; for a block of Python, how one of its lines begins. An empty text matches all commands
    /// that no earlier row matches.
    pub(super) begins: &'static str,
    pub(super) times: usize,
    pub(super) because: Because,
}

const fn listed(page: &'static str, begins: &'static str, times: usize, because: Because) -> Row {
    Row { page, begins, times, because }
}

/// All commands that are not run. The first row that matches a command counts.
pub(super) const ROWS: &[Row] = &[
    listed("CONTRIBUTING.md", "cargo", 5, Because::Builds),
    listed("README.md", "cargo xtask test", 1, Because::RunsLong),
    listed("docs/benchmarks.md", "cargo xtask bench", 2, Because::RunsLong),
    listed("docs/deploy.md", "", 22, Because::NeedsAzure),
    listed("docs/integrating.md", "az ", 1, Because::NeedsAzure),
    listed("docs/integrating.md", "cd examples/signup-app", 2, Because::TestedElsewhere),
    listed("docs/integrating.md", "from azure.identity", 1, Because::NeedsPackage),
    listed("docs/packaging.md", "cargo xtask package", 3, Because::Builds),
    listed("docs/packaging.md", "az ", 1, Because::NeedsAzure),
    listed("docs/packaging.md", "cd target/package", 1, Because::NeedsAzure),
    listed("docs/packaging.md", "gh ", 1, Because::NeedsPackage),
    listed("docs/permissions.md", "tenantry permissions --held", 1, Because::NeedsAzure),
    listed("docs/permissions.md", "tenantry permissions --url", 1, Because::TestedElsewhere),
    listed("docs/permissions.md", "az deployment", 1, Because::NeedsAzure),
    listed("docs/running-func-start.md", "cargo build", 1, Because::Builds),
    listed("docs/running-func-start.md", "cp target/release/tenantry", 1, Because::Builds),
    listed("docs/running-func-start.md", "ACCEPT_EULA=Y", 1, Because::NeedsDocker),
    listed("docs/running-func-start.md", "func start", 1, Because::NeedsCoreTools),
    listed("docs/running-func-start.md", "tenantry submit", 1, Because::NeedsCoreTools),
    listed("docs/running-func-start.md", "tenantry status", 1, Because::NeedsCoreTools),
    listed("docs/running-func-start.md", "from azure.servicebus", 1, Because::NeedsPackage),
    listed("docs/trust.md", "cargo test --test sim", 1, Because::Builds),
    listed("docs/trust.md", "cargo xtask sim", 7, Because::RunsLong),
    listed("docs/trust.md", "cargo xtask crash", 1, Because::RunsLong),
    listed("examples/signup-app/README.md", "", 5, Because::TestedElsewhere),
];

/// The index of the row in [`ROWS`] that a command belongs to; `None` if the command is to be run.
pub(super) fn row(page: &str, text: &str) -> Option<usize> {
    let begins = |row: &Row| {
        text.starts_with(row.begins)
            || (text.starts_with("python3 - <<") && text.lines().any(|line| line.starts_with(row.begins)))
    };
    ROWS.iter().position(|row| row.page == page && begins(row))
}
