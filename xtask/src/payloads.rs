//! The payloads: recorded and derived requests of the Functions host, which are not part of the repository.

/// The folder of the payloads, relative to a folder above the project.
const FOLDER: &str = "shared/functions-host/payloads";

/// Whether the payloads are on this machine.
pub(crate) fn at_hand() -> bool {
    crate::root().ancestors().any(|above| above.join(FOLDER).is_dir())
}
