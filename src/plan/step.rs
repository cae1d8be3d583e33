//! Steps: what a virtual user does, one after another.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{AUTHORIZATION, COOKIE, HeaderName, PROXY_AUTHORIZATION};

use crate::template::{Expression, JsonTemplate, Query, Slot, Template};

use super::user::Wait;

static API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Index into [`Plan::endpoints`](super::Plan::endpoints).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointId(pub usize);

/// Index into [`Plan::metrics`](super::Plan::metrics).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MetricId(pub usize);

/// One step.
#[derive(Debug)]
pub struct Step {
    /// Skips the step where it does not hold; on a first step, the whole task.
    pub when: Option<Expression>,
    /// What to do.
    pub action: Action,
    /// What a failure means for the iteration.
    pub on_failure: OnFailure,
}

/// What a failed step means for its iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The iteration ends.
    End,
    /// The next step runs.
    Continue,
}

/// What a step does. The last five stand inside a WebSocket step only.
#[derive(Debug)]
pub enum Action {
    /// An HTTP request, possibly repeated until something holds.
    Request(Box<Request>),
    /// A WebSocket, open for its steps.
    WebSocket(Box<WebSocket>),
    /// Steps, several times; `index` counts from 0.
    Repeat { times: u32, steps: Arc<[Step]> },
    /// Steps timed as one, under a custom metric.
    Group { metric: MetricId, steps: Arc<[Step]> },
    /// The steps of another task, in place.
    Run(Arc<[Step]>),
    /// Sets values.
    Set(Vec<(Slot, JsonTemplate)>),
    /// Waits.
    Wait(Wait),
    /// Sends a message.
    Send(Message),
    /// Waits for a message.
    Receive(Box<Receive>),
    /// Sends a ping and waits for its pong.
    Ping,
    /// Keeps the socket open, reading.
    Hold(Duration),
    /// Closes the socket.
    Close { code: u16, reason: String },
}

/// Whether any of these steps lets time pass by itself: a pause, an open socket, a poll.
pub fn waits(steps: &[Step]) -> bool {
    steps.iter().any(|step| match &step.action {
        Action::Wait(_) | Action::Hold(_) | Action::Receive(_) => true,
        Action::Request(request) => request.poll.is_some(),
        Action::WebSocket(socket) => waits(&socket.steps),
        Action::Repeat { steps, .. } | Action::Group { steps, .. } | Action::Run(steps) => waits(steps),
        Action::Set(_) | Action::Send(_) | Action::Ping | Action::Close { .. } => false,
    })
}

/// An HTTP request.
#[derive(Debug)]
pub struct Request {
    /// What it is counted under.
    pub endpoint: EndpointId,
    /// `GET`, `POST`, …
    pub method: hyper::Method,
    /// A path (from `/`) on the target, or a whole URL.
    pub url: Template,
    /// Added to the URL, percent-encoded.
    pub query: Vec<(String, Template)>,
    /// Headers of the class, the step and its authorisation, in that order of overriding.
    pub headers: Vec<(FieldName, HeaderValue)>,
    /// Which headers are sent besides, because nothing is said of them.
    pub defaults: DefaultHeaders,
    /// What is sent.
    pub body: Body,
    /// What must hold for it to be a success.
    pub expect: Vec<Expectation>,
    /// What is kept of the response.
    pub captures: Vec<Capture>,
    /// A second name for the same timing.
    pub record: Option<MetricId>,
    /// Repeats it until something holds.
    pub poll: Option<Poll>,
    /// Instead of [`Limits::timeout`](super::Limits::timeout).
    pub timeout: Option<Duration>,
    /// What this step says of redirects.
    pub redirects: Redirects,
}

/// What a step says of redirects; where it says nothing, [`Http`](super::connection::Http) does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redirects {
    /// How many are followed, one after the other.
    pub most: Option<u32>,
    /// The origins that get what the target would get: bodies, and headers that hold secrets.
    pub to: Option<Vec<url::Url>>,
}

/// The name of a header of a request: as it is compared, in lower case, and as it is written over HTTP/1.1, and whether
/// the value holds a secret. Names are the same in any case (RFC 9110, 5.1), and yet there are services that know them in
/// one case only.
#[derive(Debug, Clone)]
pub struct FieldName {
    name: HeaderName,
    typed: Cow<'static, str>,
    holds_secret: bool,
}

impl FieldName {
    /// A name that is written in this way. `typed` must be `name` in any case.
    pub const fn of(name: HeaderName, typed: &'static str) -> Self {
        Self { name, typed: Cow::Borrowed(typed), holds_secret: false }
    }

    /// The name that was typed; none where it is not the name of a header.
    pub fn typed(typed: &str) -> Option<Self> {
        let name = HeaderName::from_bytes(typed.as_bytes()).ok()?;
        Some(Self { name, typed: typed.to_owned().into(), holds_secret: false })
    }

    /// The same name of a header whose value is made of a secret.
    #[must_use]
    pub fn holding_secret(self) -> Self {
        Self { holds_secret: true, ..self }
    }

    /// Whether it says who asks.
    pub fn says_who(&self) -> bool {
        [&AUTHORIZATION, &COOKIE, &PROXY_AUTHORIZATION, &API_KEY].contains(&&self.name)
    }

    /// Whether a redirect to an origin that is not part of the service takes the header away: it says who asks, or its
    /// value is made of a secret.
    pub fn stays_behind(&self) -> bool {
        self.holds_secret || self.says_who()
    }

    /// The name as it was typed, for HTTP/1.1.
    pub fn as_typed(&self) -> &str {
        &self.typed
    }
}

impl Deref for FieldName {
    type Target = HeaderName;

    fn deref(&self) -> &HeaderName {
        &self.name
    }
}

/// Which headers are sent although the configuration does not say them: it says nothing of them, not even that they
/// are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultHeaders {
    /// `user-agent: loadgate/VERSION`.
    pub user_agent: bool,
    /// `accept: */*`.
    pub accept: bool,
    /// `authorization`, where the URL has a user.
    pub authorization: bool,
}

/// The value of a header.
#[derive(Debug)]
pub enum HeaderValue {
    /// As rendered.
    Text(Template),
    /// As rendered, for the target and the origins that [`Redirects::to`] names; other origins go without it.
    AtHome(Template),
    /// `Bearer <token>`.
    Bearer(Template),
    /// `Basic <base64 of user:password>` (RFC 7617).
    Basic { user: Template, password: Template },
}

/// A request body. The `content-type` stands among the headers.
#[derive(Debug)]
pub enum Body {
    /// None.
    Empty,
    /// JSON with templates.
    Json(JsonTemplate),
    /// `application/x-www-form-urlencoded`.
    Form(Vec<(String, Template)>),
    /// Text with templates.
    Raw(Template),
    /// The same bytes every time: a file read before the run, JSON without templates. Shared by all users.
    Fixed(bytes::Bytes),
    /// `multipart/form-data`, flattened.
    Multipart(Vec<Piece>),
}

/// A stretch of a body of several parts.
#[derive(Debug)]
pub enum Piece {
    /// The same every time; shared by all users.
    Fixed(bytes::Bytes),
    /// Rendered.
    Rendered(Template),
    /// Rendered, and escaped as the name of a file.
    Name(Template),
}

/// A name between quotes in a body of several parts, as browsers write it (form submission in the HTML
/// standard).
pub fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// One condition on a response.
#[derive(Debug)]
pub enum Expectation {
    /// Any of these status ranges, ends included: `2xx` is 200–299.
    Status(Vec<(u16, u16)>),
    /// The body contains this text.
    Contains(Template),
    /// The header has this value.
    Header(hyper::header::HeaderName, Template),
    /// What the path finds first equals this.
    Json { path: Query, text: String, value: JsonTemplate },
    /// The expression holds; it sees `response.status`, `response.headers`, `response.json`.
    That(Expression),
}

impl Expectation {
    /// Whether this names a status, and this one among others.
    pub fn names(&self, status: u16) -> bool {
        matches!(self, Self::Status(ranges) if ranges.iter().any(|(low, high)| (*low..=*high).contains(&status)))
    }
}

/// Something kept of a response or message.
#[derive(Debug)]
pub struct Capture {
    /// Where it goes.
    pub slot: Slot,
    /// Its name, for messages.
    pub name: String,
    /// Whether it replaces the value or is added to the list.
    pub mode: CaptureMode,
    /// Where it comes from.
    pub from: Extract,
    /// Whether its value may be shown.
    pub visibility: Visibility,
}

/// Whether a captured value may appear in reports, traces and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// It may.
    Shown,
    /// It is masked (`secret: true`).
    Secret,
}

/// Whether a captured value replaces or is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureMode {
    /// `capture`.
    Set,
    /// `append`.
    Append,
}

/// Where a captured value comes from.
#[derive(Debug)]
pub enum Extract {
    /// The first that a JSONPath (RFC 9535) finds.
    Json { path: Query, text: String },
    /// A group of the first match of a pattern over the bytes of the body.
    Regex { pattern: regex::bytes::Regex, group: usize },
    /// A header.
    Header(hyper::header::HeaderName),
}

/// Repeats a request until something holds.
#[derive(Debug)]
pub struct Poll {
    /// Sees `response`.
    pub until: Expression,
    /// From the end of one request to the start of the next.
    pub every: Wait,
    /// From the start of the first; a failure of kind timeout.
    pub timeout: Duration,
}

/// A WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    /// What its connect is counted under.
    pub endpoint: EndpointId,
    /// A path on the target, or a whole `ws://` or `wss://` URL.
    pub url: Template,
    /// Added to the URL.
    pub query: Vec<(String, Template)>,
    /// Headers of the handshake.
    pub headers: Vec<(FieldName, HeaderValue)>,
    /// Which headers are sent besides, because nothing is said of them.
    pub defaults: DefaultHeaders,
    /// Asked for, and must be answered.
    pub subprotocol: Option<String>,
    /// A second name for the connect time.
    pub record: Option<MetricId>,
    /// Of the connect.
    pub timeout: Option<Duration>,
    /// What happens on it.
    pub steps: Arc<[Step]>,
}

/// A message to send.
#[derive(Debug)]
pub enum Message {
    /// JSON, as text.
    Json(JsonTemplate),
    /// Text.
    Text(Template),
    /// Bytes.
    Binary(bytes::Bytes),
}

/// A message to wait for.
#[derive(Debug)]
pub struct Receive {
    /// The oldest message for which it holds is taken; any where there is none. Sees `message`.
    pub matches: Option<Expression>,
    /// How long to wait; then it is a failure of kind missing message.
    pub within: Duration,
    /// The custom metric its time goes to.
    pub record: Option<MetricId>,
    /// Where that time begins.
    pub since: Since,
    /// What is kept of it.
    pub captures: Vec<Capture>,
}

/// Where the time of a received message begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// The last send on this socket, else its opening.
    LastSend,
    /// The opening of the socket.
    Open,
    /// The start of this step.
    Step,
}
