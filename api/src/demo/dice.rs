//! Chance that falls the same everywhere: every choice of the demo is a hash of what it is about (the `splitmix64` finalizer).

/// A source of numbers for one subject.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// The dice of a subject.
    pub(super) fn of(subject: u64) -> Self {
        Self(mix(subject.wrapping_add(0x9E37_79B9_7F4A_7C15)))
    }

    /// The dice of a subject that has a name.
    pub(super) fn named(subject: &str) -> Self {
        Self(subject.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| mix(hash ^ u64::from(byte))))
    }

    /// A number for one question about the subject.
    pub(super) fn number(self, question: u64) -> u64 {
        mix(self.0 ^ mix(question.wrapping_mul(0xD6E8_FEB8_6659_FD93).wrapping_add(1)))
    }

    /// 0 ≤ n < `sides`, for one question about the subject.
    pub(super) fn roll(self, question: u64, sides: u32) -> u32 {
        u32::try_from(self.number(question) % u64::from(sides.max(1))).unwrap_or(0)
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
