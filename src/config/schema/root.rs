//! The file itself, its environments and scenarios, and the keys they share.

use super::http::{HTTP, TLS};
use super::judging::{AB, BASELINE, THRESHOLDS};
use super::load::{LOAD, SHORT, SHORT_RULES};
use super::reporting::REPORTING;
use super::step::STEPS;
use super::user::{DATA, USER};
use super::{Key, Kind, Rule, Shape, key, required};

/// The whole of config.yaml.
pub static ROOT: Shape = Shape {
    name: "config",
    doc: "The configuration of loadgate: what is loaded, how much, and what must hold.",
    keys: &[
        &[
            required("version", Kind::Integer { min: 1, max: 1 }, "The version of this format: 1."),
            key("name", Kind::Text, "The name of the suite, shown in reports."),
            key("description", Kind::Text, "What the suite is for."),
            key(
                "seed",
                Kind::Integer { min: 0, max: u64::MAX },
                "Makes the random choices of a run repeatable.",
            ),
            key("defaults", Kind::Object(&DEFAULTS), "What runs when nothing is said."),
            required(
                "environments",
                Kind::Named(&Kind::Object(&ENVIRONMENT)),
                "What is put under load, by name.",
            ),
            required("scenarios", Kind::Named(&Kind::Object(&SCENARIO)), "What the users do, by name."),
        ],
        &SHARED,
        &[AB_KEY],
        &SHORT,
    ],
    rules: &SHORT_RULES,
};

/// What flags and environment variables may set above all other layers.
pub static OVERRIDES: Shape = Shape {
    name: "overrides",
    doc: "Keys that flags and environment variables set.",
    keys: &[&[HOST, TARGET_KEY], &SHARED, &[AB_KEY], &SHORT],
    rules: &[Rule::AtMostOne(&["users", "arrivals"])],
};

/// The keys that may stand at the top, in an environment and in a scenario; the more specific wins.
static SHARED: [Key; 9] = [
    key("thresholds", Kind::Object(&THRESHOLDS), "What must hold; a breach fails the job."),
    key("load", Kind::Object(&LOAD), "How much load, in full."),
    key("baseline", Kind::Object(&BASELINE), "Comparison with earlier runs."),
    key("reporting", Kind::Object(&REPORTING), "Which reports are written."),
    key("timeout", Kind::Duration, "How long a request may take (default 30s)."),
    key("max_body", Kind::Size, "The most of an answer that is read."),
    key(
        "max_memory",
        Kind::Either(&[Kind::Size, Kind::Ratio]),
        "The most that a run holds of what services send: a size, or a share of the machine's memory (default 25%).",
    ),
    key("http", Kind::Object(&HTTP), "How HTTP is spoken."),
    key("tls", Kind::Object(&TLS), "Whose certificates are believed, and which one is shown."),
];

const AB_KEY: Key = key("ab", Kind::Object(&AB), "Comparison of two versions on one machine.");
const HOST: Key = key(
    "host",
    Kind::Template,
    "The address of a service that runs already: a URL, or `unix:/path` of a socket.",
);
const TARGET_KEY: Key = key("target", Kind::Object(&TARGET), "A service that is started for the run.");

static DEFAULTS: Shape = Shape {
    name: "defaults",
    doc: "What runs when nothing is said. Not needed with one environment and one scenario.",
    keys: &[&[
        key("environment", Kind::Text, "The environment."),
        key("scenario", Kind::Text, "The scenario."),
    ]],
    rules: &[],
};

static ENVIRONMENT: Shape = Shape {
    name: "environment",
    doc: "A service to put under load: one that runs already, or one that is started for the run.",
    keys: &[
        &[
            key("description", Kind::Text, "What it is."),
            HOST,
            TARGET_KEY,
            key("protected", Kind::Bool, "Refuse to start without --allow-protected."),
        ],
        &SHARED,
        &[AB_KEY],
        &SHORT,
    ],
    rules: &[
        Rule::AtMostOne(&["host", "target"]),
        Rule::Excludes("load", &["users", "spawn_rate", "run_time", "arrivals"]),
        Rule::AtMostOne(&["users", "arrivals"]),
    ],
};

static TARGET: Shape = Shape {
    name: "target",
    doc: "How to start the service, and how to know that it is ready.",
    keys: &[&[
        required(
            "command",
            Kind::Either(&[Kind::Template, Kind::List(&Kind::Template)]),
            "The command. A list is one argument per item; a text is split as a shell would. `{{ address }}` is 127.0.0.1:PORT.",
        ),
        key("ready", Kind::Template, "A path that is polled until it answers 2xx."),
        key("ready_timeout", Kind::Duration, "How long that may take."),
        key(
            "env",
            Kind::Map(&Kind::Template),
            "Environment variables of the command beside those of loadgate, by name.",
        ),
    ]],
    rules: &[],
};

static SCENARIO: Shape = Shape {
    name: "scenario",
    doc: "What the users do: their classes and their tasks.",
    keys: &[
        &[
            key("description", Kind::Text, "What it shows."),
            key("data", Kind::Map(&DATA), "Lists and files that templates take values from, by name."),
            required("users", Kind::Map(&Kind::Object(&USER)), "The classes of users, by name."),
            key("tasks", Kind::Map(&STEPS), "The tasks, by name: lists of steps."),
        ],
        &SHARED,
    ],
    rules: &[],
};
