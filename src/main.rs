//! The program's binary: runs the command in the arguments, and returns its exit code. Everything else is in the
//! library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    tenantry::cli::run().await
}
