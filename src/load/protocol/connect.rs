//! Opening a connection: name, TCP, TLS, each timed. Nothing is retried.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls_platform_verifier::ConfigVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::origin::{Origin, Security};
use crate::clock;
use crate::load::measure::outcome::{Failure, FailureKind};
use crate::load::measure::sample::{Phases, Traffic};

/// How long a resolved name is believed.
const NAME_LIFETIME: Duration = Duration::from_secs(30);

type Name = (String, u16);
type Resolved = (Instant, Vec<SocketAddr>);

/// Opens the connections of one worker.
pub struct Connector {
    tls: TlsConnector,
    names: RefCell<HashMap<Name, Resolved>>,
    exhausted: Cell<u64>,
}

impl Connector {
    /// A connector that trusts what the machine trusts.
    pub fn new() -> Result<Self, rustls::Error> {
        let mut config = rustls::ClientConfig::with_platform_verifier()?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            names: RefCell::default(),
            exhausted: Cell::new(0),
        })
    }

    /// Opens a connection, and notes in `phases` how long its parts took, also where it fails.
    pub async fn open(&self, origin: &Origin, phases: &mut Phases) -> Result<Stream, Failure> {
        let begun = clock::now();
        let addresses = self.resolve(origin).await;
        phases.dns = Some(begun.elapsed());
        let tcp = self.dial(origin, &addresses?, phases).await?;
        match origin.security {
            Security::Plain => Ok(Stream::new(Transport::Plain(tcp))),
            Security::Tls => self.encrypt(origin, tcp, phases).await,
        }
    }

    /// How often descriptors or ports had run out since the last call.
    pub fn take_exhausted(&self) -> u64 {
        self.exhausted.take()
    }

    async fn resolve(&self, origin: &Origin) -> Result<Vec<SocketAddr>, Failure> {
        let key = (origin.host.clone(), origin.port);
        if let Some((at, known)) = self.names.borrow().get(&key)
            && at.elapsed() < NAME_LIFETIME
        {
            return Ok(known.clone());
        }
        let fail = |reason: String| {
            Failure::new(FailureKind::Dns, format!("cannot resolve `{}`: {reason}", origin.host))
        };
        let found: Vec<SocketAddr> = tokio::net::lookup_host((origin.host.as_str(), origin.port))
            .await
            .map_err(|error| fail(error.to_string()))?
            .collect();
        if found.is_empty() {
            return Err(fail("no address".into()));
        }
        self.names.borrow_mut().insert(key, (clock::now(), found.clone()));
        Ok(found)
    }

    async fn dial(
        &self,
        origin: &Origin,
        addresses: &[SocketAddr],
        phases: &mut Phases,
    ) -> Result<TcpStream, Failure> {
        let begun = clock::now();
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    phases.connect = Some(begun.elapsed());
                    stream
                        .set_nodelay(true)
                        .map_err(|error| Failure::new(FailureKind::Connect, error.to_string()))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        if ran_out(&last) {
            self.exhausted.set(self.exhausted.get() + 1);
        }
        Err(Failure::new(FailureKind::Connect, format!("cannot connect to {}: {last}", origin.authority())))
    }

    async fn encrypt(&self, origin: &Origin, tcp: TcpStream, phases: &mut Phases) -> Result<Stream, Failure> {
        let fail = |reason: String| {
            Failure::new(FailureKind::Tls, format!("TLS with {}: {reason}", origin.authority()))
        };
        let begun = clock::now();
        let name = ServerName::try_from(origin.host.clone()).map_err(|error| fail(error.to_string()))?;
        let stream = self.tls.connect(name, tcp).await.map_err(|error| fail(error.to_string()))?;
        phases.tls = Some(begun.elapsed());
        Ok(Stream::new(Transport::Tls(Box::new(stream))))
    }
}

/// Whether this process (or this machine) has no descriptor or no local port left.
fn ran_out(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|code| exhausted.iter().any(|errno| errno.raw_os_error() == code))
}

/// A connection that counts its bytes. Clones of its [`Meter`] read the count.
pub struct Stream {
    transport: Transport,
    meter: Meter,
}

enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Bytes moved over one connection since the last look.
#[derive(Debug, Clone, Default)]
pub struct Meter(Rc<Cell<Traffic>>);

impl Meter {
    /// What was moved since the last call.
    pub fn take(&self) -> Traffic {
        self.0.take()
    }

    fn add(&self, bytes_in: usize, bytes_out: usize) {
        let so_far = self.0.get();
        self.0.set(Traffic {
            bytes_in: so_far.bytes_in + bytes_in as u64,
            bytes_out: so_far.bytes_out + bytes_out as u64,
        });
    }
}

impl Stream {
    fn new(transport: Transport) -> Self {
        Self { transport, meter: Meter::default() }
    }

    /// The meter of this connection.
    pub fn meter(&self) -> Meter {
        self.meter.clone()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Transport::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        self.meter.add(buffer.filled().len() - before, 0);
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Transport::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        if let Poll::Ready(Ok(count)) = &written {
            self.meter.add(0, *count);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(context),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
