// Atomic types and functions (MSL specification, sections 2.6 and 6.15), fences and barriers (6.9).

namespace metal {

enum memory_order {
  memory_order_relaxed = 0, memory_order_acquire = 2, memory_order_release = 3, memory_order_acq_rel = 4, memory_order_seq_cst = 5
};
enum thread_scope {
  thread_scope_thread = 0, thread_scope_simdgroup = 1, thread_scope_threadgroup = 2, thread_scope_device = 3
};
enum class mem_flags {
  mem_none = 0, mem_device = 1, mem_threadgroup = 2, mem_texture = 4, mem_threadgroup_imageblock = 8, mem_object_data = 16,
  mem_device_and_threadgroup = 3
};
inline constexpr mem_flags operator|(mem_flags a, mem_flags b) { return mem_flags(uint(a) | uint(b)); }
inline constexpr mem_flags operator&(mem_flags a, mem_flags b) { return mem_flags(uint(a) & uint(b)); }

inline void threadgroup_barrier(mem_flags flags) { __metal_threadgroup_barrier(uint(flags)); }
inline void threadgroup_barrier(mem_flags flags, memory_order order, thread_scope scope) { __metal_threadgroup_barrier(uint(flags)); }
inline void simdgroup_barrier(mem_flags flags) { __metal_simdgroup_barrier(uint(flags)); }
inline void simdgroup_barrier(mem_flags flags, memory_order order, thread_scope scope) { __metal_simdgroup_barrier(uint(flags)); }
inline void atomic_thread_fence(mem_flags flags, memory_order order) { __metal_fence(uint(flags), 3u); }
inline void atomic_thread_fence(mem_flags flags, memory_order order, thread_scope scope) { __metal_fence(uint(flags), 3u); }

template <typename T> struct [[__metal_special("atomic")]] atomic {
  static_assert(__is_same(T, bool) || __is_same(T, float) || __is_integral(T) && sizeof(T) >= 4,
                "there are atomics of 'int', 'uint', 'bool', 'float' and 'ulong' only");
  T __value;
};
} // namespace metal

using atomic_int = metal::atomic<int>;
using atomic_uint = metal::atomic<uint>;
using atomic_bool = metal::atomic<bool>;
using atomic_float = metal::atomic<float>;
using atomic_ulong = metal::atomic<ulong>;
using atomic_long = metal::atomic<long>;

namespace metal {
using ::atomic_int; using ::atomic_uint; using ::atomic_bool; using ::atomic_float; using ::atomic_ulong; using ::atomic_long;

// Values are compared as `memcmp` does: NaN is equal to itself, zeros of different signs are not equal.
template <typename T> inline bool __have_equal_bits(T x, T y) {
  if constexpr (__is_same(T, float)) return __metal_bitcast<uint>(x) == __metal_bitcast<uint>(y);
  else return x == y;
}
#define __ATOMIC_FETCH(name, intrinsic, space, allowed) \
  template <typename T, typename = enable_if_t<(allowed)>> inline T name(volatile space atomic<T>* object, type_identity_t<T> operand, memory_order order) { \
    return intrinsic(&object->__value, operand); \
  }
#define __ATOMIC_ORDERED(name, plain) \
  template <typename T> inline T name(volatile device atomic<T>* object, type_identity_t<T> operand, memory_order order, thread_scope scope) { \
    return plain(object, operand, order); \
  }
#define __ATOMICS(space) \
  template <typename T> inline void atomic_store_explicit(volatile space atomic<T>* object, type_identity_t<T> desired, memory_order order) { \
    __metal_atomic_store(&object->__value, desired); \
  } \
  template <typename T> inline T atomic_load_explicit(const volatile space atomic<T>* object, memory_order order) { \
    return __metal_atomic_load(&object->__value); \
  } \
  template <typename T> inline bool atomic_compare_exchange_weak_explicit(volatile space atomic<T>* object, thread T* expected, \
      type_identity_t<T> desired, memory_order success, memory_order failure) { \
    T found = __metal_atomic_compare_exchange(&object->__value, *expected, desired); \
    bool same = __have_equal_bits(found, *expected); \
    if (!same) *expected = found; \
    return same; \
  } \
  template <typename T> inline bool atomic_compare_exchange_strong_explicit(volatile space atomic<T>* object, thread T* expected, \
      type_identity_t<T> desired, memory_order success, memory_order failure) { \
    return atomic_compare_exchange_weak_explicit(object, expected, desired, success, failure); \
  } \
  __ATOMIC_FETCH(atomic_exchange_explicit, __metal_atomic_exchange, space, true) \
  __ATOMIC_FETCH(atomic_fetch_add_explicit, __metal_atomic_add, space, !__is_same(T, bool)) \
  __ATOMIC_FETCH(atomic_fetch_sub_explicit, __metal_atomic_sub, space, !__is_same(T, bool)) \
  __ATOMIC_FETCH(atomic_fetch_min_explicit, __metal_atomic_min, space, __is_integral(T) && !__is_same(T, bool)) \
  __ATOMIC_FETCH(atomic_fetch_max_explicit, __metal_atomic_max, space, __is_integral(T) && !__is_same(T, bool)) \
  __ATOMIC_FETCH(atomic_fetch_and_explicit, __metal_atomic_and, space, __is_integral(T)) \
  __ATOMIC_FETCH(atomic_fetch_or_explicit, __metal_atomic_or, space, __is_integral(T)) \
  __ATOMIC_FETCH(atomic_fetch_xor_explicit, __metal_atomic_xor, space, __is_integral(T))
__ATOMICS(device)
__ATOMICS(threadgroup)
#undef __ATOMICS
#undef __ATOMIC_FETCH
#undef __ATOMIC_ORDERED

// 64-bit minimum and maximum without a result.
inline void atomic_min_explicit(volatile device atomic<ulong>* object, ulong operand, memory_order order) {
  __metal_atomic_min(&object->__value, operand);
}
inline void atomic_max_explicit(volatile device atomic<ulong>* object, ulong operand, memory_order order) {
  __metal_atomic_max(&object->__value, operand);
}

} // namespace metal
