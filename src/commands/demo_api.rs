//! `loadgate demo-api`: the embedded demo service as a process of its own, until it is interrupted.

use std::{fmt::Display, io, net::SocketAddr, str::FromStr};

use clap::value_parser;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

use crate::demo::{self, Capacity, ErrorShare, Freeze, SettingError, Settings, Slowdown};
use crate::load::limits;

/// Serve the demo API: builds, logins and two sockets, with behaviour by script.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Where to listen; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Start of every random draw: latencies, failures, build times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u64))]
    seed: u64,
    /// Slow one endpoint down, such as `POST /api/v1/builds=+25%` or `GET /health=+20ms`; repeatable
    #[arg(long, value_name = "ENDPOINT=+DELAY", value_parser = setting::<Slowdown>)]
    slow: Vec<Slowdown>,
    /// Share of API requests that answer 500, such as `2%`
    #[arg(long, value_name = "RATIO", default_value = "0%", value_parser = setting::<ErrorShare>)]
    errors: ErrorShare,
    /// Work on so many requests at once; sixteen times as many may wait, others get 503 [default: no limit]
    #[arg(long, value_name = "N", value_parser = setting::<Capacity>)]
    workers: Option<Capacity>,
    /// Answer nothing for the last LENGTH of every PERIOD, such as `1s/5s`
    #[arg(long, value_name = "LENGTH/PERIOD", value_parser = setting::<Freeze>)]
    freeze: Option<Freeze>,
}

/// Why the service could not run.
#[derive(Debug, Error)]
pub enum Error {
    /// The address is taken, or not ours.
    #[error("cannot listen at {address}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The system gave no event loop, no signals or no more connections.
    #[error("cannot serve the demo API")]
    Serve(#[source] io::Error),
}

impl Error {
    /// The remedy.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "choose another `--listen` address; port 0 takes any free one",
            Self::Serve(_) => "look at the limits of this process, such as open files (`ulimit -n`)",
        }
    }
}

/// Serves until SIGINT or SIGTERM. `announce` is handed one line with the URL once connections are taken.
///
/// One thread: the work per request is microseconds, and a single thread does it without locks contended
/// or tasks handed between cores, which leaves the other cores of the machine to the one who measures.
pub fn run(args: Args, announce: impl FnOnce(&str)) -> Result<(), Error> {
    // With fewer files than sockets wanted the service still works for the others.
    let _ = limits::raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Serve)?;
    runtime.block_on(async {
        // Before the announcement: who reads it may stop the service at once.
        let interruption = interruption().map_err(Error::Serve)?;
        let (listener, address) =
            demo::bind(args.listen).map_err(|source| Error::Listen { address: args.listen, source })?;
        announce(&format!("demo API listening on http://{address}"));
        demo::serve(listener, &args.settings(), interruption).await.map_err(Error::Serve)
    })
}

impl Args {
    fn settings(self) -> Settings {
        Settings {
            seed: self.seed,
            slow: self.slow,
            errors: self.errors,
            capacity: self.workers.unwrap_or_default(),
            freeze: self.freeze,
        }
    }
}

/// Completes at the first SIGINT or SIGTERM.
fn interruption() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Reads a setting; the error carries its hint, since clap shows one text only.
fn setting<T: FromStr<Err = SettingError>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: SettingError| with_hint(&error, &error.hint()))
}

fn with_hint(error: &impl Display, hint: &str) -> String {
    format!("{error}\nhint: {hint}")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn parse(flags: &[&str]) -> Result<Args, clap::Error> {
        let words = std::iter::once(&"demo-api").chain(flags);
        Command::try_parse_from(words).map(|command| command.args)
    }

    #[test]
    fn flags_become_settings() {
        let flags = [
            "--slow",
            "GET /health=+20ms",
            "--slow",
            "POST /api/v1/builds=+25%",
            "--workers",
            "4",
            "--seed",
            "9",
        ];
        let args = parse(&flags).unwrap();
        assert_eq!(args.listen.to_string(), "127.0.0.1:8080");
        let settings = args.settings();
        assert_eq!((settings.seed, settings.slow.len()), (9, 2));
        assert_eq!(settings.capacity, Capacity::Workers(4));
        assert!(settings.freeze.is_none());
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_remedy() {
        for (flags, hint) in [
            (["--slow", "GET /nowhere=+1%"], "hint: known: GET /health"),
            (["--errors", "150%"], "hint: write a ratio"),
            (["--freeze", "5s"], "hint: write LENGTH/PERIOD"),
            (["--workers", "0"], "hint: write a whole number"),
        ] {
            let error = parse(&flags).unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        }
    }

    #[test]
    fn a_taken_address_is_an_error_that_names_it() {
        let (_taken, address) = demo::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let error = run(parse(&["--listen", &address.to_string()]).unwrap(), |_| {}).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen at {address}"));
        assert!(error.hint().contains("--listen"));
    }
}
