//! A WebSocket, opened over our connector. It has no task of its own: whoever waits with it open listens as
//! well, so that every message is stamped when it arrives, whatever the user is doing.

mod inbox;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::Request;
use hyper::header::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

pub use self::inbox::{Arrived, Kind};

use self::inbox::Inbox;
use super::http::cut_off;
use super::stream::{Meter, Stream};
use crate::clock;
use crate::load::measure::outcome::{Failure, FailureKind};
use crate::load::measure::sample::Traffic;

/// Bytes of the buffers of one connection: the default of 128 KiB would cost 1.3 GB at 10,000 sockets.
const BUFFER: usize = 4 * 1024;
/// Bytes that may wait to be sent.
const MOST_UNSENT: usize = 64 << 20;

/// An open WebSocket.
pub struct Socket {
    line: Rc<Line>,
    meter: Meter,
    /// When it was open.
    pub opened: Instant,
    /// When the last message was sent on it.
    pub last_send: Option<Instant>,
}

/// The connection of a socket, shared by those who listen to it: all of them in one task.
pub struct Line(RefCell<State>);

struct State {
    stream: WebSocketStream<Stream>,
    inbox: Inbox,
    pongs: u64,
    /// Why nothing more will be said, once it is known.
    end: Option<Failure>,
    /// The stream has nothing more to give.
    over: bool,
}

impl Socket {
    /// Shakes hands on an open connection. `subprotocol` must be answered; no message may be longer than
    /// `most` bytes.
    pub async fn open(
        request: Request<()>,
        stream: Stream,
        (subprotocol, most): (Option<&str>, u64),
    ) -> Result<Self, Failure> {
        let most = usize::try_from(most).ok();
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(MOST_UNSENT)
            .max_message_size(most)
            .max_frame_size(most);
        let meter = stream.meter().clone();
        let (stream, response) = client_async_with_config(request, stream, Some(config))
            .await
            .map_err(|error| handshake_failure(&error))?;
        let answered = response.headers().get("sec-websocket-protocol").map(HeaderValue::as_bytes);
        if let Some(wanted) = subprotocol.filter(|wanted| answered != Some(wanted.as_bytes())) {
            let message = format!("the server did not agree to subprotocol `{wanted}`");
            return Err(Failure::new(FailureKind::Protocol, message));
        }
        let state = State { stream, inbox: Inbox::default(), pongs: 0, end: None, over: false };
        Ok(Self { line: Rc::new(Line(RefCell::new(state))), meter, opened: clock::now(), last_send: None })
    }

    /// Its connection, to listen to while something else is done.
    pub fn line(&self) -> Rc<Line> {
        self.line.clone()
    }

    /// Sends a message, and reads meanwhile: a server that is not read may not read either.
    pub async fn send(&mut self, message: Message) -> Result<(), Failure> {
        let mut message = Some(message);
        poll_fn(|context| self.line.0.borrow_mut().poll_send(context, &mut message)).await?;
        self.last_send = Some(clock::now());
        Ok(())
    }

    /// Takes the oldest message that `wanted` accepts, as soon as there is one; the others stay.
    /// Fails when the socket closes first.
    pub async fn receive(&mut self, mut wanted: impl FnMut(&Arrived) -> bool) -> Result<Arrived, Failure> {
        let mut looked_at = 0;
        self.line
            .wait(|state| {
                let taken = state.inbox.take(&mut looked_at, &mut wanted).map(Ok);
                taken.or_else(|| state.end.clone().map(Err))
            })
            .await
    }

    /// Sends a ping and waits for the answer.
    pub async fn ping(&mut self) -> Result<(), Failure> {
        let before = self.line.0.borrow().pongs;
        self.send(Message::Ping(Bytes::from_static(b"loadgate"))).await?;
        let answered = |state: &mut State| (state.pongs > before).then_some(Ok(()));
        self.line.wait(|state| answered(state).or_else(|| state.end.clone().map(Err))).await
    }

    /// Ends when the other side closes, with the reason.
    pub async fn closed(&self) -> Failure {
        self.line.wait(|state| state.end.clone()).await
    }

    /// Says goodbye and waits until the other side has, or has gone.
    pub async fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.to_owned().into() };
        // A socket that the other side has closed already cannot be told; that is the end we want.
        if self.send(Message::Close(Some(frame))).await.is_ok() {
            self.closed().await;
        }
    }

    /// Messages that have arrived.
    pub fn messages_in(&self) -> u64 {
        self.line.0.borrow().inbox.total()
    }

    /// Bytes moved since the last call.
    pub fn take_traffic(&self) -> Traffic {
        self.meter.take()
    }
}

impl Line {
    /// Does something else, and listens meanwhile.
    pub async fn attend<F: Future>(&self, mut work: Pin<&mut F>) -> F::Output {
        poll_fn(|context| {
            self.0.borrow_mut().listen(context);
            work.as_mut().poll(context)
        })
        .await
    }

    /// Listens until `found` has an answer.
    async fn wait<T>(&self, mut found: impl FnMut(&mut State) -> Option<T>) -> T {
        poll_fn(|context| {
            let mut state = self.0.borrow_mut();
            state.listen(context);
            found(&mut state).map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

impl State {
    /// Reads all that has come; the task is woken when there is more. What a close needs to be answered is
    /// written by reading on behind it.
    fn listen(&mut self, context: &mut Context<'_>) {
        while !self.over {
            match self.stream.poll_next_unpin(context) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(message))) => self.hear(message),
                Poll::Ready(Some(Err(error))) => self.finish(broken(&error)),
                Poll::Ready(None) => self.finish(closed("the socket ended without a close")),
            }
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Text(text) => self.inbox.add(Kind::Text, text.into()),
            Message::Binary(bytes) => self.inbox.add(Kind::Binary, bytes),
            Message::Pong(_) => self.pongs += 1,
            Message::Close(frame) => {
                let said = match frame {
                    Some(frame) if !frame.reason.is_empty() => format!(" {} {}", frame.code, frame.reason),
                    Some(frame) => format!(" {}", frame.code),
                    None => " without a code".to_owned(),
                };
                self.end.get_or_insert_with(|| closed(&format!("closed by the server:{said}")));
            }
            Message::Ping(_) | Message::Frame(_) => {}
        }
    }

    fn finish(&mut self, failure: Failure) {
        self.over = true;
        self.end.get_or_insert(failure);
    }

    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        message: &mut Option<Message>,
    ) -> Poll<Result<(), Failure>> {
        if message.is_some() {
            match self.stream.poll_ready_unpin(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.unsent(&error))),
                Poll::Pending => {
                    self.listen(context);
                    return Poll::Pending;
                }
            }
        }
        if let Some(message) = message.take()
            && let Err(error) = self.stream.start_send_unpin(message)
        {
            return Poll::Ready(Err(self.unsent(&error)));
        }
        match self.stream.poll_flush_unpin(context) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.unsent(&error))),
            Poll::Pending => {
                self.listen(context);
                Poll::Pending
            }
        }
    }

    /// What the server has said says more than that it cannot be told anything.
    fn unsent(&self, error: &Error) -> Failure {
        self.end.clone().unwrap_or_else(|| broken(error))
    }
}

fn closed(message: &str) -> Failure {
    Failure::new(FailureKind::WebsocketClose, message)
}

/// A socket that broke: closed by nobody, or because of what the server sent.
fn broken(error: &Error) -> Failure {
    match error {
        Error::Capacity(_) => Failure::new(FailureKind::Protocol, format!("{error} (`max_body`)")),
        Error::Utf8(_) | Error::AttackAttempt => Failure::new(FailureKind::Protocol, error.to_string()),
        Error::Protocol(reason) if !ended(reason) => Failure::new(FailureKind::Protocol, error.to_string()),
        _ => closed(&format!("the socket broke: {error}")),
    }
}

/// Whether a breach of protocol is only that the connection ended.
fn ended(error: &tokio_tungstenite::tungstenite::error::ProtocolError) -> bool {
    use tokio_tungstenite::tungstenite::error::ProtocolError as Breach;
    matches!(error, Breach::ResetWithoutClosingHandshake | Breach::SendAfterClosing)
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
