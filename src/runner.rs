//! The machine the load comes from: its fingerprint, and the class of machines whose numbers may be
//! compared. Asks the system and changes nothing.

use std::fs;

/// The processor where the system does not name it.
const UNKNOWN: &str = "unknown";

/// What is known of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// The processor, as the system calls it.
    pub cpu_model: String,
    /// Logical CPUs this process may use.
    pub cpus: usize,
    /// `x86_64`, `aarch64`, …
    pub arch: String,
    /// `linux`, …
    pub os: String,
    /// The image of the runner with its version, on a hosted one.
    pub image: Option<String>,
    /// Machines of one class may be compared.
    pub cpu_class: String,
}

/// What a hosted runner says about its image, in `ImageOS` and `ImageVersion`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image {
    /// `ubuntu24`: the distribution and its major version.
    pub os: Option<String>,
    /// `20261101.1.0`.
    pub version: Option<String>,
}

impl Fingerprint {
    /// The fingerprint of this machine.
    pub fn read(image: &Image) -> Self {
        let cpuinfo = cpuinfo().unwrap_or_default();
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        Self::parse(&cpuinfo, cpus, image)
    }

    /// The fingerprint from the text of `/proc/cpuinfo`.
    pub fn parse(cpuinfo: &str, cpus: usize, image: &Image) -> Self {
        let cpu_model = cpu_model(cpuinfo);
        let arch = std::env::consts::ARCH.to_owned();
        let image_os = image.os.as_deref().unwrap_or("no image");
        let cpu_class = [cpu_model.as_str(), &format!("{cpus} cpu"), &arch, image_os].map(slug).join("_");
        Self {
            cpu_model,
            cpus,
            arch,
            os: std::env::consts::OS.to_owned(),
            image: image.os.as_ref().map(|os| match &image.version {
                Some(version) => format!("{os} {version}"),
                None => os.clone(),
            }),
            cpu_class,
        }
    }
}

impl Fingerprint {
    /// Why runs of this machine may be compared with those of another kind, if they may: the class of both says only that
    /// the processor is unknown.
    pub fn doubt(&self) -> Option<String> {
        (self.cpu_model == UNKNOWN).then(|| {
            format!(
                "the system does not say which CPU this machine has, so its runs are compared with those of every machine \
                 of the class {}: compare runs of one machine only",
                self.cpu_class
            )
        })
    }
}

/// What the system says about its processors, in the form that Linux says it.
#[cfg(not(target_os = "macos"))]
fn cpuinfo() -> Option<String> {
    fs::read_to_string("/proc/cpuinfo").ok()
}

#[cfg(target_os = "macos")]
fn cpuinfo() -> Option<String> {
    let asked =
        std::process::Command::new("/usr/sbin/sysctl").args(["-n", "machdep.cpu.brand_string"]).output();
    let name = String::from_utf8(asked.ok()?.stdout).ok()?;
    Some(format!("model name: {name}"))
}

/// What the system drew when it was started; none elsewhere than on Linux.
pub fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned()).filter(|id| !id.is_empty())
}

/// The model; on Arm, where there is no name, the numbers of maker and part.
fn cpu_model(cpuinfo: &str) -> String {
    let field = |name: &str| {
        cpuinfo
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, value)| key.trim() == name && !value.trim().is_empty())
            .map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    field("model name")
        .or_else(|| Some(format!("cpu {} {}", field("CPU implementer")?, field("CPU part")?)))
        .or_else(|| field("cpu model"))
        .unwrap_or_else(|| UNKNOWN.to_owned())
}

/// Lower-case letters and digits, all else one hyphen: fit for a file name.
fn slug(text: impl AsRef<str>) -> String {
    text.as_ref()
        .to_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPYC: &str = "processor\t: 0\nmodel name\t: AMD EPYC 7763  64-Core Processor\nprocessor\t: 1\n";
    const ARM: &str = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n";

    fn hosted(version: &str) -> Image {
        Image { os: Some("ubuntu24".into()), version: Some(version.into()) }
    }

    #[test]
    fn the_model_is_found_on_both_architectures() {
        assert_eq!(
            Fingerprint::parse(EPYC, 4, &Image::default()).cpu_model,
            "AMD EPYC 7763 64-Core Processor"
        );
        assert_eq!(Fingerprint::parse(ARM, 4, &Image::default()).cpu_model, "cpu 0x41 0xd0c");
        assert_eq!(Fingerprint::parse("", 4, &Image::default()).cpu_model, "unknown");
    }

    #[test]
    fn a_class_is_model_cpus_architecture_and_image_without_its_date() {
        let monday = Fingerprint::parse(EPYC, 4, &hosted("20261101.1.0"));
        let friday = Fingerprint::parse(EPYC, 4, &hosted("20261105.1.0"));
        assert_eq!(monday.cpu_class, friday.cpu_class);
        assert_eq!(monday.image.as_deref(), Some("ubuntu24 20261101.1.0"));
        let arch = slug(std::env::consts::ARCH);
        assert_eq!(monday.cpu_class, format!("amd-epyc-7763-64-core-processor_4-cpu_{arch}_ubuntu24"));
        assert_ne!(monday.cpu_class, Fingerprint::parse(EPYC, 2, &hosted("20261101.1.0")).cpu_class);
    }

    #[test]
    fn machines_of_unknown_processors_are_not_known_to_be_alike() {
        let unknown = Fingerprint::parse("processor\t: 0\n", 4, &Image::default());
        let doubt = unknown.doubt().unwrap();
        assert!(doubt.contains("does not say which CPU") && doubt.contains(&unknown.cpu_class), "{doubt}");
        assert_eq!(Fingerprint::parse(EPYC, 4, &Image::default()).doubt(), None);
    }

    #[test]
    fn this_machine_has_a_fingerprint() {
        let here = Fingerprint::read(&Image::default());
        assert!(here.cpus > 0 && !here.cpu_class.is_empty());
    }
}
