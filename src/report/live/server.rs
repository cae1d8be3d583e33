//! A small HTTP server on a thread of its own, for whoever looks on while a run lasts. It knows nothing of
//! what it serves. It yields to the load: one thread of low priority, few connections, and none of them may
//! dawdle, neither in asking nor in reading.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::patience::Patience;

/// So many connections at once; more wait in the kernel.
const CONNECTIONS: usize = 48;
/// How long a client may take to ask.
const ASKING: Duration = Duration::from_secs(5);
/// How long a client may go without reading.
const UNREAD: Duration = Duration::from_secs(10);
/// Bytes the kernel keeps for a client that does not read.
const UNREAD_BYTES: usize = 128 * 1024;
/// Bytes of a request, and of an answer before the next part of it is asked for: the least there is.
const BUFFER: usize = 8 * 1024;
/// Before the next attempt when a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(50);
/// The thread's nice value, where there is such a thing for a thread.
const NICE: i32 = 10;
/// What the thread may need beyond the time it was given to stop.
const GRACE: Duration = Duration::from_millis(500);

/// Where a server begins.
#[derive(Debug)]
pub struct Server;

/// An address that is taken, and not served yet. Whoever comes early waits.
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
    ended: oneshot::Receiver<()>,
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

    /// Answers by `router` from now on, on a thread of its own that does `work` beside.
    pub fn serve(
        self,
        router: Router,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<Serving> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopping) = watch::channel(None);
        let (end, ended) = oneshot::channel();
        let address = self.address;
        thread::Builder::new().name("loadgate-live".into()).spawn(move || {
            yield_to_the_load();
            runtime.spawn(work);
            run(&runtime, self.listener, &router, stopping);
            runtime.shutdown_background();
            // Nobody may be waiting any more.
            let _ = end.send(());
        })?;
        Ok(Serving { address, stop, ended })
    }
}

impl Serving {
    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts nothing more, lets answers end for so long, and returns soon after that at the latest.
    pub async fn stop(self, limit: Duration) {
        self.stop.send_replace(Some(limit));
        // A thread that is gone has nothing left to stop, and one that hangs is not waited for.
        let _ = timeout(limit + GRACE, self.ended).await;
    }
}

/// On Linux the priority of the calling thread alone; best effort.
fn yield_to_the_load() {
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
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(answer(stream, router.clone(), stopping.clone()));
                }
                // Out of files, or a client that is gone already.
                Err(_) => sleep(PAUSE).await,
            },
        }
    }
}

/// One connection, and one request: until it is answered. Who has not asked when all stops is not waited for.
async fn answer(stream: TcpStream, router: Router, mut stopping: watch::Receiver<Option<Duration>>) {
    // Without either it only costs more, and is later.
    let _ = SockRef::from(&stream).set_send_buffer_size(UNREAD_BYTES);
    let _ = stream.set_nodelay(true);
    let stream = TokioIo::new(Patience::new(stream, UNREAD));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ASKING)
        .max_buf_size(BUFFER)
        .keep_alive(false)
        .serve_connection(stream, TowerToHyperService::new(router));
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(Option::is_some) => {}
    }
    connection.as_mut().graceful_shutdown();
    // Whoever is gone needs no answer.
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use axum::routing::get;

    use super::*;

    fn hello() -> Serving {
        let bound = Server::bind("127.0.0.1:0").unwrap();
        bound.serve(Router::new().route("/", get(|| ready("hello"))), ready(())).unwrap()
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[tokio::test]
    async fn a_router_is_served_on_a_free_port_until_it_is_stopped() {
        let serving = hello();
        let address = serving.address();
        let answer = ask(address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
        serving.stop(Duration::from_secs(5)).await;
        assert!(TcpStream::connect(address).is_err());
    }

    #[tokio::test]
    async fn a_client_that_never_asks_does_not_keep_it_from_stopping() {
        let serving = hello();
        let address = serving.address();
        let _silent = TcpStream::connect(address).unwrap();
        serving.stop(Duration::ZERO).await;
        assert!(TcpStream::connect(address).is_err());
    }

    #[tokio::test]
    async fn who_waits_for_an_answer_when_it_stops_gets_it() {
        let (asked, mut was_asked) = watch::channel(());
        let slow = move || {
            asked.send_replace(());
            async {
                sleep(Duration::from_millis(20)).await;
                "late"
            }
        };
        let bound = Server::bind("127.0.0.1:0").unwrap();
        let serving = bound.serve(Router::new().route("/", get(slow)), ready(())).unwrap();
        let address = serving.address();
        let answer = thread::spawn(move || ask(address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
        was_asked.changed().await.unwrap();
        serving.stop(Duration::from_secs(5)).await;
        assert!(answer.join().unwrap().ends_with("late"));
    }

    #[test]
    fn what_takes_too_long_to_ask_or_asks_for_too_much_is_cut() {
        let serving = hello();
        assert_eq!(ask(serving.address(), "GET / HTTP/1.1\r\nhost: a"), "");
        let much = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(2 * BUFFER));
        let answer = ask(serving.address(), &much[..BUFFER]);
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        assert!(ask(serving.address(), "\x16\x03\x01 nothing\r\n\r\n").starts_with("HTTP/1.1 400"));
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let first = Server::bind("127.0.0.1:0").unwrap();
        let again = Server::bind(first.address());
        assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
