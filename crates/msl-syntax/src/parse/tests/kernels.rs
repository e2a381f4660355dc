//! Whole kernels in the style of real programs.

use super::{check, parse_text};

#[test]
fn a_tiled_matrix_product() {
    check(
        "
        constant constexpr int TILE = 16;
        kernel void matmul(device const float *A [[buffer(0)]], device const float *B [[buffer(1)]],
                           device float *C [[buffer(2)]], constant uint &n [[buffer(3)]],
                           uint2 gid [[thread_position_in_grid]], uint2 tid [[thread_position_in_threadgroup]]) {
          threadgroup float a[TILE][TILE], b[TILE][TILE];
          float sum = 0;
          for (uint t = 0; t < n / TILE; ++t) {
            a[tid.y][tid.x] = A[gid.y * n + t * TILE + tid.x];
            threadgroup_barrier(mem_flags::mem_threadgroup);
            for (int k = 0; k < TILE; k++) sum += a[tid.y][k] * b[k][tid.x];
          }
          if (gid.x < n && gid.y < n) C[gid.y * n + gid.x] = sum;
        }",
        "
        constexpr var TILE: constant int = 16
        kernel fn matmul(A: ptr(device const float) [[buffer(0)]], B: ptr(device const float) [[buffer(1)]], C: ptr(device float) [[buffer(2)]], n: ref(constant uint) [[buffer(3)]], gid: uint2 [[thread_position_in_grid]], tid: uint2 [[thread_position_in_threadgroup]]) -> void
          var a: threadgroup array(array(float, TILE), TILE)
          var b: threadgroup array(array(float, TILE), TILE)
          var sum: float = 0
          for (< t (/ n TILE)); (++ t)
            init
              var t: uint = 0
            (= a[tid.y][tid.x] A[(+ (+ (* gid.y n) (* t TILE)) tid.x)])
            threadgroup_barrier(mem_flags::mem_threadgroup)
            for (< k TILE); (post++ k)
              init
                var k: int = 0
              (+= sum (* a[tid.y][k] b[k][tid.x]))
          if (&& (< gid.x n) (< gid.y n))
            (= C[(+ (* gid.y n) gid.x)] sum)",
    );
}

/// The source the fuzz tests mutate as well: most constructs once.
pub(super) const MIXED: &str = r#"
namespace lib {
template <typename T, int N = 4> struct Block {
  static constexpr constant int size = N * sizeof(T);
  T data[N];
  Block() thread = default;
  template <typename U> Block(U u) thread : data{T(u)} { fill<2>(u); }
  T operator[](int i) const device { return data[i]; }
  template <int K> void fill(T v) thread {
    #pragma unroll
    for (int i = 0; i < N; ++i) { if constexpr (K > 1) data[i] = v; else break; }
  }
  operator T() const { return data[0]; }
};
template <typename T> struct Block<T, 1> { T x; };
}
using lib::Block;
enum class Mode : uint { A, B = 2 };
struct Args { device float *p [[id(0)]]; texture2d<float, access::write> t [[id(1)]]; union { int i; float f; }; };
constant bool flag [[function_constant(0)]];
constant float table[] = {1, 2.5f, -3.0h};
template <typename T, void (*F)(thread T &)> inline T apply(T x, const T (&y)[2]) { F(x); return y[0] < x ? x : (T)y[1]; }
template <class... Ts> auto sum(Ts... ts) -> decltype((ts + ...)) { return (ts + ... + 0); }
template <typename T, int M> [[kernel]] void run(device const T *in [[buffer(0)]], device T *out [[buffer(1)]],
    constant Args &args [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  threadgroup T tile[M][4];
  Block<Block<T, 2>, (M > 2)> nested;
  auto l = [&, i](auto x) mutable { return x * 2; };
  switch (i & 3) { case 0: case 1: out[i] = in[i]; break; default: { out[i] = l(in[i]); } }
  do { i -= 1; } while (i > 0 && args.i != 2);
  const float4 v = float4(1, 2, 3, 4).wzyx, w = {1}; half4 h{1.0h};
  *((device float4 *)(out + i)) = v; as_type<uint>(v.x);
  while (int q = i) return;
  static_assert(sizeof(T) >= 2 && __is_same(T, float), "no");
}
template [[host_name("run_f")]] [[kernel]] void run<float, 4>(device const float *, device float *, constant Args &, uint);
template [[host_name("run_h")]] [[kernel]] decltype(run<half, 2>) run<half, 2>;
"#;

#[test]
fn the_mixed_source_is_clean() {
    let parsed = parse_text(MIXED);
    assert_eq!(super::messages(&parsed), "");
    assert!(!parsed.tree.contains("<error>"));
}
