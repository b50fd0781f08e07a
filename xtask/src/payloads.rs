//! What the Functions host posts, recorded and derived: not part of the repository.

/// Where it is, in a folder above.
const FOLDER: &str = "shared/functions-host/payloads";

/// Whether it is here.
pub(crate) fn at_hand() -> bool {
    crate::root().ancestors().any(|above| above.join(FOLDER).is_dir())
}
