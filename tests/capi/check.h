/* What the programs here share: checks that say where they failed, and a small kernel. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pymetallic.h"

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      char *last_ = metal_get_last_error();                                           \
      fprintf(stderr, "%s:%d: %s; last error: %s\n", __FILE__, __LINE__, #condition, \
              last_ ? last_ : "none");                                                \
      exit(1);                                                                        \
    }                                                                                 \
  } while (0)

/* No error is waiting. */
#define CHECK_OK() CHECK(metal_get_last_error_code() == METAL_ERROR_NONE)

/* The last error has this code, and its text contains this. */
#define CHECK_ERROR(code, part) check_error(__FILE__, __LINE__, code, part)

static inline void check_error(const char *file, int line, int32_t code, const char *part) {
  int32_t found = metal_get_last_error_code();
  char *text = metal_get_last_error();
  if (found != code || !text || !strstr(text, part)) {
    fprintf(stderr, "%s:%d: expected error %d with \"%s\"; found %d: %s\n", file, line, (int)code, part, (int)found,
            text ? text : "none");
    exit(1);
  }
  metal_free_string(text);
}

#define RELEASE_ALL(objects)                                        \
  for (size_t i_ = 0; i_ < sizeof(objects) / sizeof *(objects); i_++) \
  metal_release_object((objects)[i_])

/* Whether kernels really run on the device. */
static inline bool runs_kernels(metal_device_t device) {
  char *id = metal_device_get_id(device);
  CHECK(id);
  bool runs = strcmp(id, "null") != 0;
  metal_free_string(id);
  return runs;
}

/* A pipeline of one function of a source. */
static inline metal_compute_pipeline_state_t make_pipeline(metal_device_t device, const char *source,
                                                           const char *name) {
  metal_library_t library = metal_device_make_library_with_source(device, source);
  CHECK(library);
  metal_function_t function = metal_library_make_function(library, name);
  CHECK(function);
  metal_compute_pipeline_state_t pipeline = metal_device_make_compute_pipeline_state(device, function);
  CHECK(pipeline);
  /* The pipeline keeps what it needs. */
  metal_function_release(function);
  metal_library_release(library);
  return pipeline;
}

static const char *const VECTOR_ADD =
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "kernel void vector_add(device const float *a [[buffer(0)]], device const float *b [[buffer(1)]],\n"
    "                       device float *result [[buffer(2)]], uint i [[thread_position_in_grid]]) {\n"
    "  result[i] = a[i] + b[i];\n"
    "}\n";

#endif
