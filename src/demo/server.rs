//! Takes connections and answers them until it is told to stop.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use axum::serve::ListenerExt;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::{Settings, routes::router, service::Service};

/// Connections the kernel keeps for us until they are accepted.
const BACKLOG: i32 = 4096;

/// How long requests and sockets may take to end after the shutdown began.
const DRAIN: Duration = Duration::from_secs(5);

/// Listens at an address, port 0 for any free one; the address returned is the one chosen. The kernel
/// takes connections from here on, they are answered once [`serve`] runs.
pub fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Answers on a listener of [`bind`] until `shutdown` completes; then accepts nothing more, lets requests
/// finish, takes leave of sockets, and returns after five seconds at the latest. The uptime freezes are
/// counted by begins with this call.
pub async fn serve(
    listener: TcpListener,
    settings: &Settings,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?.tap_io(|connection| {
        // Without it answers are only later, and a connection already gone is noticed when it is read.
        let _ = connection.set_nodelay(true);
    });
    let (stop, stopping) = watch::channel(());
    let stop = Arc::new(stop);
    let service = Arc::new(Service::new(settings, stopping.clone())?);
    let mut alarm = JoinSet::new();
    let timer = Arc::clone(&service.timer);
    alarm.spawn(async move { timer.run().await });
    let signal = Arc::clone(&stop);
    let serving = axum::serve(listener, router(service)).with_graceful_shutdown(async move {
        shutdown.await;
        signal.send_replace(());
    });
    tokio::select! {
        ended = async {
            serving.await?;
            // Every socket holds the service, and with it a receiver.
            stop.closed().await;
            Ok(())
        } => ended,
        () = overdue(stopping) => Ok(()),
        Some(failed) = alarm.join_next() => failed.map_err(io::Error::other)?,
    }
}

/// Completes when the shutdown has taken too long.
async fn overdue(mut stopping: watch::Receiver<()>) {
    // An error means the sender is gone, which is after the shutdown as well.
    let _ = stopping.changed().await;
    drop(stopping);
    sleep(DRAIN).await;
}
