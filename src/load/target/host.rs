//! A host that is already there: one look before the load whether it can be reached at all, and the
//! address a command is given to listen on.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use url::Url;

use super::TargetError;
use crate::load::protocol::dial;
use crate::load::protocol::origin::socket_path;

const PATIENCE: Duration = Duration::from_secs(5);

/// Resolves the host and opens one connection, each within five seconds; of a socket, only the latter. Addresses are
/// tried as the load will try them.
pub async fn preflight(url: &Url) -> Result<(), TargetError> {
    if url.scheme() == "unix" {
        return socket(&socket_path(url)).await;
    }
    let no_host = || TargetError::NoHost { url: url.to_string() };
    let name = url.host_str().ok_or_else(no_host)?;
    let port = url.port_or_known_default().ok_or_else(no_host)?;
    let addresses = resolve(name, port).await?;
    connect(&format!("{name}:{port}"), &addresses).await
}

/// `127.0.0.1:PORT` with a port that is free now.
pub fn free_address() -> Result<SocketAddr, TargetError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    listener.and_then(|bound| bound.local_addr()).map_err(|source| TargetError::Port { source })
}

/// Whether somebody takes connections on an address of this machine.
pub async fn answers(address: SocketAddr) -> bool {
    matches!(timeout(PATIENCE, TcpStream::connect(address)).await, Ok(Ok(_)))
}

async fn socket(path: &Path) -> Result<(), TargetError> {
    let host = format!("unix:{}", path.display());
    match timeout(PATIENCE, UnixStream::connect(path)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(source)) => Err(TargetError::Connect { host, source }),
        Err(_) => Err(TargetError::ConnectTimeout { host, after: PATIENCE }),
    }
}

async fn resolve(name: &str, port: u16) -> Result<Vec<SocketAddr>, TargetError> {
    let host = name.to_owned();
    // An IPv6 address stands in brackets in a URL, and without them everywhere else.
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    match timeout(PATIENCE, tokio::net::lookup_host((bare, port))).await {
        Ok(Ok(addresses)) => Ok(addresses.collect()),
        Ok(Err(source)) => Err(TargetError::Resolve { host, source }),
        Err(_) => Err(TargetError::ResolveTimeout { host, after: PATIENCE }),
    }
}

async fn connect(host: &str, addresses: &[SocketAddr]) -> Result<(), TargetError> {
    let host = host.to_owned();
    let addresses = dial::in_order(addresses, 0);
    let pause = || tokio::time::sleep(dial::ATTEMPT_DELAY);
    let Ok(connected) = timeout(PATIENCE, dial::race(&addresses, TcpStream::connect, pause)).await else {
        return Err(TargetError::ConnectTimeout { host, after: PATIENCE });
    };
    match connected.map_err(dial::most_telling) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Err(TargetError::Refused { host }),
        Err(source) => Err(TargetError::Connect { host, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a url")
    }

    #[tokio::test]
    async fn a_listening_host_passes() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        preflight(&url(&format!("http://127.0.0.1:{port}/api"))).await.expect("reachable");
    }

    #[tokio::test]
    async fn a_port_nobody_listens_on_is_a_refused_connection() {
        let address = free_address().expect("a free port");
        let error = preflight(&url(&format!("http://{address}"))).await.expect_err("refused");
        assert_eq!(error.to_string(), format!("connection refused by `{address}`"));
        assert!(error.hint().is_some());
    }

    #[tokio::test]
    async fn a_socket_is_reached_or_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("app.sock");
        let place = url(&format!("unix:{}", path.display()));
        let error = preflight(&place).await.expect_err("nobody listens");
        assert!(error.to_string().contains("app.sock"), "{error}");
        let _listener = tokio::net::UnixListener::bind(&path).expect("a socket");
        preflight(&place).await.expect("reachable");
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_is_named() {
        let error = preflight(&url("http://no-such-host.invalid")).await.expect_err("unresolved");
        assert!(error.to_string().contains("`no-such-host.invalid`"), "{error}");
    }
}
