//! Opening a connection: name, TCP, TLS, each timed. Nothing is retried.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError};
use tokio::net::{TcpStream, UnixStream};

use super::origin::{Origin, Place, Security};
use super::stream::{Stream, Transport};
use crate::clock;
use crate::load::measure::outcome::{Failure, FailureKind};
use crate::load::measure::sample::Phases;
use crate::load::tls::{Purpose, Trust};

/// How long a resolved name is believed.
const NAME_LIFETIME: Duration = Duration::from_secs(30);

/// The most resolved names that are remembered: redirects may name any number.
const MOST_NAMES: usize = 1_000;
/// Bytes of the buffer that all connections of a worker are read through.
const SCRATCH: usize = 64 * 1024;

type Name = (String, u16);
type Resolved = (Instant, Vec<SocketAddr>);

/// The buffer that all connections of a worker are read through, one read at a time: what is idle holds no
/// memory.
pub type Scratch = Rc<RefCell<Box<[u8]>>>;

/// Opens the connections of one worker.
pub struct Connector {
    trust: Arc<Trust>,
    names: RefCell<HashMap<Name, Resolved>>,
    exhausted: Cell<u64>,
    scratch: Scratch,
}

impl Connector {
    /// A connector that believes whom `trust` believes.
    pub fn new(trust: Arc<Trust>) -> Self {
        Self {
            trust,
            names: RefCell::default(),
            exhausted: Cell::new(0),
            scratch: Rc::new(RefCell::new(vec![0; SCRATCH].into())),
        }
    }

    /// The buffer that connections are read through.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Opens a connection, and notes in `phases` how long its parts took, also where it fails.
    pub async fn open(
        &self,
        origin: &Origin,
        purpose: Purpose,
        phases: &mut Phases,
    ) -> Result<Stream, Failure> {
        let (host, port) = match &origin.place {
            Place::Socket(path) => return self.dial_socket(path, phases).await,
            Place::Network { host, port } => (host.as_str(), *port),
        };
        let begun = clock::now();
        let addresses = self.resolve(host, port).await;
        phases.dns = Some(begun.elapsed());
        let tcp = self.dial(origin, &addresses?, phases).await?;
        match origin.security {
            Security::Plain => Ok(Stream::new(Transport::Tcp(tcp))),
            Security::Tls => self.encrypt((origin, host), (tcp, purpose), phases).await,
        }
    }

    /// How often descriptors or ports had run out since the last call.
    pub fn take_exhausted(&self) -> u64 {
        self.exhausted.take()
    }

    async fn dial_socket(&self, path: &Path, phases: &mut Phases) -> Result<Stream, Failure> {
        let begun = clock::now();
        match UnixStream::connect(path).await {
            Ok(stream) => {
                phases.connect = Some(begun.elapsed());
                Ok(Stream::new(Transport::Unix(stream)))
            }
            Err(error) => Err(self.unreached(&path.display().to_string(), &error)),
        }
    }

    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
        let key = (host.to_owned(), port);
        if let Some((at, known)) = self.names.borrow().get(&key)
            && at.elapsed() < NAME_LIFETIME
        {
            return Ok(known.clone());
        }
        let fail =
            |reason: String| Failure::new(FailureKind::Dns, format!("cannot resolve `{host}`: {reason}"));
        let found: Vec<SocketAddr> =
            tokio::net::lookup_host((host, port)).await.map_err(|error| fail(error.to_string()))?.collect();
        if found.is_empty() {
            return Err(fail("no address".into()));
        }
        let mut names = self.names.borrow_mut();
        if names.len() >= MOST_NAMES {
            names.clear();
        }
        names.insert(key, (clock::now(), found.clone()));
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
        Err(self.unreached(origin.authority(), &last))
    }

    fn unreached(&self, place: &str, error: &io::Error) -> Failure {
        if ran_out(error) {
            self.exhausted.set(self.exhausted.get() + 1);
        }
        Failure::new(FailureKind::Connect, format!("cannot connect to {place}: {error}"))
    }

    async fn encrypt(
        &self,
        (origin, host): (&Origin, &str),
        (tcp, purpose): (TcpStream, Purpose),
        phases: &mut Phases,
    ) -> Result<Stream, Failure> {
        let fail = |reason: String| {
            Failure::new(FailureKind::Tls, format!("TLS with {}: {reason}", origin.authority()))
        };
        let clients = self.trust.clients().map_err(|error| fail(error.to_string()))?;
        let begun = clock::now();
        let name = ServerName::try_from(host.to_owned()).map_err(|error| fail(error.to_string()))?;
        let connected = clients.client(purpose).connect(name, tcp).await;
        let stream = connected.map_err(|error| fail(refused(&error)))?;
        phases.tls = Some(begun.elapsed());
        Ok(Stream::new(Transport::Tls(Box::new(stream))))
    }
}

/// Why a handshake failed, and what to do where that is known.
fn refused(error: &io::Error) -> String {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => format!(
            "the server speaks no version of HTTP that was offered; `http: {{version: auto}}` offers HTTP/2 and \
             HTTP/1.1 ({error})"
        ),
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => format!(
            "nobody here vouches for its certificate; `tls: {{ca: FILE}}` names an authority, \
             `tls: {{insecure: true}}` believes any ({error})"
        ),
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(other)))
            if other.to_string().contains("CaUsedAsEndEntity") =>
        {
            "it shows the certificate of an authority as its own; one made for a server has CA:FALSE, and \
             `tls: {insecure: true}` believes any"
                .into()
        }
        _ => error.to_string(),
    }
}

/// Whether this process (or this machine) has no descriptor or no local port left.
fn ran_out(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|code| exhausted.iter().any(|errno| errno.raw_os_error() == code))
}
