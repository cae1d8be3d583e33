//! How much load: the most specific of what the layers say, key by key, replaced whole where a more
//! specific layer names another model.

use std::time::Duration;

use crate::config::node::{Key, Node, Span, Value};
use crate::config::problem::Problem;
use crate::plan::load::{Distribution, Load, Model, Shape, StopAfter};
use crate::units::Rate;

use super::layer::{Layer, Layers, Level};
use super::{profile, unit};

/// How long a load lasts, where nothing is said.
const RUN_TIME: Duration = Duration::from_secs(30);
/// How long requests in flight may take at the end, where nothing is said.
const DRAIN: Duration = Duration::from_secs(5);
/// The users there may be at once are those of so many seconds of arrivals, where nothing is said.
const ARRIVALS_HELD: f64 = 10.0;
/// Keys of `load` that may stand outside of it.
const SHORT: [&str; 4] = ["users", "spawn_rate", "run_time", "arrivals"];

/// What a load is made of: keys and values, the most specific of each.
#[derive(Debug, Clone, Default)]
struct Parts<'a>(Vec<(&'a Key, &'a Node)>);

/// How the level over time is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Users,
    Arrivals,
    Stages,
    Staircase,
}

impl Kind {
    fn key(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Arrivals => "arrivals",
            Self::Stages => "stages",
            Self::Staircase => "staircase",
        }
    }

    fn of_key(key: &str) -> Option<Self> {
        match key {
            "users" | "spawn_rate" => Some(Self::Users),
            "arrivals" => Some(Self::Arrivals),
            "stages" => Some(Self::Stages),
            "staircase" => Some(Self::Staircase),
            _ => None,
        }
    }
}

/// What is wrong with the load one layer describes, taken alone.
pub(super) fn check(layer: Layer) -> Vec<Problem> {
    let parts = match layer_parts(layer) {
        Ok(parts) => parts,
        Err(problem) => return vec![problem],
    };
    let leveled = [
        parts.get("stages").map(|it| profile::stages(Some(it))),
        parts.get("staircase").map(|it| profile::staircase(Some(it))),
    ];
    let senseless = leveled.into_iter().flatten().filter_map(Result::err);
    parts.contradictions().into_iter().chain(parts.zeros()).chain(senseless).collect()
}

/// The load of a run. `place` is what to point at where nothing is said.
pub(super) fn resolve(layers: &Layers, place: Span) -> Result<Load, Vec<Problem>> {
    let mut parts = Parts::default();
    let mut problems = Vec::new();
    for layer in layers.iter() {
        match layer_parts(layer) {
            Ok(above) => parts.cover(above),
            Err(problem) => problems.push(problem),
        }
    }
    problems.extend(parts.contradictions());
    if !problems.is_empty() {
        return Err(problems);
    }
    parts.load(place).map_err(|problem| vec![problem])
}

/// What a layer says about load: `load`, or the short form beside it, which a scenario does not have: its
/// `users` are classes. Flags may complete `load`.
fn layer_parts(layer: Layer<'_>) -> Result<Parts<'_>, Problem> {
    let has_short = layer.level != Level::Scenario;
    let short =
        layer.node.entries().iter().filter(|(key, _)| has_short && SHORT.contains(&key.name.as_str()));
    let mut parts = Parts(short.map(|(key, node)| (key, node)).collect());
    let load = layer.node.entry("load").filter(|_| layer.node.get("load").is_some());
    if let (Some((_, load)), Some((short, _))) = (load, parts.0.first())
        && layer.level != Level::Overrides
        && !load.entries().is_empty()
    {
        return Err(Problem::at(
            short.span,
            format!("both `load` and `{}`, which is short for it", short.name),
        )
        .hint("move everything into `load`, or leave it out"));
    }
    let long = load.map_or(&[][..], |(_, load)| load.entries());
    parts.cover(Parts(long.iter().map(|(key, node)| (key, node)).collect()));
    Ok(parts)
}

impl<'a> Parts<'a> {
    /// Lets more specific parts win.
    fn cover(&mut self, above: Self) {
        let (ours, theirs) = (self.kind(), above.kind());
        if theirs.is_some() && ours.is_some() && ours != theirs {
            self.0.clear();
        }
        for (key, node) in above.0 {
            self.0.retain(|(known, _)| known.name != key.name);
            self.0.push((key, node));
        }
    }

    fn kind(&self) -> Option<Kind> {
        self.0.iter().find_map(|(key, _)| Kind::of_key(&key.name))
    }

    fn get(&self, name: &str) -> Option<&'a Node> {
        self.0.iter().find(|(key, _)| key.name == name).map(|(_, node)| *node)
    }

    /// Keys that cannot stand side by side.
    fn contradictions(&self) -> Vec<Problem> {
        let Some(kind) = self.kind() else { return Vec::new() };
        let open = kind == Kind::Arrivals || self.leveled().is_some_and(profile::counts_arrivals);
        let against = |name: &str| match name {
            "max_users" | "distribution" => !open,
            "run_time" => matches!(kind, Kind::Stages | Kind::Staircase),
            _ => Kind::of_key(name).is_some_and(|other| other != kind),
        };
        let wrong = self.0.iter().filter(|(key, _)| against(&key.name));
        wrong
            .map(|(key, _)| {
                let message = format!("`{}` does not go with `{}`", key.name, kind.key());
                Problem::at(key.span, message).hint(match key.name.as_str() {
                    "max_users" | "distribution" => "it belongs to a load of `arrivals`",
                    "run_time" => "the steps of this load say how long it lasts",
                    _ => "a load is one of `users`, `arrivals`, `stages` and `staircase`",
                })
            })
            .collect()
    }

    /// Numbers that must not be zero.
    fn zeros(&self) -> Vec<Problem> {
        let zero = |name: &str| {
            let node = self.get(name)?;
            let number = node.scalar()?.split('/').next()?.trim().parse::<f64>().ok()?;
            (number == 0.0).then_some((name.to_owned(), node.span))
        };
        let found = ["users", "spawn_rate", "arrivals", "max_users"].into_iter().filter_map(zero);
        let mut problems: Vec<Problem> = found
            .map(|(name, span)| {
                Problem::at(span, format!("`{name}` of zero makes no load")).hint("write a number above zero")
            })
            .collect();
        if let Some(node) =
            self.get("run_time").filter(|node| unit::duration(Some(node)) == Some(Duration::ZERO))
        {
            problems.push(
                Problem::at(node.span, "a run time of zero makes no load")
                    .hint("write a duration such as `30s`"),
            );
        }
        problems
    }

    fn leveled(&self) -> Option<&'a Node> {
        self.get("stages").or_else(|| self.get("staircase"))
    }

    fn load(&self, place: Span) -> Result<Load, Problem> {
        let run_time = unit::duration(self.get("run_time")).unwrap_or(RUN_TIME);
        let (shape, open) = match self.kind() {
            Some(Kind::Stages) => profile::stages(self.get("stages"))?,
            Some(Kind::Staircase) => profile::staircase(self.get("staircase"))?,
            Some(Kind::Arrivals) => {
                let Rate(rate) = unit::rate(self.get("arrivals")).unwrap_or_default();
                (Shape::constant_at(rate, run_time), true)
            }
            Some(Kind::Users) | None => {
                let users = self.get("users").filter(|node| node.value != Value::Null);
                let Some(node) = users else { return Err(nothing(place)) };
                // What is no number is told by its form; it is not silence.
                let users = unit::parsed::<f64>(Some(node)).unwrap_or_default();
                let spawn_rate = unit::rate(self.get("spawn_rate")).filter(|rate| rate.0 > 0.0);
                (profile::ramp(users, spawn_rate, run_time), false)
            }
        };
        let model = if open { self.open(&shape) } else { Model::Closed };
        let warmup = unit::duration(self.get("warmup")).unwrap_or(Duration::ZERO);
        let drain = unit::duration(self.get("drain")).unwrap_or(DRAIN);
        let stop = match self.get("stop").and_then(Node::scalar) {
            Some("iteration") => StopAfter::Iteration,
            _ => StopAfter::Request,
        };
        Ok(Load { model, shape, warmup, drain, stop })
    }

    fn open(&self, shape: &Shape) -> Model {
        let poisson = self.get("distribution").and_then(Node::scalar) == Some("poisson");
        let distribution = if poisson { Distribution::Poisson } else { Distribution::Even };
        let held = || (shape.peak() * ARRIVALS_HELD).ceil().max(1.0) as usize;
        Model::Open { distribution, max_users: unit::parsed(self.get("max_users")).unwrap_or_else(held) }
    }
}

fn nothing(place: Span) -> Problem {
    Problem::at(place, "nothing says how much load there is")
        .hint("write `users: 10`, or `load: {arrivals: 50/s, run_time: 1m}`")
}
