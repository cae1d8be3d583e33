//! How a request ended.

/// The closed list of ways to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureKind {
    /// The name could not be resolved.
    Dns,
    /// No connection could be made.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// It took longer than allowed.
    Timeout,
    /// The connection was closed or reset before the response had ended.
    Reset,
    /// The peer did not speak the protocol, or its answer was larger than allowed.
    Protocol,
    /// The status says failure, or is not the one expected.
    Status,
    /// Another expectation did not hold.
    Expectation,
    /// Something to capture was not there, or a template had nothing to render.
    Capture,
    /// An arrival found no user.
    Dropped,
    /// A WebSocket closed when nobody wanted it to.
    WebsocketClose,
    /// A message did not come in time.
    MissingMessage,
    /// What the service sent did not fit into the memory that the whole run may hold.
    Memory,
}

impl FailureKind {
    /// All, in the order of declaration.
    pub const ALL: [Self; 13] = [
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Reset,
        Self::Protocol,
        Self::Status,
        Self::Expectation,
        Self::Capture,
        Self::Dropped,
        Self::WebsocketClose,
        Self::MissingMessage,
        Self::Memory,
    ];

    /// The word in `result.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
            Self::Status => "status",
            Self::Expectation => "expectation",
            Self::Capture => "capture",
            Self::Dropped => "dropped",
            Self::WebsocketClose => "websocket_close",
            Self::MissingMessage => "missing_message",
            Self::Memory => "memory",
        }
    }

    /// Its place in [`ALL`](Self::ALL).
    pub fn index(self) -> usize {
        self as usize
    }
}

/// How many characters of a message are kept.
pub const LONGEST_MESSAGE: usize = 2_000;

/// A failure and a sentence about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which kind.
    pub kind: FailureKind,
    /// What happened, capped.
    pub message: String,
}

impl Failure {
    /// A failure. The message is cut so that no body of a response is kept whole; what is shown of it is cut further,
    /// after secrets have been taken out.
    pub fn new(kind: FailureKind, message: impl AsRef<str>) -> Self {
        Self { kind, message: message.as_ref().chars().take(LONGEST_MESSAGE).collect() }
    }
}
