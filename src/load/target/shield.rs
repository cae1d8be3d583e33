//! Keeps what this process knows from other processes of the same user. It cannot keep it from root.

use std::io;

/// From now on nobody but root reads the environment or the memory of this process, or traces it; what it starts
/// is not concerned. Elsewhere than on Linux such is not to be read by others anyway.
pub(super) fn raise() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}
