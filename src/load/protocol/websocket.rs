//! A WebSocket: opened over our connector, read in the background so that every message is stamped
//! when it arrives, written by the steps.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::Request;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::http::cut_off;
use super::stream::{Meter, Stream};
use crate::clock;
use crate::load::measure::outcome::{Failure, FailureKind};
use crate::load::measure::sample::Traffic;

/// The most messages kept for a step that has not asked for them yet; older ones make room.
const INBOX: usize = 1_000;
/// Bytes of the buffers of one connection: the default of 128 KiB would cost 1.3 GB at 10,000 sockets.
const BUFFER: usize = 4 * 1024;

/// An open WebSocket.
pub struct Socket {
    sink: SplitSink<WebSocketStream<Stream>, Message>,
    inbox: Rc<Inbox>,
    reader: tokio::task::JoinHandle<()>,
    meter: Meter,
    /// When it was open.
    pub opened: Instant,
    /// When the last message was sent on it.
    pub last_send: Option<Instant>,
}

/// A message, and when it arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// When the reader saw it.
    pub at: Instant,
    /// What it was sent as.
    pub kind: Kind,
    /// Its text or bytes.
    pub payload: Bytes,
}

/// What a message was sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
}

/// What the reader has heard.
#[derive(Default)]
struct Inbox {
    state: RefCell<Heard>,
    news: Notify,
}

#[derive(Default)]
struct Heard {
    messages: VecDeque<Arrived>,
    total: u64,
    pongs: u64,
    closed: Option<String>,
}

impl Socket {
    /// Shakes hands on an open connection. `subprotocol` must be answered.
    pub async fn open(
        request: Request<()>,
        stream: Stream,
        subprotocol: Option<&str>,
    ) -> Result<Self, Failure> {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(64 << 20);
        let meter = stream.meter().clone();
        let (socket, response) = client_async_with_config(request, stream, Some(config))
            .await
            .map_err(|error| handshake_failure(&error))?;
        if let Some(wanted) = subprotocol
            && response
                .headers()
                .get("sec-websocket-protocol")
                .is_none_or(|found| found.as_bytes() != wanted.as_bytes())
        {
            return Err(Failure::new(
                FailureKind::Protocol,
                format!("the server did not agree to subprotocol `{wanted}`"),
            ));
        }
        let (sink, source) = socket.split();
        let inbox = Rc::new(Inbox::default());
        let reader = tokio::task::spawn_local(listen(source, inbox.clone()));
        Ok(Self { sink, inbox, reader, meter, opened: clock::now(), last_send: None })
    }

    /// Sends a message.
    pub async fn send(&mut self, message: Message) -> Result<(), Failure> {
        self.sink.send(message).await.map_err(|error| self.broken(&error))?;
        self.last_send = Some(clock::now());
        Ok(())
    }

    /// Takes the oldest message that `wanted` accepts, as soon as there is one; the others stay.
    /// Fails when the socket closes first.
    pub async fn receive(&mut self, mut wanted: impl FnMut(&Arrived) -> bool) -> Result<Arrived, Failure> {
        let mut looked_at = 0;
        loop {
            let news = self.inbox.news.notified();
            if let Some(taken) = self.inbox.take(&mut looked_at, &mut wanted) {
                return taken;
            }
            news.await;
        }
    }

    /// Sends a ping and waits for the answer.
    pub async fn ping(&mut self) -> Result<(), Failure> {
        let before = self.inbox.state.borrow().pongs;
        self.send(Message::Ping(Bytes::from_static(b"loadgate"))).await?;
        loop {
            let news = self.inbox.news.notified();
            if self.inbox.state.borrow().pongs > before {
                return Ok(());
            }
            if let Some(failure) = self.inbox.closed() {
                return Err(failure);
            }
            news.await;
        }
    }

    /// Ends when the other side closes, with the reason.
    pub async fn closed(&self) -> Failure {
        loop {
            let news = self.inbox.news.notified();
            if let Some(failure) = self.inbox.closed() {
                return failure;
            }
            news.await;
        }
    }

    /// Says goodbye and waits until the other side has, or has gone.
    pub async fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.to_owned().into() };
        // A socket that the other side has closed already cannot be told; that is the end we want.
        if self.sink.send(Message::Close(Some(frame))).await.is_ok() {
            self.closed().await;
        }
    }

    /// Messages that have arrived.
    pub fn messages_in(&self) -> u64 {
        self.inbox.state.borrow().total
    }

    /// Bytes moved since the last call.
    pub fn take_traffic(&self) -> Traffic {
        self.meter.take()
    }

    fn broken(&self, error: &Error) -> Failure {
        let reason = self.inbox.state.borrow().closed.clone().unwrap_or_else(|| error.to_string());
        Failure::new(FailureKind::WebsocketClose, reason)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn listen(mut source: SplitStream<WebSocketStream<Stream>>, inbox: Rc<Inbox>) {
    let reason = loop {
        let message = match source.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => break format!("the socket broke: {error}"),
            None => break "the socket ended without a close".to_owned(),
        };
        let mut heard = inbox.state.borrow_mut();
        match message {
            Message::Text(text) => heard.add(Kind::Text, text.into()),
            Message::Binary(bytes) => heard.add(Kind::Binary, bytes),
            Message::Pong(_) => heard.pongs += 1,
            Message::Close(frame) => {
                break match frame {
                    Some(frame) if !frame.reason.is_empty() => {
                        format!("closed by the server: {} {}", frame.code, frame.reason)
                    }
                    Some(frame) => format!("closed by the server: {}", frame.code),
                    None => "closed by the server without a code".to_owned(),
                };
            }
            Message::Ping(_) | Message::Frame(_) => {}
        }
        drop(heard);
        inbox.news.notify_waiters();
    };
    inbox.state.borrow_mut().closed = Some(reason);
    inbox.news.notify_waiters();
    // The answer to a close is written where the next frame is asked for; there is none after a close.
    drop(source.next().await);
}

impl Inbox {
    /// Takes the oldest wanted message, or says that there will be none. `looked_at` counts the
    /// messages that need no second look.
    fn take(
        &self,
        looked_at: &mut usize,
        wanted: &mut impl FnMut(&Arrived) -> bool,
    ) -> Option<Result<Arrived, Failure>> {
        let mut heard = self.state.borrow_mut();
        let begin = (*looked_at).min(heard.messages.len());
        let found = (begin..heard.messages.len()).find(|index| wanted(&heard.messages[*index]));
        if let Some(message) = found.and_then(|index| heard.messages.remove(index)) {
            return Some(Ok(message));
        }
        // In a full inbox the next message pushes the oldest out and takes the last place.
        *looked_at = heard.messages.len().min(INBOX - 1);
        drop(heard);
        self.closed().map(Err)
    }

    fn closed(&self) -> Option<Failure> {
        let heard = self.state.borrow();
        heard.closed.as_ref().map(|reason| Failure::new(FailureKind::WebsocketClose, reason))
    }
}

impl Heard {
    fn add(&mut self, kind: Kind, payload: Bytes) {
        if self.messages.len() == INBOX {
            self.messages.pop_front();
        }
        self.messages.push_back(Arrived { at: clock::now(), kind, payload });
        self.total += 1;
    }
}

fn handshake_failure(error: &Error) -> Failure {
    let (kind, message) = match error {
        Error::Http(response) => {
            (FailureKind::Status, format!("status {}, expected 101", response.status().as_u16()))
        }
        Error::Io(io) if cut_off(io) => (FailureKind::Reset, error.to_string()),
        Error::ConnectionClosed | Error::AlreadyClosed => (FailureKind::Reset, error.to_string()),
        _ => (FailureKind::Protocol, error.to_string()),
    };
    Failure::new(kind, message)
}
