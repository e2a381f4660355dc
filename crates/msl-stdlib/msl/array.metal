// `array`, `array_ref` and `uniform` (MSL specification, sections 2.12 to 2.14).

namespace metal {

template <typename T, size_t N> struct [[__metal_special("array")]] array {
  T __elements[N];
  constexpr size_t size() const { return N; }
  constexpr bool empty() const { return N == 0; }
  constexpr thread T& operator[](size_t i) thread { return __elements[i]; }
  constexpr device T& operator[](size_t i) device { return __elements[i]; }
  constexpr threadgroup T& operator[](size_t i) threadgroup { return __elements[i]; }
  constexpr const thread T& operator[](size_t i) const thread { return __elements[i]; }
  constexpr const device T& operator[](size_t i) const device { return __elements[i]; }
  constexpr const constant T& operator[](size_t i) const constant { return __elements[i]; }
  constexpr const threadgroup T& operator[](size_t i) const threadgroup { return __elements[i]; }
  constexpr thread T* data() thread { return __elements; }
  constexpr device T* data() device { return __elements; }
  constexpr threadgroup T* data() threadgroup { return __elements; }
  constexpr const thread T* data() const thread { return __elements; }
  constexpr const device T* data() const device { return __elements; }
  constexpr const constant T* data() const constant { return __elements; }
  constexpr const threadgroup T* data() const threadgroup { return __elements; }
  constexpr thread T& front() thread { return __elements[0]; }
  constexpr thread T& back() thread { return __elements[N - 1]; }
  constexpr thread T* begin() thread { return __elements; }
  constexpr thread T* end() thread { return __elements + N; }
  constexpr const thread T* begin() const thread { return __elements; }
  constexpr const thread T* end() const thread { return __elements + N; }
  constexpr const constant T* begin() const constant { return __elements; }
  constexpr const constant T* end() const constant { return __elements + N; }
  void fill(T value) thread { for (size_t i = 0; i < N; i++) __elements[i] = value; }
};

// Elements that someone else keeps.
template <typename T> struct array_ref {
  const thread T* __elements;
  size_t __size;
  constexpr array_ref() : __elements(nullptr), __size(0) {}
  constexpr array_ref(const thread T* data, size_t size) : __elements(data), __size(size) {}
  template <size_t N> constexpr array_ref(const thread array<T, N>& a) : __elements(a.data()), __size(N) {}
  template <size_t N> constexpr array_ref(const thread T (&a)[N]) : __elements(a), __size(N) {}
  constexpr size_t size() const { return __size; }
  constexpr bool empty() const { return __size == 0; }
  constexpr const thread T* data() const { return __elements; }
  constexpr const thread T& operator[](size_t i) const { return __elements[i]; }
  constexpr const thread T& front() const { return __elements[0]; }
  constexpr const thread T& back() const { return __elements[__size - 1]; }
  constexpr const thread T* begin() const { return __elements; }
  constexpr const thread T* end() const { return __elements + __size; }
};
template <typename T> inline constexpr array_ref<T> make_array_ref(const thread T* data, size_t size) { return array_ref<T>(data, size); }
template <typename T, size_t N> inline constexpr array_ref<T> make_array_ref(const thread T (&a)[N]) { return array_ref<T>(a, N); }
template <typename T, size_t N> inline constexpr array_ref<T> make_array_ref(const thread array<T, N>& a) { return array_ref<T>(a.data(), N); }

// A vector of more components than the device has: `vec<T, 8>` and the like.
template <typename T, int N> struct __long_vec {
  T __elements[N];
  __long_vec() = default;
  constexpr __long_vec(T value) {
    for (int i = 0; i < N; i++) __elements[i] = value;
  }
  template <typename... A, typename = enable_if_t<sizeof...(A) == N - 1>>
  constexpr __long_vec(T first, A... rest) : __elements{first, T(rest)...} {}
  template <typename U, typename = enable_if_t<!is_same_v<T, U>>> constexpr explicit __long_vec(__long_vec<U, N> v) {
    for (int i = 0; i < N; i++) __elements[i] = T(v.__elements[i]);
  }
  constexpr thread T& operator[](int i) thread { return __elements[i]; }
  constexpr device T& operator[](int i) device { return __elements[i]; }
  constexpr threadgroup T& operator[](int i) threadgroup { return __elements[i]; }
  constexpr const thread T& operator[](int i) const thread { return __elements[i]; }
  constexpr const device T& operator[](int i) const device { return __elements[i]; }
  constexpr const threadgroup T& operator[](int i) const threadgroup { return __elements[i]; }
  constexpr const constant T& operator[](int i) const constant { return __elements[i]; }
};
#define __LONG_OPERATOR(op) \
  template <typename T, int N> inline constexpr __long_vec<T, N> operator op(__long_vec<T, N> a, __long_vec<T, N> b) { \
    __long_vec<T, N> r; \
    _Pragma("unroll") for (int i = 0; i < N; i++) r.__elements[i] = T(a.__elements[i] op b.__elements[i]); \
    return r; \
  } \
  template <typename T, int N> inline constexpr __long_vec<T, N> operator op(__long_vec<T, N> a, type_identity_t<T> b) { return a op __long_vec<T, N>(b); } \
  template <typename T, int N> inline constexpr __long_vec<T, N> operator op(type_identity_t<T> a, __long_vec<T, N> b) { return __long_vec<T, N>(a) op b; } \
  template <typename T, int N> inline constexpr thread __long_vec<T, N>& operator op##=(thread __long_vec<T, N>& a, __long_vec<T, N> b) { return a = a op b; } \
  template <typename T, int N> inline constexpr thread __long_vec<T, N>& operator op##=(thread __long_vec<T, N>& a, type_identity_t<T> b) { return a = a op b; }
__LONG_OPERATOR(+) __LONG_OPERATOR(-) __LONG_OPERATOR(*) __LONG_OPERATOR(/)
#undef __LONG_OPERATOR

// A value that the program says is the same in all threads.
template <typename T> struct uniform {
  T __value;
  uniform() = default;
  constexpr uniform(T v) : __value(v) {}
  constexpr operator T() const { return __value; }
};
template <typename T> inline constexpr uniform<T> make_uniform(T v) { return uniform<T>(v); }

// Programs declare functions that take one; a list in braces makes none yet.
template <typename T> class initializer_list {
  thread T* __begin;
  size_t __size;
public:
  constexpr initializer_list() : __begin(nullptr), __size(0) {}
  constexpr size_t size() const { return __size; }
  constexpr thread T* begin() const { return __begin; }
  constexpr thread T* end() const { return __begin + __size; }
};

} // namespace metal
