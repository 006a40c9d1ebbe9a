//! Integer dot products of one query against many code rows, in three instruction sets.
//!
//! Every tier computes the same sum in 32-bit integers, so the tier never changes a result. Codes
//! are stored biased (`code + 128` as `u8`) because the AVX-512 VNNI instruction multiplies an
//! unsigned by a signed byte; [`super::code`] takes the bias out again.
//! On other architectures the portable loop runs: the compiler vectorises it.
#![allow(unsafe_code)]

/// Bytes of one cache line and of one AVX-512 register.
pub(super) const LINE_BYTES: usize = 64;

/// 64 code bytes, aligned so that a row never straddles a line it does not own.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [u8; LINE_BYTES]);

/// An instruction set that this processor is known to have; only [`Tier::available`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tier(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Tier {
    /// The tiers of this processor, fastest first; never empty.
    pub(super) fn available() -> Vec<Self> {
        let mut tiers = Vec::with_capacity(3);
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
                tiers.push(Self(Level::Avx512Vnni));
            }
            if is_x86_feature_detected!("avx2") {
                tiers.push(Self(Level::Avx2));
            }
        }
        tiers.push(Self(Level::Portable));
        tiers
    }

    /// The fastest tier of this processor.
    pub(super) fn best() -> Self {
        Self::available().first().copied().unwrap_or(Self(Level::Portable))
    }

    /// The name to show in logs and statistics.
    pub(super) fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Vnni => "avx512-vnni",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            Level::Portable => "portable",
        }
    }

    /// Dots of `query` (signed bytes) with consecutive rows of `query.len()` lines (unsigned
    /// bytes), one per element of `out`, starting at row `first`.
    ///
    /// # Panics
    /// When `rows` is shorter than `out` asks for: a caller's mistake, checked because the kernels
    /// read without bounds checks.
    pub(super) fn run(self, rows: &[Line], first: usize, query: &[Line], out: &mut [i32]) {
        let lines = query.len();
        assert!((first + out.len()) * lines <= rows.len(), "code rows out of range");
        let rows = &rows[first * lines..];
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the tier exists only where the features were detected; lengths are checked.
            Level::Avx512Vnni => unsafe { run_avx512(rows, query, out) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Level::Avx2 => unsafe { run_avx2(rows, query, out) },
            Level::Portable => run_portable(rows, query, out),
        }
    }
}

fn run_portable(rows: &[Line], query: &[Line], out: &mut [i32]) {
    for (row, out) in rows.chunks_exact(query.len().max(1)).zip(out) {
        *out = row.iter().zip(query).map(|(row, query)| dot_portable(row, query)).sum();
    }
}

fn dot_portable(row: &Line, query: &Line) -> i32 {
    row.0.iter().zip(&query.0).map(|(&row, &query)| i32::from(row) * i32::from(query as i8)).sum()
}

/// # Safety
/// The processor has AVX-512F and VNNI, and `rows` holds `out.len()` rows of `query.len()` lines.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn run_avx512(rows: &[Line], query: &[Line], out: &mut [i32]) {
    use std::arch::x86_64::{
        _mm512_dpbusd_epi32, _mm512_load_si512, _mm512_reduce_add_epi32, _mm512_setzero_si512,
    };
    let mut row = rows.as_ptr();
    for out in out {
        let mut sum = _mm512_setzero_si512();
        for query in query {
            // SAFETY: the caller promised the rows; `Line` is 64 bytes, aligned to 64.
            unsafe {
                let codes = _mm512_load_si512(row.cast());
                let query = _mm512_load_si512(std::ptr::from_ref(query).cast());
                sum = _mm512_dpbusd_epi32(sum, codes, query);
                row = row.add(1);
            }
        }
        *out = _mm512_reduce_add_epi32(sum);
    }
}

/// # Safety
/// The processor has AVX2, and `rows` holds `out.len()` rows of `query.len()` lines.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn run_avx2(rows: &[Line], query: &[Line], out: &mut [i32]) {
    use std::arch::x86_64::{
        __m128i, _mm_load_si128, _mm256_add_epi32, _mm256_cvtepi8_epi16, _mm256_cvtepu8_epi16,
        _mm256_madd_epi16, _mm256_setzero_si256, _mm256_storeu_si256,
    };
    let mut row = rows.as_ptr();
    for out in out {
        let mut sums = [_mm256_setzero_si256(); 2];
        for query in query {
            let query: *const __m128i = std::ptr::from_ref(query).cast();
            for part in 0..LINE_BYTES / 16 {
                // SAFETY: the caller promised the rows; a line is four aligned 16-byte parts.
                // 255 * 127 * 2 fits the 32-bit lanes of the multiply-add, so nothing saturates.
                let (codes, query) = unsafe {
                    (
                        _mm256_cvtepu8_epi16(_mm_load_si128(row.cast::<__m128i>().add(part))),
                        _mm256_cvtepi8_epi16(_mm_load_si128(query.add(part))),
                    )
                };
                sums[part % 2] = _mm256_add_epi32(sums[part % 2], _mm256_madd_epi16(codes, query));
            }
            // SAFETY: at most one past the end of the promised rows.
            row = unsafe { row.add(1) };
        }
        let mut lanes = [0i32; 8];
        // SAFETY: `lanes` is 32 writable bytes; the store needs no alignment.
        unsafe {
            _mm256_storeu_si256(lanes.as_mut_ptr().cast(), _mm256_add_epi32(sums[0], sums[1]));
        }
        *out = lanes.iter().sum();
    }
}
