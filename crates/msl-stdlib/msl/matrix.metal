// Matrices (MSL specification, sections 2.4 and 6.7): columns of vectors.

namespace metal {

template <typename T, int C, int R> struct [[__metal_special("matrix")]] matrix {
  vec<T, R> columns[C];

  matrix() = default;
  // The scalar on the diagonal, zero elsewhere.
  constexpr explicit matrix(T s) {
#pragma unroll
    for (int c = 0; c < C; c++) {
      vec<T, R> v = vec<T, R>(T(0));
      if (c < R) v[c] = s;
      columns[c] = v;
    }
  }
  template <int N = C, typename = enable_if_t<N == 2>>
  constexpr matrix(vec<T, R> a, vec<T, R> b) : columns{a, b} {}
  template <int N = C, typename = enable_if_t<N == 3>>
  constexpr matrix(vec<T, R> a, vec<T, R> b, vec<T, R> c) : columns{a, b, c} {}
  template <int N = C, typename = enable_if_t<N == 4>>
  constexpr matrix(vec<T, R> a, vec<T, R> b, vec<T, R> c, vec<T, R> d) : columns{a, b, c, d} {}
  template <typename... A, typename = enable_if_t<sizeof...(A) == C * R - 1>, typename = void>
  constexpr matrix(T first, A... rest) {
    T all[C * R] = {first, T(rest)...};
#pragma unroll
    for (int c = 0; c < C; c++) {
#pragma unroll
      for (int r = 0; r < R; r++) columns[c][r] = all[c * R + r];
    }
  }
  template <typename U, typename = enable_if_t<!is_same_v<T, U>>>
  constexpr explicit matrix(matrix<U, C, R> m) {
#pragma unroll
    for (int c = 0; c < C; c++) columns[c] = vec<T, R>(m.columns[c]);
  }

  thread vec<T, R>& operator[](int i) thread { return columns[i]; }
  device vec<T, R>& operator[](int i) device { return columns[i]; }
  threadgroup vec<T, R>& operator[](int i) threadgroup { return columns[i]; }
  const thread vec<T, R>& operator[](int i) const thread { return columns[i]; }
  const device vec<T, R>& operator[](int i) const device { return columns[i]; }
  const threadgroup vec<T, R>& operator[](int i) const threadgroup { return columns[i]; }
  const constant vec<T, R>& operator[](int i) const constant { return columns[i]; }
};

#define __MATRIX_NAMES(T) \
  using T##2x2 = metal::matrix<T, 2, 2>; using T##2x3 = metal::matrix<T, 2, 3>; using T##2x4 = metal::matrix<T, 2, 4>; \
  using T##3x2 = metal::matrix<T, 3, 2>; using T##3x3 = metal::matrix<T, 3, 3>; using T##3x4 = metal::matrix<T, 3, 4>; \
  using T##4x2 = metal::matrix<T, 4, 2>; using T##4x3 = metal::matrix<T, 4, 3>; using T##4x4 = metal::matrix<T, 4, 4>;
__MATRIX_NAMES(float)
__MATRIX_NAMES(half)
__MATRIX_NAMES(bfloat)
} // namespace metal
__MATRIX_NAMES(float)
__MATRIX_NAMES(half)
__MATRIX_NAMES(bfloat)
#undef __MATRIX_NAMES

namespace metal {

#define __EACH_COLUMN(expression) \
  matrix<T, C, R> m; \
  _Pragma("unroll") for (int c = 0; c < C; c++) m.columns[c] = (expression); \
  return m;
template <typename T, int C, int R> inline matrix<T, C, R> operator+(matrix<T, C, R> a, matrix<T, C, R> b) {
  __EACH_COLUMN(a.columns[c] + b.columns[c])
}
template <typename T, int C, int R> inline matrix<T, C, R> operator-(matrix<T, C, R> a, matrix<T, C, R> b) {
  __EACH_COLUMN(a.columns[c] - b.columns[c])
}
template <typename T, int C, int R> inline matrix<T, C, R> operator-(matrix<T, C, R> a) { __EACH_COLUMN(-a.columns[c]) }
template <typename T, int C, int R> inline matrix<T, C, R> operator*(matrix<T, C, R> a, type_identity_t<T> s) {
  __EACH_COLUMN(a.columns[c] * s)
}
template <typename T, int C, int R> inline matrix<T, C, R> operator*(type_identity_t<T> s, matrix<T, C, R> a) {
  __EACH_COLUMN(a.columns[c] * s)
}
#undef __EACH_COLUMN
template <typename T, int C, int R> inline vec<T, R> operator*(matrix<T, C, R> a, vec<T, C> v) {
  vec<T, R> sum = a.columns[0] * v[0];
#pragma unroll
  for (int c = 1; c < C; c++) sum += a.columns[c] * v[c];
  return sum;
}
template <typename T, int C, int R> inline vec<T, C> operator*(vec<T, R> v, matrix<T, C, R> a) {
  vec<T, C> result;
#pragma unroll
  for (int c = 0; c < C; c++) result[c] = dot(v, a.columns[c]);
  return result;
}
template <typename T, int K, int R, int C> inline matrix<T, C, R> operator*(matrix<T, K, R> a, matrix<T, C, K> b) {
  matrix<T, C, R> m;
#pragma unroll
  for (int c = 0; c < C; c++) m.columns[c] = a * b.columns[c];
  return m;
}
template <typename T, int C, int R> inline thread matrix<T, C, R>& operator+=(thread matrix<T, C, R>& a, matrix<T, C, R> b) {
  return a = a + b;
}
template <typename T, int C, int R> inline thread matrix<T, C, R>& operator-=(thread matrix<T, C, R>& a, matrix<T, C, R> b) {
  return a = a - b;
}
template <typename T, int C, int R> inline thread matrix<T, C, R>& operator*=(thread matrix<T, C, R>& a, type_identity_t<T> s) {
  return a = a * s;
}
template <typename T, int C> inline thread matrix<T, C, C>& operator*=(thread matrix<T, C, C>& a, matrix<T, C, C> b) {
  return a = a * b;
}
template <typename T, int C, int R> inline bool operator==(matrix<T, C, R> a, matrix<T, C, R> b) {
  bool equal = true;
#pragma unroll
  for (int c = 0; c < C; c++) equal = equal && all(a.columns[c] == b.columns[c]);
  return equal;
}
template <typename T, int C, int R> inline bool operator!=(matrix<T, C, R> a, matrix<T, C, R> b) { return !(a == b); }

template <typename T, int C, int R> inline matrix<T, R, C> transpose(matrix<T, C, R> a) {
  matrix<T, R, C> m;
#pragma unroll
  for (int r = 0; r < R; r++) {
#pragma unroll
    for (int c = 0; c < C; c++) m.columns[r][c] = a.columns[c][r];
  }
  return m;
}
template <typename T> inline T determinant(matrix<T, 2, 2> m) {
  return m.columns[0].x * m.columns[1].y - m.columns[1].x * m.columns[0].y;
}
template <typename T> inline T determinant(matrix<T, 3, 3> m) {
  return dot(m.columns[0], cross(m.columns[1], m.columns[2]));
}
template <typename T> inline T determinant(matrix<T, 4, 4> m) {
  vec<T, 4> a = m.columns[0], b = m.columns[1], c = m.columns[2], d = m.columns[3];
  // Laplace expansion over pairs of rows.
  T s0 = a.x * b.y - b.x * a.y, s1 = a.x * b.z - b.x * a.z, s2 = a.x * b.w - b.x * a.w;
  T s3 = a.y * b.z - b.y * a.z, s4 = a.y * b.w - b.y * a.w, s5 = a.z * b.w - b.z * a.w;
  T c5 = c.z * d.w - d.z * c.w, c4 = c.y * d.w - d.y * c.w, c3 = c.y * d.z - d.y * c.z;
  T c2 = c.x * d.w - d.x * c.w, c1 = c.x * d.z - d.x * c.z, c0 = c.x * d.y - d.x * c.y;
  return s0 * c5 - s1 * c4 + s2 * c3 + s3 * c2 - s4 * c1 + s5 * c0;
}

} // namespace metal

// The names of the vector library that kernels share with hosts (`<simd/simd.h>`).
#define __SIMD_NAMES(T, N) \
  typedef metal::vec<T, 2> simd_##N##2; typedef metal::vec<T, 3> simd_##N##3; typedef metal::vec<T, 4> simd_##N##4; \
  typedef metal::vec<T, 2> vector_##N##2; typedef metal::vec<T, 3> vector_##N##3; typedef metal::vec<T, 4> vector_##N##4; \
  namespace simd { \
  typedef metal::vec<T, 2> N##2; typedef metal::vec<T, 3> N##3; typedef metal::vec<T, 4> N##4; \
  typedef metal::packed_vec<T, 2> packed_##N##2; typedef metal::packed_vec<T, 3> packed_##N##3; typedef metal::packed_vec<T, 4> packed_##N##4; \
  }
__SIMD_NAMES(char, char) __SIMD_NAMES(uchar, uchar) __SIMD_NAMES(short, short) __SIMD_NAMES(ushort, ushort)
__SIMD_NAMES(int, int) __SIMD_NAMES(uint, uint) __SIMD_NAMES(long, long) __SIMD_NAMES(ulong, ulong)
__SIMD_NAMES(half, half) __SIMD_NAMES(float, float)
#undef __SIMD_NAMES
#define __SIMD_MATRICES(T, S, C, R) \
  typedef metal::matrix<T, C, R> simd_##T##S; typedef metal::matrix<T, C, R> matrix_##T##S; namespace simd { typedef metal::matrix<T, C, R> T##S; }
__SIMD_MATRICES(float, 2x2, 2, 2) __SIMD_MATRICES(float, 2x3, 2, 3) __SIMD_MATRICES(float, 2x4, 2, 4)
__SIMD_MATRICES(float, 3x2, 3, 2) __SIMD_MATRICES(float, 3x3, 3, 3) __SIMD_MATRICES(float, 3x4, 3, 4)
__SIMD_MATRICES(float, 4x2, 4, 2) __SIMD_MATRICES(float, 4x3, 4, 3) __SIMD_MATRICES(float, 4x4, 4, 4)
__SIMD_MATRICES(half, 2x2, 2, 2) __SIMD_MATRICES(half, 3x3, 3, 3) __SIMD_MATRICES(half, 4x4, 4, 4)
#undef __SIMD_MATRICES
