//! The endpoints over time: of one point of the series as a rule, and of several together in a run of very many endpoints.

use std::collections::BTreeMap;

use super::schema::{EndpointPoint, Point};

/// Points that follow each other, and what the endpoints did in all of them.
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'a> {
    /// The first of the points, whose phase is that of all.
    pub first: &'a Point,
    /// All points, the first included: one at least.
    pub points: &'a [Point],
    /// What the endpoints did, of those that had something.
    pub endpoints: &'a BTreeMap<String, EndpointPoint>,
}

impl Stretch<'_> {
    /// How long it lasted, in seconds.
    pub fn length_s(&self) -> f64 {
        self.points.iter().map(|point| point.length_s).sum()
    }

    /// Whether the endpoints are known of one point only.
    pub fn is_one_point(&self) -> bool {
        self.points.len() == 1
    }
}

/// All points of a series, by what is known of their endpoints.
pub fn stretches(series: &[Point]) -> impl Iterator<Item = Stretch<'_>> {
    let mut left = series;
    std::iter::from_fn(move || {
        let first = left.first()?;
        let next = usize::try_from(first.endpoints_of_next).unwrap_or(usize::MAX);
        // A damaged file may say anything.
        let (points, rest) = left.split_at(next.saturating_add(1).min(left.len()));
        left = rest;
        Some(Stretch { first, points, endpoints: &first.endpoints })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::small;

    #[test]
    fn every_point_is_in_one_stretch_whatever_a_file_says() {
        let point = |endpoints_of_next| Point { endpoints_of_next, ..small().series[1].clone() };
        let of = |next: &[u64]| {
            let series: Vec<_> = next.iter().map(|next| point(*next)).collect();
            stretches(&series).map(|it| (it.points.len(), it.length_s())).collect::<Vec<_>>()
        };
        let length_s = small().series[1].length_s;
        assert_eq!(of(&[0, 2, 0, 0, 0]), [(1, length_s), (3, 3.0 * length_s), (1, length_s)]);
        assert_eq!(of(&[0, u64::MAX, 0]).iter().map(|it| it.0).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(of(&[]), []);
    }
}
