//! What a connection is doing, as its dials say.
//!
//! Yes or no to what the engine asks before it ends somebody. It knows dials alone; it
//! must never sentence anybody.

use crate::entity::{Dialect, Phase};
use crate::meter::Dials;

/// Whether it has yet to say a whole request.
pub(super) fn is_unidentified(dials: &Dials) -> bool {
    dials.requests() == 0 && matches!(dials.phase(), Phase::Opening | Phase::Request)
}

/// Whether it waits, with nothing said, where a person types: on such a listener the
/// dialect is known before the first byte.
pub(super) fn is_silent_person(dials: &Dials) -> bool {
    dials.phase() == Phase::Opening && dials.dialect().is_some_and(Dialect::waits_for_a_person)
}

/// Whether it only waits for requests, in a dialect that has a word for leaving: its
/// connection says it and ends.
pub(super) fn parts_by_itself(dials: &Dials) -> bool {
    dials.phase() == Phase::Idle && dials.dialect().is_some_and(Dialect::is_deck)
}

/// Whether something is under way that a leaving server waits for.
pub(super) const fn is_busy(phase: Phase) -> bool {
    matches!(phase, Phase::Sending | Phase::Receiving | Phase::Lingering)
}
