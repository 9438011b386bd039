//! Giving up the right to write, for a server that may write nothing.
//!
//! Landlock binds the calling thread and what it starts later, so this runs in
//! main before the runtime or any other thread exists. Best effort: on a kernel
//! without Landlock the server runs all the same, and says so.

use std::path::Path;

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// This process can create, change or remove nothing on disk any more.
    Up,
    /// Only a part of it could be had.
    Partly,
    /// The system has no such fence.
    Missing,
}

impl Fence {
    /// The sentence for the operator.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Up => "read-only: this process gave up the right to write files (Landlock)",
            Self::Partly => {
                "read-only: this process gave up a part of its right to write files (old Landlock)"
            }
            Self::Missing => "read-only by its own code alone: this system has no Landlock",
        }
    }
}

/// Gives up every right to create, write, rename or remove files, but for those in the
/// state folder, if there is one.
#[cfg(target_os = "linux")]
pub fn give_up_writing(state: Option<&Path>) -> Fence {
    use landlock::{
        ABI, AccessFs, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
        RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus,
    };

    let abi = ABI::V3;
    let raised = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_write(abi))
        .and_then(landlock::Ruleset::create)
        .and_then(|ruleset| {
            // What a terminal program must still be able to open for writing.
            ["/dev/tty", "/dev/null", "/dev/pts"]
                .into_iter()
                .filter_map(|path| PathFd::new(path).ok())
                .try_fold(ruleset, |ruleset, fd| {
                    ruleset.add_rule(PathBeneath::new(fd, AccessFs::WriteFile))
                })
        })
        .and_then(|ruleset| {
            // Pins and what is known of peers change while it runs.
            let kept = state.and_then(|state| PathFd::new(state).ok());
            kept.into_iter().try_fold(ruleset, |ruleset, fd| {
                ruleset.add_rule(PathBeneath::new(fd, AccessFs::from_write(abi)))
            })
        })
        .and_then(landlock::RulesetCreated::restrict_self);
    match raised.map(|status| status.ruleset) {
        Ok(RulesetStatus::FullyEnforced) => Fence::Up,
        Ok(RulesetStatus::PartiallyEnforced) => Fence::Partly,
        Ok(RulesetStatus::NotEnforced) | Err(_) => Fence::Missing,
    }
}

/// Gives up every right to create, write, rename or remove files.
#[cfg(not(target_os = "linux"))]
pub fn give_up_writing(state: Option<&Path>) -> Fence {
    let _ = state;
    Fence::Missing
}
