// Linear algebra on row-major float32 arrays.
#include <metal_stdlib>
using namespace metal;

/// C (M x N) = A (M x K) times B (K x N); the grid is (N, M).
kernel void matrix_multiply(device const float* A [[buffer(0)]],
                            device const float* B [[buffer(1)]],
                            device float* C [[buffer(2)]],
                            constant uint& M [[buffer(3)]],
                            constant uint& N [[buffer(4)]],
                            constant uint& K [[buffer(5)]],
                            uint2 position [[thread_position_in_grid]])
{
    uint column = position.x, row = position.y;
    if (row >= M || column >= N) {
        return;
    }
    float sum = 0.0f;
    for (uint k = 0; k < K; k++) {
        sum += A[row * K + k] * B[k * N + column];
    }
    C[row * N + column] = sum;
}

kernel void vector_add(device const float* a [[buffer(0)]],
                       device const float* b [[buffer(1)]],
                       device float* result [[buffer(2)]],
                       uint i [[thread_position_in_grid]])
{
    result[i] = a[i] + b[i];
}

kernel void vector_multiply(device const float* a [[buffer(0)]],
                            device const float* b [[buffer(1)]],
                            device float* result [[buffer(2)]],
                            uint i [[thread_position_in_grid]])
{
    result[i] = a[i] * b[i];
}

kernel void vector_scale(device const float* input [[buffer(0)]],
                         device float* output [[buffer(1)]],
                         constant float& scale [[buffer(2)]],
                         uint i [[thread_position_in_grid]])
{
    output[i] = input[i] * scale;
}

/// One partial sum per threadgroup of up to 256 threads, by a tree in threadgroup memory.
kernel void reduce_sum(device const float* input [[buffer(0)]],
                       device float* output [[buffer(1)]],
                       constant uint& n [[buffer(2)]],
                       uint i [[thread_position_in_grid]],
                       uint local [[thread_position_in_threadgroup]],
                       uint group [[threadgroup_position_in_grid]],
                       uint group_size [[threads_per_threadgroup]])
{
    threadgroup float partial[256];
    partial[local] = i < n ? input[i] : 0.0f;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    // `count` values are left; the odd one out waits for the next round.
    for (uint count = group_size; count > 1;) {
        uint kept = (count + 1) / 2;
        if (local + kept < count) {
            partial[local] += partial[local + kept];
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        count = kept;
    }
    if (local == 0) {
        output[group] = partial[0];
    }
}
