// 6.19 Logging Functions
#include <metal_stdlib>
#include <metal_logging>
using namespace metal;
//--- `os_log` of one's own, levels, formats
// see: tests/run/std_types.metal (log records)
//--- a format that is not known while compiling
// error: unsupported-log-format
kernel void f(device int* o) { constant char* s = o[0] ? "a" : "b"; os_log_default.log(s); }
