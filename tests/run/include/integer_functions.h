// Kernels over the element type T, for std_integer.metal: thread i of `scalars` computes every function of x[i], y[i], z[i];
// thread i of `vectors` counts where the vector forms over four, three and two elements differ from that.
#include <metal_stdlib>
using namespace metal;

kernel void scalars(device const T* xs [[buffer(0)]], device const T* ys [[buffer(1)]], device const T* zs [[buffer(2)]],
                    device T* out [[buffer(3)]], uint i [[thread_position_in_grid]]) {
  T x = xs[i], y = ys[i], z = zs[i];
  out[0 + i] = addsat(x, y);
  out[8 + i] = subsat(x, y);
  out[16 + i] = hadd(x, y);
  out[24 + i] = rhadd(x, y);
  out[32 + i] = mulhi(x, y);
  out[40 + i] = madhi(x, y, z);
  out[48 + i] = madsat(x, y, z);
  out[56 + i] = T(absdiff(x, y));
  out[64 + i] = T(abs(x));
  out[72 + i] = popcount(x);
  out[80 + i] = clz(x);
  out[88 + i] = ctz(x);
  out[96 + i] = reverse_bits(x);
  out[104 + i] = rotate(x, y);
  out[112 + i] = min(x, y);
  out[120 + i] = max(x, y);
  out[128 + i] = min3(x, y, z);
  out[136 + i] = max3(x, y, z);
  out[144 + i] = median3(x, y, z);
  out[152 + i] = clamp(x, min(y, z), max(y, z));
  out[160 + i] = extract_bits(x, 2, 5);
  out[168 + i] = extract_bits(x, 0, sizeof(T) * 8);
  out[176 + i] = extract_bits(x, 3, 0);
  out[184 + i] = insert_bits(x, y, 1, 6);
  out[192 + i] = insert_bits(x, y, 0, sizeof(T) * 8);
  out[200 + i] = insert_bits(x, y, 3, 0);
}

template <typename V> struct Loaded { V x, y, z; };
template <int N> static Loaded<vec<T, N>> load(device const T* xs, device const T* ys, device const T* zs, uint at) {
  Loaded<vec<T, N>> v;
  for (uint k = 0; k < uint(N); k++) { v.x[k] = xs[at + k]; v.y[k] = ys[at + k]; v.z[k] = zs[at + k]; }
  return v;
}
template <int N, typename V> static uint differences(V v, device const T* want) {
  uint n = 0;
  for (uint k = 0; k < uint(N); k++) n += T(v[k]) != want[k] ? 1u : 0u;
  return n;
}
#define EACH(N, index, expression) { \
    Loaded<vec<T, N>> v = load<N>(xs, ys, zs, 4 * i); \
    vec<T, N> x = v.x, y = v.y, z = v.z; \
    uint d = differences<N>(expression, want + 8 * index + 4 * i); \
    if (d != 0) atomic_fetch_add_explicit(&wrong[index], d, memory_order_relaxed); \
  }
#define CHECK(index, expression) EACH(2, index, expression) EACH(3, index, expression) EACH(4, index, expression)

kernel void vectors(device const T* xs [[buffer(0)]], device const T* ys [[buffer(1)]], device const T* zs [[buffer(2)]],
                    device const T* want [[buffer(3)]], device atomic_uint* wrong [[buffer(4)]], uint i [[thread_position_in_grid]]) {
  CHECK(0, (addsat(x, y)))
  CHECK(1, (subsat(x, y)))
  CHECK(2, (hadd(x, y)))
  CHECK(3, (rhadd(x, y)))
  CHECK(4, (mulhi(x, y)))
  CHECK(5, (madhi(x, y, z)))
  CHECK(6, (madsat(x, y, z)))
  CHECK(7, (absdiff(x, y)))
  CHECK(8, (abs(x)))
  CHECK(9, (popcount(x)))
  CHECK(10, (clz(x)))
  CHECK(11, (ctz(x)))
  CHECK(12, (reverse_bits(x)))
  CHECK(13, (rotate(x, y)))
  CHECK(14, (min(x, y)))
  CHECK(15, (max(x, y)))
  CHECK(16, (min3(x, y, z)))
  CHECK(17, (max3(x, y, z)))
  CHECK(18, (median3(x, y, z)))
  CHECK(19, (clamp(x, min(y, z), max(y, z))))
  CHECK(20, (extract_bits(x, 2, 5)))
  CHECK(21, (extract_bits(x, 0, sizeof(T) * 8)))
  CHECK(22, (extract_bits(x, 3, 0)))
  CHECK(23, (insert_bits(x, y, 1, 6)))
  CHECK(24, (insert_bits(x, y, 0, sizeof(T) * 8)))
  CHECK(25, (insert_bits(x, y, 3, 0)))
}
