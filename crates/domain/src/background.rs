//! Which background response of a node may begin next.

use std::collections::{HashMap, VecDeque};

use antiphon_protocol::{ResponseId, UserId};

use crate::ResponseOptions;

/// The background responses of a node: which run, and which wait in which order.
///
/// First come, first served, except that the responses of a user who has as many running as allowed are passed over. A user
/// may have no more responses in line than there are places left in it: so one user alone takes half of it, and several
/// together leave others some.
/// Until the line is opened none begins: older responses may still [rejoin](Self::rejoin) it.
#[derive(Debug)]
pub struct BackgroundLine {
    most_running: usize,
    most_running_per_user: usize,
    most_waiting: usize,
    is_open: bool,
    running: HashMap<ResponseId, UserId>,
    of_user: HashMap<UserId, usize>,
    waiting: VecDeque<(ResponseId, UserId)>,
}

impl BackgroundLine {
    /// Makes an empty line that is not open.
    #[must_use]
    pub fn new(options: &ResponseOptions) -> Self {
        Self {
            most_running: options.background_concurrency,
            most_running_per_user: options.background_concurrency_per_user,
            most_waiting: options.background_queue,
            is_open: false,
            running: HashMap::new(),
            of_user: HashMap::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Lets responses begin from now on.
    pub fn open(&mut self) {
        self.is_open = true;
    }

    /// Appends a response to the queue. Returns false and changes nothing if the queue is full, or the user's share of it; a
    /// response that could begin at once is always taken. A line that is not open takes as many as will run and wait.
    #[must_use]
    pub fn join(&mut self, id: ResponseId, user: UserId) -> bool {
        let waiting = self.waiting.len();
        let is_full = match self.is_open {
            // There can be room although responses wait: those belong to users who have as many running as allowed.
            true => !self.has_room(user) && !self.has_place_in_line(user),
            false => waiting >= self.most_waiting.saturating_add(self.most_running.saturating_sub(self.running.len())),
        };
        if is_full {
            return false;
        }
        self.waiting.push_back((id, user));
        true
    }

    /// Inserts a response that an earlier process accepted by its age, however long the queue is. Ids sort by age.
    pub fn rejoin(&mut self, id: ResponseId, user: UserId) {
        let place = self.waiting.partition_point(|(waiting, _)| *waiting < id);
        self.waiting.insert(place, (id, user));
    }

    /// Counts a response as running, however many run: a provider works on it already.
    pub fn go_on(&mut self, id: ResponseId, user: UserId) {
        self.running.insert(id, user);
        *self.of_user.entry(user).or_default() += 1;
    }

    /// Returns the next response that may begin, and counts it as running.
    pub fn begin_next(&mut self) -> Option<ResponseId> {
        if !self.is_open || self.running.len() >= self.most_running {
            return None;
        }
        let next = self.waiting.iter().position(|(_, user)| self.has_room(*user))?;
        let (id, user) = self.waiting.remove(next)?;
        self.go_on(id, user);
        Some(id)
    }

    /// Removes a response, whether it ran or waited.
    pub fn leave(&mut self, id: ResponseId) {
        let Some(user) = self.running.remove(&id) else {
            return self.waiting.retain(|(waiting, _)| *waiting != id);
        };
        if let Some(count) = self.of_user.get_mut(&user) {
            *count -= 1;
            if *count == 0 {
                self.of_user.remove(&user);
            }
        }
    }

    fn has_place_in_line(&self, user: UserId) -> bool {
        let left = self.most_waiting.saturating_sub(self.waiting.len());
        left > 0 && self.waiting.iter().filter(|(_, waiting)| *waiting == user).count() <= left
    }

    fn has_room(&self, user: UserId) -> bool {
        let of_user = self.of_user.get(&user).copied().unwrap_or(0);
        self.running.len() < self.most_running && of_user < self.most_running_per_user
    }
}

#[cfg(test)]
mod tests {
    use super::{BackgroundLine, ResponseOptions};
    use antiphon_protocol::{ResponseId, UserId};

    fn closed_line(running: usize, running_per_user: usize, waiting: usize) -> BackgroundLine {
        BackgroundLine::new(&ResponseOptions {
            background_concurrency: running,
            background_concurrency_per_user: running_per_user,
            background_queue: waiting,
            ..ResponseOptions::default()
        })
    }

    fn line(running: usize, running_per_user: usize, waiting: usize) -> BackgroundLine {
        let mut line = closed_line(running, running_per_user, waiting);
        line.open();
        line
    }

    #[test]
    fn they_begin_in_the_order_in_which_they_came() {
        let (mut line, user) = (line(1, 1, 10), UserId::new());
        let ids = [ResponseId::new(), ResponseId::new(), ResponseId::new()];
        assert!(ids.iter().all(|id| line.join(*id, user)));
        for id in ids {
            assert_eq!(line.begin_next(), Some(id));
            assert_eq!(line.begin_next(), None);
            line.leave(id);
        }
    }

    #[test]
    fn a_user_with_enough_running_holds_up_nobody_else() {
        let (mut line, busy, other) = (line(3, 2, 10), UserId::new(), UserId::new());
        let mine = [ResponseId::new(), ResponseId::new(), ResponseId::new()];
        let theirs = ResponseId::new();
        assert!(mine.iter().all(|id| line.join(*id, busy)) && line.join(theirs, other));
        let begun = [line.begin_next(), line.begin_next(), line.begin_next(), line.begin_next()];
        assert_eq!(begun, [Some(mine[0]), Some(mine[1]), Some(theirs), None]);
        line.leave(theirs);
        assert_eq!(line.begin_next(), None);
        line.leave(mine[0]);
        assert_eq!(line.begin_next(), Some(mine[2]));
    }

    #[test]
    fn a_full_line_takes_nobody_and_one_who_leaves_makes_room() {
        let (mut line, user) = (line(1, 1, 1), UserId::new());
        let (first, second, third) = (ResponseId::new(), ResponseId::new(), ResponseId::new());
        assert!(line.join(first, user));
        assert_eq!(line.begin_next(), Some(first));
        assert!(line.join(second, user));
        assert!(!line.join(third, user));
        line.leave(second);
        assert!(line.join(third, user));
        line.leave(first);
        assert_eq!(line.begin_next(), Some(third));
    }

    #[test]
    fn one_user_leaves_others_half_of_the_line() {
        let (mut line, busy, other) = (line(1, 1, 10), UserId::new(), UserId::new());
        let running = ResponseId::new();
        assert!(line.join(running, busy));
        assert_eq!(line.begin_next(), Some(running));
        assert_eq!((0..20).filter(|_| line.join(ResponseId::new(), busy)).count(), 6);
        assert_eq!((0..20).filter(|_| line.join(ResponseId::new(), other)).count(), 3);
        assert!(line.join(ResponseId::new(), UserId::new()));
    }

    #[test]
    fn without_a_line_those_who_can_begin_at_once_do() {
        let (mut line, user) = (line(1, 1, 0), UserId::new());
        let (first, second) = (ResponseId::new(), ResponseId::new());
        assert!(line.join(first, user));
        assert_eq!(line.begin_next(), Some(first));
        assert!(!line.join(second, user));
    }

    #[test]
    fn a_line_that_is_not_open_takes_as_many_as_will_run_and_wait_and_lets_the_older_ones_begin_first() {
        let (mut line, user) = (closed_line(2, 2, 3), UserId::new());
        let (older, newer) = (ResponseId::new(), ResponseId::new());
        assert!(line.join(newer, user));
        assert_eq!((0..10).filter(|_| line.join(ResponseId::new(), user)).count(), 4, "two will run and three wait");
        line.rejoin(older, user);
        assert_eq!(line.begin_next(), None);
        line.open();
        assert_eq!((line.begin_next(), line.begin_next(), line.begin_next()), (Some(older), Some(newer), None));
    }

    #[test]
    fn what_has_left_leaves_nothing_behind() {
        let mut line = line(100, 1, 1_000);
        for _ in 0..1_000 {
            let (id, user) = (ResponseId::new(), UserId::new());
            assert!(line.join(id, user));
            line.begin_next();
            line.leave(id);
        }
        assert!(line.running.is_empty() && line.of_user.is_empty() && line.waiting.is_empty());
    }
}
