// Tensors and tensor operations (MSL specification, sections 2.21 and 7): views of memory with extents and strides, tensors whose
// elements lie in the threads that work together, and products of matrices of both.
//
// The first dimension of a tensor is the one whose elements are next to each other; of a matrix it is the columns.

namespace metal {

constant constexpr size_t dynamic_extent = size_t(-1);

template <typename I, size_t... N> struct extents {
  using index_type = I;
  using size_type = make_unsigned_t<I>;
  using rank_type = size_t;
  I __extents[sizeof...(N)];
  static constexpr rank_type rank() { return sizeof...(N); }
  static constexpr rank_type rank_dynamic() { return ((N == dynamic_extent ? 1 : 0) + ...); }
  static constexpr size_t static_extent(rank_type r) {
    size_t all[] = {N...};
    return all[r];
  }
  constexpr extents() : __extents{(N == dynamic_extent ? I(0) : I(N))...} {}
  // Every extent, or those that are not static.
  template <typename... A, typename = enable_if_t<(sizeof...(A) > 0) && (sizeof...(A) == sizeof...(N) || sizeof...(A) == rank_dynamic())>>
  constexpr extents(A... given) : __extents{(N == dynamic_extent ? I(0) : I(N))...} {
    I all[] = {I(given)...};
    size_t next = 0;
#pragma unroll
    for (size_t i = 0; i < sizeof...(N); i++) {
      if (sizeof...(A) == sizeof...(N)) __extents[i] = all[i];
      else if (static_extent(i) == dynamic_extent) __extents[i] = all[next++];
    }
  }
  constexpr I extent(rank_type r) const { return __extents[r]; }
};

template <typename I, typename S> struct __dextents;
template <typename I, size_t... N> struct __dextents<I, integer_sequence<size_t, N...>> { using type = extents<I, (N * 0 + dynamic_extent)...>; };
template <typename I, size_t R> using dextents = typename __dextents<I, make_index_sequence<R>>::type;

struct [[__metal_unsupported("unsupported-tensor-handle", "is a tensor of the host, which is not supported; take a buffer and make a 'tensor_inline' of it")]] tensor_handle;
struct tensor_offset {};
struct tensor_inline {};

template <typename T> struct remove_addrspace { using type = T; };
#define __SPACE(space) template <typename T> struct remove_addrspace<space T> { using type = T; }; \
  template <typename T> struct remove_addrspace<const space T> { using type = const T; };
__SPACE(device) __SPACE(threadgroup) __SPACE(constant) __SPACE(thread)
#undef __SPACE
template <typename T> using remove_addrspace_t = typename remove_addrspace<T>::type;

template <typename T, typename E, typename D = tensor_handle, typename... Tags> struct tensor {
  using element_type = T;
  using value_type = remove_cv_t<remove_addrspace_t<T>>;
  using extents_type = E;
  using index_type = typename E::index_type;
  using size_type = typename E::size_type;
  using rank_type = size_t;
  using data_handle_type = T*;
  using reference = T&;
  using strides_type = array<index_type, E::rank()>;
  T* __data;
  E __extents;
  index_type __strides[E::rank()];

  tensor() = default;
  constexpr tensor(T* data, E shape) : __data(data), __extents(shape) {
    index_type stride = 1;
#pragma unroll
    for (size_t i = 0; i < E::rank(); i++) {
      __strides[i] = stride;
      stride *= shape.extent(i);
    }
  }
  template <typename S> constexpr tensor(T* data, E shape, array<S, E::rank()> strides) : __data(data), __extents(shape) {
#pragma unroll
    for (size_t i = 0; i < E::rank(); i++) __strides[i] = index_type(strides[i]);
  }

  static constexpr rank_type get_rank() { return E::rank(); }
  static constexpr rank_type rank() { return E::rank(); }
  static constexpr size_t get_static_extent(rank_type r) { return E::static_extent(r); }
  constexpr E extents() const { return __extents; }
  constexpr E get_extents() const { return __extents; }
  constexpr index_type get_extent(rank_type r) const { return __extents.extent(r); }
  constexpr index_type extent(rank_type r) const { return __extents.extent(r); }
  constexpr index_type get_stride(rank_type r) const { return __strides[r]; }
  constexpr index_type stride(rank_type r) const { return __strides[r]; }
  constexpr T* data_handle() const { return __data; }
  constexpr T* get_data_handle() const { return __data; }

  template <typename... I> T* __at(I... indices) const {
    static_assert(sizeof...(I) == E::rank(), "a tensor has one index for each dimension");
    long i[] = {long(indices)...};
    long offset = 0;
#pragma unroll
    for (size_t r = 0; r < E::rank(); r++) offset += i[r] * long(__strides[r]);
    return __data + offset;
  }
  template <typename... I> T& operator[](I... indices) const { return *__at(indices...); }
  template <typename I> T& operator[](array<I, E::rank()> indices) const {
    long offset = 0;
#pragma unroll
    for (size_t r = 0; r < E::rank(); r++) offset += long(indices[r]) * long(__strides[r]);
    return __data[offset];
  }
  template <typename... I> value_type get(I... indices) const { return *__at(indices...); }
  template <typename... I> void set(value_type value, I... indices) const { *__at(indices...) = value; }

  // What lies beyond the offsets; with template arguments, so much of it.
  template <size_t... N, typename... I> auto slice(I... offsets) const {
    static_assert(sizeof...(I) == E::rank(), "a slice has one offset for each dimension");
    static_assert(sizeof...(N) == 0 || sizeof...(N) == E::rank(), "a slice has one extent for each dimension");
    index_type from[] = {index_type(offsets)...};
    index_type left[E::rank()];
#pragma unroll
    for (size_t r = 0; r < E::rank(); r++) {
      index_type n = __extents.extent(r);
      left[r] = n > from[r] ? n - from[r] : 0;
    }
    dextents<index_type, E::rank()> shape;
    constexpr size_t wanted[] = {N..., 0};
#pragma unroll
    for (size_t r = 0; r < E::rank(); r++) {
      index_type n = left[r];
      if constexpr (sizeof...(N) != 0) {
        if (wanted[r] != dynamic_extent && n > index_type(wanted[r])) n = index_type(wanted[r]);
      }
      shape.__extents[r] = n;
    }
    tensor<T, dextents<index_type, E::rank()>, tensor_inline> result;
    result.__data = __at(offsets...);
    result.__extents = shape;
#pragma unroll
    for (size_t r = 0; r < E::rank(); r++) result.__strides[r] = __strides[r];
    return result;
  }
  template <size_t... N, typename... I> auto static_slice(I... offsets) const { return slice<N...>(offsets...); }
};

#define __GUIDES(space) \
  template <typename T, typename I, size_t... N> tensor(space T*, extents<I, N...>) -> tensor<space T, extents<I, N...>, tensor_inline>; \
  template <typename T, typename I, size_t... N, typename S, size_t R> \
  tensor(space T*, extents<I, N...>, array<S, R>) -> tensor<space T, extents<I, N...>, tensor_inline>;
__GUIDES(device) __GUIDES(threadgroup) __GUIDES(constant) __GUIDES(thread)
#undef __GUIDES

// ---- who works together ----

template <int N> struct execution_threads { static constexpr constant int __simdgroups = 0; };
using execution_thread = execution_threads<1>;
template <int N> struct execution_simdgroups { static constexpr constant int __simdgroups = N; };
using execution_simdgroup = execution_simdgroups<1>;

// ---- cooperative tensors ----
// A matrix is cut into fragments of 16 by 16, which the SIMD-groups take in turn. In a fragment a thread has four
// neighbors of a row, and the four eight rows below. One thread alone has everything, row by row.

template <int rows, int columns, typename Scope> struct __fragments {
  static constexpr constant int groups = Scope::__simdgroups;
  static constexpr constant int height = rows;
  static constexpr constant int width = columns;
  static constexpr constant int across = (columns + 15) / 16;
  static constexpr constant int all = (rows + 15) / 16 * across;
  static constexpr constant int own = groups == 0 ? 1 : (all + groups - 1) / groups;
  static constexpr constant int capacity = groups == 0 ? rows * columns : own * 8;
  // The fragment that is the n-th of this SIMD-group.
  static int fragment_of(int n) { return groups == 1 ? n : n * groups + int(__metal_simdgroup_index_in_threadgroup()); }
  static int row(int i) {
    if constexpr (groups == 0) return i / columns;
    uint lane = __metal_thread_index_in_simdgroup();
    return fragment_of(i / 8) / across * 16 + int(__matrix_row(lane)) + (i & 4) * 2;
  }
  static int column(int i) {
    if constexpr (groups == 0) return i % columns;
    uint lane = __metal_thread_index_in_simdgroup();
    return fragment_of(i / 8) % across * 16 + int(__matrix_column(lane)) * 2 + (i & 3);
  }
};

// Rows or columns of such a matrix made one: a thread has those that its elements are of.
template <int rows, int columns, typename Scope, bool is_of_rows> struct __reduced {
  using source = __fragments<rows, columns, Scope>;
  static constexpr constant int groups = Scope::__simdgroups;
  static constexpr constant int length = is_of_rows ? rows : columns;
  static constexpr constant int capacity = groups == 0 ? length : is_of_rows ? (rows + 15) / 16 * 2 : source::across * 4;
  // What the i-th element stands for.
  static int place(int i) {
    if constexpr (groups == 0) return i;
    uint lane = __metal_thread_index_in_simdgroup();
    if constexpr (is_of_rows) return i / 2 * 16 + int(__matrix_row(lane)) + (i & 1) * 8;
    else return i / 4 * 16 + int(__matrix_column(lane)) * 2 + (i & 3);
  }
  // The element that the i-th of the matrix is a part of.
  static int of_source(int i) {
    if constexpr (groups == 0) return is_of_rows ? i / columns : i % columns;
    else if constexpr (is_of_rows) return i / 8 / source::across * 2 + ((i >> 2) & 1);
    else return i / 8 % source::across * 4 + (i & 3);
  }
};

// Goes over the elements that a thread has.
template <typename C> struct __element_iterator {
  thread C* __tensor;
  uint __index;
  thread typename C::element_type& operator*() const { return __tensor->__elements[__index]; }
  thread __element_iterator& operator++() thread { __index++; return *this; }
  __element_iterator operator++(int) thread { __element_iterator before = *this; __index++; return before; }
  bool operator==(__element_iterator other) const { return __index == other.__index; }
  bool operator!=(__element_iterator other) const { return __index != other.__index; }
};

template <typename T, typename Extents, typename Layout> struct cooperative_tensor {
  using iterator = __element_iterator<cooperative_tensor>;
  iterator begin() thread { return {this, 0u}; }
  iterator end() thread { return {this, uint(Layout::capacity)}; }
  using element_type = T;
  using value_type = T;
  using extents_type = Extents;
  using layout = Layout;
  using index_type = typename Extents::index_type;
  T __elements[Layout::capacity];

  static constexpr uint16_t get_capacity() { return Layout::capacity; }
  static constexpr uint16_t capacity() { return Layout::capacity; }
  static constexpr size_t get_rank() { return Extents::rank(); }
  static constexpr index_type get_extent(size_t r) { return index_type(Extents::static_extent(r)); }
  bool is_valid_element(uint i) const { return Layout::row(int(i)) < Layout::height && Layout::column(int(i)) < Layout::width; }
  bool get_mask(uint i) const { return is_valid_element(i); }
  thread T& operator[](uint i) thread { return __elements[i]; }
  const thread T& operator[](uint i) const thread { return __elements[i]; }
  T get(uint i) const { return __elements[i]; }
  void set(uint i, T value) thread { __elements[i] = value; }
  // Of images the rows are the pixels.
  array<index_type, Extents::rank()> get_multidimensional_index(uint i) const {
    int x = Layout::column(int(i)), y = Layout::row(int(i));
    if constexpr (Extents::rank() == 2) {
      return array<index_type, 2>{index_type(x), index_type(y)};
    } else {
      constexpr int across = int(Extents::static_extent(1)), down = int(Extents::static_extent(2));
      return array<index_type, 4>{index_type(x), index_type(y % across), index_type(y / across % down), index_type(y / (across * down))};
    }
  }
  template <typename M> bool __covered(M memory, uint i, array<index_type, Extents::rank()> at) const {
    bool is_there = is_valid_element(i);
#pragma unroll
    for (size_t r = 0; r < Extents::rank(); r++) is_there = is_there && long(at[r]) < long(memory.get_extent(r));
    return is_there;
  }
  void fill(T value) thread {
#pragma unroll
    for (int i = 0; i < Layout::capacity; i++) __elements[i] = value;
  }
  // Elements that the tensor in memory lacks are zero, and are not stored.
  template <typename M> void load(M memory) thread {
#pragma nounroll
    for (int i = 0; i < Layout::capacity; i++) {
      auto at = get_multidimensional_index(uint(i));
      T value = T(0);
      if (__covered(memory, uint(i), at)) value = T(memory[at]);
      __elements[i] = value;
    }
  }
  template <typename M> void store(M memory) const {
#pragma nounroll
    for (int i = 0; i < Layout::capacity; i++) {
      auto at = get_multidimensional_index(uint(i));
      if (__covered(memory, uint(i), at)) memory[at] = typename M::value_type(__elements[i]);
    }
  }
};

template <typename T, typename Extents, int rows, int columns, typename Scope, bool is_of_rows>
struct cooperative_tensor<T, Extents, __reduced<rows, columns, Scope, is_of_rows>> {
  using element_type = T;
  using value_type = T;
  using extents_type = Extents;
  using layout = __reduced<rows, columns, Scope, is_of_rows>;
  using index_type = typename Extents::index_type;
  using iterator = __element_iterator<cooperative_tensor>;
  T __elements[layout::capacity];

  iterator begin() thread { return {this, 0u}; }
  iterator end() thread { return {this, uint(layout::capacity)}; }
  // Where the row or column of an element of the matrix is.
  template <typename C> iterator map_iterator(__element_iterator<C> it) thread {
    static_assert(__is_same(typename C::layout, typename layout::source), "the iterator is of a matrix that does not reduce to this");
    return {this, uint(layout::of_source(int(it.__index)))};
  }
  static constexpr uint16_t get_capacity() { return layout::capacity; }
  static constexpr uint16_t capacity() { return layout::capacity; }
  static constexpr size_t get_rank() { return 1; }
  static constexpr index_type get_extent(size_t r) { return index_type(layout::length); }
  bool is_valid_element(uint i) const { return layout::place(int(i)) < layout::length; }
  bool get_mask(uint i) const { return is_valid_element(i); }
  thread T& operator[](uint i) thread { return __elements[i]; }
  const thread T& operator[](uint i) const thread { return __elements[i]; }
  T get(uint i) const { return __elements[i]; }
  void set(uint i, T value) thread { __elements[i] = value; }
  array<index_type, 1> get_multidimensional_index(uint i) const { return array<index_type, 1>{index_type(layout::place(int(i)))}; }
  void fill(T value) thread {
#pragma unroll
    for (int i = 0; i < layout::capacity; i++) __elements[i] = value;
  }
  template <typename M> void load(M memory) thread {
    for (int i = 0; i < layout::capacity; i++) {
      int at = layout::place(i);
      T value = T(0);
      if (at < layout::length && at < int(memory.get_extent(0))) value = T(memory[at]);
      __elements[i] = value;
    }
  }
  template <typename M> void store(M memory) const {
    for (int i = 0; i < layout::capacity; i++) {
      int at = layout::place(i);
      if (at < layout::length && at < int(memory.get_extent(0))) memory[at] = typename M::value_type(__elements[i]);
    }
  }
};

template <typename T> struct is_tensor : false_type {};
template <typename T, typename E, typename... D> struct is_tensor<tensor<T, E, D...>> : true_type {};
template <typename T> constexpr constant bool is_tensor_v = is_tensor<T>::value;
template <typename T> struct is_cooperative_tensor : false_type {};
template <typename T, typename E, typename L> struct is_cooperative_tensor<cooperative_tensor<T, E, L>> : true_type {};
template <typename T> constexpr constant bool is_cooperative_tensor_v = is_cooperative_tensor<T>::value;

// ---- parts of operands: eight by eight, two elements a thread, laid out as those of `simdgroup_matrix` ----

namespace __matmul {

template <typename T> using number = conditional_t<__is_floating_point(T), T, float>;
template <typename T> inline vec<number<T>, 2> pair(T a, T b) { return vec<number<T>, 2>(number<T>(a), number<T>(b)); }

// The element `which`, counted from `first`, of another thread.
template <int first, int count, typename T> inline T element_of(const thread T* elements, uint lane, uint which) {
  T r = __metal_simd_shuffle(elements[first], lane);
#pragma unroll
  for (int i = 1; i < count; i++) {
    T v = __metal_simd_shuffle(elements[first + i], lane);
    r = which == uint(i) ? v : r;
  }
  return r;
}
inline uint lane_at(uint row, uint right_half, uint odd_four) {
  return ((row & 4u) << 2) | ((row & 3u) << 1) | (right_half << 3) | odd_four;
}

// Of memory: rows from `row` on, columns from `column` on, zero beyond its extents and `limit` columns or rows.
template <bool is_transposed, typename M> inline typename M::value_type memory_at(M memory, int row, int column) {
  int x = is_transposed ? row : column, y = is_transposed ? column : row;
  typename M::value_type v = typename M::value_type(0);
  if (x < int(memory.get_extent(0)) && y < int(memory.get_extent(1))) v = memory[x, y];
  return v;
}

// Rows are those of the product, columns go over k, which ends at `k_end`.
template <bool is_transposed, typename M> inline auto left_part(M operand, int row, int k, int k_end) {
  uint lane = __metal_thread_index_in_simdgroup();
  using T = typename M::value_type;
  int r = row + int(__matrix_row(lane)), c = k + int(__matrix_column(lane));
  T a = c < k_end ? memory_at<is_transposed>(operand, r, c) : T(0);
  T b = c + 1 < k_end ? memory_at<is_transposed>(operand, r, c + 1) : T(0);
  return pair(a, b);
}
// Columns of the product are in the order of a fragment: those of a thread's pair `half_pair` of its four.
template <bool is_transposed, typename M> inline auto right_part(M operand, int column, int half_pair, int k, int k_end) {
  uint lane = __metal_thread_index_in_simdgroup();
  using T = typename M::value_type;
  int r = k + int(__matrix_row(lane)), c = column + int(__matrix_column(lane)) * 2 + half_pair * 2;
  bool is_there = r < k_end;
  T a = is_there ? memory_at<is_transposed>(operand, r, c) : T(0);
  T b = is_there ? memory_at<is_transposed>(operand, r, c + 1) : T(0);
  return pair(a, b);
}
// Of fragments of one SIMD-group.
template <bool is_transposed, typename T, typename E, typename L>
inline auto left_part(const thread cooperative_tensor<T, E, L>& operand, int row, int k, int k_end) {
  uint lane = __metal_thread_index_in_simdgroup();
  uint r = __matrix_row(lane), c = __matrix_column(lane);
  uint low_rows = uint(row >> 3) & 1u, high_k = uint(k >> 3) & 1u;
  if constexpr (is_transposed) {
    // Stored with k as rows.
    const thread T* f = operand.__elements + ((k / 16) * L::across + row / 16) * 8 + int(high_k) * 4;
    uint from = r >> 2;
    return pair(element_of<0, 4>(f, lane_at(c, low_rows, from), r & 3u), element_of<0, 4>(f, lane_at(c + 1u, low_rows, from), r & 3u));
  } else {
    const thread T* f = operand.__elements + ((row / 16) * L::across + k / 16) * 8 + int(low_rows) * 4;
    uint from = lane_at(r, high_k, c >> 2);
    T e0 = __metal_simd_shuffle(f[0], from), e1 = __metal_simd_shuffle(f[1], from);
    T e2 = __metal_simd_shuffle(f[2], from), e3 = __metal_simd_shuffle(f[3], from);
    bool is_second = (c & 2u) != 0u;
    return pair(is_second ? e2 : e0, is_second ? e3 : e1);
  }
}
template <bool is_transposed, typename T, typename E, typename L>
inline auto right_part(const thread cooperative_tensor<T, E, L>& operand, int column, int half_pair, int k, int k_end) {
  uint lane = __metal_thread_index_in_simdgroup();
  uint high_k = uint(k >> 3) & 1u;
  if constexpr (is_transposed) {
    // Stored with k as columns.
    const thread T* f = operand.__elements + ((column / 16) * L::across + k / 16) * 8;
    uint r = __matrix_row(lane), n = __matrix_column(lane) * 2u + uint(half_pair) * 2u;
    uint from = r >> 2, which = (n >> 3) * 4u + (r & 3u);
    return pair(element_of<0, 8>(f, lane_at(n & 7u, high_k, from), which), element_of<0, 8>(f, lane_at((n + 1u) & 7u, high_k, from), which));
  } else {
    const thread T* f = operand.__elements + ((k / 16) * L::across + column / 16) * 8 + int(high_k) * 4 + half_pair * 2;
    return pair(f[0], f[1]);
  }
}

// sum += a b, in float, or without loss in an integer.
template <typename A, typename B> inline vec<float, 2> accumulate(A a, B b, vec<float, 2> sum) { return __metal_simd_matrix_multiply(a, b, sum); }
template <typename A, typename B> inline vec<int, 2> accumulate(A a, B b, vec<int, 2> sum) {
  return sum + vec<int, 2>(__metal_simd_matrix_multiply(a, b, vec<float, 2>(0.0f)));
}

// The same of a fragment, whose first row and column are given.
template <bool transposes_left, bool transposes_right, typename L, typename R, typename S>
inline void accumulate_fragment(const thread L& left, const thread R& right, thread vec<S, 2>* sums, int row, int column, int depth) {
  for (int k = 0; k < depth; k += 8) {
    auto a0 = left_part<transposes_left>(left, row, k, depth);
    auto a1 = left_part<transposes_left>(left, row + 8, k, depth);
    auto b0 = right_part<transposes_right>(right, column, 0, k, depth);
    auto b1 = right_part<transposes_right>(right, column, 1, k, depth);
    sums[0] = accumulate(a0, b0, sums[0]);
    sums[1] = accumulate(a0, b1, sums[1]);
    sums[2] = accumulate(a1, b0, sums[2]);
    sums[3] = accumulate(a1, b1, sums[3]);
  }
}

template <typename T> inline int extent_of(const thread T& operand, size_t r) { return int(operand.get_extent(r)); }

} // namespace __matmul
} // namespace metal

namespace mpp {
namespace tensor_ops {

using namespace metal;

enum class reduction_operation { sum, max, min };
template <typename T> struct reduction_operation_identity {
  static constexpr constant T sum_identity = T(0);
  static constexpr constant T max_identity = __is_floating_point(T) ? T(-INFINITY) : numeric_limits<T>::lowest();
  static constexpr constant T min_identity = __is_floating_point(T) ? T(INFINITY) : numeric_limits<T>::max();
};

struct matmul2d_descriptor {
  enum class mode { multiply, multiply_accumulate };
  int m, n, k;
  bool transpose_left, transpose_right, relaxed_precision;
  mode matmul_mode;
  constexpr matmul2d_descriptor(int rows, int columns, int depth = static_cast<int>(metal::dynamic_extent), bool left = false,
                                bool right = false, bool relaxed = false, mode what = mode::multiply)
      : m(rows), n(columns), k(depth), transpose_left(left), transpose_right(right), relaxed_precision(relaxed), matmul_mode(what) {}
};

template <matmul2d_descriptor D, typename Scope, typename... Args> class matmul2d {
  static constexpr constant bool adds = D.matmul_mode == matmul2d_descriptor::mode::multiply_accumulate;
  static constexpr constant int static_k = D.k > 0 ? D.k : 16;
  template <typename T, typename I, int rows, int columns>
  using operand = metal::cooperative_tensor<T, metal::extents<I, columns, rows>, metal::__fragments<rows, columns, Scope>>;

public:
  static constexpr constant matmul2d_descriptor descriptor = D;
  using scope = Scope;
  matmul2d() = default;

  template <typename L, typename R, typename T, typename I = int, typename... A>
  using cooperative_tensor_destination_t = operand<T, I, D.m, D.n>;
  template <typename L, typename R, typename T, typename I = int, typename... A>
  operand<T, I, D.m, D.n> get_destination_cooperative_tensor() const {
    operand<T, I, D.m, D.n> result;
    return result;
  }
  template <typename L, typename R, typename T, typename I = int, typename... A>
  operand<L, I, (D.transpose_left ? static_k : D.m), (D.transpose_left ? D.m : static_k)> get_left_input_cooperative_tensor() const {
    operand<L, I, (D.transpose_left ? static_k : D.m), (D.transpose_left ? D.m : static_k)> result;
    return result;
  }
  template <typename L, typename R, typename T, typename I = int, typename... A>
  operand<R, I, (D.transpose_right ? D.n : static_k), (D.transpose_right ? static_k : D.n)> get_right_input_cooperative_tensor() const {
    operand<R, I, (D.transpose_right ? D.n : static_k), (D.transpose_right ? static_k : D.n)> result;
    return result;
  }

  // All threads of the scope call it together. What is beyond the extents of an operand counts as zero.
  template <typename L, typename R, typename T, typename E, typename Y>
  void run(const thread L& left, const thread R& right, thread metal::cooperative_tensor<T, E, Y>& destination) const {
    int depth = D.k > 0 ? D.k : metal::__matmul::extent_of(left, D.transpose_left ? 1 : 0);
    if constexpr (Scope::__simdgroups == 0) {
      run_alone(left, right, destination, depth);
    } else {
      // The code of a fragment is long: copies of it would take long to compile.
#pragma nounroll
      for (int i = 0; i < Y::own; i++) {
        int f = Y::fragment_of(i);
        if (f < Y::all) multiply_fragment(left, right, destination.__elements + i * 8, f / Y::across * 16, f % Y::across * 16, depth);
      }
    }
  }
  template <typename L, typename R, typename T, typename E, typename... H>
  void run(const thread L& left, const thread R& right, const thread metal::tensor<T, E, H...>& destination) const {
    using value = typename metal::tensor<T, E, H...>::value_type;
    // Sums are as exact as they can be.
    using sum = conditional_t<__is_floating_point(value), float, value>;
    operand<sum, int, D.m, D.n> result;
    if constexpr (adds) result.load(destination);
    run(left, right, result);
    result.store(destination);
  }

  template <typename L, typename R, typename T, typename I = int, typename... A>
  metal::cooperative_tensor<T, metal::extents<I, D.m>, metal::__reduced<D.m, D.n, Scope, true>> get_row_reduction_destination_cooperative_tensor() const {
    metal::cooperative_tensor<T, metal::extents<I, D.m>, metal::__reduced<D.m, D.n, Scope, true>> result;
    return result;
  }
  template <typename L, typename R, typename T, typename I = int, typename... A>
  metal::cooperative_tensor<T, metal::extents<I, D.n>, metal::__reduced<D.m, D.n, Scope, false>> get_column_reduction_destination_cooperative_tensor() const {
    metal::cooperative_tensor<T, metal::extents<I, D.n>, metal::__reduced<D.m, D.n, Scope, false>> result;
    return result;
  }

private:
  template <typename L, typename R, typename T>
  static void multiply_fragment(const thread L& left, const thread R& right, thread T* elements, int row, int column, int depth) {
    using sum = conditional_t<__is_floating_point(T), float, int>;
    vec<sum, 2> sums[4];
#pragma unroll
    for (int i = 0; i < 4; i++) sums[i] = adds ? vec<sum, 2>(sum(elements[i * 2]), sum(elements[i * 2 + 1])) : vec<sum, 2>(sum(0));
    metal::__matmul::accumulate_fragment<D.transpose_left, D.transpose_right>(left, right, sums, row, column, depth);
#pragma unroll
    for (int i = 0; i < 4; i++) {
      elements[i * 2] = T(sums[i].x);
      elements[i * 2 + 1] = T(sums[i].y);
    }
  }
  template <typename L, typename R, typename T, typename E, typename Y>
  static void run_alone(const thread L& left, const thread R& right, thread metal::cooperative_tensor<T, E, Y>& destination, int depth) {
    using sum = conditional_t<__is_floating_point(T), float, int>;
    for (int i = 0; i < Y::capacity; i++) {
      sum s = adds ? sum(destination.__elements[i]) : sum(0);
      for (int k = 0; k < depth; k++) {
        s += sum(value_alone<D.transpose_left>(left, Y::row(i), k)) * sum(value_alone<D.transpose_right>(right, k, Y::column(i)));
      }
      destination.__elements[i] = T(s);
    }
  }
  template <bool is_transposed, typename T, typename E, typename Y>
  static T value_alone(const thread metal::cooperative_tensor<T, E, Y>& operand, int row, int column) {
    constexpr int columns = int(E::static_extent(0));
    return operand.__elements[is_transposed ? column * columns + row : row * columns + column];
  }
  template <bool is_transposed, typename M> static typename M::value_type value_alone(const thread M& operand, int row, int column) {
    return metal::__matmul::memory_at<is_transposed>(operand, row, column);
  }
};

template <typename T> inline T __combined(reduction_operation op, T a, T b) {
  return op == reduction_operation::sum ? T(a + b) : op == reduction_operation::max ? metal::max(a, b) : metal::min(a, b);
}
// Sums of rows or columns, the greatest or least of them, and `start`, in every thread that has a part of them.
template <bool is_of_rows, typename T, typename E, typename F, int rows, int columns, typename Scope>
inline void __reduce(const thread metal::cooperative_tensor<T, E, metal::__fragments<rows, columns, Scope>>& source,
                     thread metal::cooperative_tensor<T, F, metal::__reduced<rows, columns, Scope, is_of_rows>>& destination,
                     reduction_operation op, T start) {
  static_assert(Scope::__simdgroups < 2, "rows and columns are reduced by one thread or one SIMD-group");
  using layout = metal::__reduced<rows, columns, Scope, is_of_rows>;
  using identity = reduction_operation_identity<T>;
  destination.fill(op == reduction_operation::sum ? identity::sum_identity : op == reduction_operation::max ? identity::max_identity : identity::min_identity);
#pragma unroll
  for (int i = 0; i < metal::__fragments<rows, columns, Scope>::capacity; i++) {
    int at = layout::of_source(i);
    T sum = __combined(op, destination.__elements[at], source.__elements[i]);
    destination.__elements[at] = source.is_valid_element(uint(i)) ? sum : destination.__elements[at];
  }
#pragma unroll
  for (int i = 0; i < layout::capacity; i++) {
    T value = destination.__elements[i];
    if constexpr (Scope::__simdgroups == 1) {
      uint lane = __metal_thread_index_in_simdgroup();
      // Bits 0 and 3 of a thread's number say which columns it has, the others which rows.
      if constexpr (is_of_rows) {
        value = __combined(op, value, __metal_simd_shuffle(value, lane ^ 1u));
        value = __combined(op, value, __metal_simd_shuffle(value, lane ^ 8u));
      } else {
        value = __combined(op, value, __metal_simd_shuffle(value, lane ^ 2u));
        value = __combined(op, value, __metal_simd_shuffle(value, lane ^ 4u));
        value = __combined(op, value, __metal_simd_shuffle(value, lane ^ 16u));
      }
    }
    destination.__elements[i] = __combined(op, value, start);
  }
}
template <typename T, typename E, typename L, typename F, typename M>
inline void reduce_rows(const thread metal::cooperative_tensor<T, E, L>& source, thread metal::cooperative_tensor<T, F, M>& destination,
                        reduction_operation op = reduction_operation::sum, T identity = reduction_operation_identity<T>::sum_identity) {
  __reduce<true>(source, destination, op, identity);
}
template <typename T, typename E, typename L, typename F, typename M>
inline void reduce_columns(const thread metal::cooperative_tensor<T, E, L>& source, thread metal::cooperative_tensor<T, F, M>& destination,
                           reduction_operation op = reduction_operation::sum, T identity = reduction_operation_identity<T>::sum_identity) {
  __reduce<false>(source, destination, op, identity);
}
template <typename A, typename B> inline bool is_iterator_compatible(const thread A& source, const thread B& destination) {
  return __is_same(typename B::layout, typename A::layout);
}
template <typename T, typename E, typename F, int rows, int columns, typename Scope, bool is_of_rows>
inline bool is_iterator_compatible(const thread metal::cooperative_tensor<T, E, metal::__fragments<rows, columns, Scope>>& source,
                                   const thread metal::cooperative_tensor<T, F, metal::__reduced<rows, columns, Scope, is_of_rows>>& destination) {
  return true;
}

// ---- convolutions: a product for each place of the window ----

enum class convolution2d_activation_layout { nhwc };
enum class convolution2d_weights_layout { hwio };

struct convolution2d_descriptor {
  enum class mode { multiply, multiply_accumulate };
  int4 destination_dimensions, source_dimensions;
  int2 kernel_dimensions;
  convolution2d_activation_layout activation_layout;
  convolution2d_weights_layout weights_layout;
  int2 strides, dilations;
  int groups;
  bool relaxed_precision;
  mode convolution2d_mode;
  constexpr convolution2d_descriptor(int4 destination, int4 source, int2 kernel_size,
                                     convolution2d_activation_layout activation = convolution2d_activation_layout::nhwc,
                                     convolution2d_weights_layout weights = convolution2d_weights_layout::hwio,
                                     int2 steps = int2(1, 1), int2 spacing = int2(1, 1), int parts = 1, bool relaxed = false,
                                     mode what = mode::multiply)
      : destination_dimensions(destination), source_dimensions(source), kernel_dimensions(kernel_size), activation_layout(activation),
        weights_layout(weights), strides(steps), dilations(spacing), groups(parts), relaxed_precision(relaxed), convolution2d_mode(what) {}
};

// The activations below one place of the window as a matrix: a row for each pixel of the destination, the channels of a group
// as columns. What is beyond the image counts as zero.
template <typename M, int across, int down> struct __window {
  using value_type = typename M::value_type;
  M source;
  int2 origin;
  int2 strides;
  int first_channel;
  int channels;
  int get_extent(size_t r) const { return r == 0 ? min(channels, int(source.get_extent(0)) - first_channel) : __INT_MAX__; }
  value_type operator[](int channel, int pixel) const {
    int x = pixel % across * strides.x + origin.x, y = pixel / across % down * strides.y + origin.y, n = pixel / (across * down);
    value_type v = value_type(0);
    if (x >= 0 && y >= 0 && x < int(source.get_extent(1)) && y < int(source.get_extent(2)) && n < int(source.get_extent(3)))
      v = source[first_channel + channel, x, y, n];
    return v;
  }
};
// The weights of that place: those of a group are zero for the channels of the others.
template <typename M> struct __window_weights {
  using value_type = typename M::value_type;
  M source;
  int2 place;
  int2 own;
  int get_extent(size_t r) const { return int(source.get_extent(r)); }
  value_type operator[](int to, int from) const {
    value_type v = value_type(0);
    if (to >= own.x && to < own.y && place.x < int(source.get_extent(2)) && place.y < int(source.get_extent(3)))
      v = source[to, from, place.x, place.y];
    return v;
  }
};

template <convolution2d_descriptor D, typename Scope, typename... Args> class convolution2d {
  static_assert(Scope::__simdgroups > 0, "a convolution is computed by 'execution_simdgroups<N>'");
  static_assert(D.groups > 0 && D.destination_dimensions.x % D.groups == 0, "the channels are split into groups of one size");
  static constexpr constant bool adds = D.convolution2d_mode == convolution2d_descriptor::mode::multiply_accumulate;
  static constexpr constant int channels = D.destination_dimensions.x;
  static constexpr constant int across = D.destination_dimensions.y;
  static constexpr constant int down = D.destination_dimensions.z;
  static constexpr constant int batches = D.destination_dimensions.w;
  using layout = metal::__fragments<across * down * batches, channels, Scope>;
  template <typename T, typename I> using image = metal::cooperative_tensor<T, metal::extents<I, channels, across, down, batches>, layout>;
  int2 __offsets = int2(0);

public:
  static constexpr constant convolution2d_descriptor descriptor = D;
  using scope = Scope;
  convolution2d() = default;

  template <typename A, typename W, typename T, typename I = int, typename... R> using cooperative_tensor_destination_t = image<T, I>;
  template <typename A, typename W, typename T, typename I = int, typename... R> image<T, I> get_destination_cooperative_tensor() const {
    image<T, I> result;
    return result;
  }

  // Where in the activations the middle of the window is for the first pixel.
  void set_offsets(int2 offsets) thread { __offsets = offsets; }

  // All threads of the scope call it together.
  template <typename A, typename W, typename T, typename E, typename Y>
  void run(const thread A& activation, const thread W& weights, thread metal::cooperative_tensor<T, E, Y>& destination) const {
    using sum = conditional_t<__is_floating_point(T), float, int>;
    constexpr int depth = D.source_dimensions.x / D.groups;
    int channels_of_group = depth > 0 ? depth : int(activation.get_extent(0)) / D.groups;
    int2 middle = ((D.kernel_dimensions - 1) * D.dilations + 1) / 2;
#pragma nounroll
    for (int i = 0; i < Y::own; i++) {
      int f = Y::fragment_of(i);
      if (f >= Y::all) break;
      int row = f / Y::across * 16, column = f % Y::across * 16;
      thread T* elements = destination.__elements + i * 8;
      vec<sum, 2> sums[4];
#pragma unroll
      for (int j = 0; j < 4; j++) sums[j] = adds ? vec<sum, 2>(sum(elements[j * 2]), sum(elements[j * 2 + 1])) : vec<sum, 2>(sum(0));
#pragma nounroll
      for (int place = 0; place < D.kernel_dimensions.x * D.kernel_dimensions.y * D.groups; place++) {
        int kernel_size = D.kernel_dimensions.x * D.kernel_dimensions.y;
        int group = place / kernel_size, at = place % kernel_size;
        int2 p = int2(at % D.kernel_dimensions.x, at / D.kernel_dimensions.x);
        constexpr int own = channels / D.groups;
        if (D.groups > 1 && (column + 16 <= group * own || column >= (group + 1) * own)) continue;
        __window<A, across, down> left = {activation, __offsets - middle + p * D.dilations, D.strides, group * channels_of_group, channels_of_group};
        __window_weights<W> right = {weights, p, D.groups > 1 ? int2(group * own, (group + 1) * own) : int2(0, __INT_MAX__)};
        metal::__matmul::accumulate_fragment<false, false>(left, right, sums, row, column, channels_of_group);
      }
#pragma unroll
      for (int j = 0; j < 4; j++) {
        elements[j * 2] = T(sums[j].x);
        elements[j * 2 + 1] = T(sums[j].y);
      }
    }
  }
  template <typename A, typename W, typename T, typename E, typename... H>
  void run(const thread A& activation, const thread W& weights, const thread metal::tensor<T, E, H...>& destination) const {
    using value = typename metal::tensor<T, E, H...>::value_type;
    image<conditional_t<__is_floating_point(value), float, value>, int> result;
    if constexpr (adds) result.load(destination);
    run(activation, weights, result);
    result.store(destination);
  }
};

} // namespace tensor_ops
} // namespace mpp
