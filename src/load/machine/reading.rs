//! What was read of the machine in a stretch of time: sums, so that stretches can be added up, and the
//! ratios that follow from them. Pure.

/// A stretch of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// The reference computation.
    pub timed: Timed,
    /// What the kernel knows; none elsewhere than on Linux.
    pub kernel: Option<Kernel>,
}

/// The reference computation, in seconds over all its samples.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Timed {
    /// What they would have taken at speed 1.
    pub nominal: f64,
    /// What they took by the median of each second.
    pub typical: f64,
    /// CPU time.
    pub cpu: f64,
    /// Wall time.
    pub wall: f64,
}

/// Where the CPU of the machine went, in seconds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Kernel {
    /// How much time passed.
    pub elapsed: f64,
    /// How much CPU there was: the time that passed on every CPU.
    pub capacity: f64,
    /// Used by all processes.
    pub busy: f64,
    /// Used by nobody.
    pub idle: f64,
    /// Taken away by a hypervisor.
    pub steal: f64,
    /// Used by loadgate itself.
    pub generator: f64,
    /// Used by the service; none where its processes are not known, or are elsewhere.
    pub service: Option<f64>,
    /// Used by everybody else; none where the service cannot be told from them.
    pub others: Option<f64>,
    /// The CPUs that the service, or loadgate, is limited to: the tighter of the two. None where both may use
    /// all of them.
    pub limited: Option<Limited>,
    /// Time in which something that could have run waited for a CPU; none where the kernel does not say.
    pub pressure: Option<f64>,
    /// Periods in which the control group of loadgate was throttled, and all periods; none without groups.
    pub throttled: Option<[f64; 2]>,
}

/// Some of the CPUs, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limited {
    /// How much CPU they had.
    pub capacity: f64,
    /// Used by nobody.
    pub idle: f64,
    /// Used by others, at the least.
    pub others: Option<f64>,
}

impl Timed {
    /// Nominal time ÷ CPU time: above 1 is faster than the nominal processor.
    pub fn speed(&self) -> Option<f64> {
        quotient(self.nominal, self.typical)
    }

    /// Wall time ÷ CPU time: 1 where the computation never had to wait.
    pub fn contention(&self) -> Option<f64> {
        quotient(self.wall, self.cpu)
    }
}

impl Reading {
    /// Adds the stretch that follows.
    pub fn add(&mut self, next: &Self) {
        let (ours, theirs) = (&mut self.timed, &next.timed);
        ours.nominal += theirs.nominal;
        ours.typical += theirs.typical;
        ours.cpu += theirs.cpu;
        ours.wall += theirs.wall;
        match (&mut self.kernel, &next.kernel) {
            (Some(ours), Some(theirs)) => ours.add(theirs),
            (ours @ None, Some(theirs)) => *ours = Some(theirs.clone()),
            (_, None) => {}
        }
    }
}

impl Kernel {
    /// A part of all CPU there was.
    pub fn share(&self, part: f64) -> Option<f64> {
        quotient(part, self.capacity).map(|share| share.clamp(0.0, 1.0))
    }

    fn add(&mut self, next: &Self) {
        self.elapsed += next.elapsed;
        self.capacity += next.capacity;
        self.busy += next.busy;
        self.idle += next.idle;
        self.steal += next.steal;
        self.generator += next.generator;
        // What is not known of a part is not known of the whole.
        self.service = both(self.service, next.service);
        self.others = both(self.others, next.others);
        self.pressure = both(self.pressure, next.pressure);
        self.throttled = match (self.throttled, next.throttled) {
            (Some(ours), Some(theirs)) => Some([ours[0] + theirs[0], ours[1] + theirs[1]]),
            _ => None,
        };
        self.limited = match (self.limited, next.limited) {
            (Some(ours), Some(theirs)) => Some(Limited {
                capacity: ours.capacity + theirs.capacity,
                idle: ours.idle + theirs.idle,
                others: both(ours.others, theirs.others),
            }),
            (ours, theirs) => ours.or(theirs),
        };
    }
}

impl Limited {
    /// A part of all CPU they had.
    pub fn share(&self, part: f64) -> Option<f64> {
        quotient(part, self.capacity).map(|share| share.clamp(0.0, 1.0))
    }
}

fn both(ours: Option<f64>, theirs: Option<f64>) -> Option<f64> {
    Some(ours? + theirs?)
}

fn quotient(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole).filter(|ratio| ratio.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(others: Option<f64>) -> Reading {
        let kernel =
            Kernel { elapsed: 1.0, capacity: 2.0, busy: 1.5, idle: 0.5, others, ..Kernel::default() };
        Reading { timed: Timed { nominal: 6.0, typical: 3.0, cpu: 4.0, wall: 8.0 }, kernel: Some(kernel) }
    }

    #[test]
    fn stretches_add_up_and_ratios_follow_from_the_sums() {
        let mut sum = kernel(Some(0.2));
        sum.add(&kernel(Some(0.6)));
        let found = sum.kernel.clone().unwrap();
        assert_eq!((sum.timed.speed(), sum.timed.contention()), (Some(2.0), Some(2.0)));
        assert_eq!((found.share(found.idle), found.share(found.others.unwrap())), (Some(0.25), Some(0.2)));
    }

    #[test]
    fn what_is_not_known_of_a_part_is_not_known_of_the_whole() {
        let mut sum = kernel(Some(0.2));
        sum.add(&kernel(None));
        assert_eq!(sum.kernel.unwrap().others, None);
    }

    #[test]
    fn nothing_is_no_ratio() {
        assert_eq!((Timed::default().speed(), Kernel::default().share(0.0)), (None, None));
    }
}
