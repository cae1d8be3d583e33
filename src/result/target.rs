//! What the load was put on, as a line for people: without credentials.

use crate::plan::Target;
use crate::template::Template;

/// The host without user and password, or the command as it was written.
pub fn describe(target: &Target) -> String {
    match target {
        Target::Host(url) => {
            let mut shown = url.clone();
            // Fails for an address that cannot have them, which then has none.
            let _ = shown.set_username("");
            let _ = shown.set_password(None);
            shown.set_query(None);
            shown.set_fragment(None);
            shown.to_string().trim_end_matches('/').to_owned()
        }
        Target::Command(command) => {
            command.arguments.iter().map(Template::source).collect::<Vec<_>>().join(" ")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::TargetCommand;

    #[test]
    fn a_host_is_shown_without_its_credentials() {
        let host = Target::Host("https://user:secret@api.example.org/v1/?key=1#x".parse().unwrap());
        assert_eq!(describe(&host), "https://api.example.org/v1");
    }

    #[test]
    fn a_command_is_shown_as_it_was_written() {
        let arguments = ["loadgate", "demo-api", "{{ address }}"];
        let command = TargetCommand {
            arguments: arguments.iter().map(|text| Template::compile(text).unwrap()).collect(),
            folder: "/".into(),
            ready: "/health".into(),
            ready_timeout: Duration::from_secs(1),
        };
        assert_eq!(describe(&Target::Command(Box::new(command))), "loadgate demo-api {{ address }}");
    }
}
