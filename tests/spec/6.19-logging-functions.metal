// 6.19 Logging Functions
#include <metal_stdlib>
#include <metal_logging>
using namespace metal;
//--- `os_log` of one's own, levels, formats
// see: tests/run/std_types.metal (log records)
//--- `log_type` and `log_with_type`, in functions that kernels call, for a level that is not known while compiling
// gives: i32 = 4
constant os_log logger("org.example", "kernels");
static int say(log_type type, int x) { logger.log_with_type(type, "%d", x); return x; }
kernel void f(device int* o) { o[0] = say(log_type_error, 1) + say(o[0] ? log_type_info : log_type_fault, 3); }
//--- a format that is not known while compiling
// error: unsupported-log-format
kernel void f(device int* o) { constant char* s = o[0] ? "a" : "b"; os_log_default.log(s); }
