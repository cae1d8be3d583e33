//! The builds of all users, in memory and bounded: beyond the capacity the oldest is forgotten.
//! Knows nothing of HTTP; time is the uptime of the service.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;

use super::{
    course::{Course, LONGEST, Progress, Status},
    request::Paging,
};

/// What a user asks for.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) user: String,
    pub(super) prompt: String,
    pub(super) chains: Vec<u64>,
}

/// One build.
#[derive(Debug)]
pub(super) struct Build {
    pub(super) id: String,
    pub(super) order: Order,
    pub(super) created: Duration,
    pub(super) course: Course,
}

impl Build {
    /// Where the build stands at an uptime.
    pub(super) fn at(&self, uptime: Duration) -> Progress {
        self.course.at(uptime.saturating_sub(self.created))
    }
}

/// A stretch of a user's builds, newest first, and how many there are in all.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) builds: Vec<Arc<Build>>,
    pub(super) total: usize,
}

/// How many builds a user has, by status.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pub(super) total: usize,
    pub(super) queued: usize,
    pub(super) running: usize,
    pub(super) done: usize,
}

/// The builds kept, numbered in the order of creation.
#[derive(Debug)]
pub(super) struct Builds {
    seed: u64,
    capacity: usize,
    /// The number of the oldest build in `kept`.
    first: u64,
    kept: VecDeque<Arc<Build>>,
    /// The numbers of each user's builds in `kept`, oldest first; no user without a build.
    by_user: HashMap<String, VecDeque<u64>>,
}

impl Builds {
    pub(super) fn new(seed: u64, capacity: usize) -> Self {
        Self { seed, capacity, first: 0, kept: VecDeque::new(), by_user: HashMap::new() }
    }

    /// Adds a build that begins its course now.
    pub(super) fn create(&mut self, order: Order, now: Duration) -> Arc<Build> {
        if self.kept.len() == self.capacity {
            self.forget_oldest();
        }
        let number = self.first + self.kept.len() as u64;
        let course = Course::draw(self.seed, number);
        self.by_user.entry(order.user.clone()).or_default().push_back(number);
        let build = Arc::new(Build { id: format!("build-{number}"), order, created: now, course });
        self.kept.push_back(Arc::clone(&build));
        build
    }

    /// A user's build; that of another user is not found.
    pub(super) fn find(&self, user: &str, id: &str) -> Option<&Arc<Build>> {
        let number: u64 = id.strip_prefix("build-")?.parse().ok()?;
        self.get(number).filter(|build| build.id == id && build.order.user == user)
    }

    /// A user's builds, newest first.
    pub(super) fn page(&self, user: &str, Paging { page, page_size }: Paging) -> Page {
        let Some(numbers) = self.by_user.get(user) else {
            return Page { builds: Vec::new(), total: 0 };
        };
        let skipped = page.saturating_sub(1).saturating_mul(page_size);
        let numbers_of_page = numbers.iter().rev().skip(skipped).take(page_size);
        let builds = numbers_of_page.filter_map(|number| self.get(*number)).cloned().collect();
        Page { builds, total: numbers.len() }
    }

    /// Counts a user's builds; looks only at those young enough not to be done for sure.
    pub(super) fn counts(&self, user: &str, now: Duration) -> Counts {
        let Some(numbers) = self.by_user.get(user) else {
            return Counts::default();
        };
        let mut counts = Counts { total: numbers.len(), ..Counts::default() };
        let newest_first = numbers.iter().rev().filter_map(|number| self.get(*number));
        for build in newest_first.take_while(|build| now.saturating_sub(build.created) <= LONGEST) {
            match build.at(now).status {
                Status::Queued => counts.queued += 1,
                Status::Running => counts.running += 1,
                Status::Done => {}
            }
        }
        counts.done = counts.total - counts.queued - counts.running;
        counts
    }

    fn get(&self, number: u64) -> Option<&Arc<Build>> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.kept.get(place)
    }

    fn forget_oldest(&mut self) {
        let Some(build) = self.kept.pop_front() else {
            return;
        };
        self.first += 1;
        if let Some(numbers) = self.by_user.get_mut(&build.order.user) {
            numbers.pop_front();
            if numbers.is_empty() {
                self.by_user.remove(&build.order.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(user: &str) -> Order {
        Order { user: user.into(), prompt: "a token".into(), chains: vec![1] }
    }

    fn store(capacity: usize, users: &[&str]) -> Builds {
        let mut builds = Builds::new(1, capacity);
        for user in users {
            builds.create(order(user), Duration::ZERO);
        }
        builds
    }

    fn ids(builds: &Builds, page: usize, page_size: usize) -> Vec<String> {
        builds.page("ann", Paging { page, page_size }).builds.iter().map(|build| build.id.clone()).collect()
    }

    #[test]
    fn pages_hold_the_users_own_builds_newest_first() {
        let builds = store(10, &["ann", "bob", "ann", "ann"]);
        assert_eq!(ids(&builds, 1, 2), ["build-3", "build-2"]);
        assert_eq!(ids(&builds, 2, 2), ["build-0"]);
        assert!(ids(&builds, 3, 2).is_empty());
        assert!(ids(&builds, usize::MAX, 100).is_empty());
        let first = Paging { page: 1, page_size: 2 };
        assert_eq!(builds.page("ann", first).total, 3);
        assert_eq!(builds.page("eve", first).total, 0);
    }

    #[test]
    fn a_build_is_found_by_its_owner_alone_and_under_one_name() {
        let builds = store(10, &["ann", "bob"]);
        assert_eq!(builds.find("ann", "build-0").unwrap().id, "build-0");
        for (user, id) in
            [("ann", "build-1"), ("ann", "build-00"), ("ann", "build-2"), ("ann", "0"), ("ann", "")]
        {
            assert!(builds.find(user, id).is_none(), "{id}");
        }
    }

    #[test]
    fn beyond_the_capacity_the_oldest_build_and_its_user_are_forgotten() {
        let mut builds = store(3, &["bob", "ann", "ann", "ann"]);
        assert!(builds.find("bob", "build-0").is_none());
        assert!(!builds.by_user.contains_key("bob"));
        builds.create(order("ann"), Duration::ZERO);
        assert_eq!(ids(&builds, 1, 10), ["build-4", "build-3", "build-2"]);
        assert_eq!(builds.kept.len(), 3);
    }

    #[test]
    fn counts_follow_the_courses_of_the_builds() {
        let mut builds = store(10, &["ann", "bob", "ann"]);
        builds.create(order("ann"), LONGEST);
        assert_eq!(builds.counts("ann", Duration::ZERO).queued, 3);
        let counts = builds.counts("ann", LONGEST + Duration::from_millis(1));
        assert_eq!(counts, Counts { total: 3, queued: 1, running: 0, done: 2 });
        assert_eq!(builds.counts("ann", LONGEST * 3).done, 3);
        assert_eq!(builds.counts("eve", LONGEST), Counts::default());
    }
}
