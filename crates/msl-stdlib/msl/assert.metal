// `assert`, logging (MSL specification, sections 6.19 and 6.20) and compiler builtins that kernels name.

#define assert(condition) ((void)0)
#define __builtin_unreachable() __metal_unreachable()
#define __builtin_expect(x, y) (x)
#define __builtin_assume(x) ((void)0)
#define __builtin_trap() __metal_trap()

namespace metal {
template <typename... A> inline void __log(A... args) {}
} // namespace metal
