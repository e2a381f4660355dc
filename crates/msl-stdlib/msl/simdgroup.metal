// SIMD-group and quad-group functions (MSL specification, section 6.9.2), `simdgroup_matrix` (6.7).
// A SIMD-group has 32 threads everywhere.

namespace metal {

// A `bool` is promoted, as in an argument of type `int`.
#define __SIMD_UNARY(name) \
  template <typename T, typename R = typename __element<T>::value> inline R name(T x) { return __metal_##name(R(x)); }
__SIMD_UNARY(simd_sum)
__SIMD_UNARY(simd_product)
__SIMD_UNARY(simd_min)
__SIMD_UNARY(simd_max)
__SIMD_UNARY(simd_and)
__SIMD_UNARY(simd_or)
__SIMD_UNARY(simd_xor)
__SIMD_UNARY(simd_prefix_inclusive_sum)
__SIMD_UNARY(simd_prefix_exclusive_sum)
__SIMD_UNARY(simd_prefix_inclusive_product)
__SIMD_UNARY(simd_prefix_exclusive_product)
#undef __SIMD_UNARY
template <typename T> inline T simd_broadcast_first(T x) { return __metal_simd_broadcast_first(x); }

template <typename T> inline T simd_shuffle(T x, ushort lane) { return __metal_simd_shuffle(x, uint(lane)); }
template <typename T> inline T simd_broadcast(T x, ushort lane) { return __metal_simd_shuffle(x, uint(lane)); }
template <typename T> inline T simd_shuffle_xor(T x, ushort mask) {
  return __metal_simd_shuffle(x, __metal_thread_index_in_simdgroup() ^ uint(mask));
}
// Threads whose source lies outside keep their own value.
template <typename T> inline T simd_shuffle_up(T x, ushort delta) {
  uint lane = __metal_thread_index_in_simdgroup() - uint(delta);
  T y = __metal_simd_shuffle(x, lane & 31u);
  return lane < 32u ? y : x;
}
template <typename T> inline T simd_shuffle_down(T x, ushort delta) {
  uint lane = __metal_thread_index_in_simdgroup() + uint(delta);
  T y = __metal_simd_shuffle(x, lane & 31u);
  return lane < 32u ? y : x;
}
template <typename T> inline T simd_shuffle_rotate_up(T x, ushort delta) {
  return __metal_simd_shuffle(x, (__metal_thread_index_in_simdgroup() - uint(delta)) & 31u);
}
template <typename T> inline T simd_shuffle_rotate_down(T x, ushort delta) {
  return __metal_simd_shuffle(x, (__metal_thread_index_in_simdgroup() + uint(delta)) & 31u);
}
#define __SIMD_FILL(name, sign) \
  template <typename T> inline T name(T x, type_identity_t<T> filling, ushort delta, ushort modulo = 32) { \
    uint self = __metal_thread_index_in_simdgroup(), m = uint(modulo), base = self & ~(m - 1u); \
    uint lane = (self & (m - 1u)) sign uint(delta); \
    T y = __metal_simd_shuffle(x, base + (lane & (m - 1u))); \
    T z = __metal_simd_shuffle(filling, base + (lane & (m - 1u))); \
    return lane < m ? y : z; \
  }
__SIMD_FILL(simd_shuffle_and_fill_up, -)
__SIMD_FILL(simd_shuffle_and_fill_down, +)
#undef __SIMD_FILL

class simd_vote {
public:
  using vote_t = ulong;
  explicit constexpr simd_vote(ulong v = 0) : __bits(v) {}
  explicit constexpr operator ulong() const { return __bits; }
  constexpr bool all() const { return (__bits & 0xfffffffful) == 0xfffffffful; }
  constexpr bool any() const { return __bits != 0ul; }
private:
  ulong __bits;
};
inline simd_vote simd_ballot(bool x) { return simd_vote(__metal_simd_ballot(x)); }
inline simd_vote simd_active_threads_mask() { return simd_vote(__metal_simd_ballot(true)); }
inline bool simd_any(bool x) { return __metal_simd_ballot(x) != 0ul; }
inline bool simd_all(bool x) { return __metal_simd_ballot(!x) == 0ul; }
inline bool simd_is_first() { return __metal_simd_is_first(); }
inline bool simd_is_helper_thread() { return false; }

// ---- quad-groups ----

inline uint __quad_base() { return __metal_thread_index_in_simdgroup() & ~3u; }
inline uint __quad_lane() { return __metal_thread_index_in_simdgroup() & 3u; }
template <typename T> inline T quad_shuffle(T x, ushort lane) { return __metal_simd_shuffle(x, __quad_base() + (uint(lane) & 3u)); }
template <typename T> inline T quad_broadcast(T x, ushort lane) { return quad_shuffle(x, lane); }
template <typename T> inline T quad_shuffle_xor(T x, ushort mask) {
  return __metal_simd_shuffle(x, __quad_base() + ((__quad_lane() ^ uint(mask)) & 3u));
}
template <typename T> inline T quad_shuffle_up(T x, ushort delta) {
  uint lane = __quad_lane() - uint(delta);
  T y = __metal_simd_shuffle(x, __quad_base() + (lane & 3u));
  return lane < 4u ? y : x;
}
template <typename T> inline T quad_shuffle_down(T x, ushort delta) {
  uint lane = __quad_lane() + uint(delta);
  T y = __metal_simd_shuffle(x, __quad_base() + (lane & 3u));
  return lane < 4u ? y : x;
}
template <typename T> inline T quad_shuffle_rotate_up(T x, ushort delta) { return quad_shuffle(x, ushort((__quad_lane() - uint(delta)) & 3u)); }
template <typename T> inline T quad_shuffle_rotate_down(T x, ushort delta) { return quad_shuffle(x, ushort((__quad_lane() + uint(delta)) & 3u)); }

// Filling comes from the lanes of the other value that would lie beside this one.
#define __QUAD_FILL(name, sign) \
  template <typename T> inline T name(T x, type_identity_t<T> filling, ushort delta, ushort modulo = 4) { \
    uint m = uint(modulo), self = __quad_lane(), base = __quad_base() + (self & ~(m - 1u)); \
    uint lane = (self & (m - 1u)) sign uint(delta); \
    T y = __metal_simd_shuffle(x, base + (lane & (m - 1u))); \
    T z = __metal_simd_shuffle(filling, base + (lane & (m - 1u))); \
    return lane < m ? y : z; \
  }
__QUAD_FILL(quad_shuffle_and_fill_up, -)
__QUAD_FILL(quad_shuffle_and_fill_down, +)
#undef __QUAD_FILL

// The bits of this thread's quad-group in a ballot.
inline uint __quad_ballot(bool x) { return uint(__metal_simd_ballot(x) >> ulong(__quad_base())) & 15u; }
class quad_vote {
public:
  using vote_t = uint;
  explicit constexpr quad_vote(uint v = 0) : __bits(v & 15u) {}
  explicit constexpr operator uint() const { return __bits; }
  constexpr bool all() const { return __bits == 15u; }
  constexpr bool any() const { return __bits != 0u; }
private:
  uint __bits;
};
inline quad_vote quad_ballot(bool x) { return quad_vote(__quad_ballot(x)); }
inline quad_vote quad_active_threads_mask() { return quad_vote(__quad_ballot(true)); }
inline bool quad_any(bool x) { return __quad_ballot(x) != 0u; }
inline bool quad_all(bool x) { return __quad_ballot(!x) == 0u; }
inline bool quad_is_first() { return uint(__metal_ctz(__quad_ballot(true))) == __quad_lane(); }
inline bool quad_is_helper_thread() { return false; }
template <typename T> inline T quad_broadcast_first(T x) { return quad_shuffle(x, ushort(__metal_ctz(__quad_ballot(true)))); }

// Reductions visit the four threads in order and skip the inactive ones.
#define __QUAD_REDUCE(name, combine) \
  template <typename T> inline T name(T x) { \
    uint active = __quad_ballot(true); \
    T a = quad_shuffle(x, 0), b = quad_shuffle(x, 1), c = quad_shuffle(x, 2), d = quad_shuffle(x, 3); \
    uint first = uint(__metal_ctz(active)); \
    T r = first == 0u ? a : first == 1u ? b : first == 2u ? c : d; \
    { T y = b; T z = combine; r = (first < 1u && (active & 2u) != 0u) ? z : r; } \
    { T y = c; T z = combine; r = (first < 2u && (active & 4u) != 0u) ? z : r; } \
    { T y = d; T z = combine; r = (first < 3u && (active & 8u) != 0u) ? z : r; } \
    return r; \
  }
__QUAD_REDUCE(quad_sum, T(r + y))
__QUAD_REDUCE(quad_product, T(r * y))
__QUAD_REDUCE(quad_min, __metal_min(r, y))
__QUAD_REDUCE(quad_max, __metal_max(r, y))
__QUAD_REDUCE(quad_and, T(r & y))
__QUAD_REDUCE(quad_or, T(r | y))
__QUAD_REDUCE(quad_xor, T(r ^ y))
#undef __QUAD_REDUCE
#define __QUAD_PREFIX(name, identity, op, limit) \
  template <typename T> inline T name(T x) { \
    uint active = __quad_ballot(true), self = __quad_lane(); \
    T r = T(identity); \
    T a = quad_shuffle(x, 0), b = quad_shuffle(x, 1), c = quad_shuffle(x, 2), d = quad_shuffle(x, 3); \
    r = ((active & 1u) != 0u && 0u limit self) ? T(r op a) : r; \
    r = ((active & 2u) != 0u && 1u limit self) ? T(r op b) : r; \
    r = ((active & 4u) != 0u && 2u limit self) ? T(r op c) : r; \
    r = ((active & 8u) != 0u && 3u limit self) ? T(r op d) : r; \
    return r; \
  }
__QUAD_PREFIX(quad_prefix_inclusive_sum, 0, +, <=)
__QUAD_PREFIX(quad_prefix_exclusive_sum, 0, +, <)
__QUAD_PREFIX(quad_prefix_inclusive_product, 1, *, <=)
__QUAD_PREFIX(quad_prefix_exclusive_product, 1, *, <)
#undef __QUAD_PREFIX

// ---- simdgroup_matrix ----
// Each thread holds two horizontally adjacent elements. With the bits of its index in the SIMD-group,
// the row is (bit 4, bit 2, bit 1) and the pair of columns (bit 3, bit 0).

inline uint __matrix_row(uint lane) { return ((lane >> 2) & 4u) | ((lane >> 1) & 3u); }
inline uint __matrix_column(uint lane) { return ((lane >> 1) & 4u) | ((lane & 1u) << 1); }

template <typename T, int C, int R> struct [[__metal_special("simdgroup_matrix")]] simdgroup_matrix {
  static_assert(C == 8 && R == 8, "a 'simdgroup_matrix' has 8 columns and 8 rows");
  static_assert(__is_floating_point(T), "a 'simdgroup_matrix' has elements of 'half', 'bfloat' or 'float'");
  using storage_type = vec<T, 2>;
  vec<T, 2> __elements;

  simdgroup_matrix() = default;
  // The scalar on the diagonal, zero elsewhere.
  explicit simdgroup_matrix(T s) {
    uint lane = __metal_thread_index_in_simdgroup();
    uint row = __matrix_row(lane), column = __matrix_column(lane);
    __elements = vec<T, 2>(row == column ? s : T(0), row == column + 1u ? s : T(0));
  }
  thread vec<T, 2>& thread_elements() thread { return __elements; }
  const thread vec<T, 2>& thread_elements() const thread { return __elements; }
};

using simdgroup_half8x8 = simdgroup_matrix<half, 8, 8>;
using simdgroup_bfloat8x8 = simdgroup_matrix<bfloat, 8, 8>;
using simdgroup_float8x8 = simdgroup_matrix<float, 8, 8>;

template <typename T, int C, int R = C> inline simdgroup_matrix<T, C, R> make_filled_simdgroup_matrix(T value) {
  simdgroup_matrix<T, C, R> m;
  m.__elements = vec<T, 2>(value);
  return m;
}

#define __MATRIX_MEMORY(space) \
  template <typename T, int C, int R> inline void simdgroup_load(thread simdgroup_matrix<T, C, R>& d, const space T* src, \
      ulong elements_per_row = 8, ulong2 origin = ulong2(0ul), bool is_transposed = false) { \
    uint lane = __metal_thread_index_in_simdgroup(); \
    ulong row = ulong(__matrix_row(lane)), column = ulong(__matrix_column(lane)); \
    if (is_transposed) { \
      const space T* p = src + ((origin.y + column) * elements_per_row + origin.x + row); \
      d.__elements = vec<T, 2>(p[0], p[elements_per_row]); \
    } else { \
      const space T* p = src + ((origin.y + row) * elements_per_row + origin.x + column); \
      d.__elements = vec<T, 2>(p[0], p[1]); \
    } \
  } \
  template <typename T, int C, int R> inline void simdgroup_store(simdgroup_matrix<T, C, R> s, space T* dst, \
      ulong elements_per_row = 8, ulong2 origin = ulong2(0ul), bool is_transposed = false) { \
    uint lane = __metal_thread_index_in_simdgroup(); \
    ulong row = ulong(__matrix_row(lane)), column = ulong(__matrix_column(lane)); \
    if (is_transposed) { \
      space T* p = dst + ((origin.y + column) * elements_per_row + origin.x + row); \
      p[0] = s.__elements.x; p[elements_per_row] = s.__elements.y; \
    } else { \
      space T* p = dst + ((origin.y + row) * elements_per_row + origin.x + column); \
      p[0] = s.__elements.x; p[1] = s.__elements.y; \
    } \
  }
__MATRIX_MEMORY(device)
__MATRIX_MEMORY(threadgroup)
#undef __MATRIX_MEMORY

// ---- copies by a SIMD-group ----
// Published kernels declare these functions of Apple's library themselves, by the names in their labels. The copy is made
// at once; waiting for it is a barrier of the SIMD-group.

template <typename T, typename D, typename S>
inline void __copy_tile(D dst, ulong dst_row, ulong2 dst_size, S src, ulong src_row, ulong2 src_size, long2 offset, int clamp) {
  ulong count = dst_size.x * dst_size.y;
  for (ulong i = ulong(__metal_thread_index_in_simdgroup()); i < count; i += 32ul) {
    ulong x = i % dst_size.x, y = i / dst_size.x;
    bool is_inside = x < src_size.x && y < src_size.y;
    ulong u = __metal_min(x, src_size.x - 1ul), v = __metal_min(y, src_size.y - 1ul);
    T value = T(0);
    if ((is_inside || clamp != 0) && src_size.x != 0ul && src_size.y != 0ul) value = src[(v + ulong(offset.y)) * src_row + u + ulong(offset.x)];
    dst[y * dst_row + x] = value;
  }
}
#define __COPY(to, from, label) \
  inline void __air_simdgroup_async_copy_2d_##label(ulong size, ulong alignment, to void* dst, ulong dst_row, ulong dst_stride, ulong2 dst_size, \
      const from void* src, ulong src_row, ulong src_stride, ulong2 src_size, long2 offset, int clamp) { \
    if (size == 4ul) __copy_tile<uint>((to uint*)dst, dst_row, dst_size, (const from uint*)src, src_row, src_size, offset, clamp); \
    else if (size == 2ul) __copy_tile<ushort>((to ushort*)dst, dst_row, dst_size, (const from ushort*)src, src_row, src_size, offset, clamp); \
    else if (size == 8ul) __copy_tile<ulong>((to ulong*)dst, dst_row, dst_size, (const from ulong*)src, src_row, src_size, offset, clamp); \
    else { \
      ulong2 bytes = ulong2(size, 1ul); \
      __copy_tile<uchar>((to uchar*)dst, dst_row * size, dst_size * bytes, (const from uchar*)src, src_row * size, src_size * bytes, \
                         long2(offset.x * long(size), offset.y), clamp); \
    } \
  } \
  inline void __air_simdgroup_async_copy_1d_##label(ulong size, ulong alignment, to void* dst, const from void* src, ulong count) { \
    __air_simdgroup_async_copy_2d_##label(size, alignment, dst, count, 1ul, ulong2(count, 1ul), src, count, 1ul, ulong2(count, 1ul), long2(0l), 0); \
  }
__COPY(threadgroup, device, p3i8_p1i8)
__COPY(device, threadgroup, p1i8_p3i8)
#undef __COPY
inline void __air_wait_simdgroup_events() { __metal_simdgroup_barrier(3u); }

// d = a b + c. Products are accumulated in float, in the order of k.
template <typename D, typename A, typename B, typename E, int C, int R, int K>
inline void simdgroup_multiply_accumulate(thread simdgroup_matrix<D, C, R>& d, simdgroup_matrix<A, K, R> a,
                                          simdgroup_matrix<B, C, K> b, simdgroup_matrix<E, C, R> c) {
  d.__elements = vec<D, 2>(__metal_simd_matrix_multiply(a.__elements, b.__elements, vec<float, 2>(c.__elements)));
}
template <typename D, typename A, typename B, int C, int R, int K>
inline void simdgroup_multiply(thread simdgroup_matrix<D, C, R>& d, simdgroup_matrix<A, K, R> a, simdgroup_matrix<B, C, K> b) {
  simdgroup_matrix<D, C, R> zero = make_filled_simdgroup_matrix<D, C, R>(D(0));
  simdgroup_multiply_accumulate(d, a, b, zero);
}
template <typename A, typename B, int C, int R, int K>
inline simdgroup_matrix<A, C, R> operator*(simdgroup_matrix<A, K, R> a, simdgroup_matrix<B, C, K> b) {
  simdgroup_matrix<A, C, R> d;
  simdgroup_multiply(d, a, b);
  return d;
}

} // namespace metal
