//! A GitHub for tests: one repository on loopback that keeps what it is told, answers like the real API, holds
//! every request and its own answers against GitHub's description, and fails where a test asks it to.

mod about;
pub mod artifact;
pub mod comment;
pub mod commit;
pub mod fault;
pub mod git;
pub mod identity;
mod issue;
mod pull;
mod reference;
pub mod repository;
mod route;
mod server;
mod tests;
mod tree;
mod view;
pub mod wire;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::fault::Fault;
use self::identity::Identity;
use self::repository::Repository;
use self::server::Server;
use self::wire::Asked;

/// Where the API of GitHub itself begins: at the root.
const PUBLIC: &str = "";
/// Where it begins on a server of one's own.
const ENTERPRISE: &str = "/api/v3";

/// A running GitHub; it stops when dropped, and the test fails if it was asked what GitHub does not know.
pub struct GitHub {
    shared: Arc<Mutex<World>>,
    server: Server,
    prefix: &'static str,
}

/// Everything that a request may see and change.
pub struct World {
    pub repository: Repository,
    faults: Vec<Fault>,
    asked: Vec<Asked>,
    /// How many requests have arrived, answered or not.
    arrived: usize,
    /// What the place of the artifacts was asked.
    downloads: Vec<Asked>,
    /// Where it and we did not keep to GitHub's description.
    complaints: Vec<String>,
    prefix: &'static str,
    storage: SocketAddr,
}

impl GitHub {
    /// GitHub as the public knows it, with the repository `shop/api`.
    pub fn start() -> Self {
        Self::below(PUBLIC)
    }

    /// A GitHub Enterprise Server.
    pub fn enterprise() -> Self {
        Self::below(ENTERPRISE)
    }

    fn below(prefix: &'static str) -> Self {
        let (shared, server) = Server::start(|api, storage| World {
            repository: Repository::new(&format!("http://{api}{prefix}")),
            faults: Vec::new(),
            asked: Vec::new(),
            arrived: 0,
            downloads: Vec::new(),
            complaints: Vec::new(),
            prefix,
            storage,
        });
        Self { shared, server, prefix }
    }

    /// What belongs into `GITHUB_API_URL`.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.server.api, self.prefix)
    }

    /// Looks at the repository, or changes it as somebody else would.
    pub fn with<T>(&self, look: impl FnOnce(&mut Repository) -> T) -> T {
        look(&mut self.world().repository)
    }

    /// Makes a token known.
    pub fn admit(&self, token: &str, identity: Identity) {
        self.with(|repository| repository.tokens.insert(token.to_owned(), identity));
    }

    /// Makes something go wrong.
    pub fn inject(&self, fault: Fault) {
        self.world().faults.push(fault);
    }

    /// Every request so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.world().asked.clone()
    }

    /// How many requests have arrived, also those that wait for an answer.
    pub fn arrived(&self) -> usize {
        self.world().arrived
    }

    /// How often a method was asked of a path that ends so.
    pub fn count(&self, method: &str, path: &str) -> usize {
        let asked = self.asked();
        asked.iter().filter(|asked| asked.method == method && asked.path.ends_with(path)).count()
    }

    /// What the place of the artifacts, which is another server, was asked.
    pub fn downloads(&self) -> Vec<Asked> {
        self.world().downloads.clone()
    }

    /// What did not keep to GitHub's description; whoever takes it answers for it.
    pub fn take_complaints(&self) -> Vec<String> {
        std::mem::take(&mut self.world().complaints)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        let complaints = self.take_complaints();
        // A second panic would hide the first.
        assert!(
            std::thread::panicking() || complaints.is_empty(),
            "not what GitHub describes: {complaints:#?}"
        );
    }
}
