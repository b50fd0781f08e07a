//! The binary: arguments in, exit code out. Everything else is in the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    tenantry::cli::run().await
}
