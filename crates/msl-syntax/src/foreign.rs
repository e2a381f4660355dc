//! Names that other kernel languages use, and what MSL has instead: for messages about names that mean nothing here.

/// What to write in MSL for a name of CUDA, HLSL, GLSL, OpenCL or C.
pub fn remedy(name: &str) -> Option<&'static str> {
    Some(match name {
        // Functions of kernels and memory.
        "__global__" | "__kernel" => "kernels are marked 'kernel'",
        "__device__" | "__host__" | "__forceinline__" => "functions need no mark in MSL; 'inline' is allowed",
        "__shared__" | "__local" | "groupshared" | "shared" => "memory of a threadgroup is marked 'threadgroup'",
        "__constant__" | "__constant" => "constant memory is marked 'constant'",
        "__global" => "memory of the device is marked 'device'",
        "__private" => "memory of a thread is marked 'thread'",
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
        "laneId" | "gl_SubgroupInvocationID" | "WaveGetLaneIndex" => {
            "take a parameter 'uint lane [[thread_index_in_simdgroup]]'"
        }
        "warpSize" | "gl_SubgroupSize" | "WaveGetLaneCount" => "take a parameter 'uint n [[threads_per_simdgroup]]'",
        // Synchronization.
        "__syncthreads" | "barrier" | "GroupMemoryBarrierWithGroupSync" | "work_group_barrier" => {
            "use 'threadgroup_barrier(mem_flags::mem_threadgroup)'"
        }
        "__syncwarp" => "use 'simdgroup_barrier(mem_flags::mem_threadgroup)'",
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
        // Mathematics.
        "lerp" => "use 'mix(x, y, a)'",
        "frac" => "use 'fract(x)'",
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
        "mat2" => "write 'float2x2'",
        "mat3" => "write 'float3x3'",
        "mat4" => "write 'float4x4'",
        "__half" | "float16_t" | "min16float" => "write 'half'",
        "__half2" | "half2_t" => "write 'half2'",
        "__nv_bfloat16" | "bfloat16" | "bfloat16_t" => "write 'bfloat'",
        "StructuredBuffer" | "Buffer" | "ByteAddressBuffer" => "take a parameter 'device const T *'",
        "RWStructuredBuffer" | "RWBuffer" => "take a parameter 'device T *'",
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
