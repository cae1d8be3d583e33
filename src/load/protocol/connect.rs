//! Opening a connection: name, TCP, TLS, each timed.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError};
use tokio::net::{TcpStream, UnixStream};

use super::dial;
use super::link_local;
use super::name::{Names, Use};
use super::origin::{NamedBy, Origin, Place, Security};
use super::proxy;
use super::stream::{Stream, Transport};
use crate::clock;
use crate::load::measure::outcome::{Failure, FailureKind};
use crate::load::measure::sample::Phases;
use crate::load::timer::Timer;
use crate::load::tls::{Purpose, Trust};
use crate::plan::proxy::{Proxies, ProxyServer, Unusable};

/// Bytes of the buffer that all connections of a worker are read through.
const SCRATCH: usize = 64 * 1024;

/// How long a name is looked up that a proxy will resolve as well, with the time until it has its turn.
const LOOKUP_BESIDE_PROXY: Duration = Duration::from_secs(1);
/// The port that such a name is looked up with: its addresses are the same for all ports, and a server may name many.
const ANY_PORT: u16 = 0;
/// The most names that are remembered as unknown here: redirects may name any number.
const MOST_UNRESOLVED: usize = 1_000;

/// Bytes that a server may send ahead over HTTP/2, at least and at most.
const LEAST_WINDOW: u32 = 64 * 1024;
const MOST_WINDOW: u32 = 2 << 20;

/// The buffer that all connections of a worker are read through, one read at a time: what is idle holds no
/// memory.
pub type Scratch = Rc<RefCell<Box<[u8]>>>;

/// Opens the connections of one worker.
pub struct Connector {
    trust: Arc<Trust>,
    names: Names,
    timer: Timer,
    exhausted: Cell<u64>,
    scratch: Scratch,
    window: u32,
    proxies: Arc<Proxies>,
    /// Names behind a proxy that nobody here resolved in time, which most often only the proxy can.
    unresolved: RefCell<HashMap<String, Asked>>,
    /// Reached without a proxy.
    direct: Option<Rc<Origin>>,
}

/// Whether a name that was not resolved was looked up at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Its lookup found nothing, or goes on.
    Yes,
    /// Too many others were being looked up.
    NotYet,
}

impl Connector {
    /// A connector that believes whom `trust` believes, sleeps on this timer, and goes through these proxies.
    pub fn new(trust: Arc<Trust>, timer: Timer, proxies: Arc<Proxies>) -> Self {
        Self { proxies, ..Self::with_names(trust, timer, Names::of_system()) }
    }

    fn with_names(trust: Arc<Trust>, timer: Timer, names: Names) -> Self {
        Self {
            trust,
            names,
            timer,
            exhausted: Cell::new(0),
            scratch: Rc::new(RefCell::new(vec![0; SCRATCH].into())),
            window: MOST_WINDOW,
            proxies: Arc::default(),
            unresolved: RefCell::default(),
            direct: None,
        }
    }

    /// The same for so many users, all of whose connections over HTTP/2 may hold so many bytes together. What a server
    /// may send ahead on one is the least that a network needs, and the most that hyper grants.
    #[must_use]
    pub fn sharing(self, bytes: u64, users: usize) -> Self {
        let each = bytes / users.max(1) as u64;
        Self { window: each.clamp(u64::from(LEAST_WINDOW), u64::from(MOST_WINDOW)) as u32, ..self }
    }

    /// Bytes that a server may send ahead over HTTP/2.
    pub fn window(&self) -> u32 {
        self.window
    }

    /// The buffer that connections are read through.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Opens a connection for user number `user`, and notes in `phases` how long its parts took, also where it
    /// fails.
    pub async fn open(
        &self,
        origin: &Origin,
        purpose: Purpose,
        user: usize,
        phases: &mut Phases,
    ) -> Result<Stream, Failure> {
        let (host, port) = match &origin.place {
            Place::Socket(path) => return self.dial_socket(path, phases).await,
            Place::Network { host, port } => (host.as_str(), *port),
        };
        let tcp = match self.proxy(origin).transpose().map_err(unusable)? {
            None => {
                let addresses = self.resolve((host, port), phases).await?;
                let addresses = allowed(origin, &addresses).ok_or_else(|| link_local::refused(origin))?;
                self.dial(origin.authority(), &dial::in_order(&addresses, user), phases).await?
            }
            Some(proxy) => {
                self.refuse_behind_proxy(origin, host).await?;
                self.dial_proxy(proxy, (origin, purpose), user, phases).await?
            }
        };
        match origin.security {
            Security::Plain => Ok(Stream::new(Transport::Tcp(tcp))),
            Security::Tls => self.encrypt((origin, host), (tcp, purpose), phases).await,
        }
    }

    /// Fails where a server leads to an address that is refused, and a proxy would connect to it: the proxy most often
    /// runs in the same cloud. A name that only the proxy can resolve is the proxy's affair; such a name is asked for
    /// once, and not waited for for long.
    async fn refuse_behind_proxy(&self, origin: &Origin, host: &str) -> Result<(), Failure> {
        if origin.named_by == NamedBy::Plan {
            return Ok(());
        }
        let unresolved = self.unresolved.borrow().get(host).copied();
        let addresses = match unresolved {
            None => self.resolve_within(LOOKUP_BESIDE_PROXY, host).await,
            // Its lookup begins if there is room for it now.
            Some(Asked::NotYet) => self.resolve_within(Duration::ZERO, host).await,
            // A lookup that was not waited for goes on, and its answer counts from then on.
            Some(Asked::Yes) => self.names.known(host, ANY_PORT),
        };
        let refuses = match addresses {
            Some(found) => found.iter().any(|it| link_local::is_refused(it.ip())),
            None => link_local::may_be_named(origin),
        };
        if refuses { Err(link_local::refused(origin)) } else { Ok(()) }
    }

    /// The addresses of a name; none where nobody here knows them by then, which is remembered for the run.
    async fn resolve_within(&self, patience: Duration, host: &str) -> Option<Rc<[SocketAddr]>> {
        let answer = tokio::select! {
            biased;
            (found, _) = self.names.addresses(host, ANY_PORT, Use::Check) => Some(found.ok()),
            () = self.timer.sleep_until(clock::now() + patience) => None,
        };
        let was_asked = answer.is_some() || self.names.is_wanted(host, ANY_PORT);
        let mut unresolved = self.unresolved.borrow_mut();
        unresolved.remove(host);
        if let Some(Some(found)) = answer {
            return Some(found);
        }
        if unresolved.len() >= MOST_UNRESOLVED {
            unresolved.clear();
        }
        unresolved.insert(host.to_owned(), if was_asked { Asked::Yes } else { Asked::NotYet });
        None
    }

    /// The proxy that requests to an origin are sent to, each with its whole URL; none where they are sent to the origin
    /// itself, perhaps through a tunnel. Only plain HTTP/1.1 can be asked of a proxy.
    pub fn proxy_of_requests(&self, origin: &Origin, purpose: Purpose) -> Option<&Arc<ProxyServer>> {
        let plain = origin.security == Security::Plain && purpose == Purpose::Http;
        self.proxy(origin).filter(|_| plain)?.ok()
    }

    /// The same that reaches an origin without any proxy: a target that loadgate starts is here, whatever is said of
    /// proxies.
    #[must_use]
    pub fn directly_to(self, origin: Option<Rc<Origin>>) -> Self {
        Self { direct: origin, ..self }
    }

    /// The proxy that an origin is reached through.
    pub fn proxy(&self, origin: &Origin) -> Option<Result<&Arc<ProxyServer>, &Unusable>> {
        if self.direct.as_deref() == Some(origin) {
            return None;
        }
        let Place::Network { host, port } = &origin.place else { return None };
        self.proxies.for_origin(origin.scheme(), host, *port)
    }

    /// Connects to a proxy, and through it to the origin unless each request says where it goes.
    async fn dial_proxy(
        &self,
        proxy: &ProxyServer,
        (origin, purpose): (&Origin, Purpose),
        user: usize,
        phases: &mut Phases,
    ) -> Result<TcpStream, Failure> {
        let name = format!("the proxy {proxy}");
        let of_proxy = |failure: Failure| Failure::new(failure.kind, format!("{name}: {}", failure.message));
        let addresses = self.resolve((&proxy.host, proxy.port), phases).await.map_err(of_proxy)?;
        let begun = clock::now();
        let tcp = self.dial(&name, &dial::in_order(&addresses, user), phases).await?;
        let Place::Network { host, port } = &origin.place else { return Ok(tcp) };
        if self.proxy_of_requests(origin, purpose).is_some() {
            return Ok(tcp);
        }
        let tcp = proxy::tunnel(tcp, proxy, (host, *port)).await?;
        phases.connect = Some(begun.elapsed());
        Ok(tcp)
    }

    async fn resolve(
        &self,
        (host, port): (&str, u16),
        phases: &mut Phases,
    ) -> Result<Rc<[SocketAddr]>, Failure> {
        let (addresses, took) = self.names.addresses(host, port, Use::Connect).await;
        phases.dns = took;
        addresses
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
            Err(error) => {
                if dial::no_descriptor(&error) {
                    self.count_exhausted();
                }
                Err(unreached(&path.display().to_string(), &error))
            }
        }
    }

    async fn dial(
        &self,
        name: &str,
        addresses: &[SocketAddr],
        phases: &mut Phases,
    ) -> Result<TcpStream, Failure> {
        let begun = clock::now();
        let pause = || self.timer.sleep_until(clock::now() + dial::ATTEMPT_DELAY);
        match dial::race(addresses, TcpStream::connect, pause).await {
            Ok(stream) => {
                phases.connect = Some(begun.elapsed());
                stream
                    .set_nodelay(true)
                    .map_err(|error| Failure::new(FailureKind::Connect, error.to_string()))?;
                Ok(stream)
            }
            Err(failed) => {
                if dial::ran_out(&failed, dial::has_local_address) {
                    self.count_exhausted();
                }
                Err(unreached(name, &dial::most_telling(failed)))
            }
        }
    }

    fn count_exhausted(&self) {
        self.exhausted.set(self.exhausted.get() + 1);
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

/// The addresses of an origin that may be connected to: a server that redirects must not lead to every one. None where
/// there are some, and none of them may be.
fn allowed<'a>(origin: &Origin, addresses: &'a [SocketAddr]) -> Option<Cow<'a, [SocketAddr]>> {
    if origin.named_by == NamedBy::Plan || !addresses.iter().any(|it| link_local::is_refused(it.ip())) {
        return Some(addresses.into());
    }
    let left: Vec<SocketAddr> =
        addresses.iter().copied().filter(|it| !link_local::is_refused(it.ip())).collect();
    (!left.is_empty()).then_some(left.into())
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
            "the issuer of its certificate is unknown; `tls: {{ca: FILE}}` names the authority that issued it, \
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

fn unusable(why: &Unusable) -> Failure {
    Failure::new(FailureKind::Connect, format!("the proxy cannot be used: {why}"))
}

fn unreached(place: &str, error: &io::Error) -> Failure {
    let remedy = if dial::no_descriptor(error) { out_of_descriptors() } else { String::new() };
    Failure::new(FailureKind::Connect, format!("cannot connect to {place}: {error}{remedy}"))
}

/// What to do where this process has no descriptor left.
fn out_of_descriptors() -> String {
    let limit =
        rlimit::Resource::NOFILE.get_soft().map_or_else(|_| "its limit".into(), |most| most.to_string());
    format!(
        "; loadgate may open {limit} files and sockets at once, and the run needs one for every connection: raise the \
         limit (`ulimit -n`), or run fewer users"
    )
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use socket2::{Domain, Socket, Type};
    use tokio::runtime::LocalOptions;
    use url::Url;

    use super::*;
    use crate::load::measure::phases::Phases as OfLoad;
    use crate::load::tls::Clients;
    use crate::plan::connection::{Tls, Version};
    use crate::plan::load::{Load, Model, Shape, StopAfter};
    use crate::plan::proxy::ProxyChoice;

    /// A timer that runs. What it measures of itself is of no interest here.
    fn timer() -> Timer {
        let shape = Shape::constant_at(1.0, Duration::from_mins(1));
        let load = Load {
            model: Model::Closed,
            shape,
            warmup: Duration::ZERO,
            drain: Duration::ZERO,
            stop: StopAfter::default(),
        };
        let timer = Timer::new(OfLoad::of_load(&load, clock::now())).unwrap();
        tokio::task::spawn_local(timer.clone().run());
        timer
    }

    /// Swallows connections: its queue is full, so the system does not answer. What fills it comes with it.
    fn black_hole(address: SocketAddr) -> Vec<Socket> {
        let stream = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let listener = stream();
        listener.bind(&address.into()).unwrap();
        listener.listen(0).unwrap();
        let mut held = vec![listener];
        for _ in 0..4 {
            let client = stream();
            client.set_nonblocking(true).unwrap();
            // It is under way, or will never be.
            let _ = client.connect(&address.into());
            held.push(client);
        }
        held
    }

    #[test]
    fn a_name_that_a_server_redirects_to_does_not_lead_to_link_local_addresses() {
        let named = || Origin::of(&Url::parse("http://rebound.test").unwrap()).unwrap();
        let (bad, good): (SocketAddr, SocketAddr) =
            (([169, 254, 169, 254], 80).into(), ([127, 0, 0, 1], 80).into());
        let (server, plan) = (named().named_by_server(), named());
        assert_eq!(allowed(&server, &[bad, good]).as_deref(), Some(&[good][..]));
        assert_eq!(allowed(&server, &[bad]), None);
        assert_eq!(allowed(&plan, &[bad]).as_deref(), Some(&[bad][..]));
    }

    #[test]
    fn a_proxy_does_not_connect_to_them_either() {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build_local(LocalOptions::default()).unwrap();
        runtime.block_on(async {
            let lookups: Rc<RefCell<Vec<String>>> = Rc::default();
            let asked = lookups.clone();
            let answers = Rc::new(tokio::sync::Notify::new());
            let late_answers = answers.clone();
            let names = Names::new(Box::new(move |host, port| {
                asked.borrow_mut().push(host.clone());
                let late = late_answers.clone();
                Box::pin(async move {
                    match host.as_str() {
                        "rebound.test" => Ok(vec![([169, 254, 169, 254], port).into()]),
                        "unanswered.test" => std::future::pending().await,
                        "late.test" => {
                            late.notified().await;
                            Ok(vec![([169, 254, 169, 254], port).into()])
                        }
                        _ => Err(io::Error::other("unknown")),
                    }
                })
            }));
            let trust = Trust::new(|| Clients::new(&Tls::default(), Version::One));
            let proxy = Arc::new(ProxyServer::parse("http://127.0.0.1:1", "`http.proxy`").unwrap());
            let proxies = Arc::new(Proxies::of(&ProxyChoice::Server(proxy), &|_| None));
            let connector = Connector { proxies, ..Connector::with_names(Arc::new(trust), timer(), names) };
            let origin_of = |url: &str| Origin::of(&Url::parse(url).unwrap()).unwrap();
            for (origin, says) in [
                (origin_of("http://rebound.test").named_by_server(), "link-local"),
                (origin_of("http://rebound.test"), "the proxy"),
                (origin_of("http://known-to-the-proxy.test").named_by_server(), "the proxy"),
                (origin_of("http://known-to-the-proxy.test:81").named_by_server(), "the proxy"),
                (origin_of("http://unanswered.test").named_by_server(), "the proxy"),
                (origin_of("http://unanswered.test").named_by_server(), "the proxy"),
                (origin_of("http://metadata").named_by_server(), "link-local"),
                (origin_of("http://metadata"), "the proxy"),
            ] {
                let opened = connector.open(&origin, Purpose::Http, 0, &mut Phases::default()).await;
                let message = opened.map(drop).unwrap_err().message;
                assert!(message.contains(says), "{message}");
            }
            // An answer that nobody waited for counts as soon as it is there.
            let late = origin_of("http://late.test").named_by_server();
            let message = async || {
                let opened = connector.open(&late, Purpose::Http, 0, &mut Phases::default()).await;
                opened.map(drop).unwrap_err().message
            };
            assert!(message().await.contains("the proxy"));
            answers.notify_one();
            while connector.names.known("late.test", ANY_PORT).is_none() {
                tokio::task::yield_now().await;
            }
            assert!(message().await.contains("link-local"));
            // What only the proxy knows is looked up once in a run.
            let once =
                ["rebound.test", "known-to-the-proxy.test", "unanswered.test", "metadata", "late.test"];
            assert_eq!(*lookups.borrow(), once);
        });
    }

    #[test]
    fn lookups_without_an_end_beside_a_proxy_are_few_and_what_they_kept_out_is_asked_later() {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build_local(LocalOptions::default()).unwrap();
        runtime.block_on(async {
            let lookups: Rc<RefCell<Vec<String>>> = Rc::default();
            let (asked, end) = (lookups.clone(), Rc::new(tokio::sync::Notify::new()));
            let ends = end.clone();
            let names = Names::new(Box::new(move |host, port| {
                asked.borrow_mut().push(host.clone());
                let end = ends.clone();
                Box::pin(async move {
                    match host.as_str() {
                        "proxy.test" => return Ok(vec![([127, 0, 0, 1], port).into()]),
                        "rebound.test" => return Ok(vec![([169, 254, 169, 254], port).into()]),
                        _ => end.notified().await,
                    }
                    Err(io::Error::other("unknown"))
                })
            }));
            let trust = Trust::new(|| Clients::new(&Tls::default(), Version::One));
            let proxy = Arc::new(ProxyServer::parse("http://proxy.test:1", "`http.proxy`").unwrap());
            let proxies = Arc::new(Proxies::of(&ProxyChoice::Server(proxy), &|_| None));
            let connector = Connector { proxies, ..Connector::with_names(Arc::new(trust), timer(), names) };
            let message = async |host: String| {
                let origin = Origin::of(&Url::parse(&format!("http://{host}")).unwrap()).unwrap();
                let origin = origin.named_by_server();
                let opened = connector.open(&origin, Purpose::Http, 0, &mut Phases::default()).await;
                opened.map(drop).unwrap_err().message
            };
            let many = (0..600).map(|number| message(format!("endless-{number}.test")));
            let all = futures_util::future::join_all(many).await;
            assert!(all.iter().all(|told| told.contains("the proxy")), "{all:?}");
            // Those, and the name of the proxy.
            assert_eq!(lookups.borrow().len(), 32 + 1);
            for _ in 0..2 {
                assert!(message("rebound.test".into()).await.contains("the proxy"));
            }
            assert_eq!(lookups.borrow().len(), 32 + 1);
            end.notify_waiters();
            while connector.names.is_wanted("endless-0.test", ANY_PORT) {
                tokio::task::yield_now().await;
            }
            assert!(message("rebound.test".into()).await.contains("the proxy"));
            while connector.names.known("rebound.test", ANY_PORT).is_none() {
                tokio::task::yield_now().await;
            }
            assert!(message("rebound.test".into()).await.contains("link-local"));
            assert_eq!(lookups.borrow().len(), 32 + 2);
        });
    }

    #[test]
    #[cfg_attr(not(target_os = "linux"), ignore = "only Linux listens on all of 127.0.0.0/8")]
    fn an_address_that_swallows_is_passed_over_and_users_begin_with_different_ones() {
        let alive = TcpListener::bind("127.0.0.3:0").unwrap();
        let port = alive.local_addr().unwrap().port();
        let _held = black_hole(([127, 0, 0, 2], port).into());
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build_local(LocalOptions::default()).unwrap();
        runtime.block_on(async {
            let names = Names::new(Box::new(move |_, port| {
                Box::pin(async move { Ok([3, 2].map(|last| ([127, 0, 0, last], port).into()).to_vec()) })
            }));
            let trust = Trust::new(|| Clients::new(&Tls::default(), Version::One));
            let connector = Connector::with_names(Arc::new(trust), timer(), names);
            let origin = Origin::of(&Url::parse(&format!("http://two.test:{port}")).unwrap()).unwrap();
            let mut phases = [0, 1].map(|_| Phases::default());
            for (user, phases) in phases.iter_mut().enumerate() {
                connector.open(&origin, Purpose::Http, user, phases).await.unwrap();
                alive.accept().unwrap();
            }
            let [first, second] = phases;
            assert!(first.connect >= Some(dial::ATTEMPT_DELAY), "{first:?}");
            assert!(first.dns.is_some() && second.dns.is_none(), "{second:?}");
            assert_eq!(connector.take_exhausted(), 0);
        });
    }
}
