//! From the plan's target to a URL that answers: a host that is there, or a command that is started.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use url::Url;

use crate::cli::variables;
use crate::error::Error;
use crate::github::context::held_tokens;
use crate::load::limits;
use crate::load::machine::Service;
use crate::load::target::{
    self, Ownership, Running, StartCommand, TargetError, answers, free_address, preflight,
};
use crate::plan::proxy::ProxyServer;
use crate::plan::secrets::Secrets;
use crate::plan::{CommandForm, Plan, Target, TargetCommand};
use crate::template::{RenderError, Scope, Seeds};

/// The file in the run folder that a target command writes to.
const LOG: &str = "target.log";

/// A target that answers.
#[derive(Debug)]
pub struct Reached {
    /// Where it is.
    pub url: Url,
    /// What it is called in reports.
    pub display: String,
    /// Which processes of this machine it is.
    pub service: Service,
    /// What its user should know about it.
    pub warnings: Vec<String>,
    running: Option<Running>,
}

/// Reaches the target: within seconds, or with an error that says why not.
pub async fn reach(plan: &Plan, folder: &Path) -> Result<Reached, Error> {
    match &plan.target {
        Target::Host(url) => {
            let proxy = plan.proxies.for_target(&plan.target).and_then(Result::ok);
            let (service, display) = if let Some(proxy) = proxy {
                reach_proxy(proxy).await?;
                (Service::Elsewhere, format!("{url} through the proxy {proxy}"))
            } else {
                preflight(url).await?;
                (Service::at(url).await, url.to_string())
            };
            Ok(Reached { url: url.clone(), display, service, warnings: Vec::new(), running: None })
        }
        Target::Command(command) => start(command, plan.secrets.clone(), folder).await,
    }
}

/// Looks whether a proxy can be reached. What is behind it, only the proxy knows.
async fn reach_proxy(proxy: &ProxyServer) -> Result<(), Error> {
    let url = Url::parse(&proxy.to_string()).map_err(|_| TargetError::NoHost { url: proxy.to_string() })?;
    let named_by = proxy.named_by.to_string();
    preflight(&url).await.map_err(|source| {
        TargetError::Proxy { proxy: proxy.to_string(), named_by, source: Box::new(source) }.into()
    })
}

async fn start(command: &TargetCommand, secrets: Arc<Secrets>, folder: &Path) -> Result<Reached, Error> {
    start_on(free_address()?, command, secrets, folder).await
}

async fn start_on(
    address: SocketAddr,
    command: &TargetCommand,
    secrets: Arc<Secrets>,
    folder: &Path,
) -> Result<Reached, Error> {
    let redactor = secrets.redactor();
    let unrendered =
        |error: RenderError| TargetError::Unrendered { message: redactor.clean(&error.to_string()) };
    let scope = scope(command, address);
    let argv = render(command, &scope).map_err(unrendered)?;
    let variables = command.variables.iter().map(|(name, value)| Ok((name.clone(), value.render(&scope)?)));
    let variables: Vec<_> = variables.collect::<Result<_, _>>().map_err(unrendered)?;
    let unusable = |_| TargetError::NoHost { url: address.to_string() };
    let url = Url::parse(&format!("http://{address}")).map_err(unusable)?;
    let ready_url = url.join(&command.ready).map_err(unusable)?;
    let binary =
        target::this_binary().map_err(|source| Error::System("cannot find this very program", source))?;
    let display = redactor.clean(&argv.join(" "));
    if answers(address).await {
        return Err(TargetError::Taken { address }.into());
    }
    let start = StartCommand {
        argv,
        variables,
        folder: command.folder.clone(),
        ready_url,
        ready_timeout: command.ready_timeout,
        log: folder.join(LOG),
        secrets,
        withheld: held_tokens(),
        stray: target::stray(&variables::all()),
        open_files: limits::open_files_at_start(),
        binary,
    };
    let running = target::start(start).await?;
    let (service, warning) = match running.owns(address) {
        Ok(Ownership::Ours) => (Service::Started(running.guard()), None),
        Ok(Ownership::Unverified(unknown)) => {
            // Elsewhere than on Linux nobody can say more, and there is nothing that a user could do about it.
            let warning = cfg!(target_os = "linux").then(|| unverified(address));
            (Service::Unknown(unknown), warning)
        }
        Err(stranger) => {
            let _ = running.stop().await;
            return Err(stranger.into());
        }
    };
    Ok(Reached { url, display, service, warnings: warning.into_iter().collect(), running: Some(running) })
}

fn unverified(address: SocketAddr) -> String {
    format!(
        "nobody can see which process answers on {address}: that it is the one the target command started could \
         not be verified"
    )
}

/// What the templates of a command see.
fn scope(command: &TargetCommand, address: SocketAddr) -> Scope {
    let scope = Scope::new(command.names.clone(), Seeds::both(0));
    scope.set(command.address, address.to_string().into());
    scope.set(command.port, address.port().into());
    scope
}

/// One rendered template an argument; or one rendered line, split as a POSIX shell would.
fn render(command: &TargetCommand, scope: &Scope) -> Result<Vec<String>, RenderError> {
    let rendered: Vec<String> =
        command.arguments.iter().map(|argument| argument.render(scope)).collect::<Result<_, _>>()?;
    match command.form {
        CommandForm::Arguments => Ok(rendered),
        CommandForm::Line => {
            let line = rendered.concat();
            let unbalanced =
                || RenderError { source_text: line.clone(), message: "a quote is not closed".into() };
            shlex::split(&line).ok_or_else(unbalanced)
        }
    }
}

impl Reached {
    /// Whether the command has ended although nobody asked it to, and how.
    pub fn death(&self) -> Option<String> {
        let running = self.running.as_ref()?;
        let ended = running.has_died()?;
        let told = format!("the target command ended with {ended} during the run{}", running.last_lines());
        Some(told.replace('\n', " "))
    }

    /// Until the command ends although nobody asked it to; the future may outlive this value.
    pub fn died(&self) -> impl Future<Output = ()> + Send + use<> {
        let died = self.running.as_ref().map(Running::died);
        async move {
            match died {
                Some(died) => drop(died.await),
                None => std::future::pending().await,
            }
        }
    }

    /// Ends what was started.
    pub async fn stop(self) -> Result<(), Error> {
        match self.running {
            Some(running) => Ok(running.stop().await?),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::config::file;
    use crate::plan::Selection;

    #[tokio::test]
    async fn a_port_that_somebody_took_meanwhile_is_an_error_and_the_command_is_not_started() {
        let text = "version: 1\nenvironments: {ci: {users: 1, run_time: 1s, \
                    target: {ready: /health, command: [sh, -c, 'touch started; sleep 600']}}}\n\
                    scenarios: {s: {users: {u: {steps: [{get: /health}]}}}}\n";
        let folder = tempfile::tempdir().unwrap();
        let config = file::parse("test", text, folder.path()).unwrap();
        let selection = Selection { environment: None, scenario: None };
        let plan = Plan::resolve(&config, &selection, &|_| None).unwrap();
        let Target::Command(command) = &plan.target else { panic!("{:?}", plan.target) };
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = start_on(address, command, Arc::default(), folder.path()).await.unwrap_err();
        let said = format!("something answers on {address} before the target command is started");
        assert_eq!((error.to_string(), error.exit_status()), (said, 1));
        assert!(!folder.path().join("started").exists() && !folder.path().join(LOG).exists());
    }
}
