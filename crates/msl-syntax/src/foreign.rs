//! Names that other kernel languages use, and what MSL has instead: for messages about names that mean nothing here.

use std::borrow::Cow;

/// What to write in MSL for a name of CUDA, HLSL, GLSL, OpenCL or C.
pub fn remedy(name: &str) -> Option<Cow<'static, str>> {
    word(name).map(Cow::from).or_else(|| derived(name).map(Cow::from))
}

/// Whether the word stands before a type in one of those languages, as `__shared__` and `inout` do.
pub fn is_mark(name: &str) -> bool {
    matches!(
        name,
        "__global__"
            | "__kernel"
            | "__device__"
            | "__host__"
            | "__forceinline__"
            | "__noinline__"
            | "__launch_bounds__"
            | "__shared__"
            | "__local"
            | "groupshared"
            | "shared"
            | "local"
            | "__constant__"
            | "__constant"
            | "__global"
            | "global"
            | "__private"
            | "uniform"
            | "varying"
            | "in"
            | "out"
            | "inout"
            | "highp"
            | "mediump"
            | "lowp"
            | "read_only"
            | "write_only"
            | "__read_only"
            | "__write_only"
            | "globallycoherent"
            | "nointerpolation"
    )
}

/// What to write for a header that only C, C++ or CUDA have.
pub fn header_remedy(path: &str) -> Option<&'static str> {
    Some(match path {
        "cmath" | "math.h" | "algorithm" | "atomic" | "numeric" | "complex" | "complex.h" | "tgmath.h" | "utility" => {
            "'#include <metal_stdlib>' has the mathematics, atomics and helpers of Metal, in namespace 'metal'"
        }
        "limits" | "limits.h" | "climits" | "float.h" | "cfloat" => "use '#include <metal_limits>'",
        "type_traits" => "use '#include <metal_type_traits>'",
        "array" => "use '#include <metal_array>'",
        "assert.h" | "cassert" => "use '#include <metal_assert>'",
        "stdio.h" | "cstdio" | "iostream" => "use '#include <metal_logging>' and 'os_log_default.log(format, …)'",
        "stdint.h" | "cstdint" | "stddef.h" | "cstddef" | "stdbool.h" | "cstdbool" => {
            "leave it out: 'uint32_t', 'size_t', 'bool' and the like are always known"
        }
        "vector" | "string" | "memory" | "map" | "unordered_map" | "stdlib.h" | "cstdlib" | "new" => {
            "kernels have no dynamic memory; pass buffers, or use 'array<T, n>' of '<metal_array>'"
        }
        "string.h" | "cstring" => "leave it out: assign in a loop, or copy whole structs",
        "cuda.h" | "cuda_runtime.h" | "cuda_runtime_api.h" | "device_launch_parameters.h" | "cooperative_groups.h" => {
            "leave it out: '#include <metal_stdlib>' is all that kernels of Metal need"
        }
        "cuda_fp16.h" | "cuda_bf16.h" => "leave it out: 'half' and 'bfloat' are types of the language",
        _ => return None,
    })
}

/// Names that are made of others by rule.
fn derived(name: &str) -> Option<String> {
    const UNARY: [&str; 32] = [
        "acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "ceil", "cos", "cosh", "erf", "erfc", "exp",
        "exp10", "exp2", "expm1", "fabs", "floor", "log", "log10", "log1p", "log2", "rint", "round", "rsqrt", "sin",
        "sinh", "sqrt", "tan", "tanh", "tgamma", "trunc",
    ];
    const MISSING: [&str; 8] = ["cbrt", "erf", "erfc", "expm1", "log1p", "tgamma", "lgamma", "hypot"];
    const BINARY: [&str; 8] = ["atan2", "copysign", "fdim", "fmax", "fmin", "fmod", "ldexp", "pow"];
    let vector = |name: &str| {
        let base = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_base = ["char", "uchar", "short", "ushort", "int", "uint", "long", "ulong", "half", "float", "bool"]
            .contains(&base);
        (is_base && matches!(&name[base.len()..], "" | "1" | "2" | "3" | "4"))
            .then(|| if name.ends_with('1') { base.to_owned() } else { name.to_owned() })
    };
    if let Some(ty) = name.strip_prefix("make_").and_then(vector) {
        let arguments = match ty.as_bytes()[ty.len() - 1] {
            b'2' => "x, y",
            b'3' => "x, y, z",
            b'4' => "x, y, z, w",
            _ => "x",
        };
        return Some(format!("write '{ty}({arguments})'"));
    }
    if let Some(rest) = name.strip_prefix("convert_") {
        let ty = vector(rest.split("_sat").next()?.split("_rt").next()?)?;
        return Some(format!("write '{ty}(x)'"));
    }
    let plain = name.strip_prefix("native_").or_else(|| name.strip_prefix("half_"));
    let base = plain.or_else(|| name.trim_start_matches("__").strip_suffix('f'))?;
    if MISSING.contains(&base) {
        return Some(format!("the standard library of Metal has no '{base}'; write it with 'exp', 'log' and the like"));
    }
    match base {
        _ if UNARY.contains(&base) => Some(format!("use '{base}(x)'")),
        _ if BINARY.contains(&base) => Some(format!("use '{base}(x, y)'")),
        _ => None,
    }
}

fn word(name: &str) -> Option<&'static str> {
    Some(match name {
        // Functions of kernels and memory.
        "__global__" | "__kernel" => "kernels are marked 'kernel'",
        "__device__" | "__host__" | "__forceinline__" | "__noinline__" => {
            "functions need no mark in MSL; 'inline' is allowed"
        }
        "__launch_bounds__" => "mark the kernel '[[max_total_threads_per_threadgroup(n)]]'",
        "numthreads" => {
            "the host chooses the size of threadgroups; '[[max_total_threads_per_threadgroup(n)]]' can bound it"
        }
        "__shared__" | "__local" | "groupshared" | "shared" | "local" => {
            "memory of a threadgroup is marked 'threadgroup'"
        }
        "__constant__" | "__constant" => "constant memory is marked 'constant'",
        "__global" | "global" => "memory of the device is marked 'device'",
        "__private" => "memory of a thread is marked 'thread'",
        "uniform" => "take a parameter 'constant T &x [[buffer(n)]]'",
        "cbuffer" | "tbuffer" => "declare a struct and take a parameter 'constant Params &params [[buffer(n)]]'",
        "layout" => {
            "buffers are parameters of kernels, 'device T *x [[buffer(n)]]'; the host chooses the size of threadgroups"
        }
        "register" | "packoffset" => {
            "take it as a parameter of the kernel, with '[[buffer(n)]]', '[[texture(n)]]' or '[[sampler(n)]]'"
        }
        "in" | "varying" | "nointerpolation" => "leave it out: parameters are copies",
        "out" | "inout" => "write 'thread T &x'",
        "precision" | "highp" | "mediump" | "lowp" => "leave it out: 'half' and 'float' say how precise they are",
        "read_only" | "__read_only" => "write 'texture2d<float>'",
        "write_only" | "__write_only" => "write 'texture2d<float, access::write>'",
        "globallycoherent" => "write 'coherent(device)'",
        "unroll" => "write '#pragma unroll' before the loop",
        "loop" => "write '#pragma nounroll' before the loop, or leave it out",
        "branch" | "flatten" | "fastopt" | "allow_uav_condition" => "leave it out",
        "__restrict__" => "write '__restrict' or leave it out",
        // Later C++.
        "consteval" => "write 'constexpr': MSL is based on C++17",
        "constinit" => "leave it out: the value of a 'constant' is always known while compiling",
        "char8_t" => "write 'uchar'",
        "co_return" | "co_await" | "co_yield" => "MSL has no coroutines",
        // Positions.
        "threadIdx" | "get_local_id" | "gl_LocalInvocationID" | "SV_GroupThreadID" => {
            "take a parameter 'uint3 t [[thread_position_in_threadgroup]]'"
        }
        "blockIdx" | "get_group_id" | "gl_WorkGroupID" | "SV_GroupID" => {
            "take a parameter 'uint3 g [[threadgroup_position_in_grid]]'"
        }
        "blockDim" | "get_local_size" | "gl_WorkGroupSize" => "take a parameter 'uint3 n [[threads_per_threadgroup]]'",
        "gridDim" | "get_num_groups" | "gl_NumWorkGroups" => "take a parameter 'uint3 n [[threadgroups_per_grid]]'",
        "get_global_id" | "gl_GlobalInvocationID" | "SV_DispatchThreadID" => {
            "take a parameter 'uint3 i [[thread_position_in_grid]]'"
        }
        "get_global_size" => "take a parameter 'uint3 n [[threads_per_grid]]'",
        "gl_LocalInvocationIndex" | "SV_GroupIndex" | "get_local_linear_id" => {
            "take a parameter 'uint t [[thread_index_in_threadgroup]]'"
        }
        "gl_SubgroupID" | "get_sub_group_id" => "take a parameter 'uint s [[simdgroup_index_in_threadgroup]]'",
        "get_global_offset" => "take a parameter 'uint3 o [[grid_origin]]'",
        "laneId" | "get_sub_group_local_id" | "gl_SubgroupInvocationID" | "WaveGetLaneIndex" => {
            "take a parameter 'uint lane [[thread_index_in_simdgroup]]'"
        }
        "warpSize" | "gl_SubgroupSize" | "get_sub_group_size" | "WaveGetLaneCount" => {
            "take a parameter 'uint n [[threads_per_simdgroup]]'"
        }
        // Synchronization.
        "__syncthreads"
        | "barrier"
        | "GroupMemoryBarrierWithGroupSync"
        | "work_group_barrier"
        | "memoryBarrierShared"
        | "groupMemoryBarrier"
        | "GroupMemoryBarrier" => "use 'threadgroup_barrier(mem_flags::mem_threadgroup)'",
        "AllMemoryBarrierWithGroupSync" | "DeviceMemoryBarrierWithGroupSync" => {
            "use 'threadgroup_barrier(mem_flags::mem_device)'"
        }
        "__threadfence"
        | "__threadfence_block"
        | "mem_fence"
        | "memoryBarrier"
        | "memoryBarrierBuffer"
        | "DeviceMemoryBarrier" => "use 'atomic_thread_fence(mem_flags::mem_device, memory_order_seq_cst)'",
        "__syncwarp" | "sub_group_barrier" | "subgroupBarrier" => "use 'simdgroup_barrier(mem_flags::mem_threadgroup)'",
        "CLK_LOCAL_MEM_FENCE" => "use 'mem_flags::mem_threadgroup'",
        "CLK_GLOBAL_MEM_FENCE" => "use 'mem_flags::mem_device'",
        "__shfl_sync" | "subgroupShuffle" | "WaveReadLaneAt" => "use 'simd_shuffle(value, lane)'",
        "__shfl_down_sync" | "__shfl_down" => "use 'simd_shuffle_down(value, delta)'",
        "__shfl_up_sync" | "__shfl_up" => "use 'simd_shuffle_up(value, delta)'",
        "__shfl_xor_sync" | "__shfl_xor" => "use 'simd_shuffle_xor(value, mask)'",
        "__ballot_sync" => "use 'simd_ballot(condition)'",
        "subgroupAdd" | "WaveActiveSum" | "sub_group_reduce_add" => "use 'simd_sum(value)'",
        "atomicAdd" | "InterlockedAdd" | "atomic_add" => {
            "use 'atomic_fetch_add_explicit(&x, value, memory_order_relaxed)' on an 'atomic_uint', 'atomic_int' or 'atomic_float'"
        }
        "atomicMax" | "InterlockedMax" | "atomic_max" => {
            "use 'atomic_fetch_max_explicit(&x, value, memory_order_relaxed)'"
        }
        "atomicMin" | "InterlockedMin" | "atomic_min" => {
            "use 'atomic_fetch_min_explicit(&x, value, memory_order_relaxed)'"
        }
        "atomicCAS" | "InterlockedCompareExchange" | "atomic_cmpxchg" => {
            "use 'atomic_compare_exchange_weak_explicit(&x, &expected, value, memory_order_relaxed, memory_order_relaxed)'"
        }
        "atomicExch" | "atomicExchange" | "InterlockedExchange" | "atomic_xchg" => {
            "use 'atomic_exchange_explicit(&x, value, memory_order_relaxed)'"
        }
        "atomicSub" | "atomic_sub" => "use 'atomic_fetch_sub_explicit(&x, value, memory_order_relaxed)'",
        "atomicInc" | "atomic_inc" => "use 'atomic_fetch_add_explicit(&x, 1, memory_order_relaxed)'",
        "atomicDec" | "atomic_dec" => "use 'atomic_fetch_sub_explicit(&x, 1, memory_order_relaxed)'",
        "atomicAnd" | "InterlockedAnd" | "atomic_and" => {
            "use 'atomic_fetch_and_explicit(&x, value, memory_order_relaxed)'"
        }
        "atomicOr" | "InterlockedOr" | "atomic_or" => "use 'atomic_fetch_or_explicit(&x, value, memory_order_relaxed)'",
        "atomicXor" | "InterlockedXor" | "atomic_xor" => {
            "use 'atomic_fetch_xor_explicit(&x, value, memory_order_relaxed)'"
        }
        // Mathematics.
        "lerp" => "use 'mix(x, y, a)'",
        "frac" => "use 'fract(x)'",
        "ddx" | "dFdx" => "use 'dfdx(x)', in fragment functions only",
        "ddy" | "dFdy" => "use 'dfdy(x)', in fragment functions only",
        "__fdividef" | "native_divide" => "use 'x / y'",
        "__ldg" => "read it directly: '*p'",
        "vload2" | "vload3" | "vload4" => "cast the pointer: '((device const packed_float4 *)p)[i]'",
        "vstore2" | "vstore3" | "vstore4" => "cast the pointer: '((device packed_float4 *)p)[i] = v'",
        "rcp" | "native_recip" | "__frcp_rn" => "use '1 / x'",
        "mad" | "fmaf" | "__fmaf_rn" => "use 'fma(a, b, c)'",
        "mod" | "fmodf" => "use 'fmod(x, y)'",
        "inversesqrt" | "rsqrtf" | "native_rsqrt" => "use 'rsqrt(x)'",
        "sqrtf" | "native_sqrt" => "use 'sqrt(x)'",
        "fabsf" => "use 'fabs(x)' or 'abs(x)'",
        "fminf" => "use 'fmin(x, y)' or 'min(x, y)'",
        "fmaxf" => "use 'fmax(x, y)' or 'max(x, y)'",
        "expf" | "__expf" | "native_exp" => "use 'exp(x)'",
        "logf" | "__logf" | "native_log" => "use 'log(x)'",
        "powf" | "__powf" => "use 'pow(x, y)' or, for positive x, 'powr(x, y)'",
        "sinf" | "__sinf" | "native_sin" => "use 'sin(x)'",
        "cosf" | "__cosf" | "native_cos" => "use 'cos(x)'",
        "tanhf" => "use 'tanh(x)'",
        "floorf" => "use 'floor(x)'",
        "ceilf" => "use 'ceil(x)'",
        "roundf" => "use 'round(x)'",
        "__popc" | "bitCount" | "countbits" => "use 'popcount(x)'",
        "__clz" => "use 'clz(x)'",
        "asfloat" | "intBitsToFloat" | "uintBitsToFloat" | "__int_as_float" | "__uint_as_float" | "as_float" => {
            "use 'as_type<float>(x)'"
        }
        "asuint" | "floatBitsToUint" | "__float_as_uint" | "as_uint" => "use 'as_type<uint>(x)'",
        "asint" | "floatBitsToInt" | "__float_as_int" | "as_int" => "use 'as_type<int>(x)'",
        "mul" => "use '*'",
        "make_float2" => "write 'float2(x, y)'",
        "make_float3" => "write 'float3(x, y, z)'",
        "make_float4" => "write 'float4(x, y, z, w)'",
        "make_int2" => "write 'int2(x, y)'",
        "make_uint2" => "write 'uint2(x, y)'",
        // Types.
        "vec2" => "write 'float2'",
        "vec3" => "write 'float3'",
        "vec4" => "write 'float4'",
        "ivec2" => "write 'int2'",
        "ivec3" => "write 'int3'",
        "ivec4" => "write 'int4'",
        "uvec2" => "write 'uint2'",
        "uvec3" => "write 'uint3'",
        "uvec4" => "write 'uint4'",
        "bvec2" => "write 'bool2'",
        "bvec3" => "write 'bool3'",
        "bvec4" => "write 'bool4'",
        "dim3" => "write 'uint3'",
        "dvec2" | "dvec3" | "dvec4" | "double2" | "double3" | "double4" => {
            "Metal has no type 'double'; use 'float' and its vectors"
        }
        "var" | "let" => "write 'auto'",
        "mat2" => "write 'float2x2'",
        "mat3" => "write 'float3x3'",
        "mat4" => "write 'float4x4'",
        "__half" | "float16_t" | "min16float" => "write 'half'",
        "__half2" | "half2_t" => "write 'half2'",
        "__nv_bfloat16" | "bfloat16" | "bfloat16_t" => "write 'bfloat'",
        "StructuredBuffer" | "Buffer" | "ByteAddressBuffer" => "take a parameter 'device const T *'",
        "RWStructuredBuffer" | "RWBuffer" => "take a parameter 'device T *'",
        "tex2D" | "texture2D" | "texelFetch" | "imageLoad" | "read_imagef" => {
            "call methods of the texture: 't.read(position)', 't.sample(s, position)'"
        }
        "imageStore" | "write_imagef" => "call the method of the texture: 't.write(value, position)'",
        "SamplerState" | "sampler_t" => "write 'sampler'",
        "Texture2D" | "sampler2D" | "image2d_t" => "take a parameter 'texture2d<float>'",
        "RWTexture2D" => "take a parameter 'texture2d<float, access::read_write>'",
        // Libraries of C and C++.
        "std" => "the standard library of Metal is in namespace 'metal'",
        "printf" | "fprintf" | "puts" | "cout" => {
            "write logs with 'os_log_default.log(format, …)' of '<metal_logging>'"
        }
        "malloc" | "calloc" | "free" => "kernels have no dynamic memory; pass a buffer",
        "memcpy" | "memset" | "memmove" => "assign in a loop, or copy whole structs",
        "assert" => "there is no 'assert' without '#include <metal_assert>'",
        "FLT_EPSILON" | "FLT_MAX" | "INT_MAX" => "use 'numeric_limits<T>' of '<metal_limits>'",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_made_by_rule_have_remedies() {
        for (name, expected) in [
            ("make_uchar4", "write 'uchar4(x, y, z, w)'"),
            ("make_int1", "write 'int(x)'"),
            ("convert_float3", "write 'float3(x)'"),
            ("convert_uchar_sat_rte", "write 'uchar(x)'"),
            ("__log2f", "use 'log2(x)'"),
            ("half_sqrt", "use 'sqrt(x)'"),
            ("atan2f", "use 'atan2(x, y)'"),
            ("erff", "the standard library of Metal has no 'erf'; write it with 'exp', 'log' and the like"),
        ] {
            assert_eq!(remedy(name).as_deref(), Some(expected), "{name}");
        }
        for name in ["make_5", "make_float5", "convert_it", "f", "__f", "half_", "x"] {
            assert_eq!(remedy(name), None, "{name}");
        }
    }

    #[test]
    fn marks_have_remedies() {
        for name in ["__shared__", "shared", "in", "inout", "__launch_bounds__", "uniform", "read_only", "global"] {
            assert!(is_mark(name) && remedy(name).is_some(), "{name}");
        }
    }
}
