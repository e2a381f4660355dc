// What published kernels do that is easy to get wrong: found by compiling them (tests/corpora).
//--- arrays by reference: qualifiers of an array are those of its elements
// buffer 0: u32 = 1 2 3 4
// buffer 1: u32 = zeros(5)
// dispatch: k grid=1
// expect 1: u32 = 2 12 124 4331 14
#include <metal_stdlib>
using namespace metal;
template <typename T, uint N> uint copy_array(thread T (&to)[N], device const T (&from)[N]) {
    for (uint i = 0; i < N; ++i) to[i] = from[i];
    return N;
}
template <typename T, uint N> uint copy_array(thread T (&to)[N], thread const T (&from)[N]) {
    for (uint i = 0; i < N; ++i) to[i] = from[i];
    return 10u + N;
}
// The more specialised one for arrays of arrays.
template <typename T, uint N, uint M> uint copy_array(thread T (&to)[N][M], thread const T (&from)[N][M]) {
    uint n = 0;
    for (uint i = 0; i < N; ++i) n += copy_array(to[i], from[i]);
    return 100u + n;
}
struct Pairs { uint2 pairs[2]; };
uint last(threadgroup const uint (&q)[2]) { return q[1]; }
kernel void k(device Pairs* in [[buffer(0)]], device uint* out [[buffer(1)]]) {
    uint2 a[2], b[2];
    out[0] = copy_array(a, in->pairs);
    out[1] = copy_array(b, a);
    uint c[2][2] = {{a[0].x, a[1].x}, {b[1].x, b[1].y}}, d[2][2];
    out[2] = copy_array(d, c);
    out[3] = d[1][1] * 1000u + d[1][0] * 100u + d[0][1] * 10u + d[0][0];
    threadgroup uint t[2];
    t[1] = 14;
    out[4] = last(t);
}
//--- a deleted template with specialisations, told by their results
// buffer 0: f32 = zeros(3)
// dispatch: k grid=1
// expect 0: f32 = 3 0.5 6
#include <metal_stdlib>
using namespace metal;
template <typename From, typename To> inline To convert(From) = delete;
template <> inline float convert<uchar, float>(uchar v) { return float(v) + 1.0f; }
template <> inline float convert<half, float>(half v) { return float(v); }
struct Two { half2 x; };
template <typename Acc, typename A, typename B> inline Acc mul(A a, B b);
template <> inline float mul(Two a, Two b) { return float(a.x.x) * float(b.x.x); }
template <> inline Two mul(Two a, Two b) { Two r; r.x = a.x * b.x; return r; }
kernel void k(device float* out [[buffer(0)]]) {
    out[0] = convert<uchar, float>(2);
    out[1] = convert<half, float>(0.5h);
    Two a = {half2(2, 3)}, b = {half2(1, 2)};
    out[2] = float(mul<Two, Two, Two>(a, b).x.y) * mul<float, Two, Two>(a, b) / 2.0f;
}
//--- halves of vectors chosen by a condition
// buffer 0: u32 = 1 2 3 4
// buffer 1: u32 = zeros(4)
// dispatch: k grid=2
// expect 1: u32 = 1 2 3 4
#include <metal_stdlib>
using namespace metal;
kernel void k(device uint4* in [[buffer(0)]], device uint2* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    uint4 q = in[0];
    const uint2 w = i < 1 ? q.xy : q.zw;
    out[i] = w;
}
//--- a default constructor first met in code that is not generated
// buffer 0: f32 = zeros(2)
// dispatch: k grid=1
// expect 0: f32 = 5 7
#include <metal_stdlib>
using namespace metal;
struct Sum {
    float total = 5;
    Sum() = default;
    explicit Sum(float t) : total(t) {}
};
template <int N> float run() {
    if (false) { Sum unused[2]; return unused[0].total; }
    Sum used[2];
    return used[1].total;
}
kernel void k(device float* out [[buffer(0)]]) {
    out[0] = run<1>();
    out[1] = Sum(7).total;
}
//--- assignment that is defaulted beside others, in all kinds of memory
// buffer 0: f32 = 3 4
// buffer 1: f32 = zeros(3)
// dispatch: k grid=1
// expect 1: f32 = 3 8 4
#include <metal_stdlib>
using namespace metal;
struct Storage {
    float a, b;
    Storage() thread = default;
    Storage() threadgroup = default;
    device Storage& operator=(float v) device { a = v; b = v + v; return *this; }
    device Storage& operator=(const device Storage&) device = default;
    threadgroup Storage& operator=(const device Storage&) threadgroup = default;
    thread Storage& operator=(const thread Storage&) thread = default;
};
kernel void k(device Storage* in [[buffer(0)]], device float* out [[buffer(1)]]) {
    threadgroup Storage t;
    t = in[0];
    out[0] = t.a;
    out[2] = t.b;
    in[0] = 4.0f;
    out[1] = in[0].b;
}
//--- names inside of Apple's headers
// buffer 0: f32 = zeros(40)
// dispatch: k grid=32 threadgroup=32
// expect 0: f32 = 1 2 2 1 1 1 32 0 1
#include <metal_stdlib>
namespace metal {
inline bfloat absolute(bfloat x) { return static_cast<bfloat>(__metal_fabs(static_cast<float>(x), __METAL_MAYBE_FAST_MATH__)); }
inline bfloat root(bfloat x) { return static_cast<bfloat>(__metal_sqrt(static_cast<float>(x), __METAL_PRECISE_MATH__)); }
}
using namespace metal;
template <typename T> constexpr constant bool is_listed = _disjunction<is_same<T, int>, is_same<T, float>>::value;
kernel void k(device float* out [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    // A bool is a number here.
    float n = simd_sum(i < 1u), most = simd_max(i == 3u);
    ushort lane = __metal_get_thread_index_in_simdgroup(ushort());
    uint next = __metal_simd_shuffle_down(i, ushort(1));
    if (i == 0) {
        out[0] = absolute(bfloat(-1.0f));
        out[1] = root(bfloat(4.0f));
        out[2] = float(is_listed<float>) + float(!is_listed<uint>);
        out[3] = n;
        out[4] = most;
        out[5] = next;
        out[6] = __metal_get_simdgroup_size(ushort());
        out[7] = numeric_limits<float4>::max().y;
        out[8] = is_integral<int4>::value && !is_integral<float2>::value;
        out[9] = lane;
    }
}
//--- what all threads read after a barrier in a loop
// buffer 0: f32 = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
// buffer 1: f32 = zeros(16)
// buffer 2: i32 = 16
// threadgroup 0: 256
// dispatch: k grid=64 threadgroup=64
// expect 1: f32 ~ 1e-5 = -7.5 -6.5 -5.5 -4.5 -3.5 -2.5 -1.5 -0.5 0.5 1.5 2.5 3.5 4.5 5.5 6.5 7.5
#include <metal_stdlib>
using namespace metal;
kernel void k(device const float* x [[buffer(0)]], device float* y [[buffer(1)]],
              threadgroup float* sum [[threadgroup(0)]], constant int* count [[buffer(2)]],
              uint i [[thread_position_in_threadgroup]], uint n [[threads_per_threadgroup]]) {
    sum[i] = 0.0f;
    for (int k = i; k < count[0]; k += n) sum[i] += x[k];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint s = n / 2; s > 0; s /= 2) {
        if (i < s) sum[i] += sum[i + s];
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    const float mean = sum[0] / count[0];
    for (int k = i; k < count[0]; k += n) y[k] = x[k] - mean;
}
//--- barriers in the cases of a switch
// buffer 0: u32 = 3
// buffer 1: u32 = zeros(64)
// dispatch: k grid=64 threadgroup=64
// expect 1[0]: u32 = 4064
// expect 1[63]: u32 = 4001
// buffer 0: u32 = 2
// dispatch: k grid=64 threadgroup=64
// expect 1[1]: u32 = 63
// buffer 0: u32 = 9
// dispatch: k grid=64 threadgroup=64
// expect 1[5]: u32 = 9005
#include <metal_stdlib>
using namespace metal;
kernel void k(constant uint& n [[buffer(0)]], device uint* out [[buffer(1)]], uint i [[thread_position_in_threadgroup]]) {
    threadgroup uint t[64];
    t[i] = i + 1;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    uint r = 0;
    switch (n) {
    case 3:
        r = t[63 - i];
        threadgroup_barrier(mem_flags::mem_threadgroup);
        t[i] = r + 4000;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        r = t[i];
        break;
    case 1:
        r = 1;
    case 2: {
        r += t[63 - i];
        threadgroup_barrier(mem_flags::mem_threadgroup);
        break;
    }
    default:
        r = 1000 * n + i;
        if (n == 7) return;
    }
    out[i] = r;
}
//--- small elements of one buffer or another
// buffer 0: u8 = iota(64)
// buffer 1: u8 = expr(64, 255 - i)
// buffer 2: f16 = iota(64)
// buffer 3: f16 = expr(64, 1000 - i)
// buffer 4: i32 = zeros(150)
// dispatch: f grid=150 threadgroup=64
// expect 4: i32 = expr(150, (i * 7 % 2) * (i * 7 % 64) + (1 - i * 7 % 2) * (255 - i * 7 % 64) + (i % 2) * (1000 - i * 5 % 64) + (1 - i % 2) * (i * 5 % 64))
#include <metal_stdlib>
kernel void f(device const uchar* a [[buffer(0)]], device const uchar* b [[buffer(1)]], device const half* c [[buffer(2)]],
              device const half* d [[buffer(3)]], device int* out [[buffer(4)]], uint i [[thread_position_in_grid]]) {
    device const uchar* p = i * 7 % 2 == 1 ? a : b;
    device const half* q = i % 2 == 0 ? c : d;
    out[i] = p[i * 7 % 64] + int(q[i * 5 % 64]);
}
