//! What a task does: its steps.

use super::http::REDIRECTS;
use super::user::WAIT;
use super::{Choice, Key, Kind, Rule, Shape, Variant, filled, key, required, valued};

/// One step.
pub(super) static ONE_STEP: Kind = Kind::Choice(&STEP);
/// The steps of a task.
pub(super) static STEPS: Kind = Kind::List(&ONE_STEP);
/// One step on an open WebSocket.
static ONE_SOCKET_STEP: Kind = Kind::Choice(&SOCKET_STEP);
/// Headers; null removes one.
pub(super) const HEADERS: Kind = Kind::Map(&Kind::Either(&[Kind::Template, Kind::Nothing]));

/// A field of a form or a query, or several of one name.
static FIELD: Kind = Kind::Either(&[Kind::Template, Kind::List(&Kind::Template)]);

const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

static STEP: Choice = Choice {
    name: "step",
    doc: "One step of a task: a single action, and what belongs to it.",
    variants: &[
        Variant { by: &METHODS, shape: &HTTP },
        Variant { by: &["request"], shape: &OTHER_HTTP },
        Variant { by: &["websocket"], shape: &WEBSOCKET },
        Variant { by: &["repeat"], shape: &REPEAT },
        Variant { by: &["group"], shape: &GROUP },
        Variant { by: &["run"], shape: &RUN },
        Variant { by: &["set"], shape: &SET },
        Variant { by: &["wait"], shape: &PAUSE },
    ],
};

static SOCKET_STEP: Choice = Choice {
    name: "websocket_step",
    doc: "One step on an open WebSocket; every other step may stand there too.",
    variants: &[
        Variant { by: &["send"], shape: &SEND },
        Variant { by: &["receive"], shape: &RECEIVE },
        Variant { by: &["ping"], shape: &PING },
        Variant { by: &["hold"], shape: &HOLD },
        Variant { by: &["close"], shape: &CLOSE },
        Variant { by: &METHODS, shape: &HTTP },
        Variant { by: &["request"], shape: &OTHER_HTTP },
        Variant { by: &["repeat"], shape: &SOCKET_REPEAT },
        Variant { by: &["group"], shape: &SOCKET_GROUP },
        Variant { by: &["run"], shape: &RUN },
        Variant { by: &["set"], shape: &SET },
        Variant { by: &["wait"], shape: &PAUSE },
    ],
};

/// What every step may have.
static COMMON: [Key; 3] = [
    valued(
        "when",
        Kind::Expression,
        "Skips the step unless it is true; on a first step, the whole task.",
        "when: user.id == 1",
    ),
    key("name", Kind::Text, "The name of the endpoint in results."),
    key(
        "on_failure",
        Kind::OneOf(&["continue", "end"]),
        "Whether a failure ends the iteration (default) or not.",
    ),
];

const PATH: &str = "Sends a request with this method to a path, or to a full address.";

static HTTP: Shape = Shape {
    name: "http_step",
    doc: "An HTTP request.",
    keys: &[
        &[
            key("get", Kind::Template, PATH),
            key("post", Kind::Template, PATH),
            key("put", Kind::Template, PATH),
            key("patch", Kind::Template, PATH),
            key("delete", Kind::Template, PATH),
            key("head", Kind::Template, PATH),
            key("options", Kind::Template, PATH),
        ],
        &OF_REQUEST,
        &COMMON,
    ],
    rules: &REQUEST_RULES,
};

/// A request with a method that has no key of its own.
static OTHER_HTTP: Shape = Shape {
    name: "request_step",
    doc: "An HTTP request with any method.",
    keys: &[
        &[key("request", Kind::Object(&REQUEST_TARGET), "The method, and where the request goes.")],
        &OF_REQUEST,
        &COMMON,
    ],
    rules: &REQUEST_RULES,
};

static REQUEST_TARGET: Shape = Shape {
    name: "request_target",
    doc: "The method of a request, and where it goes.",
    keys: &[&[
        required("method", Kind::Text, "The method, such as `PROPFIND`, in the letters in which it is sent."),
        required("path", Kind::Template, "The path, or a full address."),
    ]],
    rules: &[],
};

const REQUEST_RULES: [Rule; 2] =
    [Rule::AtMostOne(&["json", "form", "raw", "file", "multipart"]), Rule::AtMostOne(&["bearer", "basic"])];

/// What every request may have.
static OF_REQUEST: [Key; 16] = [
    key("headers", HEADERS, "Headers; null removes one."),
    key(
        "query",
        Kind::Map(&FIELD),
        "Parameters that are added to the path, escaped; a list repeats the name.",
    ),
    key("json", Kind::Any, "The body as JSON; templates may stand anywhere in it."),
    key("form", Kind::Map(&FIELD), "The body as a form; a list repeats the name."),
    key("raw", Kind::Template, "The body as it is."),
    key("file", Kind::Text, "The file that is the body."),
    key("multipart", Kind::Map(&PART), "The body as a form of several parts, files among them."),
    key("bearer", Kind::Template, "The token of the Authorization header."),
    key("basic", Kind::Object(&BASIC), "User and password of the Authorization header."),
    valued(
        "expect",
        Kind::Object(&EXPECT),
        "What the answer must be; without `status`, 400 and above fails.",
        "expect: {status: 200}",
    ),
    valued("capture", CAPTURES, "Values from the answer that are remembered by name.", A_CAPTURE),
    valued("append", CAPTURES, "Values from the answer that are added to lists of this user.", AN_APPEND),
    key("record", Kind::Text, RECORD),
    valued(
        "poll",
        Kind::Object(&POLL),
        "Repeats the request until a condition holds.",
        "poll: {until: response.json.done}",
    ),
    key("timeout", Kind::Duration, "How long this request may take."),
    key("redirects", REDIRECTS, "How redirects are followed, instead of `http.redirects`."),
];

const A_CAPTURE: &str = "capture: {id: $.id}";
const AN_APPEND: &str = "append: {ids: $.id}";
const RECORD: &str = "A custom metric that gets the same timing.";

static BASIC: Shape = Shape {
    name: "basic",
    doc: "Basic authentication.",
    keys: &[&[
        required("user", Kind::Template, "The user."),
        required("password", Kind::Template, "The password."),
    ]],
    rules: &[],
};

const PART: Kind = Kind::Either(&[Kind::Template, Kind::Object(&ONE_PART), Kind::List(&A_PART)]);
static A_PART: Kind = Kind::Either(&[Kind::Template, Kind::Object(&ONE_PART)]);

static ONE_PART: Shape = Shape {
    name: "part",
    doc: "One part of a form: a text or a file.",
    keys: &[&[
        key("text", Kind::Template, "The content."),
        key("file", Kind::Text, "The file that is the content."),
        key("filename", Kind::Template, "The name it is sent under (default: that of the file)."),
        key("content_type", Kind::Text, "What it is (default for a file: application/octet-stream)."),
    ]],
    rules: &[Rule::ExactlyOne(&["text", "file"])],
};

static EXPECT: Shape = Shape {
    name: "expect",
    doc: "What an answer must be; anything else is a failure of kind status or expectation.",
    keys: &[&[
        filled(
            "status",
            Kind::Either(&[Kind::Status, Kind::List(&Kind::Status)]),
            "The status, or several, or `2xx`.",
            "status: 200",
        ),
        filled("contains", Kind::Template, "A text that the body holds.", "contains: created"),
        filled(
            "header",
            Kind::Map(&Kind::Template),
            "Headers and their values.",
            "header: {content-type: text/html}",
        ),
        filled(
            "json",
            Kind::Map(&Kind::Any),
            "JSONPaths and the values they must find.",
            "json: {$.status: done}",
        ),
        valued("that", Kind::Expression, "An expression that must be true.", "that: response.json.n > 0"),
    ]],
    rules: &[],
};

const CAPTURES: Kind = Kind::Map(&Kind::Either(&[Kind::Text, Kind::Object(&CAPTURE)]));

static CAPTURE: Shape = Shape {
    name: "capture",
    doc: "Where a value is taken from; the short form is a JSONPath.",
    keys: &[&[
        key("json", Kind::Text, "A JSONPath into the body."),
        key("regex", Kind::Text, "A regular expression over the body."),
        key("group", Kind::COUNT, "Which group of it (default: the first, or the whole match)."),
        key("header", Kind::Text, "A header."),
        key("secret", Kind::Bool, "Whether its value is masked in reports, traces and logs."),
    ]],
    rules: &[
        Rule::ExactlyOne(&["json", "regex", "header"]),
        Rule::AtMostOne(&["json", "group"]),
        Rule::AtMostOne(&["header", "group"]),
    ],
};

static POLL: Shape = Shape {
    name: "poll",
    doc: "Repeats a request until a condition holds; `record` times the whole of it.",
    keys: &[&[
        required("until", Kind::Expression, "The condition."),
        key("every", Kind::Duration, "The time between two requests."),
        key("timeout", Kind::Duration, "When to give up, which is a failure."),
    ]],
    rules: &[],
};

static WEBSOCKET: Shape = Shape {
    name: "websocket",
    doc: "Opens a WebSocket, does its steps, and closes it.",
    keys: &[
        &[
            key("websocket", Kind::Template, "The path, or a full address."),
            key("subprotocol", Kind::Template, "The subprotocol to ask for."),
            key("headers", HEADERS, "Headers of the handshake; null removes one."),
            key(
                "query",
                Kind::Map(&FIELD),
                "Parameters that are added to the path, escaped; a list repeats the name.",
            ),
            key("timeout", Kind::Duration, "How long the handshake may take."),
            key("record", Kind::Text, RECORD),
            key("steps", Kind::List(&ONE_SOCKET_STEP), "What happens on the open socket."),
        ],
        &COMMON,
    ],
    rules: &[],
};

const TIMES: Key = key("repeat", Kind::COUNT, "How many times; `index` counts from 0.");
const GROUP_NAME: Key = key("group", Kind::Text, "A name for several steps that are timed as one.");
const STEPS_DOC: &str = "The steps.";

static REPEAT: Shape = Shape {
    name: "repeat",
    doc: "Repeats steps.",
    keys: &[&[TIMES, required("steps", Kind::List(&ONE_STEP), STEPS_DOC)], &COMMON],
    rules: &[],
};

static SOCKET_REPEAT: Shape = Shape {
    name: "websocket_repeat",
    doc: "Repeats steps on an open WebSocket.",
    keys: &[&[TIMES, required("steps", Kind::List(&ONE_SOCKET_STEP), STEPS_DOC)], &COMMON],
    rules: &[],
};

static GROUP: Shape = Shape {
    name: "group",
    doc: "Steps that are timed as one.",
    keys: &[&[GROUP_NAME, required("steps", Kind::List(&ONE_STEP), STEPS_DOC)], &COMMON],
    rules: &[],
};

static SOCKET_GROUP: Shape = Shape {
    name: "websocket_group",
    doc: "Steps on an open WebSocket that are timed as one.",
    keys: &[&[GROUP_NAME, required("steps", Kind::List(&ONE_SOCKET_STEP), STEPS_DOC)], &COMMON],
    rules: &[],
};

static RUN: Shape = Shape {
    name: "run",
    doc: "Does the steps of another task.",
    keys: &[&[key("run", Kind::Text, "The name of the task.")], &COMMON],
    rules: &[],
};

static SET: Shape = Shape {
    name: "set",
    doc: "Remembers values.",
    keys: &[&[key("set", Kind::Map(&Kind::Any), "Names and values; templates are rendered.")], &COMMON],
    rules: &[],
};

static PAUSE: Shape =
    Shape { name: "pause", doc: "Waits.", keys: &[&[key("wait", WAIT, "How long.")], &COMMON], rules: &[] };

static SEND: Shape = Shape {
    name: "send",
    doc: "Sends a message.",
    keys: &[&[key("send", Kind::Object(&MESSAGE), "The message.")], &COMMON],
    rules: &[],
};

static MESSAGE: Shape = Shape {
    name: "message",
    doc: "A WebSocket message.",
    keys: &[&[
        key("json", Kind::Any, "JSON; templates may stand anywhere in it."),
        key("text", Kind::Template, "Text."),
        key("binary", Kind::Text, "Bytes, written as base64."),
    ]],
    rules: &[Rule::ExactlyOne(&["json", "text", "binary"])],
};

static RECEIVE: Shape = Shape {
    name: "receive",
    doc: "Waits for a message.",
    keys: &[&[key("receive", Kind::Object(&EXPECTED), "Which message, and what to do with it.")], &COMMON],
    rules: &[],
};

static EXPECTED: Shape = Shape {
    name: "expected_message",
    doc: "A message that is waited for: the oldest that matches, the rest stay.",
    keys: &[&[
        valued(
            "where",
            Kind::Expression,
            "The condition on `message`; without it, any message.",
            "where: message.status == 'done'",
        ),
        key("within", Kind::Duration, "How long to wait; after that it is a missing message."),
        key("record", Kind::Text, "A custom metric that gets the time since the last send, or the opening."),
        valued("capture", CAPTURES, "Values from the message that are remembered by name.", A_CAPTURE),
        valued(
            "append",
            CAPTURES,
            "Values from the message that are added to lists of this user.",
            AN_APPEND,
        ),
        key("since", Kind::OneOf(&["send", "open", "step"]), "What the time is measured from."),
    ]],
    rules: &[],
};

static PING: Shape = Shape {
    name: "ping",
    doc: "Sends a ping and waits for the pong.",
    keys: &[&[key("ping", Kind::True, "true")], &COMMON],
    rules: &[],
};

static HOLD: Shape = Shape {
    name: "hold",
    doc: "Keeps the socket open and reads what comes.",
    keys: &[&[key("hold", Kind::Duration, "How long.")], &COMMON],
    rules: &[],
};

static CLOSE: Shape = Shape {
    name: "close",
    doc: "Closes the socket.",
    keys: &[
        &[key("close", Kind::Either(&[Kind::True, Kind::Object(&CLOSE_FRAME)]), "true, or code and reason.")],
        &COMMON,
    ],
    rules: &[],
};

static CLOSE_FRAME: Shape = Shape {
    name: "close_frame",
    doc: "What the close says.",
    keys: &[&[
        key("code", Kind::Integer { min: 1000, max: 4999 }, "The code (default 1000)."),
        key("reason", Kind::Text, "The reason."),
    ]],
    rules: &[],
};
