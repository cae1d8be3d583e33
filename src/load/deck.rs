//! A deck: every card as often as its weight says, shuffled, dealt, shuffled again. A short run has
//! the configured mix to within one deck, which independent draws would not give it.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;

/// A deck of indexes.
#[derive(Debug, Clone)]
pub struct Deck {
    cards: Vec<usize>,
    dealt: usize,
    random: Xoshiro256PlusPlus,
}

/// The most cards in a deck; larger weights are scaled down to it.
const MOST_CARDS: u64 = 10_000;

impl Deck {
    /// A deck in which index `i` is found `weights[i]` times, in lowest terms.
    pub fn new(weights: &[u32], seed: u64) -> Self {
        let divisor = weights.iter().fold(0, |divisor, weight| gcd(divisor, *weight)).max(1);
        let reduced: Vec<u64> = weights.iter().map(|weight| u64::from(weight / divisor)).collect();
        let scale = reduced.iter().sum::<u64>().div_ceil(MOST_CARDS).max(1);
        let copies = |weight: u64| if weight == 0 { 0 } else { (weight / scale).max(1) };
        let cards = reduced
            .iter()
            .enumerate()
            .flat_map(|(index, weight)| {
                std::iter::repeat_n(index, usize::try_from(copies(*weight)).unwrap_or(0))
            })
            .collect();
        Self { cards, dealt: 0, random: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// The next card; none where all weights are zero.
    pub fn deal(&mut self) -> Option<usize> {
        let at = self.dealt % self.cards.len().max(1);
        if at == 0 {
            self.cards.shuffle(&mut self.random);
        }
        self.dealt = at + 1;
        self.cards.get(at).copied()
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A seed for one purpose, well mixed from the seed of the run (the finaliser of splitmix64, Steele
/// et al. 2014).
pub fn derive_seed(seed: u64, purpose: &[u64]) -> u64 {
    purpose.iter().fold(seed, |mixed, part| {
        let mut z =
            mixed.wrapping_add(part.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deal(weights: &[u32], seed: u64, cards: usize) -> Vec<usize> {
        let mut deck = Deck::new(weights, seed);
        (0..cards).map(|_| deck.deal().unwrap()).collect()
    }

    #[test]
    fn every_deck_holds_the_weights_exactly() {
        // 10:5:3:2:1 is a deck of 21; two decks hold twice each.
        let dealt = deal(&[10, 5, 3, 2, 1], 7, 42);
        for (index, weight) in [10, 5, 3, 2, 1].into_iter().enumerate() {
            assert_eq!(dealt.iter().filter(|card| **card == index).count(), 2 * weight);
        }
    }

    #[test]
    fn weights_are_taken_in_lowest_terms() {
        // 300:100 is a deck of 4.
        let dealt = deal(&[300, 100], 1, 4);
        assert_eq!(dealt.iter().filter(|card| **card == 1).count(), 1);
    }

    #[test]
    fn a_seed_gives_the_same_order_and_another_seed_another() {
        assert_eq!(deal(&[5, 5], 3, 30), deal(&[5, 5], 3, 30));
        assert_ne!(deal(&[5, 5], 3, 30), deal(&[5, 5], 4, 30));
    }

    #[test]
    fn no_cards_deal_nothing() {
        assert_eq!(Deck::new(&[0, 0], 1).deal(), None);
        assert_eq!(Deck::new(&[], 1).deal(), None);
    }
}
