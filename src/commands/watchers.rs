//! Who looks on during a run beside the verdict: the line on the terminal, the live page.

use crate::cli::RunArgs;
use crate::error::Error;
use crate::load::shutdown::Shutdown;
use crate::report::live::{Door, Live};
use crate::report::progress::Shown;
use crate::report::write;
use crate::result::schema::RunResult;

/// What a run is shown on.
#[derive(Debug)]
pub struct Watchers {
    /// The line on the terminal.
    pub shown: Shown,
    /// Where the live page will be served.
    pub live: Option<Door>,
}

impl Watchers {
    /// What the flags ask for. What was asked for and cannot be is an error before any traffic.
    pub fn of(args: &RunArgs) -> Result<Self, Error> {
        let shown = if args.quiet { Shown::Nothing } else { Shown::Progress };
        let live = args.live.map(Door::bind).transpose()?;
        if let Some(door) = &live {
            write::note(&format!("live: {}", door.invitation()));
            if !door.address().ip().is_loopback() {
                write::note("warning: whoever reaches this address sees the numbers of the run");
            }
        }
        Ok(Self { shown, live })
    }
}

impl From<Shown> for Watchers {
    fn from(shown: Shown) -> Self {
        Self { shown, live: None }
    }
}

/// The run is over: viewers see its report. That they do not is no reason to fail.
pub async fn end(live: Option<Live>, result: &RunResult, shutdown: &Shutdown) {
    if let Some(live) = live
        && let Err(error) = live.end(result, shutdown).await
    {
        write::note(&format!("warning: {error}"));
    }
}
