//! What was made of the definitions that records carry themselves: most come again.

use std::collections::HashMap;

/// Definitions that are kept.
const COUNT_MAX: usize = 256;
/// Their bytes; what is made of them is larger.
const BYTES_MAX: usize = 512 << 10;

/// Keeps what was made of bytes.
#[derive(Debug)]
pub(super) struct Kept<T> {
    made: HashMap<Box<[u8]>, T>,
    bytes: usize,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { made: HashMap::new(), bytes: 0 }
    }
}

impl<T> Kept<T> {
    /// What `make` makes of `bytes`, now or before.
    pub(super) fn get(&mut self, bytes: &[u8], make: impl FnOnce(&[u8]) -> T) -> &T {
        if !self.made.contains_key(bytes) {
            self.bytes += bytes.len();
            if self.made.len() >= COUNT_MAX || self.bytes > BYTES_MAX {
                self.made.clear();
                self.bytes = bytes.len();
            }
            self.made.insert(bytes.into(), make(bytes));
        }
        &self.made[bytes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_again_is_made_once_and_no_more_than_the_limits_is_kept() {
        let mut kept = Kept::default();
        let mut made = 0;
        for _ in 0..2 {
            let length = *kept.get(b"abc", |bytes| {
                made += 1;
                bytes.len()
            });
            assert_eq!((length, made), (3, 1));
        }
        for number in 0..1_000_u32 {
            kept.get(&number.to_le_bytes(), |_| 4);
            assert!(kept.made.len() <= COUNT_MAX);
        }
        for byte in 0..10 {
            kept.get(&vec![byte; 200 << 10], |_| 0);
            assert!(kept.bytes <= BYTES_MAX && kept.made.len() <= COUNT_MAX);
        }
        kept.get(&vec![0; 2 << 20], |_| 0);
        assert_eq!(kept.made.len(), 1);
    }
}
