//! Who may go on with a response that does not run where it is asked for: one table, for every way to it.

/// Who wants to go on with a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryWish {
    /// The node itself: at its start, in a sweep, or after a supervisor has failed.
    Node,
    /// A client's request: it wants to read, cancel or delete the response.
    Request,
}

/// The owner of a response, as seen from a node in its present epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerSeen {
    /// The node itself, in its present epoch.
    ThisEpoch,
    /// The node itself, in an earlier epoch: a process or a registry that is gone.
    EarlierEpoch,
    /// The node's name in a later epoch: another process has taken the name.
    LaterEpoch,
    /// Another node.
    OtherNode,
}

/// The lease of a node, by its own monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// It has none: another node may own its responses by now.
    Missing,
    /// It has one.
    Held,
    /// It has one and has renewed it for a whole lease without a gap: the database was there for others, too, to renew
    /// theirs.
    Unbroken,
}

/// What follows for a response that has not ended and does not run here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnershipDecision {
    /// It is recovered here. If another node owns it, the claim fails unless that node's lease is over.
    Recover,
    /// It is looked at again once this node has a lease.
    AwaitLease,
    /// The next sweep decides, which may take over what other nodes have left.
    AwaitSweep,
    /// It is left alone.
    Leave,
}

impl OwnerSeen {
    /// The owner of a response, whose node and epoch are these, as seen from another node and epoch.
    #[must_use]
    pub fn of((node, epoch): (&str, i64), (own_node, own_epoch): (&str, i64)) -> Self {
        match epoch.cmp(&own_epoch) {
            _ if node != own_node => Self::OtherNode,
            std::cmp::Ordering::Less => Self::EarlierEpoch,
            std::cmp::Ordering::Equal => Self::ThisEpoch,
            std::cmp::Ordering::Greater => Self::LaterEpoch,
        }
    }
}

impl OwnershipDecision {
    /// Decides about a response that has not ended and does not run here.
    ///
    /// A request never takes over another node's response: after an outage its owner may only be a moment late.
    #[must_use]
    pub const fn about(owner: OwnerSeen, wish: RecoveryWish, lease: LeaseState) -> Self {
        match (owner, wish, lease) {
            (OwnerSeen::LaterEpoch, _, _)
            | (OwnerSeen::OtherNode, RecoveryWish::Node, LeaseState::Missing | LeaseState::Held) => Self::Leave,
            (OwnerSeen::OtherNode, RecoveryWish::Request, _) => Self::AwaitSweep,
            (OwnerSeen::ThisEpoch | OwnerSeen::EarlierEpoch, _, LeaseState::Missing) => Self::AwaitLease,
            (OwnerSeen::ThisEpoch | OwnerSeen::EarlierEpoch, _, LeaseState::Held | LeaseState::Unbroken)
            | (OwnerSeen::OtherNode, RecoveryWish::Node, LeaseState::Unbroken) => Self::Recover,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        LeaseState::{Held, Missing, Unbroken},
        OwnerSeen::{self, EarlierEpoch, LaterEpoch, OtherNode, ThisEpoch},
        OwnershipDecision::{self, AwaitLease, AwaitSweep, Leave, Recover},
        RecoveryWish::{Node, Request},
    };

    #[test]
    fn a_node_takes_over_only_in_a_sweep_with_an_unbroken_lease_and_a_request_never_does() {
        for (owner, wish, [missing, held, unbroken]) in [
            (ThisEpoch, Node, [AwaitLease, Recover, Recover]),
            (ThisEpoch, Request, [AwaitLease, Recover, Recover]),
            (EarlierEpoch, Node, [AwaitLease, Recover, Recover]),
            (EarlierEpoch, Request, [AwaitLease, Recover, Recover]),
            (LaterEpoch, Node, [Leave; 3]),
            (LaterEpoch, Request, [Leave; 3]),
            (OtherNode, Node, [Leave, Leave, Recover]),
            (OtherNode, Request, [AwaitSweep; 3]),
        ] {
            for (lease, expected) in [(Missing, missing), (Held, held), (Unbroken, unbroken)] {
                let decision = OwnershipDecision::about(owner, wish, lease);
                assert_eq!(decision, expected, "{owner:?} {wish:?} {lease:?}");
            }
        }
    }

    #[test]
    fn an_owner_is_told_by_its_node_and_then_by_its_epoch() {
        for (node, epoch, expected) in [
            ("a", 4, EarlierEpoch),
            ("a", 5, ThisEpoch),
            ("a", 6, LaterEpoch),
            ("b", 4, OtherNode),
            ("b", 5, OtherNode),
        ] {
            assert_eq!(OwnerSeen::of((node, epoch), ("a", 5)), expected);
        }
    }
}
