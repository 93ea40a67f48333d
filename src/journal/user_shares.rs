//! How much of what all users share one user gets.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::protocol::UserId;

/// Counts what each user does and waits for.
pub(super) struct UserShares {
    per_user: usize,
    waiting_per_user: usize,
    users: Mutex<HashMap<UserId, CountedReads>>,
}

struct CountedReads {
    places: Arc<Semaphore>,
    here: usize,
}

/// A user's part in it, until it is dropped.
pub(super) struct UserShare {
    shares: Arc<UserShares>,
    user: UserId,
    places: Arc<Semaphore>,
}

impl UserShares {
    pub(super) fn new(per_user: usize, waiting_per_user: usize) -> Self {
        Self { per_user, waiting_per_user, users: Mutex::default() }
    }

    /// Joins for that user; none if as many as may wait do already.
    pub(super) fn enter(self: &Arc<Self>, user: UserId) -> Option<UserShare> {
        let most = self.per_user.saturating_add(self.waiting_per_user);
        let is_full = self.users.lock().get(&user).is_some_and(|counted| counted.here >= most);
        if is_full { None } else { Some(self.join(user)) }
    }

    /// Joins for that user, however many wait.
    pub(super) fn join(self: &Arc<Self>, user: UserId) -> UserShare {
        let mut users = self.users.lock();
        let fresh = || CountedReads { places: Arc::new(Semaphore::new(self.per_user.max(1))), here: 0 };
        let counted = users.entry(user).or_insert_with(fresh);
        counted.here += 1;
        UserShare { shares: Arc::clone(self), user, places: Arc::clone(&counted.places) }
    }
}

impl UserShare {
    /// Waits for a place.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.places).acquire_owned().await.ok()
    }
}

impl Drop for UserShare {
    fn drop(&mut self) {
        let mut users = self.shares.users.lock();
        if let Some(counted) = users.get_mut(&self.user) {
            counted.here -= 1;
            if counted.here == 0 {
                users.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;

    use super::UserShares;
    use crate::protocol::UserId;

    #[test]
    fn one_user_takes_no_more_than_the_share_and_holds_up_nobody_else() {
        let shares = Arc::new(UserShares::new(2, 1));
        let (busy, other) = (UserId::new(), UserId::new());
        let three = [shares.enter(busy).unwrap(), shares.enter(busy).unwrap(), shares.enter(busy).unwrap()];
        let mut places: Vec<_> = three.iter().map(|share| share.place().now_or_never()).collect();
        assert_eq!(places.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false]);
        assert!(shares.enter(busy).is_none(), "one may wait");
        assert!(shares.join(busy).place().now_or_never().is_none(), "who must not be refused waits");
        assert!(shares.enter(other).unwrap().place().now_or_never().is_some());
        places.clear();
        assert!(three[2].place().now_or_never().is_some());
        drop(three);
        assert!(shares.users.lock().is_empty(), "nobody is remembered");
    }
}
