//! What is said on the two sockets: the progress of a build, and echoes.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use serde::Serialize;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    builds::Build,
    course::{Progress, Status},
    handshake::{Socket, open},
    service::Service,
};

/// How long the other side may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(5);

/// One message about a build.
#[derive(Serialize)]
struct Report<'a> {
    build_id: &'a str,
    status: Status,
    progress: u32,
}

/// How a conversation ended.
enum End {
    /// Everything is said.
    Complete,
    /// The client has left.
    Gone,
}

/// Reports the progress of a build to the end, then closes.
pub(super) async fn follow(upgrade: OnUpgrade, service: &Service, build: &Build) {
    let Some(mut socket) = open(upgrade).await else {
        return;
    };
    let mut stopping = service.stopping.clone();
    let end = tokio::select! {
        end = report(&mut socket, service, build) => end,
        _ = stopping.changed() => return close(&mut socket, CloseCode::Away).await,
    };
    if let End::Complete = end {
        close(&mut socket, CloseCode::Normal).await;
    }
}

/// Returns every text and binary message until the client leaves.
pub(super) async fn echo(upgrade: OnUpgrade, service: &Service) {
    let Some(mut socket) = open(upgrade).await else {
        return;
    };
    let mut stopping = service.stopping.clone();
    tokio::select! {
        () = repeat(&mut socket, service) => {}
        _ = stopping.changed() => close(&mut socket, CloseCode::Away).await,
    }
}

async fn report(socket: &mut Socket, service: &Service, build: &Build) -> End {
    let age = service.uptime().saturating_sub(build.created);
    for (due, Progress { status, percent }) in build.course.reports(age) {
        tokio::select! {
            () = service.wait_until((build.created + due).max(service.uptime())) => {}
            () = departure(socket) => return End::Gone,
        }
        let report = Report { build_id: &build.id, status, progress: percent };
        let sent = match serde_json::to_string(&report) {
            Ok(text) => socket.send(Message::text(text)).await.is_ok(),
            Err(_) => false,
        };
        if !sent {
            return End::Gone;
        }
    }
    End::Complete
}

/// Reads, answering pings on the way, until the client has left.
async fn departure(socket: &mut Socket) {
    while let Some(Ok(_)) = socket.next().await {}
}

async fn repeat(socket: &mut Socket, service: &Service) {
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() || message.is_binary() {
            service.thaw().await;
            if socket.send(message).await.is_err() {
                return;
            }
        }
    }
}

/// Closes from our side and waits a moment for the client's consent.
async fn close(socket: &mut Socket, code: CloseCode) {
    let goodbye = async {
        let frame = CloseFrame { code, reason: "".into() };
        if socket.close(Some(frame)).await.is_ok() {
            departure(socket).await;
        }
    };
    // A client that never answers is simply left.
    let _ = timeout(FAREWELL, goodbye).await;
}
