// 2.15 Visible Function Table
#include <metal_stdlib>
using namespace metal;
//--- `visible_function_table<F>`
// error: unsupported-function-table
kernel void f(device int* o, visible_function_table<int(int)> t [[buffer(1)]]) { o[0] = t[0](1); }
//--- 2.16 `[[function_groups]]`
// error: unsupported-function-table
kernel void f(device int* o, visible_function_table<int(int)> t [[buffer(1)]]) { [[function_groups("a")]] o[0] = t[0](1); }
