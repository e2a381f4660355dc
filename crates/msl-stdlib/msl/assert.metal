// `assert`, logging (MSL specification, sections 6.19 and 6.20) and compiler builtins that kernels name.

#define assert(condition) ((void)0)
#define __builtin_unreachable() __metal_unreachable()
#define __builtin_expect(x, y) (x)
#define __builtin_assume(x) ((void)0)
#define __builtin_trap() __metal_trap()

namespace metal {

enum os_log_type {
  os_log_type_debug = 2, os_log_type_info = 1, os_log_type_default = 0, os_log_type_error = 16, os_log_type_fault = 17,
  log_type_debug = 2, log_type_info = 1, log_type_default = 0, log_type_error = 16, log_type_fault = 17
};
using log_type = os_log_type;

// `__metal_log` takes the level by the number of the host's `MTLLogLevel`.
struct os_log {
  constant char* __subsystem;
  constant char* __category;
  constexpr os_log() : __subsystem(nullptr), __category(nullptr) {}
  constexpr os_log(constant char* subsystem, constant char* category) : __subsystem(subsystem), __category(category) {}
#define __LOG(name, level) \
  template <typename... A> void name(constant char* format, A... args) const constant { __metal_log(level, __subsystem, __category, format, args...); }
  __LOG(log, 3) __LOG(log_debug, 1) __LOG(log_info, 2) __LOG(log_error, 4) __LOG(log_fault, 5)
#undef __LOG
  template <typename... A> void log_with_type(os_log_type type, constant char* format, A... args) const constant {
    switch (type) {
      case os_log_type_debug: __metal_log(1, __subsystem, __category, format, args...); break;
      case os_log_type_info: __metal_log(2, __subsystem, __category, format, args...); break;
      case os_log_type_error: __metal_log(4, __subsystem, __category, format, args...); break;
      case os_log_type_fault: __metal_log(5, __subsystem, __category, format, args...); break;
      default: __metal_log(3, __subsystem, __category, format, args...); break;
    }
  }
};
constant constexpr os_log os_log_default = os_log();

} // namespace metal
