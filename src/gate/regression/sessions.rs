//! The spread of a number where several runs were made in one session, that is, in one job on one machine. Such
//! runs share whatever that machine does, so that together they say no more about other machines than one run. Plain
//! numbers.
//!
//! y of a run is a centre, an effect of its session with variance B, and one of the run alone with variance W. A
//! new run is one of a new session, so that it varies by B + W. The mean of m runs of a session varies by B + W/m:
//! its variance from session to session lacks W·(1 − 1/m), which the runs within the sessions tell.

use crate::stats::robust::{Variance, variance};

/// So many degrees of freedom are enough to tell the spread by sessions: those of five in one group, as with runs.
const FEWEST_FREEDOM: f64 = 4.0;

/// The variance of a run of a new session, from remembered values of which each has a group and a session; a session
/// is never of two groups.
///
/// Where no session has two values, it is the variance of the values. With too few sessions it is that as well: then it
/// says how much a run differs in its session, and reports say so. The degrees of freedom are those of the sessions:
/// W is known better than B, so that they are rather too few.
pub fn spread(values: &[Option<f64>], group: &[usize], session: &[usize]) -> Option<Variance> {
    let of_values = || variance(&grouped(values, group));
    let sessions = grouped(values, session);
    if sessions.iter().all(|values| values.len() < 2) {
        return of_values();
    }
    let means: Vec<_> = sessions.iter().map(|values| mean(values.iter().copied())).collect();
    let group = groups_of(session, group);
    let between = variance(&grouped(&means, &group)).filter(|it| it.freedom >= FEWEST_FREEDOM);
    let Some(between) = between else { return of_values() };
    let parts: Vec<_> =
        sessions.iter().map(|values| (!values.is_empty()).then(|| 1.0 / values.len() as f64)).collect();
    // A session that is alone in its group says nothing of how sessions differ.
    let parts = grouped(&parts, &group).into_iter().filter(|parts| parts.len() > 1).flatten();
    let part = mean(parts).unwrap_or(1.0);
    let within = variance(&sessions).map_or(0.0, |within| within.s2);
    Some(Variance { s2: between.s2 + within * (1.0 - part), ..between })
}

/// The mean of each session, by group; of a session of one value that value.
pub fn means(values: &[Option<f64>], group: &[usize], session: &[usize]) -> Vec<Vec<f64>> {
    let means: Vec<_> = grouped(values, session).iter().map(|values| mean(values.iter().copied())).collect();
    grouped(&means, &groups_of(session, group))
}

/// The group of each session.
fn groups_of(session: &[usize], group: &[usize]) -> Vec<usize> {
    let mut of = vec![0; session.iter().max().map_or(0, |last| last + 1)];
    for (session, group) in session.iter().zip(group) {
        of[*session] = *group;
    }
    of
}

/// The mean; none of nothing.
pub fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0_u32), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / f64::from(n))
}

/// The values there are, by group.
fn grouped(values: &[Option<f64>], group: &[usize]) -> Vec<Vec<f64>> {
    let groups = group.iter().max().map_or(0, |last| last + 1);
    let mut grouped = vec![Vec::new(); groups];
    for (value, group) in values.iter().zip(group) {
        grouped[*group].extend(*value);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    #[test]
    fn sessions_of_one_run_are_the_runs_themselves() {
        let values: Vec<_> = [0.31, -0.2, 0.07, 1.0 / 3.0, 0.11, -0.4, 0.25].map(Some).to_vec();
        let group = [0, 1, 0, 1, 0, 1, 0];
        let session: Vec<_> = (0..values.len()).collect();
        let plain = grouped(&values, &group);
        assert_eq!(spread(&values, &group, &session), variance(&plain), "to the last bit");
        assert_eq!(means(&values, &group, &session), plain);
    }

    #[test]
    fn what_sessions_lack_is_what_their_runs_differ_by() {
        // Means 0 1 2 3 4, each of two runs, 0.2 apart: Σr² = 10 of 4, and within 10·0.01 of 5, half of which is lacking.
        let centres = [0.0, 1.0, 2.0, 3.0, 4.0];
        let values: Vec<_> = centres.iter().flat_map(|mean| [Some(mean - 0.1), Some(mean + 0.1)]).collect();
        let session: Vec<_> = (0..5).flat_map(|session| [session; 2]).collect();
        let found = spread(&values, &[0; 10], &session).unwrap();
        assert!((found.s2 - 1.02 * (10.0 / 4.0 + 0.5 * 0.1 / 5.0)).abs() < 1e-12, "{found:?}");
        assert!((found.freedom - 4.0).abs() < 1e-12);
    }

    #[test]
    fn few_sessions_are_told_by_their_runs() {
        let values: Vec<_> = (0..12).map(|index| Some(f64::from(index % 5))).collect();
        let session: Vec<_> = (0..4).flat_map(|session| [session; 3]).collect();
        assert_eq!(spread(&values, &[0; 12], &session), variance(&grouped(&values, &[0; 12])));
    }

    /// The mean of s² over the variance of a new run, which is 1, half of it from session to session.
    fn bias(sessions: &[usize], groups: usize) -> f64 {
        const REPETITIONS: u32 = 2_000;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(sessions.iter().sum::<usize>() as u64);
        let half = 0.5_f64.sqrt();
        let mut draw = || {
            let (mut values, mut group, mut session) = (Vec::new(), Vec::new(), Vec::new());
            for (index, (at, runs)) in
                (0..groups).flat_map(|at| sessions.iter().map(move |runs| (at, *runs))).enumerate()
            {
                let mut normal = || -> f64 { StandardNormal.sample(&mut random) };
                let shared = half * normal();
                values.extend((0..runs).map(|_| Some(shared + half * normal())));
                group.extend(vec![at; runs]);
                session.extend(vec![index; runs]);
            }
            spread(&values, &group, &session).map_or(0.0, |it| it.s2)
        };
        (0..REPETITIONS).map(|_| draw()).sum::<f64>() / f64::from(REPETITIONS)
    }

    #[test]
    fn the_variance_of_a_run_of_a_new_session_is_about_right() {
        for (sessions, groups) in
            [(&[4; 5][..], 1), (&[4; 5], 4), (&[2; 10], 1), (&[5, 1, 1, 1, 1, 1], 1), (&[3, 1, 5], 4)]
        {
            let bias = bias(sessions, groups);
            assert!((0.9..1.2).contains(&bias), "{groups} groups of {sessions:?}: {bias}");
        }
    }
}
