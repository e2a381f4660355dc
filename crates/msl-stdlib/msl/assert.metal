// `assert`, logging (MSL specification, sections 6.19 and 6.20) and compiler builtins that kernels name.

#define assert(condition) ((void)0)
#define __builtin_unreachable() __metal_unreachable()
#define __builtin_expect(x, y) (x)
#define __builtin_assume(x) ((void)0)
#define __builtin_trap() __metal_trap()

namespace metal {

enum os_log_type { os_log_type_debug = 2, os_log_type_info = 1, os_log_type_default = 0, os_log_type_error = 16, os_log_type_fault = 17 };

using log_type = os_log_type;
constant constexpr log_type log_type_debug = os_log_type_debug, log_type_info = os_log_type_info, log_type_default = os_log_type_default,
                            log_type_error = os_log_type_error, log_type_fault = os_log_type_fault;

// Records of every level go the same way. The state is there because a structure has a size.
struct os_log {
  int __state;
  constexpr os_log() : __state(0) {}
  constexpr os_log(constant char* subsystem, constant char* category) : __state(0) {}
#define __LOG(name) template <typename... A> void name(constant char* format, A... args) const constant { __metal_log(format, args...); }
  __LOG(log) __LOG(log_debug) __LOG(log_info) __LOG(log_error) __LOG(log_fault)
#undef __LOG
  template <typename... A> void log_with_type(os_log_type type, constant char* format, A... args) const constant { __metal_log(format, args...); }
};
constant constexpr os_log os_log_default = os_log();

} // namespace metal
