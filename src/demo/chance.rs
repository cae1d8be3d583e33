//! Reproducible chance: the n-th event of a stream has its own generator, so that what one request draws
//! never depends on how many draws another one made. Pure.

use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};

/// The stream of build times; those of the endpoints are numbered by their place in the list.
pub(super) const BUILD_STREAM: u64 = 255;

/// The generator of event `n` of a stream, under a seed.
pub(super) fn chance(seed: u64, stream: u64, n: u64) -> Xoshiro256PlusPlus {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let start = seed.wrapping_mul(ODD).wrapping_add(stream << 56).wrapping_add(n);
    Xoshiro256PlusPlus::seed_from_u64(start)
}
