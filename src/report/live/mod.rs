//! The page of the report during the run, for whoever looks: served over HTTP by one thread of low priority,
//! fed by server-sent events. It never makes the load wait, and judges and writes nothing.

pub mod address;
pub mod exporter;
mod guard;
mod hall;
mod page;
mod painter;
mod patience;
pub mod server;
mod site;
mod so_far;
mod throttle;
pub mod token;

pub use so_far::Feed;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;

use crate::clock;
use crate::load::shutdown::Shutdown;
use crate::plan::Plan;
use crate::result::schema::RunResult;
use crate::result::summary::Context;

use hall::Hall;
use page::Page;
use server::{Bound, Server, Serving};
use so_far::{ROOM, Seen, SoFar};
use token::Token;

/// How long viewers have to fetch the last page.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why there is no live page.
#[derive(Debug, Error)]
pub enum LiveError {
    /// Somebody else is there.
    #[error("cannot serve the live page at `{0}`")]
    Bind(SocketAddr, #[source] io::Error),
    /// No thread, no runtime, no randomness.
    #[error("the system refused what the live page needs")]
    System(#[from] io::Error),
    /// The page cannot be made.
    #[error("cannot make the live page")]
    Page(#[from] minijinja::Error),
}

impl LiveError {
    /// The remedy.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Bind(_, error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                Some("an address of this machine is needed, such as 127.0.0.1:8089")
            }
            Self::Bind(..) => Some("is another run there? `--live 0` takes any free port"),
            Self::System(_) | Self::Page(_) => None,
        }
    }
}

/// A place to serve at, taken before any traffic. Whoever comes early waits.
#[derive(Debug)]
pub struct Door {
    bound: Bound,
    token: Token,
}

impl Door {
    /// Takes the place.
    pub fn bind(address: SocketAddr) -> Result<Self, LiveError> {
        let bound = Server::bind(address).map_err(|source| LiveError::Bind(address, source))?;
        let token = Token::random().map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self { bound, token })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.bound.address()
    }

    /// Where a person on this machine looks, and may stop the run: to be shown once, and to nobody else.
    pub fn invitation(&self) -> String {
        format!("http://{}/#token={}", address::from_here(self.address()), self.token.reveal())
    }

    /// Begins to serve a run that begins now.
    pub fn open(self, plan: &Arc<Plan>, context: Context, shutdown: &Shutdown) -> Result<Live, LiveError> {
        let lost = Arc::new(AtomicU64::new(0));
        let (sender, seen) = mpsc::channel(ROOM);
        let so_far = SoFar::begin(plan, context, lost.clone());
        // No other run was at this address in this millisecond.
        let run = format!("{:x}", clock::now_ms());
        let hall = Arc::new(Hall::new(run, self.token, shutdown.clone()));
        let serving =
            self.bound.serve(site::router(hall.clone()), painter::paint(so_far, seen, hall.clone()))?;
        Ok(Live { hall, sender, lost, serving })
    }
}

/// A page that is being served; gone when dropped.
#[derive(Debug)]
pub struct Live {
    hall: Arc<Hall>,
    sender: mpsc::Sender<Seen>,
    lost: Arc<AtomicU64>,
    serving: Serving,
}

impl Live {
    /// What hands it the windows of the run.
    pub fn feed(&self) -> Feed {
        Feed::new(self.sender.clone(), self.lost.clone())
    }

    /// Shows the report, gives viewers two seconds to fetch it, and closes. A signal closes at once.
    pub async fn end(self, result: &RunResult, shutdown: &Shutdown) -> Result<(), LiveError> {
        if self.hall.is_watched() {
            self.hall.show(Page::ended(u64::MAX, result)?);
        }
        let signal = async {
            match shutdown.now() {
                // Asked for before the end: only another one counts, and that ends the process.
                Some(_) => std::future::pending().await,
                None => shutdown.requested().await,
            }
        };
        tokio::select! {
            () = self.serving.stop(FAREWELL) => {}
            _ = signal => {}
        }
        Ok(())
    }
}
