//! A WebSocket, opened over our connector. It has no task of its own: whoever waits with it open listens as
//! well, so that every message is stamped when it arrives, whatever the user is doing. It is counted at that moment
//! too, for a socket may outlive many windows and be cut off at the end.

mod frames;
mod handshake;
mod inbox;
mod ledger;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::{HeaderMap, Request};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError as Breach;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

pub use self::inbox::{Arrived, Kind, Looked};

use self::handshake::{Agreed, Answer};
use self::inbox::Inbox;
use self::ledger::{Counted, Ledger, MOST_UNSENT};
use super::response::Response;
use super::stream::{Meter, Stream};
use crate::clock;
use crate::load::measure::outcome::{Failure, FailureKind};
use crate::load::measure::sample::Traffic;
use crate::load::memory::Budget;
use crate::plan::step::FieldName;

/// Bytes of the buffers of one connection: the default of 128 KiB would cost 1.3 GB at 10,000 sockets.
const BUFFER: usize = 4 * 1024;

/// An open WebSocket.
pub struct Socket {
    line: Rc<Line>,
    /// When it was open.
    pub opened: Instant,
    /// When the last message was sent on it.
    pub last_send: Option<Instant>,
    /// Whether no message has been taken since one was sent.
    pub wants_answer: bool,
}

/// What comes of a handshake.
pub enum Opening {
    /// A socket, and the headers of the answer.
    Open(Socket, HeaderMap),
    /// A redirect.
    Elsewhere(Box<Response>),
    /// None: the failure that this is, and the headers of the answer.
    Refused(Box<(Failure, HeaderMap)>),
}

/// The connection of a socket, shared by those who listen to it: all of them in one task.
struct Line(RefCell<State>);

/// The open sockets of a user, all of which are listened to whatever the user does: a socket that is not read answers
/// no ping, and its messages would be stamped late.
#[derive(Clone, Default)]
pub struct Lines(Rc<RefCell<Vec<Rc<Line>>>>);

/// What came over a socket, and how many bytes moved, since it was last counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Messages that were read.
    pub messages_in: u64,
    /// Bytes, of control frames too.
    pub traffic: Traffic,
}

/// Counts what moved, at the moment in which it did, and that the socket was given up where no step was told.
pub type Count = Box<dyn Fn(Moved, Option<&Failure>)>;

struct State {
    /// None once the socket was given up because it held too much.
    stream: Option<WebSocketStream<Counted>>,
    meter: Meter,
    count: Count,
    /// How many messages have been counted.
    counted: u64,
    inbox: Inbox,
    pongs: u64,
    /// Why nothing more will be said, once it is known.
    end: Option<Failure>,
    /// The stream has nothing more to give.
    over: bool,
    /// That the socket was given up, as long as no step has failed for it.
    untold: Option<Failure>,
}

impl Socket {
    /// Shakes hands on an open connection. The names of headers are written as they are listed beside the request, where
    /// they are. No message may be longer than `most` bytes; what waits to be read, taken or sent counts against the
    /// budget.
    pub async fn open(
        (request, spelt): (Request<()>, &[&FieldName]),
        mut stream: Stream,
        (most, budget): (u64, &Arc<Budget>),
        count: Count,
    ) -> Result<Opening, Failure> {
        // A frame that does not fit at all is refused by its header, before there is room made for it.
        let most_at_once = usize::try_from(most.min(budget.limit())).ok();
        let most = usize::try_from(most).ok();
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(MOST_UNSENT)
            .max_message_size(most)
            .max_frame_size(most_at_once);
        let meter = stream.meter().clone();
        let Agreed { headers, rest } = match handshake::shake(&request, spelt, &mut stream, budget).await? {
            Answer::Agreed(agreed) => agreed,
            Answer::Elsewhere(response) => return Ok(Opening::Elsewhere(response)),
            Answer::Refused(refused) => return Ok(Opening::Refused(refused)),
        };
        let ledger =
            Ledger::new(budget.clone(), config.max_frame_size.map_or(u64::MAX, |longest| longest as u64));
        let mut counted = Counted::new(stream, ledger, &rest);
        // The library would make room for a frame that came with the answer before it reads anything.
        if let Some(failure) = counted.refused.take() {
            return Err(failure);
        }
        let stream = WebSocketStream::from_partially_read(counted, rest, Role::Client, Some(config)).await;
        let state = State {
            stream: Some(stream),
            meter,
            count,
            counted: 0,
            inbox: Inbox::default(),
            pongs: 0,
            end: None,
            over: false,
            untold: None,
        };
        let line = Rc::new(Line(RefCell::new(state)));
        let socket = Self { line, opened: clock::now(), last_send: None, wants_answer: false };
        Ok(Opening::Open(socket, headers))
    }

    /// Sends a message, and reads meanwhile: a server that is not read may not read either.
    pub async fn send(&mut self, message: Message) -> Result<(), Failure> {
        let mut message = Some(message);
        let sent = poll_fn(|context| self.line.0.borrow_mut().poll_send(context, &mut message)).await;
        self.line.0.borrow_mut().tell();
        sent?;
        self.last_send = Some(clock::now());
        self.wants_answer = true;
        Ok(())
    }

    /// Takes the oldest message that `wanted` accepts, as soon as there is one; the others stay. Begins behind the first
    /// `looked_at` messages ever, and ends as well after a large one that is not wanted, to be called again.
    /// Fails when the socket closes first.
    pub async fn receive(
        &mut self,
        looked_at: &mut u64,
        mut wanted: impl FnMut(&Arrived) -> bool,
    ) -> Result<Looked, Failure> {
        let received = self
            .line
            .wait(|state| {
                let taken = state.inbox.take(looked_at, &mut wanted).map(Ok);
                if taken.is_some() {
                    // It is held by who takes it from now on; what has come meanwhile is seen when it is next listened to.
                    let _ = state.settle();
                }
                taken.or_else(|| state.why().map(Err))
            })
            .await;
        self.wants_answer &= !matches!(received, Ok(Looked::Taken(_)));
        received
    }

    /// Sends a ping and waits for the answer.
    pub async fn ping(&mut self) -> Result<(), Failure> {
        let (before, wants_answer) = (self.line.0.borrow().pongs, self.wants_answer);
        self.send(Message::Ping(Bytes::from_static(b"loadgate"))).await?;
        self.wants_answer = wants_answer;
        let answered = |state: &mut State| (state.pongs > before).then_some(Ok(()));
        self.line.wait(|state| answered(state).or_else(|| state.why().map(Err))).await
    }

    /// Ends when the other side closes, with the reason.
    pub async fn closed(&self) -> Failure {
        self.line.wait(State::why).await
    }

    /// That it was given up because it held too much, unless a step has failed for that already.
    pub fn given_up(&mut self) -> Option<Failure> {
        self.line.0.borrow_mut().untold.take()
    }

    /// Says goodbye and waits until the other side has, or has gone; fails where the socket is given up meanwhile.
    pub async fn close(&mut self, code: u16, reason: &str) -> Result<(), Failure> {
        let frame = CloseFrame { code: code.into(), reason: reason.to_owned().into() };
        let ended = match self.send(Message::Close(Some(frame))).await {
            Ok(()) => self.closed().await,
            // A socket that the other side has closed already cannot be told; that is the end we want.
            Err(failure) => failure,
        };
        if ended.kind == FailureKind::Memory { Err(ended) } else { Ok(()) }
    }
}

impl Lines {
    /// A socket is open.
    pub fn push(&self, socket: &Socket) {
        self.0.borrow_mut().push(socket.line.clone());
    }

    /// The socket that was opened last is of no more interest.
    pub fn pop(&self) {
        self.0.borrow_mut().pop();
    }

    /// Whether no socket is open.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// None of them is.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    /// Does something, and listens to all of them meanwhile.
    pub async fn attend<F: Future>(&self, mut work: Pin<&mut F>) -> F::Output {
        poll_fn(|context| {
            for line in self.0.borrow().iter() {
                line.0.borrow_mut().listen(context);
            }
            work.as_mut().poll(context)
        })
        .await
    }
}

impl Line {
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
    /// Reads all that has come, and counts it; the task is woken when there is more. What a close needs to be
    /// answered is written by reading on behind it.
    fn listen(&mut self, context: &mut Context<'_>) {
        self.read(context);
        self.tell();
        if let Err(failure) = self.settle() {
            self.give_up(failure);
        }
    }

    /// Holds what the socket holds; fails where there is no room for it.
    fn settle(&mut self) -> Result<(), Failure> {
        match &mut self.stream {
            Some(stream) => stream.get_mut().ledger.settle(self.inbox.bytes()),
            None => Ok(()),
        }
    }

    /// Lets go of all that the socket holds.
    fn give_up(&mut self, failure: Failure) {
        self.untold.get_or_insert_with(|| failure.clone());
        self.finish(failure);
        self.stream = None;
        self.inbox.clear();
    }

    /// Has everything counted that has not been yet.
    fn tell(&mut self) {
        let moved = Moved { messages_in: self.inbox.total() - self.counted, traffic: self.meter.take() };
        self.counted = self.inbox.total();
        if moved != Moved::default() {
            (self.count)(moved, None);
        }
    }

    fn read(&mut self, context: &mut Context<'_>) {
        while !self.over
            && let Some(stream) = &mut self.stream
        {
            match stream.poll_next_unpin(context) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(message))) => {
                    if let Message::Ping(bytes) = &message {
                        stream.get_mut().ledger.pinged(bytes.len());
                    }
                    self.hear(message);
                }
                Poll::Ready(Some(Err(error))) => match stream.get_mut().refused.take() {
                    Some(failure) => self.give_up(failure),
                    None => self.finish(broken(&error)),
                },
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
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(self.gone())) };
        if message.is_some() {
            match stream.poll_ready_unpin(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.unsent(&error))),
                Poll::Pending => return self.listen_meanwhile(context),
            }
        }
        if let Some(message) = message.take() {
            // What does not fit is not sent; the socket goes on without it.
            if let Err(failure) = stream.get_mut().ledger.queue(message.len()) {
                return Poll::Ready(Err(failure));
            }
            if let Err(error) = stream.start_send_unpin(message) {
                return Poll::Ready(Err(self.unsent(&error)));
            }
        }
        match stream.poll_flush_unpin(context) {
            Poll::Ready(Ok(())) => {
                stream.get_mut().ledger.flushed();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.unsent(&error))),
            Poll::Pending => self.listen_meanwhile(context),
        }
    }

    /// What cannot be sent yet waits, unless the socket is given up meanwhile: nobody would be woken any more.
    fn listen_meanwhile(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.listen(context);
        if self.stream.is_none() { Poll::Ready(Err(self.gone())) } else { Poll::Pending }
    }

    /// Why nothing more will be said, for a step that fails for it.
    fn why(&mut self) -> Option<Failure> {
        let end = self.end.clone()?;
        self.untold = None;
        Some(end)
    }

    /// Why there is no stream any more.
    fn gone(&mut self) -> Failure {
        self.why().unwrap_or_else(|| closed("the socket was given up"))
    }

    /// What the server has said says more than that it cannot be told anything.
    fn unsent(&mut self, error: &Error) -> Failure {
        self.why().unwrap_or_else(|| broken(error))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.tell();
        if let Some(failure) = &self.untold {
            (self.count)(Moved::default(), Some(failure));
        }
    }
}

fn closed(message: &str) -> Failure {
    Failure::new(FailureKind::WebsocketClose, message)
}

/// A socket that broke: closed by nobody, or because of what the server sent.
fn broken(error: &Error) -> Failure {
    match error {
        Error::Capacity(_) => {
            Failure::new(FailureKind::Protocol, format!("{error} (`max_body`, `max_memory`)"))
        }
        Error::Utf8(_) | Error::AttackAttempt => Failure::new(FailureKind::Protocol, error.to_string()),
        Error::Protocol(reason) if !ended(reason) => Failure::new(FailureKind::Protocol, error.to_string()),
        Error::Protocol(Breach::ResetWithoutClosingHandshake) => {
            closed("the connection ended without a close")
        }
        _ => closed(&format!("the socket broke: {error}")),
    }
}

/// Whether a breach of protocol is only that the connection ended.
fn ended(error: &Breach) -> bool {
    matches!(error, Breach::ResetWithoutClosingHandshake | Breach::SendAfterClosing)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::pin;

    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::oneshot;
    use tokio_tungstenite::accept_async;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;

    use super::*;
    use crate::load::protocol::stream::Transport;

    /// A socket, the server at its other end, and what has been counted of it.
    async fn socket() -> (Socket, WebSocketStream<TcpStream>, Rc<Cell<Moved>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let request = format!("ws://{address}/").into_client_request().unwrap();
        let stream = Stream::new(Transport::Tcp(TcpStream::connect(address).await.unwrap()));
        let counted = Rc::new(Cell::new(Moved::default()));
        let sum = counted.clone();
        let count = move |moved: Moved, _: Option<&Failure>| {
            let mut so_far = sum.get();
            so_far.messages_in += moved.messages_in;
            so_far.traffic += moved.traffic;
            sum.set(so_far);
        };
        let server = async { accept_async(listener.accept().await.unwrap().0).await.unwrap() };
        let budget = Budget::new(1 << 20);
        let opening = Socket::open((request, &[]), stream, (1 << 20, &budget), Box::new(count));
        let (client, server) = tokio::join!(opening, server);
        let Opening::Open(client, _) = client.unwrap() else { panic!("redirected") };
        (client, server, counted)
    }

    #[tokio::test]
    async fn every_open_socket_is_read_while_one_of_them_is_waited_for() {
        let (outer, mut outer_server, counted) = socket().await;
        let (mut inner, mut inner_server, _) = socket().await;
        let (go, answered) = oneshot::channel();
        let pinging = async move {
            outer_server.send(Message::Text("meanwhile".into())).await.unwrap();
            outer_server.send(Message::Ping(Bytes::from_static(b"there?"))).await.unwrap();
            let pong = outer_server.next().await.unwrap().unwrap();
            assert_eq!(pong, Message::Pong(Bytes::from_static(b"there?")));
            go.send(()).unwrap();
            outer_server
        };
        // The message of the inner one comes only after the pong of the outer one.
        let answering = async move {
            answered.await.unwrap();
            inner_server.send(Message::Text("at last".into())).await.unwrap();
            inner_server
        };
        let lines = Lines::default();
        lines.push(&outer);
        lines.push(&inner);
        let waiting = async {
            let mut looked_at = 0;
            let receiving = pin!(inner.receive(&mut looked_at, |_| true));
            lines.attend(receiving).await.unwrap()
        };
        let (arrived, _outer_server, _inner_server) = tokio::join!(waiting, pinging, answering);
        assert!(matches!(arrived, Looked::Taken(Arrived { payload, .. }) if payload == "at last"));
        assert_eq!(counted.get().messages_in, 1, "counted without anybody asking for it");
        assert!(counted.get().traffic.bytes_out > 0, "the pong");
    }
}
