// Scalar and vector type names (MSL specification, sections 2.1 to 2.3).
// `__vec<T, N>` and `__packed_vec<T, N>` are the compiler's own vector types.

typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long int64_t;
typedef unsigned long uint64_t;
typedef unsigned long size_t;
typedef long ptrdiff_t;
typedef unsigned long uintptr_t;
typedef long intptr_t;
typedef half float16_t;
typedef float float32_t;

#define __VECTOR_NAMES(T) \
  typedef __vec<T, 2> T##2; typedef __vec<T, 3> T##3; typedef __vec<T, 4> T##4; \
  typedef __packed_vec<T, 2> packed_##T##2; typedef __packed_vec<T, 3> packed_##T##3; typedef __packed_vec<T, 4> packed_##T##4; \
  namespace metal { \
  using ::T##2; using ::T##3; using ::T##4; \
  using ::packed_##T##2; using ::packed_##T##3; using ::packed_##T##4; \
  }

namespace metal {
template <typename T, int N> using vec = __vec<T, N>;
template <typename T, int N> using packed_vec = __packed_vec<T, N>;
using ::uchar; using ::ushort; using ::uint; using ::ulong;
using ::int8_t; using ::uint8_t; using ::int16_t; using ::uint16_t;
using ::int32_t; using ::uint32_t; using ::int64_t; using ::uint64_t;
using ::size_t; using ::ptrdiff_t; using ::uintptr_t; using ::intptr_t;
using ::float16_t; using ::float32_t;
}

__VECTOR_NAMES(bool)
__VECTOR_NAMES(char)
__VECTOR_NAMES(uchar)
__VECTOR_NAMES(short)
__VECTOR_NAMES(ushort)
__VECTOR_NAMES(int)
__VECTOR_NAMES(uint)
__VECTOR_NAMES(long)
__VECTOR_NAMES(ulong)
__VECTOR_NAMES(half)
__VECTOR_NAMES(bfloat)
__VECTOR_NAMES(float)
#undef __VECTOR_NAMES

// What is coherent across threadgroups: device memory is on every device here.
#define coherent(scope)
#define offsetof(type, member) __builtin_offsetof(type, member)
#define METAL_FUNC inline
#define METAL_CONST const
#define METAL_VALID_ARGS
#define METAL_ENABLE_IF(...)
#define METAL_INTERNAL
