//! A deck: every card as often as its weight says, shuffled, dealt, shuffled again. A short run has
//! the configured mix to within one deck, which independent draws would not give it.
//!
//! Every card has a number, so that workers can deal from one deck without a word to each other: card number *n*
//! is the same for all of them.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;

/// A deck of indexes, over and over again.
#[derive(Debug, Clone)]
pub struct Deck {
    sorted: Vec<usize>,
    seed: u64,
    /// The deck that was dealt from last, and its number.
    shuffled: Option<(u64, Vec<usize>)>,
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
        let sorted = reduced
            .iter()
            .enumerate()
            .flat_map(|(index, weight)| {
                std::iter::repeat_n(index, usize::try_from(copies(*weight)).unwrap_or(0))
            })
            .collect();
        Self { sorted, seed, shuffled: None }
    }

    /// Card number `n`, from 0; none where all weights are zero.
    pub fn card(&mut self, n: u64) -> Option<usize> {
        let (only, cards) = (self.sorted.first()?, self.sorted.len() as u64);
        if cards == 1 {
            return Some(*only);
        }
        let at = usize::try_from(n % cards).ok()?;
        self.deck(n / cards).get(at).copied()
    }

    /// How often an index is among the first `n` cards.
    pub fn count(&mut self, index: usize, n: u64) -> u64 {
        let of = |cards: &[usize]| cards.iter().filter(|card| **card == index).count() as u64;
        let Some(decks) = n.checked_div(self.sorted.len() as u64) else { return 0 };
        let whole = decks * of(&self.sorted);
        let rest = usize::try_from(n % self.sorted.len() as u64).unwrap_or(0);
        whole + of(&self.deck(decks)[..rest])
    }

    fn deck(&mut self, number: u64) -> &[usize] {
        let Self { sorted, seed, shuffled } = self;
        let (shuffled_number, cards) = shuffled.get_or_insert_with(|| (u64::MAX, sorted.clone()));
        if *shuffled_number != number {
            *shuffled_number = number;
            cards.clone_from(sorted);
            cards.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(derive_seed(*seed, &[number])));
        }
        cards
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

    fn deal(weights: &[u32], seed: u64, cards: u64) -> Vec<usize> {
        let mut deck = Deck::new(weights, seed);
        (0..cards).map(|n| deck.card(n).unwrap()).collect()
    }

    #[test]
    fn every_deck_holds_the_weights_exactly() {
        // 10:5:3:2:1 is a deck of 21; two decks hold twice each.
        let dealt = deal(&[10, 5, 3, 2, 1], 7, 42);
        for (index, weight) in [10, 5, 3, 2, 1].into_iter().enumerate() {
            assert_eq!(dealt.iter().filter(|card| **card == index).count(), 2 * weight);
        }
        assert_ne!(dealt[..21], dealt[21..], "every deck is shuffled anew");
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
    fn a_card_is_the_same_in_whatever_order_it_is_asked_for_and_is_counted() {
        let dealt = deal(&[3, 2, 1], 5, 60);
        let mut deck = Deck::new(&[3, 2, 1], 5);
        assert!((0..60).rev().all(|n| deck.card(n) == Some(dealt[n as usize])));
        for n in [0, 1, 5, 6, 7, 29, 60] {
            let counted = [0, 1, 2].map(|index| deck.count(index, n));
            let expected = [0, 1, 2]
                .map(|index| dealt[..n as usize].iter().filter(|card| **card == index).count() as u64);
            assert_eq!(counted, expected, "{n}");
        }
    }

    #[test]
    fn no_cards_deal_nothing() {
        for weights in [&[0, 0][..], &[]] {
            assert_eq!((Deck::new(weights, 1).card(0), Deck::new(weights, 1).count(0, 9)), (None, 0));
        }
    }
}
