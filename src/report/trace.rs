//! A trace as text: every request of every task, what it sent and what came back.

use crate::load::measure::recorder::Iteration;
use crate::load::{Event, Traced};
use crate::plan::Plan;
use crate::plan::redact::Redactor;

use super::number::milliseconds;
use super::write::plain;

/// How many characters of a body are shown.
const LONGEST_BODY: usize = 500;

/// Renders a trace, without secrets. Each text is cleaned by itself, before it is cut.
pub fn render(plan: &Plan, events: &[Event]) -> String {
    let redactor = plan.secrets.redactor();
    events.iter().map(|event| line(plan, event, &redactor)).collect()
}

fn line(plan: &Plan, event: &Event, redactor: &Redactor) -> String {
    match event {
        Event::Task(task) => {
            let task = &plan.tasks[task.0];
            format!("{} · {}\n", task.class, task.name)
        }
        Event::Exchange(exchange) => exchange_lines(exchange, redactor),
        Event::Failure(failure) => {
            format!("  ✗ {}: {}\n", failure.kind.name(), plain(&redactor.clean(&failure.message)))
        }
        Event::Ended(Iteration::Skipped) => "  – skipped: its first condition does not hold\n".into(),
        Event::Ended(Iteration::Stopped) => "  ✗ stopped: a trace has no more time for it\n".into(),
        Event::Ended(Iteration::Done | Iteration::Failed) => String::new(),
    }
}

fn exchange_lines(exchange: &Traced, redactor: &Redactor) -> String {
    let mark = if exchange.failure.is_some() { '✗' } else { '✓' };
    let status = exchange.status.map_or("no response".into(), |status| status.to_string());
    let time = milliseconds(exchange.time.as_secs_f64() * 1e3);
    let body = |arrow: &str, body: &str| {
        let shown: String = redactor.clean(body).chars().take(LONGEST_BODY).collect();
        if shown.is_empty() { String::new() } else { format!("      {arrow} {}\n", plain(&shown)) }
    };
    let bodies = body("→", &exchange.sent) + &body("←", &exchange.received);
    let failure = exchange.failure.as_ref();
    let failure = failure.map(|failure| {
        format!("      {}: {}\n", failure.kind.name(), plain(&redactor.clean(&failure.message)))
    });
    let line = plain(&redactor.clean(&exchange.line));
    format!("  {mark} {line} → {status} in {time}\n{bodies}{}", failure.unwrap_or_default())
}
