//! What a baseline is of, and the name of its folder. Two keys never share a name: else the runs of one would be
//! pruned, or compared, as runs of the other.
//!
//! Ordinary names stand as they are, `build_flow.demo`. A name with a dot could be cut in two places, and one that
//! is too long or holds other characters would be another after it was made fit for a path; those get a short
//! digest of the whole key behind a `~`, which no name of a configuration has. Names that differ only in case are
//! one folder where the file system says so; then the runs say whose they are.

use super::run::Run;
use crate::plan::sha256;
use crate::result::file::safe_name;

/// The longest part of a name that stands as it is.
const LONGEST_PART: usize = 80;
/// What is kept of each part beside a digest.
const SHORT_PART: usize = 40;
/// Digits of the digest: 40 bits.
const DIGITS: usize = 10;
/// Between a name and the digest of its key.
const MARK: char = '~';
/// The longest name of a folder: what earlier versions made of two long parts.
const LONGEST_FOLDER: usize = 2 * LONGEST_PART + 1;
/// What Windows keeps for devices, whatever follows the first dot.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// What a baseline is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The scenario.
    pub scenario: String,
    /// The environment.
    pub environment: String,
}

/// Whose a remembered run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// It is of this baseline.
    This,
    /// An earlier version wrote it, which did not say.
    Unsaid,
    /// It is of another one.
    Other,
}

impl Key {
    /// The key of a scenario in an environment.
    pub fn new(scenario: &str, environment: &str) -> Self {
        Self { scenario: scenario.to_owned(), environment: environment.to_owned() }
    }

    /// The name of the folder.
    pub fn folder(&self) -> String {
        let Self { scenario, environment } = self;
        if is_plain(scenario) && is_plain(environment) && !is_device(scenario) {
            return format!("{scenario}.{environment}");
        }
        let digest = &sha256(format!("{scenario}\0{environment}").as_bytes())[..DIGITS];
        let prefix = if is_device(scenario) { "_" } else { "" };
        format!("{prefix}{}.{}{MARK}{digest}", short(scenario), short(environment))
    }

    /// The name that earlier versions gave it, which may be that of another key too; none where it is the same.
    pub fn earlier_folder(&self) -> Option<String> {
        let earlier = format!("{}.{}", safe_name(&self.scenario), safe_name(&self.environment));
        (earlier != self.folder()).then_some(earlier)
    }

    /// Whose a run is.
    pub fn owner(&self, run: &Run) -> Owner {
        match (&run.scenario, &run.environment) {
            (Some(scenario), Some(environment)) => {
                let same = *scenario == self.scenario && *environment == self.environment;
                if same { Owner::This } else { Owner::Other }
            }
            _ => Owner::Unsaid,
        }
    }
}

/// Whether a name may be that of the folder of a baseline.
pub fn is_folder_name(name: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || "-_.~".contains(c);
    name.contains('.')
        && !name.starts_with('.')
        && name.chars().all(fits)
        && name.chars().count() <= LONGEST_FOLDER
}

fn is_plain(part: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !part.is_empty() && part.len() <= LONGEST_PART && part.bytes().all(fits)
}

fn is_device(scenario: &str) -> bool {
    let name = scenario.to_ascii_lowercase();
    let numbered = |prefix: &str| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    DEVICES.contains(&name.as_str()) || numbered("com") || numbered("lpt")
}

/// The beginning of a part, in characters that every file system tells apart.
fn short(part: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let short: String = part.trim_start_matches('.').chars().map(fit).take(SHORT_PART).collect();
    if short.is_empty() { "-".to_owned() } else { short }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::result::fixture;

    fn folder(scenario: &str, environment: &str) -> String {
        Key::new(scenario, environment).folder()
    }

    #[test]
    fn an_ordinary_name_stays_as_it_is() {
        for (scenario, environment, name) in [
            ("build_flow", "demo", "build_flow.demo"),
            ("Checkout-2", "PROD", "Checkout-2.PROD"),
            ("-", "_", "-._"),
        ] {
            let key = Key::new(scenario, environment);
            assert_eq!((key.folder().as_str(), key.earlier_folder()), (name, None));
        }
    }

    #[test]
    fn what_could_be_two_keys_has_a_digest() {
        let (one, other) = (folder("checkout.v2", "prod"), folder("checkout", "v2.prod"));
        assert_eq!(one, "checkout.v2.prod~e25660b25c");
        assert_ne!(one, other);
        assert!(other.starts_with("checkout.v2.prod~"), "{other}");
        assert_eq!(Key::new("checkout", "v2.prod").earlier_folder().as_deref(), Some("checkout.v2.prod"));
        assert_ne!(folder("a b", "e"), folder("a-b", "e"));
        assert_ne!(folder(&"x".repeat(81), "e"), folder(&"x".repeat(82), "e"));
        // A device of Windows, and a dot that it would drop.
        assert!(folder("CON", "demo").starts_with("_CON.demo~"));
        assert!(folder("com1", "demo").starts_with("_com1.demo~") && folder("com", "demo") == "com.demo");
        assert!(!folder("a", "e.").ends_with('.'));
        for name in [one, other, folder("../..", "/etc"), folder("", ""), folder("ä", &"y".repeat(500))] {
            assert!(is_folder_name(&name) && name.len() <= 100, "{name}");
        }
        for name in ["", "ab", ".a.b", "a/b.c", "a b.c"] {
            assert!(!is_folder_name(name), "{name}");
        }
    }

    #[test]
    fn a_run_says_whose_it_is() {
        let key = Key::new("build_flow", "demo");
        let run = Run::of(&fixture::small(), None);
        assert_eq!(key.owner(&run), Owner::This);
        assert_eq!(Key::new("build_flow", "other").owner(&run), Owner::Other);
        assert_eq!(key.owner(&Run { scenario: None, ..run }), Owner::Unsaid);
    }

    proptest! {
        #[test]
        fn no_two_keys_share_a_folder(
            keys in prop::collection::btree_set(("[a-b.A -]{0,4}", "[a-b.A ~-]{0,4}"), 1..60),
        ) {
            let mut folders: BTreeMap<String, (String, String)> = BTreeMap::new();
            for (scenario, environment) in keys {
                let name = folder(&scenario, &environment);
                prop_assert!(is_folder_name(&name), "{}", name);
                prop_assert_eq!(folders.insert(name, (scenario, environment)), None);
            }
        }
    }
}
