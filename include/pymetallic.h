/*
 * libpymetallic: compute kernels in the Metal Shading Language, on any machine.
 *
 * Names are Metal's in snake case. A typical program: get a device; make a command queue, buffers, a
 * library from source, a function and a compute pipeline state; then, for each run, make a command
 * buffer and an encoder, bind, dispatch, end the encoding, commit, wait.
 *
 * OWNERSHIP. Every object that a function returns is held once by the caller, who ends that with the
 * release function of its kind or with metal_release_object. metal_retain_object holds it once more.
 * Objects keep alive what they need: a buffer may be released as soon as the command buffer that uses it
 * is committed. Handles are void pointers that must not be followed. One device always has the same handle,
 * counted; any other handle is never given out twice. Releasing NULL does nothing.
 * Text (char *) and lists that are returned belong to the caller, who ends them with metal_free_string
 * or metal_free_device_list; free() does as well. Exceptions to all this are marked "borrowed".
 * Arguments are only read during the call and stay the caller's, unless said otherwise.
 *
 * ERRORS. NULL, false or what is said with a function means that it failed; metal_get_last_error tells why.
 * Handles that are NULL, of another kind, released, or from elsewhere are errors as well. Functions without a
 * result report errors in the same way. When an encoding function fails (those of encoders, and
 * metal_command_buffer_encode_...), its command buffer is spoiled: committing it fails, its status
 * is -1, metal_command_buffer_get_error says why, and nothing runs.
 * Memory and text of the caller must be what they are said to be: only NULL can be detected.
 *
 * THREADS. Every function may be called from any thread at any time, also with the same objects. Encoders
 * and descriptions of work are best used by one thread at a time for the sake of their order. Errors are kept
 * per thread. A process that forks must not use the library in the child.
 *
 * UNITS. Sizes, lengths and offsets are in bytes, except grids, threadgroups, textures and regions:
 * those are in threads and texels. Times are in seconds. Indices count from 0. Text is UTF-8.
 *
 * Environment: PYMETALLIC_DEVICE names the default device.
 */
#ifndef PYMETALLIC_H
#define PYMETALLIC_H

#include <stdbool.h>
#include <stdint.h>

#define PYMETALLIC_VERSION_MAJOR 1
#define PYMETALLIC_VERSION_MINOR 0
#define PYMETALLIC_VERSION_PATCH 0

#if defined(_WIN32)
#define PYMETALLIC_API __declspec(dllimport)
#else
#define PYMETALLIC_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Handles. All are void *; the names say what a function takes, and the library checks it. */
typedef void *metal_object_t; /* any of the following */
typedef void *metal_device_t;
typedef void *metal_command_queue_t;
typedef void *metal_command_buffer_t;
typedef void *metal_compute_command_encoder_t;
typedef void *metal_blit_command_encoder_t;
typedef void *metal_buffer_t;
typedef void *metal_texture_t;
typedef void *metal_sampler_state_t;
typedef void *metal_library_t;
typedef void *metal_compile_options_t;
typedef void *metal_function_t;
typedef void *metal_function_constant_values_t;
typedef void *metal_compute_pipeline_state_t;
typedef void *metal_shared_event_t;
typedef void *metal_function_handle_t;
typedef void *metal_visible_function_table_t;
typedef void *metal_log_state_t;

/* ---- errors, counting, text -------------------------------------------------------------- */

enum metal_error_code {
  METAL_ERROR_NONE = 0,
  METAL_ERROR_COMPILE = 1,    /* the source is not valid MSL, or uses something unsupported */
  METAL_ERROR_FUNCTION = 2,   /* no such function, or function constants that do not fit */
  METAL_ERROR_PIPELINE = 3,   /* the device cannot run this function */
  METAL_ERROR_VALIDATION = 4, /* wrong use of the interface; nothing ran */
  METAL_ERROR_DEVICE = 5,     /* no such device, or its driver failed */
  METAL_ERROR_MEMORY = 6,     /* not enough memory */
  METAL_ERROR_EXECUTION = 7,  /* a command failed while it ran */
  METAL_ERROR_INTERNAL = 8    /* a fault of this library */
};

/* The last error of this thread, which is forgotten then; NULL when there was none since. The caller
 * owns the text. Calls that succeed do not change it. Errors of compilation have a line per message. */
PYMETALLIC_API char *metal_get_last_error(void);
/* What kind of error that is: one of metal_error_code. It is not forgotten. */
PYMETALLIC_API int32_t metal_get_last_error_code(void);
PYMETALLIC_API void metal_clear_last_error(void);
/* Frees text that this library returned. NULL does nothing. */
PYMETALLIC_API void metal_free_string(char *text);

/* Holds the object once more and returns it; NULL on failure. */
PYMETALLIC_API metal_object_t metal_retain_object(metal_object_t object);
/* Releases an object of any kind. */
PYMETALLIC_API void metal_release_object(metal_object_t object);
/* How many objects the process holds: tells tests whether everything was released. */
PYMETALLIC_API uint64_t metal_get_live_object_count(void);

/* "major.minor.patch", with "-dev" after it before a release. Borrowed: valid for good. */
PYMETALLIC_API const char *metal_get_version(void);

/* ---- devices ------------------------------------------------------------------------------ */

/* The device that PYMETALLIC_DEVICE names, or else the first there is. */
PYMETALLIC_API metal_device_t metal_get_default_device(void);
/* metal_get_device_count devices and then NULL. The caller releases the devices and frees the list. */
PYMETALLIC_API metal_device_t *metal_get_all_devices(void);
PYMETALLIC_API int32_t metal_get_device_count(void);
/* Frees the list, not the devices. NULL does nothing. */
PYMETALLIC_API void metal_free_device_list(metal_device_t *devices);
/* By its id: "cpu", "interp" (slow, checks every access), "null" (runs nothing), ... */
PYMETALLIC_API metal_device_t metal_get_device_by_name(const char *name);
/* For people. The caller owns the text. */
PYMETALLIC_API char *metal_device_get_name(metal_device_t device);
/* For metal_get_device_by_name. The caller owns the text. */
PYMETALLIC_API char *metal_device_get_id(metal_device_t device);
PYMETALLIC_API bool metal_device_supports_shader_barycentric_coordinates(metal_device_t device);
PYMETALLIC_API bool metal_device_has_unified_memory(metal_device_t device);
/* In bytes; 0 on failure. */
PYMETALLIC_API uint64_t metal_device_get_max_buffer_length(metal_device_t device);
PYMETALLIC_API uint64_t metal_device_get_max_threadgroup_memory_length(metal_device_t device);
/* Writes three numbers: the most threads along each axis. */
PYMETALLIC_API bool metal_device_get_max_threads_per_threadgroup(metal_device_t device, uint32_t *xyz);
PYMETALLIC_API void metal_device_release(metal_device_t device);

/* ---- buffers ------------------------------------------------------------------------------ */

/* MTLStorageMode. */
enum metal_storage_mode {
  METAL_STORAGE_MODE_SHARED = 0,
  METAL_STORAGE_MODE_MANAGED = 1, /* announce host writes with metal_buffer_did_modify_range */
  METAL_STORAGE_MODE_PRIVATE = 2  /* the host cannot see it; fill and read it with a blit */
};

/* MTLResourceOptions: the storage mode << 4. The other bits are hints and change nothing. */
enum metal_resource_options {
  METAL_RESOURCE_STORAGE_MODE_SHARED = 0x00,
  METAL_RESOURCE_STORAGE_MODE_MANAGED = 0x10,
  METAL_RESOURCE_STORAGE_MODE_PRIVATE = 0x20
};

/* A buffer of zeros. */
PYMETALLIC_API metal_buffer_t metal_device_make_buffer(metal_device_t device, uint64_t length, int32_t options);
/* A buffer that starts with a copy of length bytes. */
PYMETALLIC_API metal_buffer_t metal_device_make_buffer_with_bytes(metal_device_t device, const void *bytes,
                                                                  uint64_t length, int32_t options);

/* Says that nothing uses the memory any more. Called once, from any thread. */
typedef void (*metal_deallocator)(void *pointer, uint64_t length, void *user_data);
/* A shared buffer over the caller's memory, which must stay where it is until the deallocator is called
 * (for good, if that is NULL). On failure the deallocator is not called. Not every device can. */
PYMETALLIC_API metal_buffer_t metal_device_make_buffer_with_bytes_no_copy(metal_device_t device, void *bytes,
                                                                          uint64_t length, int32_t options,
                                                                          metal_deallocator deallocator,
                                                                          void *user_data);
/* The bytes. Borrowed: valid as long as the buffer is held. NULL for private storage, which is no
 * error. Kernels may write to them until their command buffer has completed. */
PYMETALLIC_API void *metal_buffer_get_contents(metal_buffer_t buffer);
/* In bytes; 0 on failure. */
PYMETALLIC_API uint64_t metal_buffer_get_length(metal_buffer_t buffer);
/* One of metal_storage_mode; -1 on failure. */
PYMETALLIC_API int32_t metal_buffer_get_storage_mode(metal_buffer_t buffer);
/* The address that kernels see, for pointers in other buffers; 0 on failure. */
PYMETALLIC_API uint64_t metal_buffer_get_gpu_address(metal_buffer_t buffer);
/* The host wrote these bytes of a managed buffer. */
PYMETALLIC_API bool metal_buffer_did_modify_range(metal_buffer_t buffer, uint64_t offset, uint64_t length);
PYMETALLIC_API bool metal_buffer_set_label(metal_buffer_t buffer, const char *label);
/* The caller owns the text. */
PYMETALLIC_API char *metal_buffer_get_label(metal_buffer_t buffer);
PYMETALLIC_API void metal_buffer_release(metal_buffer_t buffer);

/* ---- textures ----------------------------------------------------------------------------- */

/* MTLTextureType. */
enum metal_texture_type {
  METAL_TEXTURE_TYPE_1D = 0,
  METAL_TEXTURE_TYPE_1D_ARRAY = 1,
  METAL_TEXTURE_TYPE_2D = 2,
  METAL_TEXTURE_TYPE_2D_ARRAY = 3,
  METAL_TEXTURE_TYPE_2D_MULTISAMPLE = 4,
  METAL_TEXTURE_TYPE_CUBE = 5,
  METAL_TEXTURE_TYPE_CUBE_ARRAY = 6,
  METAL_TEXTURE_TYPE_3D = 7,
  METAL_TEXTURE_TYPE_2D_MULTISAMPLE_ARRAY = 8,
  METAL_TEXTURE_TYPE_TEXTURE_BUFFER = 9
};

/* MTLTextureUsage: a set. */
enum metal_texture_usage {
  METAL_TEXTURE_USAGE_UNKNOWN = 0, /* anything */
  METAL_TEXTURE_USAGE_SHADER_READ = 1,
  METAL_TEXTURE_USAGE_SHADER_WRITE = 2
};

/* MTLPixelFormat. */
enum metal_pixel_format {
  METAL_PIXEL_FORMAT_A8_UNORM = 1,
  METAL_PIXEL_FORMAT_R8_UNORM = 10,
  METAL_PIXEL_FORMAT_R8_UNORM_SRGB = 11,
  METAL_PIXEL_FORMAT_R8_SNORM = 12,
  METAL_PIXEL_FORMAT_R8_UINT = 13,
  METAL_PIXEL_FORMAT_R8_SINT = 14,
  METAL_PIXEL_FORMAT_R16_UNORM = 20,
  METAL_PIXEL_FORMAT_R16_SNORM = 22,
  METAL_PIXEL_FORMAT_R16_UINT = 23,
  METAL_PIXEL_FORMAT_R16_SINT = 24,
  METAL_PIXEL_FORMAT_R16_FLOAT = 25,
  METAL_PIXEL_FORMAT_RG8_UNORM = 30,
  METAL_PIXEL_FORMAT_RG8_UNORM_SRGB = 31,
  METAL_PIXEL_FORMAT_RG8_SNORM = 32,
  METAL_PIXEL_FORMAT_RG8_UINT = 33,
  METAL_PIXEL_FORMAT_RG8_SINT = 34,
  METAL_PIXEL_FORMAT_B5G6R5_UNORM = 40,
  METAL_PIXEL_FORMAT_A1BGR5_UNORM = 41,
  METAL_PIXEL_FORMAT_ABGR4_UNORM = 42,
  METAL_PIXEL_FORMAT_BGR5A1_UNORM = 43,
  METAL_PIXEL_FORMAT_R32_UINT = 53,
  METAL_PIXEL_FORMAT_R32_SINT = 54,
  METAL_PIXEL_FORMAT_R32_FLOAT = 55,
  METAL_PIXEL_FORMAT_RG16_UNORM = 60,
  METAL_PIXEL_FORMAT_RG16_SNORM = 62,
  METAL_PIXEL_FORMAT_RG16_UINT = 63,
  METAL_PIXEL_FORMAT_RG16_SINT = 64,
  METAL_PIXEL_FORMAT_RG16_FLOAT = 65,
  METAL_PIXEL_FORMAT_RGBA8_UNORM = 70,
  METAL_PIXEL_FORMAT_RGBA8_UNORM_SRGB = 71,
  METAL_PIXEL_FORMAT_RGBA8_SNORM = 72,
  METAL_PIXEL_FORMAT_RGBA8_UINT = 73,
  METAL_PIXEL_FORMAT_RGBA8_SINT = 74,
  METAL_PIXEL_FORMAT_BGRA8_UNORM = 80,
  METAL_PIXEL_FORMAT_BGRA8_UNORM_SRGB = 81,
  METAL_PIXEL_FORMAT_RGB10A2_UNORM = 90,
  METAL_PIXEL_FORMAT_RGB10A2_UINT = 91,
  METAL_PIXEL_FORMAT_RG11B10_FLOAT = 92,
  METAL_PIXEL_FORMAT_RGB9E5_FLOAT = 93,
  METAL_PIXEL_FORMAT_BGR10A2_UNORM = 94,
  METAL_PIXEL_FORMAT_RG32_UINT = 103,
  METAL_PIXEL_FORMAT_RG32_SINT = 104,
  METAL_PIXEL_FORMAT_RG32_FLOAT = 105,
  METAL_PIXEL_FORMAT_RGBA16_UNORM = 110,
  METAL_PIXEL_FORMAT_RGBA16_SNORM = 112,
  METAL_PIXEL_FORMAT_RGBA16_UINT = 113,
  METAL_PIXEL_FORMAT_RGBA16_SINT = 114,
  METAL_PIXEL_FORMAT_RGBA16_FLOAT = 115,
  METAL_PIXEL_FORMAT_RGBA32_UINT = 123,
  METAL_PIXEL_FORMAT_RGBA32_SINT = 124,
  METAL_PIXEL_FORMAT_RGBA32_FLOAT = 125,
  METAL_PIXEL_FORMAT_DEPTH16_UNORM = 250,
  METAL_PIXEL_FORMAT_DEPTH32_FLOAT = 252,
  METAL_PIXEL_FORMAT_STENCIL8 = 253,
  METAL_PIXEL_FORMAT_BGRA10_XR = 552,
  METAL_PIXEL_FORMAT_BGRA10_XR_SRGB = 553,
  METAL_PIXEL_FORMAT_BGR10_XR = 554,
  METAL_PIXEL_FORMAT_BGR10_XR_SRGB = 555
};

/* A box of texels. */
typedef struct metal_region {
  uint32_t x, y, z;
  uint32_t width, height, depth;
} metal_region;

/* Fill it with metal_texture_descriptor_init, then change what differs. */
typedef struct metal_texture_descriptor {
  uint32_t struct_size;        /* set by metal_texture_descriptor_init */
  uint32_t texture_type;       /* metal_texture_type; 2D */
  uint32_t pixel_format;       /* metal_pixel_format; RGBA8_UNORM */
  uint32_t width;              /* 1 */
  uint32_t height;             /* 1 */
  uint32_t depth;              /* 1 */
  uint32_t mipmap_level_count; /* 1 */
  uint32_t sample_count;       /* 1 */
  uint32_t array_length;       /* 1 */
  uint32_t usage;              /* metal_texture_usage; SHADER_READ | SHADER_WRITE */
  int32_t options;             /* metal_resource_options; shared */
} metal_texture_descriptor;

PYMETALLIC_API bool metal_texture_descriptor_init(metal_texture_descriptor *descriptor);
PYMETALLIC_API metal_texture_t metal_device_make_texture(metal_device_t device,
                                                         const metal_texture_descriptor *descriptor);
/* A 2-D texture of one level for reading and writing. format is one of metal_pixel_format. */
PYMETALLIC_API metal_texture_t metal_device_make_texture_2d(metal_device_t device, uint32_t format, uint32_t width,
                                                            uint32_t height, int32_t options);
/* Copies length bytes into a region. bytes_per_row and bytes_per_image (3-D regions only) are the distances
 * of rows and images in bytes. */
PYMETALLIC_API bool metal_texture_replace_region(metal_texture_t texture, const metal_region *region, int32_t level,
                                                 int32_t slice, const void *bytes, uint64_t length,
                                                 uint64_t bytes_per_row, uint64_t bytes_per_image);
/* Copies a region into bytes, which has room for length of them. */
PYMETALLIC_API bool metal_texture_get_bytes(metal_texture_t texture, void *bytes, uint64_t length,
                                            uint64_t bytes_per_row, uint64_t bytes_per_image,
                                            const metal_region *region, int32_t level, int32_t slice);
/* In texels; 0 on failure. */
PYMETALLIC_API uint32_t metal_texture_get_width(metal_texture_t texture);
PYMETALLIC_API uint32_t metal_texture_get_height(metal_texture_t texture);
PYMETALLIC_API uint32_t metal_texture_get_depth(metal_texture_t texture);
/* One of metal_pixel_format; 0 on failure. */
PYMETALLIC_API uint32_t metal_texture_get_pixel_format(metal_texture_t texture);
PYMETALLIC_API bool metal_texture_set_label(metal_texture_t texture, const char *label);
/* The caller owns the text. */
PYMETALLIC_API char *metal_texture_get_label(metal_texture_t texture);
PYMETALLIC_API void metal_texture_release(metal_texture_t texture);

/* ---- sampler states ----------------------------------------------------------------------- */

/* MTLSamplerAddressMode. */
enum metal_sampler_address_mode {
  METAL_SAMPLER_ADDRESS_MODE_CLAMP_TO_EDGE = 0,
  METAL_SAMPLER_ADDRESS_MODE_MIRROR_CLAMP_TO_EDGE = 1,
  METAL_SAMPLER_ADDRESS_MODE_REPEAT = 2,
  METAL_SAMPLER_ADDRESS_MODE_MIRROR_REPEAT = 3,
  METAL_SAMPLER_ADDRESS_MODE_CLAMP_TO_ZERO = 4,
  METAL_SAMPLER_ADDRESS_MODE_CLAMP_TO_BORDER_COLOR = 5
};

/* MTLSamplerMinMagFilter. */
enum metal_sampler_min_mag_filter {
  METAL_SAMPLER_MIN_MAG_FILTER_NEAREST = 0,
  METAL_SAMPLER_MIN_MAG_FILTER_LINEAR = 1
};

/* MTLSamplerMipFilter. */
enum metal_sampler_mip_filter {
  METAL_SAMPLER_MIP_FILTER_NOT_MIPMAPPED = 0,
  METAL_SAMPLER_MIP_FILTER_NEAREST = 1,
  METAL_SAMPLER_MIP_FILTER_LINEAR = 2
};

/* MTLCompareFunction. */
enum metal_compare_function {
  METAL_COMPARE_FUNCTION_NEVER = 0,
  METAL_COMPARE_FUNCTION_LESS = 1,
  METAL_COMPARE_FUNCTION_EQUAL = 2,
  METAL_COMPARE_FUNCTION_LESS_EQUAL = 3,
  METAL_COMPARE_FUNCTION_GREATER = 4,
  METAL_COMPARE_FUNCTION_NOT_EQUAL = 5,
  METAL_COMPARE_FUNCTION_GREATER_EQUAL = 6,
  METAL_COMPARE_FUNCTION_ALWAYS = 7
};

/* MTLSamplerBorderColor. */
enum metal_sampler_border_color {
  METAL_SAMPLER_BORDER_COLOR_TRANSPARENT_BLACK = 0,
  METAL_SAMPLER_BORDER_COLOR_OPAQUE_BLACK = 1,
  METAL_SAMPLER_BORDER_COLOR_OPAQUE_WHITE = 2
};

/* MTLSamplerReductionMode: what becomes of the texels that a sample is made from. */
enum metal_sampler_reduction_mode {
  METAL_SAMPLER_REDUCTION_MODE_WEIGHTED_AVERAGE = 0,
  METAL_SAMPLER_REDUCTION_MODE_MINIMUM = 1,
  METAL_SAMPLER_REDUCTION_MODE_MAXIMUM = 2
};

/* Fill it with metal_sampler_descriptor_init, then change what differs. */
typedef struct metal_sampler_descriptor {
  uint32_t struct_size;    /* set by metal_sampler_descriptor_init */
  uint32_t s_address_mode; /* metal_sampler_address_mode; CLAMP_TO_EDGE */
  uint32_t t_address_mode;
  uint32_t r_address_mode;
  uint32_t min_filter; /* metal_sampler_min_mag_filter; NEAREST */
  uint32_t mag_filter;
  uint32_t mip_filter;             /* metal_sampler_mip_filter; NOT_MIPMAPPED */
  uint32_t normalized_coordinates; /* 1; 0: coordinates are in texels */
  uint32_t compare_function;       /* metal_compare_function; NEVER */
  uint32_t border_color;           /* metal_sampler_border_color; TRANSPARENT_BLACK */
  uint32_t max_anisotropy;         /* 1 to 16; 1 */
  float lod_min_clamp;             /* 0 */
  float lod_max_clamp;             /* the largest float */
  uint32_t reduction_mode;         /* metal_sampler_reduction_mode; WEIGHTED_AVERAGE */
} metal_sampler_descriptor;

PYMETALLIC_API bool metal_sampler_descriptor_init(metal_sampler_descriptor *descriptor);
PYMETALLIC_API metal_sampler_state_t metal_device_make_sampler_state(metal_device_t device,
                                                                     const metal_sampler_descriptor *descriptor);
PYMETALLIC_API void metal_sampler_state_release(metal_sampler_state_t sampler);

/* ---- libraries and compile options -------------------------------------------------------- */

PYMETALLIC_API metal_library_t metal_device_make_library_with_source(metal_device_t device, const char *source);
PYMETALLIC_API metal_library_t metal_device_make_library_with_options(metal_device_t device, const char *source,
                                                                      metal_compile_options_t options);
/* -1 on failure. */
PYMETALLIC_API int32_t metal_library_get_function_count(metal_library_t library);
/* The caller owns the text. */
PYMETALLIC_API char *metal_library_get_function_name(metal_library_t library, int32_t index);
/* What the compiler remarked, a line each; NULL when nothing. The caller owns the text. */
PYMETALLIC_API char *metal_library_get_warnings(metal_library_t library);
PYMETALLIC_API void metal_library_release(metal_library_t library);

/* The defaults. Libraries copy the options: changes afterwards do not reach them. */
PYMETALLIC_API metal_compile_options_t metal_make_compile_options(void);
/* Not 0 (the default): faster and less exact mathematics. */
PYMETALLIC_API bool metal_compile_options_set_fast_math_enabled(metal_compile_options_t options, int32_t enabled);
/* Of MSL; the newest is the default. */
PYMETALLIC_API bool metal_compile_options_set_language_version(metal_compile_options_t options, int32_t major,
                                                               int32_t minor);
/* What messages call the source. */
PYMETALLIC_API bool metal_compile_options_set_source_name(metal_compile_options_t options, const char *name);
/* Like #define name value. */
PYMETALLIC_API bool metal_compile_options_add_preprocessor_macro(metal_compile_options_t options, const char *name,
                                                                 const char *value);
/* Where #include searches, in the order of the calls. */
PYMETALLIC_API bool metal_compile_options_add_include_directory(metal_compile_options_t options, const char *path);
/* A file that #include finds by this name, before any directory. */
PYMETALLIC_API bool metal_compile_options_add_header(metal_compile_options_t options, const char *name,
                                                     const char *text);
PYMETALLIC_API void metal_compile_options_release(metal_compile_options_t options);

/* ---- functions and function constants ----------------------------------------------------- */

PYMETALLIC_API metal_function_t metal_library_make_function(metal_library_t library, const char *name);
/* The function copies the values: changes afterwards do not reach it. */
PYMETALLIC_API metal_function_t metal_library_make_function_with_constants(metal_library_t library, const char *name,
                                                                           metal_function_constant_values_t values);
/* The caller owns the text. */
PYMETALLIC_API char *metal_function_get_name(metal_function_t function);

/* MTLFunctionType. */
enum metal_function_type { METAL_FUNCTION_TYPE_KERNEL = 3, METAL_FUNCTION_TYPE_VISIBLE = 5 };

/* One of metal_function_type; 0 on failure. */
PYMETALLIC_API int32_t metal_function_get_function_type(metal_function_t function);
PYMETALLIC_API void metal_function_release(metal_function_t function);

/* MTLDataType. Vectors of two, three and four components have the numbers that follow the scalar's; their
 * components lie side by side. */
enum metal_data_type {
  METAL_DATA_TYPE_FLOAT = 3,
  METAL_DATA_TYPE_FLOAT2 = 4,
  METAL_DATA_TYPE_FLOAT3 = 5,
  METAL_DATA_TYPE_FLOAT4 = 6,
  METAL_DATA_TYPE_HALF = 16,
  METAL_DATA_TYPE_INT = 29,
  METAL_DATA_TYPE_INT2 = 30,
  METAL_DATA_TYPE_INT3 = 31,
  METAL_DATA_TYPE_INT4 = 32,
  METAL_DATA_TYPE_UINT = 33,
  METAL_DATA_TYPE_UINT2 = 34,
  METAL_DATA_TYPE_UINT3 = 35,
  METAL_DATA_TYPE_UINT4 = 36,
  METAL_DATA_TYPE_SHORT = 37,
  METAL_DATA_TYPE_USHORT = 41,
  METAL_DATA_TYPE_CHAR = 45,
  METAL_DATA_TYPE_UCHAR = 49,
  METAL_DATA_TYPE_BOOL = 53,
  METAL_DATA_TYPE_LONG = 81,
  METAL_DATA_TYPE_ULONG = 85,
  METAL_DATA_TYPE_BFLOAT = 121
};

PYMETALLIC_API metal_function_constant_values_t metal_make_function_constant_values(void);
/* value points to one value of data_type, one of metal_data_type. Numbers are converted to the type that the
 * source declares. */
PYMETALLIC_API bool metal_function_constant_values_set_constant_value(metal_function_constant_values_t values,
                                                                      const void *value, int32_t data_type,
                                                                      int32_t index);
PYMETALLIC_API bool metal_function_constant_values_set_constant_value_with_name(
    metal_function_constant_values_t values, const void *value, int32_t data_type, const char *name);
/* Forgets all values. */
PYMETALLIC_API bool metal_function_constant_values_reset(metal_function_constant_values_t values);
PYMETALLIC_API void metal_function_constant_values_release(metal_function_constant_values_t values);

/* ---- compute pipeline states -------------------------------------------------------------- */

PYMETALLIC_API metal_compute_pipeline_state_t metal_device_make_compute_pipeline_state(metal_device_t device,
                                                                                       metal_function_t function);
/* In threads; 0 on failure. */
PYMETALLIC_API uint64_t
metal_compute_pipeline_state_get_max_total_threads_per_threadgroup(metal_compute_pipeline_state_t pipeline);
/* Threads of a simdgroup; 0 on failure. */
PYMETALLIC_API uint64_t
metal_compute_pipeline_state_get_thread_execution_width(metal_compute_pipeline_state_t pipeline);
/* What the kernel declares itself, in bytes. */
PYMETALLIC_API uint64_t
metal_compute_pipeline_state_get_static_threadgroup_memory_length(metal_compute_pipeline_state_t pipeline);
PYMETALLIC_API void metal_compute_pipeline_state_release(metal_compute_pipeline_state_t pipeline);

/* ---- visible function tables -------------------------------------------------------------- */

/* With [[visible]] functions of the same library that the pipeline's tables may hold; the array is only read. */
PYMETALLIC_API metal_compute_pipeline_state_t metal_device_make_compute_pipeline_state_with_linked_functions(
    metal_device_t device, metal_function_t function, const metal_function_t *linked_functions, int32_t count);
/* What stands for a linked function in the pipeline's tables. */
PYMETALLIC_API metal_function_handle_t
metal_compute_pipeline_state_make_function_handle(metal_compute_pipeline_state_t pipeline, metal_function_t function);
PYMETALLIC_API void metal_function_handle_release(metal_function_handle_t handle);
/* A table of so many entries, without functions yet. */
PYMETALLIC_API metal_visible_function_table_t metal_compute_pipeline_state_make_visible_function_table(
    metal_compute_pipeline_state_t pipeline, int32_t function_count);
/* NULL takes away what is in the entry. */
PYMETALLIC_API bool metal_visible_function_table_set_function(metal_visible_function_table_t table,
                                                              metal_function_handle_t function, int32_t index);
/* Where kernels find the table, for argument buffers; 0 on failure. */
PYMETALLIC_API uint64_t metal_visible_function_table_get_gpu_address(metal_visible_function_table_t table);
/* The table's memory, to be announced with use_resource then. The caller releases it. */
PYMETALLIC_API metal_buffer_t metal_visible_function_table_get_buffer(metal_visible_function_table_t table);
PYMETALLIC_API void metal_visible_function_table_release(metal_visible_function_table_t table);

/* ---- command queues and command buffers --------------------------------------------------- */

PYMETALLIC_API metal_command_queue_t metal_device_make_command_queue(metal_device_t device);
PYMETALLIC_API bool metal_command_queue_set_label(metal_command_queue_t queue, const char *label);
/* The caller owns the text. */
PYMETALLIC_API char *metal_command_queue_get_label(metal_command_queue_t queue);
PYMETALLIC_API void metal_command_queue_release(metal_command_queue_t queue);

/* Command buffers of one queue run in the order of their commits. */
PYMETALLIC_API metal_command_buffer_t metal_command_queue_make_command_buffer(metal_command_queue_t queue);
/* Returns at once; the commands run on their own. Once only. Encoders must have ended. */
PYMETALLIC_API void metal_command_buffer_commit(metal_command_buffer_t command_buffer);
/* Returns when the commands have completed and the handlers have run. What went wrong is an error here. */
PYMETALLIC_API void metal_command_buffer_wait_until_completed(metal_command_buffer_t command_buffer);
/* Returns when the commands have been handed to the device. */
PYMETALLIC_API void metal_command_buffer_wait_until_scheduled(metal_command_buffer_t command_buffer);
/* 1 completed, 0 in flight, -1 failed or not committed. */
PYMETALLIC_API int32_t metal_command_buffer_get_status(metal_command_buffer_t command_buffer);
/* Why it failed; NULL when it did not. The caller owns the text. */
PYMETALLIC_API char *metal_command_buffer_get_error(metal_command_buffer_t command_buffer);
/* When the commands started and ended, in seconds of a steady clock; 0 before completion. */
PYMETALLIC_API double metal_command_buffer_get_gpu_start_time(metal_command_buffer_t command_buffer);
PYMETALLIC_API double metal_command_buffer_get_gpu_end_time(metal_command_buffer_t command_buffer);

/* command_buffer is borrowed, and valid during the call also if it was released before. */
typedef void (*metal_completed_handler)(metal_command_buffer_t command_buffer, void *user_data);
/* Calls handler once when the command buffer has completed or failed, from any thread, before waits return;
 * or from metal_command_buffer_commit when that fails because the command buffer is spoiled. A command buffer that is
 * never committed calls nothing. The handler may call this library; it must return, not throw. */
PYMETALLIC_API bool metal_command_buffer_add_completed_handler(metal_command_buffer_t command_buffer,
                                                               metal_completed_handler handler, void *user_data);
PYMETALLIC_API bool metal_command_buffer_set_label(metal_command_buffer_t command_buffer, const char *label);
/* The caller owns the text. */
PYMETALLIC_API char *metal_command_buffer_get_label(metal_command_buffer_t command_buffer);
PYMETALLIC_API void metal_command_buffer_release(metal_command_buffer_t command_buffer);

/* ---- log states --------------------------------------------------------------------------- */

/* MTLLogLevel. */
enum metal_log_level {
  METAL_LOG_LEVEL_DEBUG = 1,
  METAL_LOG_LEVEL_INFO = 2,
  METAL_LOG_LEVEL_NOTICE = 3,
  METAL_LOG_LEVEL_ERROR = 4,
  METAL_LOG_LEVEL_FAULT = 5
};

/* What a kernel logged. subsystem and category are NULL of os_log_default; level is one of metal_log_level. All text is
 * borrowed, valid during the call. */
typedef void (*metal_log_handler)(const char *subsystem, const char *category, int32_t level, const char *message,
                                  void *user_data);
/* Takes what kernels log with os_log, from a level (metal_log_level) on; what is below is dropped. */
PYMETALLIC_API metal_log_state_t metal_device_make_log_state(metal_device_t device, int32_t level);
/* Calls handler for each record, from any thread, also from several at once, before the command buffer completes.
 * Without handlers records are printed. The handler must return, not throw, and not wait for the command buffer. */
PYMETALLIC_API bool metal_log_state_add_log_handler(metal_log_state_t log_state, metal_log_handler handler,
                                                    void *user_data);
/* One of metal_log_level; 0 on failure. */
PYMETALLIC_API int32_t metal_log_state_get_level(metal_log_state_t log_state);
PYMETALLIC_API void metal_log_state_release(metal_log_state_t log_state);
/* A queue whose kernels log to log_state; those of other queues log to standard output. */
PYMETALLIC_API metal_command_queue_t metal_device_make_command_queue_with_log_state(metal_device_t device,
                                                                                    metal_log_state_t log_state);
/* A command buffer whose kernels log to log_state, wherever those of its queue do. */
PYMETALLIC_API metal_command_buffer_t
metal_command_queue_make_command_buffer_with_log_state(metal_command_queue_t queue, metal_log_state_t log_state);

/* ---- compute command encoders ------------------------------------------------------------- */

/* One encoder at a time may be open. An encoder ends when it is released, if it did not before. */
PYMETALLIC_API metal_compute_command_encoder_t
metal_command_buffer_make_compute_command_encoder(metal_command_buffer_t command_buffer);
PYMETALLIC_API void
metal_compute_command_encoder_set_compute_pipeline_state(metal_compute_command_encoder_t encoder,
                                                         metal_compute_pipeline_state_t pipeline);
/* Binds a buffer from an offset on. */
PYMETALLIC_API void metal_compute_command_encoder_set_buffer(metal_compute_command_encoder_t encoder,
                                                             metal_buffer_t buffer, uint64_t offset, int32_t index);
/* Another offset of the buffer that is bound. */
PYMETALLIC_API bool metal_compute_command_encoder_set_buffer_offset(metal_compute_command_encoder_t encoder,
                                                                    uint64_t offset, int32_t index);
/* Binds a copy of up to 4096 bytes in place of a buffer. */
PYMETALLIC_API bool metal_compute_command_encoder_set_bytes(metal_compute_command_encoder_t encoder,
                                                            const void *bytes, uint64_t length, int32_t index);
/* Binds a table in place of a buffer. */
PYMETALLIC_API bool
metal_compute_command_encoder_set_visible_function_table(metal_compute_command_encoder_t encoder,
                                                         metal_visible_function_table_t table, int32_t index);
PYMETALLIC_API bool metal_compute_command_encoder_set_texture(metal_compute_command_encoder_t encoder,
                                                              metal_texture_t texture, int32_t index);
PYMETALLIC_API bool metal_compute_command_encoder_set_sampler_state(metal_compute_command_encoder_t encoder,
                                                                    metal_sampler_state_t sampler, int32_t index);
/* The size of a threadgroup argument, in bytes. */
PYMETALLIC_API void metal_compute_command_encoder_set_threadgroup_memory_length(
    metal_compute_command_encoder_t encoder, uint64_t length, int32_t index);
/* Announces a buffer that kernels reach through addresses in other buffers. */
PYMETALLIC_API bool metal_compute_command_encoder_use_resource(metal_compute_command_encoder_t encoder,
                                                               metal_buffer_t buffer);
/* scope: 1 buffers, 2 textures, 3 both. Dispatches of one encoder see each other's writes without it. */
PYMETALLIC_API bool metal_compute_command_encoder_memory_barrier(metal_compute_command_encoder_t encoder,
                                                                 int32_t scope);
/* x * y * z threads in threadgroups of tx * ty * tz; those at the far edges may be smaller. */
PYMETALLIC_API void metal_compute_command_encoder_dispatch_threads(metal_compute_command_encoder_t encoder,
                                                                   int32_t x, int32_t y, int32_t z, int32_t tx,
                                                                   int32_t ty, int32_t tz);
/* gx * gy * gz full threadgroups of tx * ty * tz threads. */
PYMETALLIC_API void metal_compute_command_encoder_dispatch_threadgroups(metal_compute_command_encoder_t encoder,
                                                                        int32_t gx, int32_t gy, int32_t gz,
                                                                        int32_t tx, int32_t ty, int32_t tz);
/* The same, with three uint32_t counts read from the buffer when it runs. */
PYMETALLIC_API bool metal_compute_command_encoder_dispatch_threadgroups_with_indirect_buffer(
    metal_compute_command_encoder_t encoder, metal_buffer_t buffer, uint64_t offset, int32_t tx, int32_t ty,
    int32_t tz);
PYMETALLIC_API void metal_compute_command_encoder_end_encoding(metal_compute_command_encoder_t encoder);
PYMETALLIC_API void metal_compute_command_encoder_release(metal_compute_command_encoder_t encoder);

/* ---- blit command encoders ---------------------------------------------------------------- */

/* One encoder at a time may be open. An encoder ends when it is released, if it did not before. */
PYMETALLIC_API metal_blit_command_encoder_t
metal_command_buffer_make_blit_command_encoder(metal_command_buffer_t command_buffer);
PYMETALLIC_API void metal_blit_command_encoder_copy_buffer(metal_blit_command_encoder_t encoder,
                                                           metal_buffer_t source, uint64_t source_offset,
                                                           metal_buffer_t dest, uint64_t dest_offset, uint64_t size);
/* Copies bytes of the host into a buffer of any storage mode when the command buffer runs. They are staged before the
 * function returns, so that they may change afterwards. (The other way: copy_buffer to a buffer over memory of the host,
 * metal_device_make_buffer_with_bytes_no_copy.) */
PYMETALLIC_API bool metal_blit_command_encoder_copy_bytes(metal_blit_command_encoder_t encoder, const void *bytes,
                                                          uint64_t length, metal_buffer_t dest, uint64_t dest_offset);
/* The same without staging: the device reads the bytes when the command runs. They must not change until deallocator
 * (it may be NULL) is called, from any thread: when the command buffer has completed, or was released without being
 * committed. On failure it is not called. Fails on devices that do not share memory with the host. */
PYMETALLIC_API bool metal_blit_command_encoder_copy_bytes_no_copy(metal_blit_command_encoder_t encoder,
                                                                  const void *bytes, uint64_t length,
                                                                  metal_deallocator deallocator, void *user_data,
                                                                  metal_buffer_t dest, uint64_t dest_offset);
/* Sets length bytes to value. */
PYMETALLIC_API bool metal_blit_command_encoder_fill_buffer(metal_blit_command_encoder_t encoder,
                                                           metal_buffer_t buffer, uint64_t offset, uint64_t length,
                                                           uint8_t value);
PYMETALLIC_API bool metal_blit_command_encoder_copy_buffer_to_texture(
    metal_blit_command_encoder_t encoder, metal_buffer_t source, uint64_t source_offset, uint64_t bytes_per_row,
    uint64_t bytes_per_image, metal_texture_t dest, int32_t slice, int32_t level, const metal_region *dest_region);
PYMETALLIC_API bool metal_blit_command_encoder_copy_texture_to_buffer(
    metal_blit_command_encoder_t encoder, metal_texture_t source, int32_t slice, int32_t level,
    const metal_region *source_region, metal_buffer_t dest, uint64_t dest_offset, uint64_t bytes_per_row,
    uint64_t bytes_per_image);
/* Fills each level of a texture from the one above it. */
PYMETALLIC_API bool metal_blit_command_encoder_generate_mipmaps(metal_blit_command_encoder_t encoder,
                                                                metal_texture_t texture);
/* Makes what kernels wrote to a managed buffer visible to the host. */
PYMETALLIC_API bool metal_blit_command_encoder_synchronize_resource(metal_blit_command_encoder_t encoder,
                                                                    metal_buffer_t buffer);
PYMETALLIC_API void metal_blit_command_encoder_end_encoding(metal_blit_command_encoder_t encoder);
PYMETALLIC_API void metal_blit_command_encoder_release(metal_blit_command_encoder_t encoder);

/* ---- shared events ------------------------------------------------------------------------ */

/* A counter that starts at 0 and only grows. */
PYMETALLIC_API metal_shared_event_t metal_device_make_shared_event(metal_device_t device);
PYMETALLIC_API uint64_t metal_shared_event_get_signaled_value(metal_shared_event_t event);
/* A smaller value changes nothing. */
PYMETALLIC_API bool metal_shared_event_set_signaled_value(metal_shared_event_t event, uint64_t value);
/* True when the value was reached in time. UINT64_MAX milliseconds: without limit. */
PYMETALLIC_API bool metal_shared_event_wait_until_signaled_value(metal_shared_event_t event, uint64_t value,
                                                                 uint64_t milliseconds);
/* Raises the event when everything encoded before has completed. Between encoders. */
PYMETALLIC_API bool metal_command_buffer_encode_signal_event(metal_command_buffer_t command_buffer,
                                                             metal_shared_event_t event, uint64_t value);
/* Holds up everything encoded after until the event has reached the value. Between encoders. */
PYMETALLIC_API bool metal_command_buffer_encode_wait_for_event(metal_command_buffer_t command_buffer,
                                                               metal_shared_event_t event, uint64_t value);
PYMETALLIC_API void metal_shared_event_release(metal_shared_event_t event);

#ifdef __cplusplus
}
#endif

#endif /* PYMETALLIC_H */
