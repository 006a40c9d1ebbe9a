//! Products of 32-bit float matrices through the `gemm` crate, which picks its kernel at run time.
#![allow(unsafe_code)]

/// A matrix inside a buffer, described by strides in elements.
#[derive(Clone, Copy)]
pub(in super::super) struct View<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// A matrix whose rows are contiguous and `stride` elements apart.
    ///
    /// # Panics
    /// If the matrix does not lie inside `data`.
    pub(in super::super) fn new(
        data: &'a [f32],
        rows: usize,
        columns: usize,
        stride: usize,
    ) -> Self {
        assert!(rows > 0 && columns > 0 && (rows - 1) * stride + columns <= data.len());
        Self { data, rows, columns, row_stride: stride, column_stride: 1 }
    }

    /// The same elements, mirrored at the diagonal.
    pub(in super::super) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// Writes `left * right` (or adds it, if `accumulate`) to rows of `out` that are `stride` apart.
///
/// A right side with contiguous rows is several times faster than a transposed one for few rows.
///
/// # Panics
/// If the inner sizes differ or the result does not fit into `out`.
pub(in super::super) fn multiply(
    left: View<'_>,
    right: View<'_>,
    out: &mut [f32],
    stride: usize,
    accumulate: bool,
) {
    assert!(left.columns == right.rows && right.columns <= stride);
    assert!((left.rows - 1) * stride + right.columns <= out.len());
    // SAFETY: `View::new` and the assertions above prove that every element addressed through the
    // sizes and strides passed here lies inside its slice; `out` is borrowed exclusively, so it
    // overlaps neither input; strides fit an `isize` because slices do.
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            out.as_mut_ptr(),
            1,
            stride as isize,
            accumulate,
            left.data.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.data.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
