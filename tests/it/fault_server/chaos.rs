//! A server that does by chance, from a seed, what servers do to connections, and keeps its own log of what it read and
//! what it answered: the witness for the counts of a result.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{http1, http2, leave, reset, websocket};

/// How long a connection may say nothing.
const SILENCE: Duration = Duration::from_secs(20);
/// From the end of one life of a server to the beginning of the next.
const DOWN: Duration = Duration::from_millis(20);
/// How long a server lives that is restarted.
const LIFE: Duration = Duration::from_millis(120);

/// What the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    Http1,
    Http2,
    WebSocket,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temper {
    /// Ends connections, but reads every request that reaches it: the log says exactly what was sent.
    Cutting,
    /// Closes and resets idle connections as well, and is restarted: a request may be lost on its way.
    Wild,
}

/// What the server has seen.
#[derive(Debug, Default)]
pub struct Log {
    /// Requests read whole, or handshakes.
    pub read: AtomicU64,
    /// Of them, answered whole.
    pub answered: AtomicU64,
    /// Of them, cut off before the end of an answer.
    pub cut: AtomicU64,
    /// Of them, refused.
    pub refused: AtomicU64,
    /// Connections that the server ended, each of which may have lost the request that was on its way.
    pub ended: AtomicU64,
    pub restarts: AtomicU64,
    /// Messages written and read on WebSockets.
    pub sent: AtomicU64,
    pub heard: AtomicU64,
    /// Messages written on connections that were reset later.
    pub sent_in_vain: AtomicU64,
}

/// What all connections share.
pub struct Chaos {
    speaks: Speaks,
    temper: Temper,
    seed: u64,
    draws: AtomicU64,
    stop: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
    pub log: Log,
}

/// A running server; it stops when dropped.
pub struct ChaosServer {
    pub address: SocketAddr,
    pub chaos: Arc<Chaos>,
    life: Option<JoinHandle<()>>,
}

impl ChaosServer {
    pub fn start(speaks: Speaks, temper: Temper, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let chaos = Arc::new(Chaos {
            speaks,
            temper,
            seed,
            draws: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            open: Mutex::default(),
            log: Log::default(),
        });
        let lives = Arc::clone(&chaos);
        let life = thread::spawn(move || live(listener, address, &lives));
        Self { address, chaos, life: Some(life) }
    }

    /// Waits until every connection is at its end: the log is complete then.
    pub fn is_quiet(&self) -> bool {
        Arc::strong_count(&self.chaos) <= 2
    }
}

impl Drop for ChaosServer {
    fn drop(&mut self) {
        self.chaos.stop.store(true, SeqCst);
        drop(self.life.take().map(JoinHandle::join));
    }
}

/// Accepts; one that is wild dies now and then, with all its connections, and comes back on its port.
fn live(mut listener: TcpListener, address: SocketAddr, chaos: &Arc<Chaos>) {
    let mut until = Instant::now() + LIFE;
    listener.set_nonblocking(true).expect("a listener that does not wait");
    while !chaos.stop.load(SeqCst) {
        if chaos.temper == Temper::Wild && Instant::now() >= until {
            drop(listener);
            chaos.log.restarts.fetch_add(1, SeqCst);
            chaos.open().drain(..).for_each(reset);
            thread::sleep(DOWN);
            listener = TcpListener::bind(address).expect("its port");
            listener.set_nonblocking(true).expect("a listener that does not wait");
            until = Instant::now() + LIFE;
        }
        match listener.accept() {
            Ok((stream, _)) => chaos.welcome(stream),
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

impl Chaos {
    fn open(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn welcome(self: &Arc<Self>, stream: TcpStream) {
        stream.set_nonblocking(false).expect("a connection that waits");
        stream.set_nodelay(true).expect("a connection without delay");
        stream.set_read_timeout(Some(SILENCE)).expect("a timeout");
        self.open().push(stream.try_clone().expect("another handle"));
        let chaos = Arc::clone(self);
        thread::spawn(move || {
            // What breaks off here is what the test is about.
            let _ = match chaos.speaks {
                Speaks::Http1 => chaos.http1(&stream),
                Speaks::Http2 => chaos.http2(&stream),
                Speaks::WebSocket => chaos.websocket(&stream),
            };
            let ended = stream.peer_addr().ok();
            chaos.open().retain(|open| open.peer_addr().ok() != ended);
        });
    }

    /// A number below a hundred, the next one of the seed (`SplitMix64`).
    fn draw(&self) -> u64 {
        let nth = self.draws.fetch_add(1, SeqCst) + 1;
        let mut mixed = self.seed.wrapping_add(nth).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 100
    }

    /// Like [`draw`](Self::draw), without what only a wild one does.
    fn tempered(&self, wild_from: u64) -> u64 {
        let drawn = self.draw();
        if self.temper == Temper::Cutting && drawn >= wild_from { 0 } else { drawn }
    }

    fn http1(&self, stream: &TcpStream) -> io::Result<()> {
        let (mut reader, mut out, log) = (BufReader::new(stream), stream, &self.log);
        while http1::read_request(&mut reader)?.is_some() {
            log.read.fetch_add(1, SeqCst);
            let fate = self.tempered(85);
            match fate {
                70..80 => {
                    log.cut.fetch_add(1, SeqCst);
                    if fate >= 75 {
                        out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")?;
                    }
                    return self.end(|| leave(stream));
                }
                80..85 => {
                    log.cut.fetch_add(1, SeqCst);
                    return self.end(|| stream.try_clone().map(reset));
                }
                _ => {
                    http1::answer(stream, "200 OK", b"ok")?;
                    log.answered.fetch_add(1, SeqCst);
                }
            }
            match fate {
                // What was said last is not lost in a close; in a reset it may be.
                85..95 => return self.end(|| leave(stream)),
                95.. => return self.end(|| stream.try_clone().map(reset)),
                _ => {}
            }
        }
        Ok(())
    }

    fn http2(&self, stream: &TcpStream) -> io::Result<()> {
        let log = &self.log;
        http2::greet(stream)?;
        while let Some(id) = http2::next_request(stream)? {
            log.read.fetch_add(1, SeqCst);
            match self.tempered(85) {
                50..60 => {
                    log.refused.fetch_add(1, SeqCst);
                    http2::refuse(stream, id)?;
                }
                60..68 => {
                    log.refused.fetch_add(1, SeqCst);
                    return self.end(|| http2::away(stream, id.saturating_sub(2), 0));
                }
                68..72 => {
                    log.cut.fetch_add(1, SeqCst);
                    return self.end(|| leave(stream));
                }
                72..76 => {
                    log.cut.fetch_add(1, SeqCst);
                    http2::begin(stream, id)?;
                    return self.end(|| leave(stream));
                }
                76..85 => {
                    http2::announce(stream, id)?;
                    http2::answer(stream, id)?;
                    log.answered.fetch_add(1, SeqCst);
                    return self.end(|| leave(stream));
                }
                85..90 => {
                    http2::answer(stream, id)?;
                    log.answered.fetch_add(1, SeqCst);
                    return self.end(|| http2::away(stream, id, 0));
                }
                90..95 => {
                    http2::answer(stream, id)?;
                    log.answered.fetch_add(1, SeqCst);
                    return self.end(|| leave(stream));
                }
                95.. => {
                    http2::answer(stream, id)?;
                    log.answered.fetch_add(1, SeqCst);
                    return self.end(|| stream.try_clone().map(reset));
                }
                _ => {
                    http2::answer(stream, id)?;
                    log.answered.fetch_add(1, SeqCst);
                }
            }
        }
        Ok(())
    }

    /// Answers every text with some, and ends some sockets.
    fn websocket(&self, stream: &TcpStream) -> io::Result<()> {
        let (mut reader, log) = (BufReader::new(stream), &self.log);
        let Some(request) = http1::read_request(&mut reader)? else { return Ok(()) };
        log.read.fetch_add(1, SeqCst);
        websocket::agree(stream, &request.key.unwrap_or_default())?;
        log.answered.fetch_add(1, SeqCst);
        let mut sent_here = 0;
        let ended = self.converse(stream, &mut reader, &mut sent_here);
        if ended.is_err() {
            log.sent_in_vain.fetch_add(sent_here, SeqCst);
        }
        ended
    }

    fn converse(
        &self,
        stream: &TcpStream,
        reader: &mut BufReader<&TcpStream>,
        sent: &mut u64,
    ) -> io::Result<()> {
        let log = &self.log;
        while websocket::heard_text(stream, reader)? {
            log.heard.fetch_add(1, SeqCst);
            for _ in 0..=self.draw() % 4 {
                websocket::say(stream, b"so it is")?;
                *sent += 1;
                log.sent.fetch_add(1, SeqCst);
            }
            match self.tempered(85) {
                75..85 => {
                    websocket::bye(stream, 1011)?;
                    return self.end(|| {
                        // What is on its way is heard all the same.
                        while websocket::heard_text(stream, reader).unwrap_or(false) {
                            log.heard.fetch_add(1, SeqCst);
                        }
                        leave(stream)
                    });
                }
                85..92 => return self.end(|| leave(stream)),
                92.. => {
                    self.log.ended.fetch_add(1, SeqCst);
                    reset(stream.try_clone()?);
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn end(&self, how: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.log.ended.fetch_add(1, SeqCst);
        how()
    }
}
