//! The page of the report during the run, for whoever looks: served over HTTP by one thread of low priority,
//! fed by server-sent events. It never makes the load wait, and judges and writes nothing.

pub mod address;
mod connection;
pub mod exporter;
mod hall;
mod page;
mod request;
pub mod server;
mod so_far;
mod throttle;
mod token;

pub use so_far::Feed;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{sleep, sleep_until, timeout};

use crate::clock;
use crate::load::shutdown::Shutdown;
use crate::plan::Plan;
use crate::result::schema::RunResult;
use crate::result::summary::Context;

use address::LiveAddress;
use hall::{Hall, MOST_VIEWERS};
use page::Page;
use so_far::{ROOM, Seen, SoFar};
use throttle::Throttle;
use token::Token;

/// Connections at once, viewers among them.
const MOST_CONNECTIONS: usize = MOST_VIEWERS + 32;
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
            Self::Bind(..) => Some("is another run there? `--live 0` takes any free port"),
            Self::System(_) | Self::Page(_) => None,
        }
    }
}

/// A place to serve at, taken before any traffic. Whoever comes early waits.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
    token: Token,
}

impl Door {
    /// Takes the place.
    pub fn bind(LiveAddress(wanted): LiveAddress) -> Result<Self, LiveError> {
        let refused = |source| LiveError::Bind(wanted, source);
        let listener = TcpListener::bind(wanted).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let token = Token::random().map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self { listener, address, token })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a person looks, and may stop the run: to be shown once, and to nobody else.
    pub fn invitation(&self) -> String {
        format!("http://{}/#token={}", self.address, self.token.reveal())
    }

    /// Begins to serve a run that begins now.
    pub fn open(self, plan: &Arc<Plan>, context: Context, shutdown: &Shutdown) -> Result<Live, LiveError> {
        let lost = Arc::new(AtomicU64::new(0));
        let (sender, seen) = mpsc::channel(ROOM);
        let so_far = SoFar::begin(plan, context, lost.clone());
        let page = Page::running(0, &so_far.result(), &so_far.progress())?;
        let hall = Arc::new(Hall::new(self.address, page, self.token, shutdown.clone()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (leave, left) = oneshot::channel::<()>();
        let (listener, inside) = (self.listener, hall.clone());
        let thread = std::thread::Builder::new().name("live".into()).spawn(move || {
            server::yield_to_the_load();
            runtime.block_on(async {
                tokio::select! {
                    _ = left => {}
                    () = serve(listener, &inside) => {}
                    () = paint(so_far, seen, &inside) => {}
                }
            });
        })?;
        Ok(Live { hall, sender, lost, leave, thread })
    }
}

/// A page that is being served; gone when dropped.
#[derive(Debug)]
pub struct Live {
    hall: Arc<Hall>,
    sender: mpsc::Sender<Seen>,
    lost: Arc<AtomicU64>,
    leave: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Live {
    /// What hands it the windows of the run.
    pub fn feed(&self) -> Feed {
        Feed::new(self.sender.clone(), self.lost.clone())
    }

    /// Shows the report, gives viewers two seconds to fetch it, and closes. A signal closes at once.
    pub async fn end(self, result: &RunResult, shutdown: &Shutdown) -> Result<(), LiveError> {
        self.hall.show(Page::ended(u64::MAX, result)?);
        let signal = async {
            match shutdown.now() {
                // Asked for before the end: only another one counts, and that ends the process.
                Some(_) => std::future::pending().await,
                None => shutdown.requested().await,
            }
        };
        tokio::select! {
            _ = timeout(FAREWELL, self.hall.empty()) => {}
            _ = signal => {}
        }
        // A thread that is gone has left already, and one that panicked has told so.
        let _ = self.leave.send(());
        let _ = self.thread.join();
        Ok(())
    }
}

/// Lets everybody in, up to a number.
async fn serve(listener: TcpListener, hall: &Arc<Hall>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, as a rule: others need them more.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        if let Ok(place) = places.clone().try_acquire_owned() {
            let hall = hall.clone();
            tokio::spawn(async move {
                // Whoever is gone needs no answer.
                let _ = connection::answer(stream, hall).await;
                drop(place);
            });
        }
    }
}

/// Makes a new page when something is new, somebody looks, and it is time.
async fn paint(mut so_far: SoFar, mut seen: mpsc::Receiver<Seen>, hall: &Hall) {
    let (mut known, mut shown) = (0, 0);
    let mut throttle = Throttle::begin(clock::now());
    loop {
        let due = shown < known && hall.is_watched();
        tokio::select! {
            Some(window) = seen.recv() => {
                so_far.add(&window);
                known += 1;
                hall.could_show(known);
            }
            () = hall.called() => {}
            () = sleep_until(throttle.next().into()), if due => {
                let begun = clock::now();
                if let Ok(page) = Page::running(known, &so_far.result(), &so_far.progress()) {
                    hall.show(page);
                }
                shown = known;
                throttle.made(begun, begun.elapsed());
            }
        }
    }
}
