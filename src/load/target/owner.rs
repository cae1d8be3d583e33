//! Whether what answers is what was started: a stale service, or the service of a second run, must not be measured
//! as this one. Asked once the command is ready; what is asked is who holds the socket that listens.

use std::net::SocketAddr;

use super::TargetError;
use crate::load::machine::listener::{self, Listener};
use crate::load::machine::{Unknown, is_forwarder, starter_below, tree};

/// Whose the service is that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// That of the command.
    Ours,
    /// Nobody knows: it listens in a container, or nothing can be seen here.
    Unverified(Unknown),
}

/// Who listens on an address, seen from the guard of a command.
pub(super) fn of(guard: i32, address: SocketAddr) -> Result<Ownership, TargetError> {
    let started = || starter_below(guard).map(|name| Unknown::Forwarder { name });
    let unverified = |unknown| Ok(Ownership::Unverified(started().unwrap_or(unknown)));
    let holders = match listener::of_address(address) {
        Listener::None => return unverified(Unknown::Container),
        Listener::Hidden => return unverified(Unknown::NoPermission),
        Listener::Held(holders) => holders,
    };
    let ours: Vec<i32> = tree::descendants(guard).into_iter().map(|it| it.pid).collect();
    match holders.into_iter().find(|holder| !ours.contains(holder)) {
        None => Ok(Ownership::Ours),
        Some(holder) if is_forwarder(holder) => {
            let name = tree::process(holder).map_or_else(String::new, |it| it.name);
            unverified(Unknown::Forwarder { name })
        }
        // It may have ended since: then it is not what answers.
        Some(holder) if tree::process(holder).is_none() => unverified(Unknown::NoPermission),
        Some(holder) => {
            Err(TargetError::Stranger { address, pid: holder, command: listener::command_of(holder) })
        }
    }
}
