//! Bytes of code, from first to last. Two numbers and no slice: an eBPF program has nothing to index.

/// What is still to be read.
#[derive(Clone, Copy)]
pub(super) struct Cursor {
    low: u64,
    high: u64,
    left: u32,
}

impl Cursor {
    /// The last `length` of sixteen bytes.
    #[inline(always)]
    pub(super) const fn last(first: u64, second: u64, length: u32) -> Self {
        let whole = Self {
            low: first,
            high: second,
            left: 16,
        };
        let before = 16_u32.wrapping_sub(length);
        if before >= 8 {
            let half = Self {
                low: second,
                high: 0,
                left: 8,
            };
            half.skip((before - 8) & 7)
        } else {
            whole.skip(before)
        }
    }

    /// The next byte; 0 behind the last one.
    #[inline(always)]
    pub(super) const fn byte(self) -> u32 {
        (self.low & 0xff) as u32
    }

    /// The next four, the first one lowest.
    #[inline(always)]
    pub(super) const fn four(self) -> u32 {
        (self.low & 0xffff_ffff) as u32
    }

    /// Without the next `bytes`, seven at most.
    #[inline(always)]
    pub(super) const fn skip(self, bytes: u32) -> Self {
        let shift = (bytes & 7) * 8;
        Self {
            low: self.low >> shift | (self.high << 8) << (56 - shift),
            high: self.high >> shift,
            left: self.left.wrapping_sub(bytes),
        }
    }

    /// Whether exactly so many bytes are left. Reading too far leaves a huge number, which is never right.
    #[inline(always)]
    pub(super) const fn has_left(self, bytes: u32) -> bool {
        self.left == bytes
    }
}
