//! How much load: the models, and the short form of an environment.

use super::{Key, Kind, Rule, Shape, key, required};

/// The short form: the keys of a load that may stand without `load`.
pub(super) static SHORT: [Key; 4] = [
    key("users", Kind::POSITIVE, USERS),
    key("spawn_rate", Kind::Rate, SPAWN_RATE),
    key("run_time", Kind::Duration, RUN_TIME),
    key("arrivals", Kind::Rate, ARRIVALS),
];

/// What must hold between them.
pub(super) const SHORT_RULES: [Rule; 2] = [
    Rule::Excludes("load", &["users", "spawn_rate", "run_time", "arrivals"]),
    Rule::AtMostOne(&["users", "arrivals"]),
];

const USERS: &str = "How many users work at the same time (closed model).";
const SPAWN_RATE: &str = "How many users start per second.";
const RUN_TIME: &str = "How long the run lasts.";
const ARRIVALS: &str =
    "How many iterations start per second, whether or not earlier ones have ended (open model).";

/// A load in full.
pub(super) static LOAD: Shape = Shape {
    name: "load",
    doc: "How much load, of which model, for how long.",
    keys: &[
        &SHORT,
        &[
            key(
                "stages",
                Kind::List(&Kind::Object(&STAGE)),
                "A course of levels, each reached on a straight line.",
            ),
            key("staircase", Kind::Object(&STAIRCASE), "Level after level, to find the capacity."),
            key("warmup", Kind::Duration, "Time after the ramp that is not judged."),
            key("drain", Kind::Duration, "How long requests in flight may take at the end (default 5s)."),
            key(
                "stop",
                Kind::OneOf(&["request", "iteration"]),
                "What a user that is not wanted any more ends within `drain`: its request (default), or its iteration.",
            ),
            key("max_users", Kind::POSITIVE, "The most users that arrivals may make."),
            key("distribution", Kind::OneOf(&["even", "poisson"]), "How arrivals are spaced."),
        ],
    ],
    rules: &[Rule::AtMostOne(&["users", "arrivals", "stages", "staircase"])],
};

const LEVEL: Kind = Kind::Either(&[Kind::COUNT, Kind::Rate]);

static STAGE: Shape = Shape {
    name: "stage",
    doc: "One stage: go to a level over a time.",
    keys: &[&[
        required("to", LEVEL, "The level at its end: users, or arrivals as a rate."),
        required("over", Kind::Duration, "How long it lasts."),
    ]],
    rules: &[],
};

static STAIRCASE: Shape = Shape {
    name: "staircase",
    doc: "Levels that rise step by step: users, or arrivals as rates.",
    keys: &[&[
        required("from", LEVEL, "The first level."),
        required("by", LEVEL, "How much higher each level is."),
        required("every", Kind::Duration, "How long a level lasts."),
        required("until", LEVEL, "The last level."),
    ]],
    rules: &[],
};
