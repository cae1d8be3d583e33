//! A plan as text, for people who want to see what will happen before it does.

use std::fmt::{self, Write};
use std::time::Duration;

use super::connection::{Cookies, KeepAlive, Verification, Version};
use super::load::{Load, Model, Segment, StopAfter};
use super::rules::{Applies, Objective, Origin, Scope, Severity};
use super::user::{DataOrder, TaskId, UserClass, Wait, split_by_weight};
use super::{Plan, Protection, Target};
use crate::metric::{Better, Unit};
use crate::template::Template;
use crate::units::ByteSize;

/// The resolved plan, readable; ends with a line break.
pub fn describe(plan: &Plan) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _ = write(plan, &mut text);
    text
}

fn write(plan: &Plan, out: &mut String) -> fmt::Result {
    let protected = if plan.protection == Protection::Protected { " (protected)" } else { "" };
    writeln!(
        out,
        "{}: scenario `{}` in environment `{}`{protected}",
        plan.name, plan.scenario, plan.environment
    )?;
    writeln!(out, "target: {}", target(&plan.target))?;
    writeln!(out, "load: {}{}", load(&plan.load), at_the_end(&plan.load))?;
    let (timeout, body) = (spoken(plan.limits.timeout), ByteSize(plan.limits.max_body));
    writeln!(out, "limits: {timeout} a request, {body} a body")?;
    connections(plan, out)?;
    writeln!(out, "seed: {}", plan.seed)?;
    writeln!(out, "digest: {}", plan.digest)?;
    users(plan, out)?;
    data(plan, out)?;
    names(out, "endpoints", plan.endpoints.iter().map(|endpoint| endpoint.name.as_str()))?;
    names(out, "custom metrics", plan.metrics.iter().map(String::as_str))?;
    objectives(plan, out)
}

/// What is unusual about connections.
fn connections(plan: &Plan, out: &mut String) -> fmt::Result {
    let http = &plan.http;
    let unusual = [
        (http.version == Version::One, "HTTP/1.1 only"),
        (http.version == Version::Two, "HTTP/2 only"),
        (http.keep_alive == KeepAlive::Closed, "a connection for every request"),
        (http.redirects == 0, "redirects are not followed"),
        (http.cookies == Cookies::Ignored, "cookies are ignored"),
        (plan.authorization.is_some(), "user and password of `host` are sent"),
        (plan.tls.identity.is_some(), "a client certificate is shown"),
        (plan.tls.verification == Verification::Anything, "any certificate is believed"),
    ];
    let told: Vec<&str> = unusual.iter().filter(|(is_so, _)| *is_so).map(|(_, what)| *what).collect();
    let proxy = match plan.proxies.for_target(&plan.target) {
        Some(Ok(server)) => Some(format!("through the proxy {server}")),
        _ => None,
    };
    let told: Vec<&str> = told.into_iter().chain(proxy.as_deref()).collect();
    if told.is_empty() { Ok(()) } else { writeln!(out, "connections: {}", told.join(", ")) }
}

fn target(target: &Target) -> String {
    match target {
        Target::Host(url) => url.to_string(),
        Target::Command(command) => {
            let words: Vec<&str> = command.arguments.iter().map(Template::source).collect();
            let (ready, within) = (&command.ready, spoken(command.ready_timeout));
            format!("started with `{}`, ready when {ready} answers, within {within}", words.join(" "))
        }
    }
}

/// What of a load is over only after its end.
fn at_the_end(load: &Load) -> String {
    match load.stop {
        StopAfter::Request => String::new(),
        StopAfter::Iteration => format!(", then up to {} for iterations under way", spoken(load.drain)),
    }
}

fn load(load: &Load) -> String {
    let unit = match load.model {
        Model::Closed => " users",
        Model::Open { .. } => " arrivals/s",
    };
    let lines: Vec<String> = load.shape.0.iter().map(|segment| line(segment, unit)).collect();
    let judged: Duration = load.steady().iter().map(|span| span.end.saturating_sub(span.start)).sum();
    let model = match load.model {
        Model::Closed => String::new(),
        Model::Open { distribution, max_users } => {
            format!(", {}, at most {max_users} users", format!("{distribution:?}").to_lowercase())
        }
    };
    let warmup =
        if load.warmup.is_zero() { String::new() } else { format!(", warm-up {}", spoken(load.warmup)) };
    format!("{}{model}{warmup}; {} judged, drain {}", lines.join(", "), spoken(judged), spoken(load.drain))
}

#[expect(clippy::float_cmp, reason = "a level is constant only where it was written as the same number")]
fn line(segment: &Segment, unit: &str) -> String {
    if segment.from == segment.to {
        format!("{}{unit} for {}", segment.to, spoken(segment.over))
    } else {
        format!("{} to {}{unit} in {}", segment.from, segment.to, spoken(segment.over))
    }
}

fn users(plan: &Plan, out: &mut String) -> fmt::Result {
    let total = match plan.load.model {
        Model::Closed => plan.load.shape.peak().ceil() as usize,
        Model::Open { max_users, .. } => max_users,
    };
    let weights: Vec<u32> = plan.classes.iter().map(|class| class.weight).collect();
    writeln!(out, "users:")?;
    for (class, count) in plan.classes.iter().zip(split_by_weight(total, &weights)) {
        self::class(plan, class, count, out)?;
    }
    Ok(())
}

fn class(plan: &Plan, class: &UserClass, count: usize, out: &mut String) -> fmt::Result {
    let without = match class.withheld.as_slice() {
        [] => String::new(),
        names => format!(
            " (without its headers that read what steps capture, or that are for the target alone: {})",
            names.join(", ")
        ),
    };
    let first = |id: TaskId| format!(", first `{}`{without}", plan.tasks[id.0].name);
    let start = class.on_start.map(first).unwrap_or_default();
    let most = if plan.load.model == Model::Closed { "" } else { "at most " };
    writeln!(out, "  {}: {most}{count}, {}{start}", class.name, wait(class.wait))?;
    let sum: u32 = class.tasks.iter().map(|(_, weight)| weight).sum();
    for (id, weight) in &class.tasks {
        let share = f64::from(*weight) * 100.0 / f64::from(sum.max(1));
        writeln!(out, "    {share:>5.1} % {}", plan.tasks[id.0].name)?;
    }
    Ok(())
}

fn wait(wait: Wait) -> String {
    match wait {
        Wait::Constant(Duration::ZERO) => "no wait".into(),
        Wait::Constant(pause) => format!("wait {}", spoken(pause)),
        Wait::Uniform(low, high) => format!("wait {}..{}", spoken(low), spoken(high)),
        Wait::Normal { mean, sd } => format!("wait {} ± {}, normal", spoken(mean), spoken(sd)),
        Wait::Exponential(mean) => format!("wait {}, exponential", spoken(mean)),
        Wait::Throughput(rate) => format!("{} iterations/s each", rate.0),
    }
}

fn data(plan: &Plan, out: &mut String) -> fmt::Result {
    let order = |order| match order {
        DataOrder::Sequential => "one after the other",
        DataOrder::Random => "at random",
        DataOrder::PerUser => "one for each user",
    };
    let sets = plan.data.iter();
    let lines: Vec<String> =
        sets.map(|set| format!("{}: {} rows, {}", set.name, set.rows.len(), order(set.order))).collect();
    names(out, "data", lines.iter().map(String::as_str))
}

fn names<'a>(out: &mut String, title: &str, names: impl Iterator<Item = &'a str>) -> fmt::Result {
    let mut names = names.peekable();
    if names.peek().is_some() {
        writeln!(out, "{title}:")?;
    }
    names.try_for_each(|name| writeln!(out, "  {name}"))
}

fn objectives(plan: &Plan, out: &mut String) -> fmt::Result {
    let lines: Vec<String> = plan.rules.objectives.iter().map(objective).collect();
    names(out, "objectives", lines.iter().map(String::as_str))
}

fn objective(objective: &Objective) -> String {
    let scope = match &objective.scope {
        Scope::Total => "all requests",
        Scope::Endpoint(name) | Scope::Metric(name) => name,
    };
    let side = if objective.metric.better() == Better::Higher { "at least" } else { "at most" };
    let limit = match objective.metric.unit() {
        Unit::Milliseconds => {
            spoken(Duration::try_from_secs_f64(objective.limit / 1e3).unwrap_or(Duration::MAX))
        }
        Unit::Ratio => format!("{} %", objective.limit * 100.0),
        Unit::PerSecond => format!("{}/s", objective.limit),
        Unit::Count => objective.limit.to_string(),
    };
    let severity = if objective.severity == Severity::Warn { " (a warning)" } else { "" };
    let origin = if objective.origin == Origin::Default { " (the default)" } else { "" };
    let applies = if objective.applies == Applies::Elsewhere { " (of another scenario)" } else { "" };
    let long = long_form(objective);
    format!("{scope}: {} {side} {limit}{long}{severity}{origin}{applies}", objective.metric.name())
}

/// ` in every 10s, stops the run, not before 30s`; `, over the whole run`.
fn long_form(objective: &Objective) -> String {
    let whole_run = (!objective.metric.is_share() && objective.over.is_whole_run())
        .then(|| ", over the whole run".to_owned());
    let every = objective.window.map(|length| format!(" in every {}", spoken(length)));
    let stops = objective.abort_after.map(|after| match after {
        Duration::ZERO => ", stops the run".to_owned(),
        after => format!(", stops the run, not before {}", spoken(after)),
    });
    [whole_run, every, stops].into_iter().flatten().collect()
}

/// `1h30m`, `2s`, `1.5s`, `250ms`, the way durations are written in a configuration.
fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        let ms = duration.as_secs_f64() * 1e3;
        return if seconds == 0 && ms > 0.0 { format!("{ms}ms") } else { format!("{}s", ms / 1e3) };
    }
    let parts = [(seconds / 3600, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    parts.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spoken_as_they_are_written() {
        for (ms, text) in [(0, "0s"), (250, "250ms"), (1_500, "1.5s"), (30_000, "30s"), (5_400_000, "1h30m")]
        {
            assert_eq!(spoken(Duration::from_millis(ms)), text);
        }
    }
}
