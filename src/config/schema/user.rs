//! Who works: classes of users, their waits, and the data they use.

use super::step::{HEADERS, ONE_STEP};
use super::{Key, Kind, Rule, Shape, key, required};

/// A class of users.
pub(super) static USER: Shape = Shape {
    name: "user",
    doc: "A class of users: what they do, how often, and how long they wait between tasks.",
    keys: &[&[
        key("weight", Kind::COUNT, "Its share of all users (default 1)."),
        key("wait", WAIT, "How long a user waits between two tasks (default 0s)."),
        key(
            "headers",
            HEADERS,
            "Headers of all its requests; those of `on_start` get the ones that read nothing that steps capture.",
        ),
        key("on_start", Kind::Text, "A task that each user does once, first."),
        key("tasks", Kind::Map(&Kind::COUNT), "The tasks and how often each is drawn."),
        key("steps", Kind::List(&ONE_STEP), "The steps of its only task, in place of `tasks`."),
    ]],
    rules: &[Rule::ExactlyOne(&["tasks", "steps"])],
};

/// How long to wait.
pub(super) const WAIT: Kind = Kind::Either(&[Kind::Range, Kind::Object(&DISTRIBUTION)]);

static DISTRIBUTION: Shape = Shape {
    name: "wait",
    doc: "A wait that is drawn from a distribution, or that keeps a pace.",
    keys: &[&[
        key("normal", Kind::Object(&NORMAL), "Drawn from a normal distribution, never negative."),
        key("exponential", Kind::Duration, "Drawn from an exponential distribution with this mean."),
        key("throughput", Kind::Rate, "So that each user keeps this many iterations per second."),
    ]],
    rules: &[Rule::ExactlyOne(&["normal", "exponential", "throughput"])],
};

static NORMAL: Shape = Shape {
    name: "normal",
    doc: "A normal distribution.",
    keys: &[&[
        required("mean", Kind::Duration, "Its mean."),
        required("sd", Kind::Duration, "Its standard deviation."),
    ]],
    rules: &[],
};

/// An entry of `data`.
pub(super) const DATA: Kind = Kind::Either(&[Kind::List(&Kind::Any), Kind::Object(&DATA_FILE)]);

static DATA_FILE: Shape =
    Shape { name: "data_file", doc: "Rows from a file.", keys: &[&DATA_FILE_KEYS], rules: &[] };

static DATA_FILE_KEYS: [Key; 3] = [
    required(
        "file",
        Kind::Text,
        "A CSV file with a header row, a JSON file with a list, or a JSON Lines file with a value on each line.",
    ),
    key("separator", Kind::Text, "What separates the cells of a CSV file: one character (default `,`)."),
    key(
        "order",
        Kind::OneOf(&["sequential", "random", "per_user"]),
        "Which row an iteration gets; per_user keeps one for good.",
    ),
];
