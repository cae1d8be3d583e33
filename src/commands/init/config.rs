//! The text of the first `config.yaml`: short enough to be read at once. Pure.

use serde_json::Value;

use crate::cli::init::InitArgs;

/// What the load will be put on.
pub enum Service {
    /// The demo service, until there is another.
    Demo,
    /// A service that is there.
    Host(String),
    /// A service that loadgate starts.
    Command(String),
}

impl Service {
    /// What was asked for.
    pub fn of(args: &InitArgs) -> Self {
        match (&args.host, &args.command) {
            (Some(host), _) => Self::Host(host.clone()),
            (None, Some(command)) => Self::Command(command.clone()),
            (None, None) => Self::Demo,
        }
    }

    /// The configuration of a project of this name.
    pub fn config(&self, name: &str) -> String {
        format!(
            "# The performance check of this repository: `loadgate check` explains it, `loadgate run` runs it.
# {}
version: 1
name: {}
environments:
  ci:
    {}
    load: {{users: 10, run_time: 30s}}       # ten users for half a minute
thresholds: {{p95: 500ms, error_rate: 1%}}   # broken: the job fails
baseline: {{budget: 10%}}                    # worse than remembered runs by more than this: the job fails
scenarios:                                 # what every user does, again and again
  main: {{users: {{visitor: {{wait: 500ms..1s, steps: [{{get: {}}}]}}}}}}
",
            self.explained(),
            quoted(name),
            self.target(),
            self.path()
        )
    }

    /// What to do next.
    pub fn next(&self) -> &'static str {
        match self {
            Self::Demo => {
                "next: `loadgate run`, which starts the demo service; then put your own in its place, and commit both files"
            }
            Self::Host(_) => {
                "next: start the service and `loadgate run`; then start it in the workflow, too, and commit both files"
            }
            Self::Command(command) if !says_where(command) => {
                "next: write `{{ address }}` or `{{ port }}` into the command, where the service learns to listen; then `loadgate run`"
            }
            Self::Command(_) => "next: `loadgate run`; then commit both files",
        }
    }

    fn explained(&self) -> &'static str {
        match self {
            Self::Demo => {
                "The target is a demo: put the command of your service there. {{ address }} is a free 127.0.0.1:PORT."
            }
            Self::Host(_) => {
                "The host must be up before the run. `target: {command: …}` instead lets loadgate start it."
            }
            Self::Command(_) => {
                "loadgate starts the command and stops it. {{ address }} in it is a free 127.0.0.1:PORT, {{ port }} its port."
            }
        }
    }

    fn target(&self) -> String {
        match self {
            Self::Demo => {
                "target: {command: [loadgate, demo-api, --listen, \"{{ address }}\"], ready: /health}".into()
            }
            Self::Host(host) => format!("host: {}", quoted(host)),
            Self::Command(command) => format!("target: {{command: {}, ready: /}}", quoted(command)),
        }
    }

    fn path(&self) -> &'static str {
        match self {
            Self::Demo => "/health",
            Self::Host(_) | Self::Command(_) => "/",
        }
    }
}

/// Text of others, which YAML takes for nothing else: what JSON writes is YAML.
pub fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Whether a command learns where to listen.
fn says_where(command: &str) -> bool {
    ["address", "port"].iter().any(|name| command.contains(name)) && command.contains("{{")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::config::file::parse;
    use crate::config::node::Node;

    fn found(service: &Service, keys: &[&str]) -> Option<String> {
        let config = parse("config.yaml", &service.config("shop"), Path::new(".")).ok()?;
        let start = config.root.get("environments")?.get("ci");
        keys.iter().fold(start, |node, key| node?.get(key)).and_then(Node::scalar).map(str::to_owned)
    }

    #[test]
    fn the_first_configuration_is_about_ten_lines() {
        for service in [Service::Demo, Service::Host("http://a".into()), Service::Command("a".into())] {
            let lines = service.config("shop").lines().count();
            assert!((10..=12).contains(&lines), "{lines}");
            assert!(
                service.config("shop").lines().all(|line| line.len() <= 120),
                "{}",
                service.config("shop")
            );
        }
    }

    #[test]
    fn a_host_and_a_command_are_text_whatever_they_hold() {
        for text in ["a: b # c", "\"]}\nversion: 2", "{{ address }}", "'", "- x", "\t\\n", "yes", "&a *b !c"]
        {
            assert_eq!(found(&Service::Host(text.into()), &["host"]).as_deref(), Some(text));
            let command = Service::Command(text.into());
            assert_eq!(found(&command, &["target", "command"]).as_deref(), Some(text));
        }
    }

    proptest! {
        #[test]
        fn no_command_gets_out_of_its_quotes(text in any::<String>()) {
            // What YAML cannot hold is refused as a whole, before anything is written.
            let read = found(&Service::Command(text.clone()), &["target", "command"]);
            prop_assert!(read.is_none_or(|read| read == text));
        }
    }

    #[test]
    fn a_command_that_does_not_say_where_it_listens_is_told_so() {
        let next = |command: &str| Service::Command(command.into()).next();
        assert_eq!(next("./serve --port {{ port }}"), next("./serve {{address}}"));
        assert!(next("./serve --port 80").contains("write `{{ address }}`"));
    }
}
