//! A connection, encrypted or not, that counts its bytes.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use super::link_local;
use crate::load::measure::sample::Traffic;
use crate::load::tls::H2;

/// A connection that counts its bytes. Clones of its [`Meter`] read the count.
pub struct Stream {
    transport: Transport,
    meter: Meter,
}

/// What carries the bytes.
pub enum Transport {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Hands a call on to whatever carries the bytes.
macro_rules! carried {
    ($this:expr, $stream:ident => $call:expr) => {
        match &mut $this.transport {
            Transport::Tcp($stream) => $call,
            Transport::Unix($stream) => $call,
            Transport::Tls($stream) => $call,
        }
    };
}

/// Bytes moved over one connection since the last look.
#[derive(Debug, Clone, Default)]
pub struct Meter(Rc<Cell<Traffic>>);

impl Meter {
    /// What was moved since the last call.
    pub fn take(&self) -> Traffic {
        self.0.take()
    }

    /// Bytes read since the last call of [`take`](Self::take).
    pub fn bytes_in(&self) -> u64 {
        self.0.get().bytes_in
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
    /// A connection over this.
    pub fn new(transport: Transport) -> Self {
        Self { transport, meter: Meter::default() }
    }

    /// The meter of this connection.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Whether the other side has an address to which a server must not redirect.
    pub fn is_link_local(&self) -> bool {
        let peer = match &self.transport {
            Transport::Tcp(stream) => stream.peer_addr(),
            Transport::Tls(stream) => stream.get_ref().0.peer_addr(),
            Transport::Unix(_) => return false,
        };
        peer.is_ok_and(|address| link_local::is_refused(address.ip()))
    }

    /// Whether both sides agreed on HTTP/2 (ALPN).
    pub fn agreed_on_http2(&self) -> bool {
        match &self.transport {
            Transport::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(H2),
            Transport::Tcp(_) | Transport::Unix(_) => false,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = carried!(self, stream => Pin::new(stream).poll_read(context, buffer));
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
        let written = carried!(self, stream => Pin::new(stream).poll_write(context, bytes));
        if let Poll::Ready(Ok(count)) = &written {
            self.meter.add(0, *count);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        carried!(self, stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        carried!(self, stream => Pin::new(stream).poll_shutdown(context))
    }
}
