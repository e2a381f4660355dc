/* Wrong use of every kind ends as an error that says what is wrong, never as a crash. */
#include "check.h"

static metal_device_t device;

static void sources(void) {
  CHECK(!metal_device_make_library_with_source(device, "kernel void broken( { }"));
  CHECK(metal_get_last_error_code() == METAL_ERROR_COMPILE);
  char *text = metal_get_last_error();
  CHECK(text && strstr(text, "program_source:1"));
  metal_free_string(text);
  /* Fetched means forgotten. */
  CHECK(metal_get_last_error() == NULL && metal_get_last_error_code() == METAL_ERROR_NONE);

  CHECK(!metal_device_make_library_with_source(device, NULL));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "metal_device_make_library_with_source: source is NULL");
  CHECK(!metal_device_make_library_with_source(device, "\xff"));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "not UTF-8");

  metal_library_t library = metal_device_make_library_with_source(device, VECTOR_ADD);
  CHECK(library);
  CHECK(!metal_library_make_function(library, "missing"));
  CHECK_ERROR(METAL_ERROR_FUNCTION, "missing");
  CHECK(!metal_library_make_function(library, NULL));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "name is NULL");
  CHECK(!metal_library_get_function_name(library, 1));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "the library has 1 functions");
  CHECK(!metal_library_get_function_name(library, -1));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "negative");
  CHECK(!metal_library_get_warnings(library));
  CHECK_OK();

  metal_function_constant_values_t values = metal_make_function_constant_values();
  int32_t one = 1;
  CHECK(!metal_function_constant_values_set_constant_value(values, &one, 2, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "data_type is 2");
  CHECK(!metal_function_constant_values_set_constant_value(values, NULL, METAL_DATA_TYPE_INT, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "value is NULL");
  CHECK(metal_function_constant_values_set_constant_value(values, &one, METAL_DATA_TYPE_INT, 0));
  CHECK(!metal_library_make_function_with_constants(library, "vector_add", values));
  CHECK_ERROR(METAL_ERROR_FUNCTION, "function constant");
  metal_function_constant_values_release(values);
  metal_library_release(library);
}

static void buffers(void) {
  CHECK(!metal_device_make_buffer(device, 0, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "at least one byte");
  CHECK(!metal_device_make_buffer(device, UINT64_MAX, 0));
  CHECK_ERROR(METAL_ERROR_MEMORY, "exceeds");
  CHECK(!metal_device_make_buffer(device, 16, 0x30));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "options");
  CHECK(!metal_device_make_buffer(device, 16, -1));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "options");
  CHECK(!metal_device_make_buffer_with_bytes(device, NULL, 16, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "bytes is NULL");
  CHECK(!metal_device_make_buffer_with_bytes(device, &device, UINT64_MAX, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "cannot have");
  CHECK(!metal_device_make_buffer_with_bytes(device, &device, 0, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "at least one byte");
  metal_buffer_t buffer = metal_device_make_buffer(device, 16, 0);
  CHECK(!metal_buffer_did_modify_range(buffer, 0, 16));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "managed");
  CHECK(!metal_buffer_set_label(buffer, NULL));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "label is NULL");
  metal_buffer_release(buffer);
}

static void handles(void) {
  metal_buffer_t buffer = metal_device_make_buffer(device, 16, 0);
  metal_command_queue_t queue = metal_device_make_command_queue(device);
  CHECK(buffer && queue);

  /* NULL */
  CHECK(metal_buffer_get_length(NULL) == 0);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "metal_buffer_get_length: buffer is NULL");
  CHECK(!metal_device_make_command_queue(NULL));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "device is NULL");
  CHECK(metal_command_buffer_get_status(NULL) == -1);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "command_buffer is NULL");
  metal_command_buffer_commit(NULL);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "command_buffer is NULL");
  metal_compute_command_encoder_dispatch_threads(NULL, 1, 1, 1, 1, 1, 1);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "encoder is NULL");
  CHECK(!metal_retain_object(NULL));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "object is NULL");
  /* Nothing to release is no error: programs clean up after a failure without asking. */
  metal_buffer_release(NULL);
  metal_release_object(NULL);
  metal_free_string(NULL);
  metal_free_device_list(NULL);
  CHECK_OK();

  /* Of another kind */
  CHECK(!metal_buffer_get_contents(queue));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "buffer is a command queue, not a buffer");
  metal_buffer_release(queue);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "a command queue, not a buffer");
  metal_command_buffer_t commands = metal_command_queue_make_command_buffer(queue);
  CHECK(commands); /* It was not released by that. */
  metal_command_buffer_release(commands);
  metal_blit_command_encoder_end_encoding(buffer);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "encoder is a buffer");

  /* From elsewhere */
  char memory[256] = {0};
  CHECK(metal_buffer_get_length(memory) == 0);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "no object of this library");
  metal_release_object(memory + 1);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "no object of this library");
  metal_release_object((void *)(uintptr_t)1);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "no object of this library");
  metal_release_object((void *)UINTPTR_MAX);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "no object of this library");
  metal_free_string(memory);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "not from this library");

  /* Released already */
  CHECK(metal_retain_object(buffer) == buffer);
  metal_buffer_release(buffer);
  CHECK(metal_buffer_get_length(buffer) == 16);
  metal_buffer_release(buffer);
  CHECK_OK();
  metal_buffer_release(buffer);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "a buffer that has been released already");
  CHECK(metal_buffer_get_length(buffer) == 0);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "released already");
  /* Its handle does not come to mean another buffer. */
  metal_buffer_t others[100];
  for (int i = 0; i < 100; i++) {
    others[i] = metal_device_make_buffer(device, 16, 0);
    CHECK(others[i] && others[i] != buffer);
  }
  metal_buffer_release(buffer);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "released already");
  RELEASE_ALL(others);
  CHECK_OK();
  char *name = metal_device_get_name(device);
  metal_free_string(name);
  metal_free_string(name);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "freed already");
  metal_command_queue_release(queue);
  CHECK_OK();
}

static void textures(void) {
  metal_texture_descriptor descriptor;
  memset(&descriptor, 0x55, sizeof descriptor);
  CHECK(!metal_device_make_texture(device, &descriptor));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "metal_texture_descriptor_init");
  CHECK(!metal_device_make_texture(device, NULL));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "descriptor is NULL");
  CHECK(!metal_texture_descriptor_init(NULL));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "descriptor is NULL");
  CHECK(metal_texture_descriptor_init(&descriptor));
  descriptor.pixel_format = 2;
  CHECK(!metal_device_make_texture(device, &descriptor));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "pixel format 2");
  descriptor.pixel_format = METAL_PIXEL_FORMAT_R8_UINT;
  descriptor.texture_type = 10;
  CHECK(!metal_device_make_texture(device, &descriptor));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "texture_type is 10");
  descriptor.texture_type = METAL_TEXTURE_TYPE_2D;
  descriptor.usage = 4;
  CHECK(!metal_device_make_texture(device, &descriptor));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "usage is 4");
  CHECK(!metal_device_make_texture_2d(device, METAL_PIXEL_FORMAT_R8_UINT, 0, 1, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "width");

  metal_texture_t texture = metal_device_make_texture_2d(device, METAL_PIXEL_FORMAT_R8_UINT, 4, 4, 0);
  CHECK(texture);
  uint8_t bytes[16] = {0};
  metal_region region = {1, 1, 0, 4, 4, 1};
  CHECK(!metal_texture_replace_region(texture, &region, 0, 0, bytes, sizeof bytes, 4, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "region");
  region.x = region.y = 0;
  CHECK(!metal_texture_replace_region(texture, &region, 0, 0, bytes, 15, 4, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "15");
  CHECK(!metal_texture_get_bytes(texture, bytes, 15, 4, 0, &region, 0, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "15");
  CHECK(!metal_texture_get_bytes(texture, NULL, 16, 4, 0, &region, 0, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "bytes is NULL");
  CHECK(!metal_texture_get_bytes(texture, bytes, 16, 4, 0, NULL, 0, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "region is NULL");
  CHECK(!metal_texture_get_bytes(texture, bytes, 16, 4, 0, &region, -1, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "level is -1");
  metal_texture_release(texture);

  metal_sampler_descriptor sampler;
  CHECK(metal_sampler_descriptor_init(&sampler));
  sampler.t_address_mode = 6;
  CHECK(!metal_device_make_sampler_state(device, &sampler));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "t_address_mode is 6, not between 0 and 5");
}

static void completed(metal_command_buffer_t command_buffer, void *user_data) {
  *(int32_t *)user_data = metal_command_buffer_get_status(command_buffer);
}

/* An encoding error that nobody looked at does not let half the work run. */
static void spoiled(metal_command_queue_t queue, metal_compute_pipeline_state_t pipeline, metal_buffer_t buffer) {
  metal_command_buffer_t commands = metal_command_queue_make_command_buffer(queue);
  int32_t status = 7;
  CHECK(metal_command_buffer_add_completed_handler(commands, completed, &status));
  CHECK(!metal_command_buffer_add_completed_handler(commands, NULL, NULL));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "handler is NULL");
  metal_blit_command_encoder_t blit = metal_command_buffer_make_blit_command_encoder(commands);
  CHECK(!metal_command_buffer_make_compute_command_encoder(commands));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "is open");
  CHECK(metal_blit_command_encoder_fill_buffer(blit, buffer, 0, 64, 1));
  metal_blit_command_encoder_end_encoding(blit);
  metal_compute_command_encoder_t encoder = metal_command_buffer_make_compute_command_encoder(commands);
  CHECK(encoder);
  metal_command_buffer_wait_until_completed(commands);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "has not been committed");
  metal_compute_command_encoder_set_compute_pipeline_state(encoder, pipeline);
  metal_compute_command_encoder_set_buffer(encoder, buffer, 0, 0);
  metal_compute_command_encoder_set_buffer(encoder, buffer, 0, 2);
  CHECK_OK();
  metal_compute_command_encoder_dispatch_threads(encoder, 16, 1, 1, 16, 1, 1);
  metal_compute_command_encoder_end_encoding(encoder);
  metal_command_buffer_commit(commands);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "kernel vector_add: argument b (buffer 1): no buffer is bound");
  CHECK(status == -1);
  metal_command_buffer_wait_until_completed(commands);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "no buffer is bound");
  CHECK(metal_command_buffer_get_status(commands) == -1);
  char *text = metal_command_buffer_get_error(commands);
  CHECK(text && strstr(text, "no buffer is bound"));
  metal_free_string(text);
  CHECK(*(const uint8_t *)metal_buffer_get_contents(buffer) == 0);
  metal_object_t all[] = {encoder, blit, commands};
  RELEASE_ALL(all);
}

/* Each wrong argument by itself. */
static void arguments(metal_command_queue_t queue, metal_compute_pipeline_state_t pipeline, metal_buffer_t buffer) {
  metal_command_buffer_t commands = metal_command_queue_make_command_buffer(queue);
  metal_compute_command_encoder_t encoder = metal_command_buffer_make_compute_command_encoder(commands);
  metal_compute_command_encoder_dispatch_threads(encoder, 1, 1, 1, 1, 1, 1);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "without a compute pipeline state");
  metal_compute_command_encoder_set_buffer(encoder, NULL, 0, 0);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "buffer is NULL");
  metal_compute_command_encoder_set_buffer(encoder, pipeline, 0, 0);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "buffer is a compute pipeline state");
  metal_compute_command_encoder_set_buffer(encoder, buffer, 64, 0);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "offset 64");
  metal_compute_command_encoder_set_buffer(encoder, buffer, 0, -1);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "index is -1");
  metal_compute_command_encoder_set_buffer(encoder, buffer, 0, 31);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "index 31");
  metal_compute_command_encoder_set_threadgroup_memory_length(encoder, UINT64_MAX, 0);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "exceeds the limit");
  CHECK(!metal_compute_command_encoder_set_bytes(encoder, NULL, 4, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "bytes is NULL");
  CHECK(!metal_compute_command_encoder_memory_barrier(encoder, 4));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "scope is 4");
  metal_compute_command_encoder_set_compute_pipeline_state(encoder, pipeline);
  metal_compute_command_encoder_dispatch_threads(encoder, -1, 1, 1, 1, 1, 1);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "negative");
  metal_compute_command_encoder_dispatch_threadgroups(encoder, 1, 1, 1, 0, 1, 1);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "no threads");
  metal_compute_command_encoder_end_encoding(encoder);
  metal_compute_command_encoder_end_encoding(encoder);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "end_encoding was called before");
  metal_compute_command_encoder_release(encoder);
  metal_command_buffer_release(commands);

  /* Committing twice; encoders after that. */
  commands = metal_command_queue_make_command_buffer(queue);
  metal_command_buffer_commit(commands);
  CHECK_OK();
  metal_command_buffer_commit(commands);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "committed already");
  CHECK(!metal_command_buffer_make_blit_command_encoder(commands));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "committed already");
  metal_command_buffer_wait_until_completed(commands);
  CHECK_OK();
  CHECK(metal_command_buffer_get_status(commands) == 1);
  metal_command_buffer_release(commands);

  /* Objects of another device. */
  metal_device_t other = metal_get_device_by_name("null");
  if (other != device) {
    metal_buffer_t foreign = metal_device_make_buffer(other, 16, 0);
    commands = metal_command_queue_make_command_buffer(queue);
    metal_blit_command_encoder_t blit = metal_command_buffer_make_blit_command_encoder(commands);
    metal_blit_command_encoder_copy_buffer(blit, foreign, 0, buffer, 0, 16);
    CHECK_ERROR(METAL_ERROR_VALIDATION, "belongs to device null");
    metal_object_t all[] = {blit, commands, foreign};
    RELEASE_ALL(all);
  }
  metal_device_release(other);
}

static const char *const OUT_OF_BOUNDS =
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "kernel void wild(device int *data [[buffer(0)]], uint i [[thread_position_in_grid]]) {\n"
    "  data[i + 100000000] = 1;\n"
    "}\n";

/* A kernel that leaves its buffer ends as an error of its command buffer. */
static void faults(metal_command_queue_t queue, metal_buffer_t buffer) {
  metal_compute_pipeline_state_t pipeline = make_pipeline(device, OUT_OF_BOUNDS, "wild");
  metal_command_buffer_t commands = metal_command_queue_make_command_buffer(queue);
  metal_compute_command_encoder_t encoder = metal_command_buffer_make_compute_command_encoder(commands);
  int32_t status = 7;
  CHECK(metal_command_buffer_add_completed_handler(commands, completed, &status));
  metal_compute_command_encoder_set_compute_pipeline_state(encoder, pipeline);
  metal_compute_command_encoder_set_buffer(encoder, buffer, 0, 0);
  metal_compute_command_encoder_dispatch_threads(encoder, 16, 1, 1, 16, 1, 1);
  metal_compute_command_encoder_end_encoding(encoder);
  metal_command_buffer_commit(commands);
  CHECK_OK();
  metal_command_buffer_wait_until_completed(commands);
  CHECK_ERROR(METAL_ERROR_EXECUTION, "wild");
  CHECK(status == -1);
  CHECK(metal_command_buffer_get_status(commands) == -1);
  char *text = metal_command_buffer_get_error(commands);
  CHECK(text && strstr(text, "wild"));
  metal_free_string(text);
  metal_object_t all[] = {encoder, commands, pipeline};
  RELEASE_ALL(all);
}

int main(void) {
  CHECK(metal_get_last_error() == NULL);
  CHECK(!metal_get_device_by_name("abacus"));
  CHECK_ERROR(METAL_ERROR_DEVICE, "abacus");
  CHECK(!metal_get_device_by_name(NULL));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "name is NULL");
  device = metal_get_default_device();
  CHECK(device);
  sources();
  buffers();
  handles();
  textures();
  metal_command_queue_t queue = metal_device_make_command_queue(device);
  metal_compute_pipeline_state_t pipeline = make_pipeline(device, VECTOR_ADD, "vector_add");
  metal_buffer_t buffer = metal_device_make_buffer(device, 64, 0);
  spoiled(queue, pipeline, buffer);
  arguments(queue, pipeline, buffer);
  if (runs_kernels(device)) faults(queue, buffer);
  CHECK_OK();
  metal_buffer_release(buffer);
  metal_compute_pipeline_state_release(pipeline);
  metal_command_queue_release(queue);
  CHECK(metal_get_live_object_count() == 1);
  metal_device_release(device);
  CHECK(metal_get_live_object_count() == 0);
  return 0;
}
