// 5.9 Program Scope Global Built-ins and Bindings
#include <metal_stdlib>
using namespace metal;
//--- inputs of kernels as variables of the program's scope
// gives 4: i32 = 0 1 2 3
uint index [[thread_position_in_grid]];
static int where() { return index; }
kernel void f(device int* o) { o[index] = where(); }
//--- buffers as variables of the program's scope
// error: unsupported-global-binding
device int* buffer [[buffer(0)]];
kernel void f() { buffer[0] = 1; }
//--- 5.11 restrictions: arguments that are written to a `constant` buffer
// error: const-object
kernel void f(constant float4& c [[buffer(0)]]) { c.x = 1; }
