//! A small HTTP server on a thread of its own, for whoever looks on while a run lasts. It knows nothing of
//! what it serves. It yields to the load: one thread of low priority, few connections, none of them for long.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// So many connections at once; more wait in the kernel.
const CONNECTIONS: usize = 32;
/// How long a client may take to ask, the first time and again.
const ASKING: Duration = Duration::from_secs(5);
/// After so long a connection is asked to end, and after as long again it is cut.
const LONGEST: Duration = Duration::from_secs(30);
/// Before the next attempt when a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(50);
/// The thread's nice value, where there is such a thing for a thread.
const NICE: i32 = 10;
/// What the thread may need beyond the time it was given to stop.
const GRACE: Duration = Duration::from_millis(500);

/// Where a server begins.
#[derive(Debug)]
pub struct Server;

/// An address that is taken, and not served yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// A server that answers, until it is stopped or dropped.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    stop: watch::Sender<Option<Duration>>,
    ended: mpsc::Receiver<()>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Takes an address; port 0 is any free one.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Bound> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Bound { listener, address })
    }
}

impl Bound {
    /// The address that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers by `router` from now on, on a thread of its own.
    pub fn serve(self, router: Router) -> io::Result<Serving> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopping) = watch::channel(None);
        let (end, ended) = mpsc::channel();
        let address = self.address;
        let thread = thread::Builder::new().name("loadgate-live".into()).spawn(move || {
            yield_to_the_load();
            run(&runtime, self.listener, &router, stopping);
            runtime.shutdown_background();
            // Nobody may be waiting any more.
            let _ = end.send(());
        })?;
        Ok(Serving { address, stop, ended, thread })
    }
}

impl Serving {
    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts nothing more, lets answers end for so long, and returns soon after that at the latest.
    pub fn stop(self, limit: Duration) {
        self.stop.send_replace(Some(limit));
        if self.ended.recv_timeout(limit + GRACE).is_ok() {
            // A thread that panicked has nothing left to stop.
            let _ = self.thread.join();
        }
    }
}

/// On Linux the priority of the calling thread alone; best effort.
pub(super) fn yield_to_the_load() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICE);
}

fn run(
    runtime: &Runtime,
    listener: TcpListener,
    router: &Router,
    mut stopping: watch::Receiver<Option<Duration>>,
) {
    runtime.block_on(async {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
        let mut connections = JoinSet::new();
        let stopped = stopping.clone();
        tokio::select! {
            _ = stopping.wait_for(Option::is_some) => {}
            () = accept(&listener, router, &stopped, &mut connections) => {}
        }
        drop(listener);
        let limit = (*stopped.borrow()).unwrap_or_default();
        let _ = timeout(limit, async { while connections.join_next().await.is_some() {} }).await;
    });
}

async fn accept(
    listener: &tokio::net::TcpListener,
    router: &Router,
    stopping: &watch::Receiver<Option<Duration>>,
    connections: &mut JoinSet<()>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let answered = answer(stream, router.clone(), stopping.clone());
                connections.spawn(async move {
                    answered.await;
                    drop(place);
                });
            }
            // Out of files, or a client that is gone already.
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// One connection: until it ends, is stopped, or has lasted too long.
async fn answer(stream: TcpStream, router: Router, mut stopping: watch::Receiver<Option<Duration>>) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(ASKING);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(Option::is_some) => {}
        () = sleep(LONGEST) => {}
    }
    connection.as_mut().graceful_shutdown();
    // A client that does not take its answer is left.
    let _ = timeout(LONGEST, connection).await;
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use axum::routing::get;

    use super::*;

    fn hello() -> Serving {
        let bound = Server::bind("127.0.0.1:0").unwrap();
        bound.serve(Router::new().route("/", get(|| async { "hello" }))).unwrap()
    }

    #[test]
    fn a_router_is_served_on_a_free_port_until_it_is_stopped() {
        let serving = hello();
        let address = serving.address();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
        serving.stop(Duration::from_secs(5));
        assert!(TcpStream::connect(address).is_err());
    }

    #[test]
    fn a_client_that_never_asks_does_not_keep_it_from_stopping() {
        let serving = hello();
        let address = serving.address();
        let _silent = TcpStream::connect(address).unwrap();
        serving.stop(Duration::ZERO);
        assert!(TcpStream::connect(address).is_err());
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let first = Server::bind("127.0.0.1:0").unwrap();
        let again = Server::bind(first.address());
        assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
