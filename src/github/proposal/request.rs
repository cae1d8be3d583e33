//! One attempt at the pull request: what waits on its branch is carried over, what is new is added, and the
//! branch only ever moves on from what was read, so that no job loses what another one added.

use super::branch::{self, Move};
use super::change::Change;
use super::contents::{Contents, Head};
use super::error::ProposalError;
use super::pending::Pending;
use super::pull::{Kept, Pull};
use super::{BRANCH, Look, Outcome, Proposal, Told, words};
use crate::github::client::Client;

/// Why a pull request is closed.
const MOOT: &str = "Every run that this pull request proposed is remembered by now, or is not to be: there is \
                    nothing left to merge. loadgate closed it; the next update opens another.";

/// What there is of a pull request.
struct Sight {
    open: Option<Pull>,
    /// The branch, whatever is on it.
    branch: Option<Head>,
    /// What is on it counts, and was made from this commit.
    origin: Option<Head>,
    pending: Pending,
}

/// Opens the pull request, adds to the one there is, or closes it.
pub(super) fn propose(
    client: &Client,
    (proposal, contents): (&Proposal, &Contents),
    base: &str,
) -> Result<Told, ProposalError> {
    let look = proposal.look(contents, base)?;
    let sight = Sight::read(client, &look, base)?;
    let change = proposal.change(&look, &sight.pending)?;
    let outcome = if change.added.is_empty() {
        sight.close(client, &look)?
    } else {
        if sight.origin.is_none() || !change.is_on(&sight.pending) {
            sight.push(client, &look, &change)?;
        }
        let said = proposal.words(&change, base, &look.base);
        let kept = match &sight.open {
            Some(pull) => pull.update(client, &said)?,
            None => Pull::create(client, base, &said)?,
        };
        match kept {
            Kept::Opened(url) => Outcome::Opened(url),
            Kept::Updated(url) => Outcome::Updated(url),
            Kept::Unchanged(url) => Outcome::Unchanged(url),
        }
    };
    Ok(Told { outcome, runs: words::count(&change.altered), strange: sight.pending.strange })
}

impl Sight {
    fn read(client: &Client, look: &Look, base: &str) -> Result<Self, ProposalError> {
        let open = Pull::open(client, base)?;
        let branch = look.contents.head(BRANCH)?;
        let counts = match (&branch, &open) {
            // Only a closed pull request says that runs were rejected. Without any, another job may be about to
            // open it, or was not allowed to.
            (Some(branch), None) => !Pull::was_closed_at(client, &branch.sha)?,
            (branch, _) => branch.is_some(),
        };
        let counting = branch.as_ref().filter(|_| counts);
        let origin = counting.map(|branch| branch::origin(look.contents, branch, &look.base)).transpose()?;
        let pending = match (counting, &origin) {
            (Some(branch), Some(origin)) => Pending::read(look.contents, (branch, origin), &look.base)?,
            _ => Pending::default(),
        };
        Ok(Self { open, branch, origin, pending })
    }

    /// Brings the change to the branch.
    fn push(&self, client: &Client, look: &Look, change: &Change) -> Result<(), ProposalError> {
        let base = &look.base;
        let (parents, how) = match (&self.branch, &self.origin) {
            (Some(branch), Some(origin)) if origin.sha == base.sha => (vec![&branch.sha], Move::Forward),
            (Some(branch), Some(_)) => (vec![&branch.sha, &base.sha], Move::Forward),
            (Some(_), None) => (vec![&base.sha], Move::Replace),
            (None, _) => (vec![&base.sha], Move::Create),
        };
        let title = words::title(&change.altered);
        let commit = branch::commit(client, (base, &parents), change, &title)?;
        if how == Move::Replace {
            self.still_there(look)?;
        }
        branch::advance(client, BRANCH, (&commit, how))
    }

    /// Closes the pull request that holds nothing any more.
    fn close(&self, client: &Client, look: &Look) -> Result<Outcome, ProposalError> {
        let Some(pull) = &self.open else { return Ok(Outcome::Nothing) };
        self.still_there(look)?;
        pull.close(client, MOOT)?;
        // Whatever came meanwhile stays, and waits for the next pull request.
        if self.still_there(look).is_ok() {
            branch::delete(client, BRANCH)?;
        }
        Ok(Outcome::Closed(pull.url().to_owned()))
    }

    /// What is about to be given up must not have got something new.
    fn still_there(&self, look: &Look) -> Result<(), ProposalError> {
        if look.contents.head(BRANCH)? == self.branch { Ok(()) } else { Err(branch::lost(BRANCH)) }
    }
}
