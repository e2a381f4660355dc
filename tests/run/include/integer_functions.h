// Kernels over the element type T, for std_integer.metal: thread i of `scalars` computes every function of x[i], y[i], z[i]; the
// vector forms do so for several at a time.
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

// Vectors lie in memory as the scalars do.
template <int N>
kernel void vectors(device const packed_vec<T, N>* xs [[buffer(0)]], device const packed_vec<T, N>* ys [[buffer(1)]],
                    device const packed_vec<T, N>* zs [[buffer(2)]], device T* out [[buffer(4)]], uint i [[thread_position_in_grid]]) {
  vec<T, N> x = xs[i], y = ys[i], z = zs[i];
#define PUT(at, expression) *(device packed_vec<T, N>*)(out + at + N * i) = vec<T, N>(expression)
  PUT(0, (addsat(x, y)));
  PUT(8, (subsat(x, y)));
  PUT(16, (hadd(x, y)));
  PUT(24, (rhadd(x, y)));
  PUT(32, (mulhi(x, y)));
  PUT(40, (madhi(x, y, z)));
  PUT(48, (madsat(x, y, z)));
  PUT(56, (absdiff(x, y)));
  PUT(64, (abs(x)));
  PUT(72, (popcount(x)));
  PUT(80, (clz(x)));
  PUT(88, (ctz(x)));
  PUT(96, (reverse_bits(x)));
  PUT(104, (rotate(x, y)));
  PUT(112, (min(x, y)));
  PUT(120, (max(x, y)));
  PUT(128, (min3(x, y, z)));
  PUT(136, (max3(x, y, z)));
  PUT(144, (median3(x, y, z)));
  PUT(152, (clamp(x, min(y, z), max(y, z))));
  PUT(160, (extract_bits(x, 2, 5)));
  PUT(168, (extract_bits(x, 0, sizeof(T) * 8)));
  PUT(176, (extract_bits(x, 3, 0)));
  PUT(184, (insert_bits(x, y, 1, 6)));
  PUT(192, (insert_bits(x, y, 0, sizeof(T) * 8)));
  PUT(200, (insert_bits(x, y, 3, 0)));
}
template [[host_name("vectors2")]] kernel void vectors<2>(device const packed_vec<T, 2>*, device const packed_vec<T, 2>*, device const packed_vec<T, 2>*, device T*, uint);
template [[host_name("vectors3")]] kernel void vectors<3>(device const packed_vec<T, 3>*, device const packed_vec<T, 3>*, device const packed_vec<T, 3>*, device T*, uint);
template [[host_name("vectors4")]] kernel void vectors<4>(device const packed_vec<T, 4>*, device const packed_vec<T, 4>*, device const packed_vec<T, 4>*, device T*, uint);

kernel void compare(device const T* want [[buffer(3)]], device const T* found [[buffer(4)]], device atomic_uint* wrong [[buffer(5)]],
                    constant uint& covered [[buffer(6)]], uint i [[thread_position_in_grid]]) {
  if (i % 8 < covered && want[i] != found[i]) atomic_fetch_add_explicit(&wrong[i / 8], 1, memory_order_relaxed);
}
