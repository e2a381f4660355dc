//@ dispatch 2 1 1
//@ in 0 u32 64 edges
//@ in 1 u32 64 random
//@ out 2 640
// Counts, searches, reversal, fields of bits; of fields that reach over the end, what is there.
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> b: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    let x = a[i];
    let y = b[i];
    let k = i * 10u;
    out[k] = countOneBits(x) + 100u * countOneBits(y);
    out[k + 1u] = countLeadingZeros(x) + 100u * countTrailingZeros(x);
    out[k + 2u] = reverseBits(x) ^ reverseBits(y);
    out[k + 3u] = firstLeadingBit(x) ^ (firstTrailingBit(x) << 8u);
    out[k + 4u] = bitcast<u32>(firstLeadingBit(bitcast<i32>(x)) ^ firstTrailingBit(bitcast<i32>(y)));
    out[k + 5u] = extractBits(x, y % 40u, i % 36u);
    out[k + 6u] = bitcast<u32>(extractBits(bitcast<i32>(x), y % 40u, i % 36u));
    out[k + 7u] = insertBits(x, y, i % 36u, (y >> 8u) % 40u);
    let v = countOneBits(vec2<u32>(x, y)) + firstLeadingBit(vec2<u32>(y, x));
    out[k + 8u] = v.x * 64u + v.y;
    out[k + 9u] = bitcast<u32>(countLeadingZeros(bitcast<i32>(y)) - countTrailingZeros(bitcast<i32>(y)));
}
