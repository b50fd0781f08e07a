//! Recorded and derived requests of the Functions host. They are not part of the repository.

/// The folder of the payloads, relative to a parent folder.
const FOLDER: &str = "shared/functions-host/payloads";

/// Whether they are available.
pub(crate) fn at_hand() -> bool {
    crate::root().ancestors().any(|above| above.join(FOLDER).is_dir())
}
