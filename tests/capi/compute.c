/* The whole path, with every kind of object: results are right, and nothing is left over. */
#include "check.h"

enum { COUNT = 1000 };

static void vector_add(metal_device_t device, bool runs) {
  float a[COUNT], b[COUNT];
  for (int i = 0; i < COUNT; i++) {
    a[i] = (float)i;
    b[i] = (float)(2 * i);
  }
  metal_command_queue_t queue = metal_device_make_command_queue(device);
  CHECK(queue);
  metal_compute_pipeline_state_t pipeline = make_pipeline(device, VECTOR_ADD, "vector_add");
  CHECK(metal_compute_pipeline_state_get_max_total_threads_per_threadgroup(pipeline) >= 64);
  CHECK(metal_compute_pipeline_state_get_thread_execution_width(pipeline) >= 1);
  CHECK(metal_compute_pipeline_state_get_static_threadgroup_memory_length(pipeline) == 0);
  metal_buffer_t ba = metal_device_make_buffer_with_bytes(device, a, sizeof a, METAL_RESOURCE_STORAGE_MODE_SHARED);
  metal_buffer_t bb = metal_device_make_buffer_with_bytes(device, b, sizeof b, METAL_RESOURCE_STORAGE_MODE_SHARED);
  metal_buffer_t result = metal_device_make_buffer(device, sizeof a, METAL_RESOURCE_STORAGE_MODE_SHARED);
  CHECK(ba && bb && result);
  CHECK(metal_buffer_get_length(result) == sizeof a);
  CHECK(metal_buffer_get_storage_mode(result) == METAL_STORAGE_MODE_SHARED);
  CHECK(metal_buffer_get_gpu_address(result) != 0);

  /* Whole threadgroups would run past the end; dispatch_threads stops at the edge. */
  metal_command_buffer_t commands = metal_command_queue_make_command_buffer(queue);
  CHECK(commands);
  CHECK(metal_command_buffer_get_status(commands) == -1);
  metal_compute_command_encoder_t encoder = metal_command_buffer_make_compute_command_encoder(commands);
  CHECK(encoder);
  metal_compute_command_encoder_set_compute_pipeline_state(encoder, pipeline);
  metal_compute_command_encoder_set_buffer(encoder, ba, 0, 0);
  metal_compute_command_encoder_set_buffer(encoder, bb, 0, 1);
  metal_compute_command_encoder_set_buffer(encoder, result, 0, 2);
  metal_compute_command_encoder_dispatch_threads(encoder, COUNT, 1, 1, 64, 1, 1);
  metal_compute_command_encoder_end_encoding(encoder);
  CHECK_OK();
  metal_command_buffer_commit(commands);
  /* The command buffer keeps what it uses. */
  metal_compute_command_encoder_release(encoder);
  metal_compute_pipeline_state_release(pipeline);
  metal_buffer_release(ba);
  metal_buffer_release(bb);
  metal_command_queue_release(queue);
  metal_command_buffer_wait_until_completed(commands);
  CHECK_OK();
  CHECK(metal_command_buffer_get_status(commands) == 1);
  CHECK(metal_command_buffer_get_error(commands) == NULL);
  CHECK(metal_command_buffer_get_gpu_end_time(commands) >= metal_command_buffer_get_gpu_start_time(commands));
  const float *contents = metal_buffer_get_contents(result);
  CHECK(contents);
  for (int i = 0; runs && i < COUNT; i++) CHECK(contents[i] == (float)(3 * i));
  metal_command_buffer_release(commands);
  metal_buffer_release(result);
}

static const char *const SCALE =
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "constant float factor [[function_constant(0)]];\n"
    "constant int2 pair [[function_constant(1)]];\n"
    "kernel void scale(device float *data [[buffer(0)]], constant float &plus [[buffer(1)]],\n"
    "                  uint i [[thread_position_in_grid]]) {\n"
    "  data[i] = data[i] * factor + plus + BIAS + float(pair.y - pair.x);\n"
    "}\n";

static void constants_and_options(metal_device_t device, bool runs) {
  metal_compile_options_t options = metal_make_compile_options();
  CHECK(options);
  CHECK(metal_compile_options_set_fast_math_enabled(options, 0));
  CHECK(metal_compile_options_set_language_version(options, 3, 1));
  CHECK(metal_compile_options_set_source_name(options, "scale.metal"));
  CHECK(metal_compile_options_add_preprocessor_macro(options, "BIAS", "100.0f"));
  CHECK(metal_compile_options_add_header(options, "unused.h", "int unused;"));
  CHECK(metal_compile_options_add_include_directory(options, "."));
  metal_library_t library = metal_device_make_library_with_options(device, SCALE, options);
  CHECK(library);
  metal_compile_options_release(options);
  CHECK(metal_library_get_function_count(library) == 1);
  char *name = metal_library_get_function_name(library, 0);
  CHECK(name && strcmp(name, "scale") == 0);
  metal_free_string(name);

  metal_function_constant_values_t values = metal_make_function_constant_values();
  float factor = 4.0f;
  int32_t pair[2] = {1, 3};
  CHECK(metal_function_constant_values_set_constant_value(values, &factor, METAL_DATA_TYPE_FLOAT, 0));
  CHECK(metal_function_constant_values_set_constant_value_with_name(values, pair, METAL_DATA_TYPE_INT2, "pair"));
  metal_function_t function = metal_library_make_function_with_constants(library, "scale", values);
  CHECK(function);
  CHECK(metal_function_constant_values_reset(values));
  metal_function_constant_values_release(values);
  name = metal_function_get_name(function);
  CHECK(name && strcmp(name, "scale") == 0);
  free(name); /* free() does as well. */
  metal_compute_pipeline_state_t pipeline = metal_device_make_compute_pipeline_state(device, function);
  CHECK(pipeline);

  float data[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  metal_buffer_t buffer = metal_device_make_buffer_with_bytes(device, data, sizeof data, 0);
  metal_command_queue_t queue = metal_device_make_command_queue(device);
  metal_command_buffer_t commands = metal_command_queue_make_command_buffer(queue);
  metal_compute_command_encoder_t encoder = metal_command_buffer_make_compute_command_encoder(commands);
  float plus = 0.5f;
  metal_compute_command_encoder_set_compute_pipeline_state(encoder, pipeline);
  metal_compute_command_encoder_set_buffer(encoder, buffer, 0, 0);
  CHECK(metal_compute_command_encoder_set_bytes(encoder, &plus, sizeof plus, 1));
  metal_compute_command_encoder_dispatch_threadgroups(encoder, 1, 1, 1, 4, 1, 1);
  CHECK(metal_compute_command_encoder_memory_barrier(encoder, 1));
  CHECK(metal_compute_command_encoder_set_buffer_offset(encoder, 16, 0));
  plus = 1.5f; /* Bytes were copied: this reaches the second dispatch only. */
  CHECK(metal_compute_command_encoder_set_bytes(encoder, &plus, sizeof plus, 1));
  metal_compute_command_encoder_dispatch_threadgroups(encoder, 1, 1, 1, 4, 1, 1);
  metal_compute_command_encoder_end_encoding(encoder);
  metal_command_buffer_commit(commands);
  metal_command_buffer_wait_until_completed(commands);
  CHECK_OK();
  const float *contents = metal_buffer_get_contents(buffer);
  for (int i = 0; runs && i < 8; i++) {
    CHECK(contents[i] == (float)i * 4.0f + (i < 4 ? 0.5f : 1.5f) + 100.0f + 2.0f);
  }
  metal_object_t all[] = {encoder, commands, queue, buffer, pipeline, function, library};
  RELEASE_ALL(all);
}

static const char *const SUMS =
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "kernel void sums(device const uint *in [[buffer(0)]], device uint *out [[buffer(1)]],\n"
    "                 threadgroup uint *tile [[threadgroup(0)]], uint i [[thread_position_in_grid]],\n"
    "                 uint t [[thread_position_in_threadgroup]], uint g [[threadgroup_position_in_grid]]) {\n"
    "  tile[t] = in[i];\n"
    "  threadgroup_barrier(mem_flags::mem_threadgroup);\n"
    "  for (uint s = 32; s > 0; s /= 2) {\n"
    "    if (t < s) tile[t] += tile[t + s];\n"
    "    threadgroup_barrier(mem_flags::mem_threadgroup);\n"
    "  }\n"
    "  if (t == 0) out[g] = tile[0];\n"
    "}\n";

static void threadgroup_memory_and_indirect(metal_device_t device, bool runs) {
  uint32_t data[256], groups[3] = {4, 1, 1};
  for (uint32_t i = 0; i < 256; i++) data[i] = i;
  metal_compute_pipeline_state_t pipeline = make_pipeline(device, SUMS, "sums");
  metal_buffer_t in = metal_device_make_buffer_with_bytes(device, data, sizeof data, 0);
  metal_buffer_t out = metal_device_make_buffer(device, 16, 0);
  metal_buffer_t counts = metal_device_make_buffer_with_bytes(device, groups, sizeof groups, 0);
  metal_command_queue_t queue = metal_device_make_command_queue(device);
  metal_command_buffer_t commands = metal_command_queue_make_command_buffer(queue);
  metal_compute_command_encoder_t encoder = metal_command_buffer_make_compute_command_encoder(commands);
  metal_compute_command_encoder_set_compute_pipeline_state(encoder, pipeline);
  metal_compute_command_encoder_set_buffer(encoder, in, 0, 0);
  metal_compute_command_encoder_set_buffer(encoder, out, 0, 1);
  metal_compute_command_encoder_set_threadgroup_memory_length(encoder, 64 * sizeof(uint32_t), 0);
  CHECK(metal_compute_command_encoder_use_resource(encoder, counts));
  CHECK(metal_compute_command_encoder_dispatch_threadgroups_with_indirect_buffer(encoder, counts, 0, 64, 1, 1));
  metal_compute_command_encoder_end_encoding(encoder);
  metal_command_buffer_commit(commands);
  metal_command_buffer_wait_until_completed(commands);
  CHECK_OK();
  const uint32_t *sums = metal_buffer_get_contents(out);
  for (uint32_t g = 0; runs && g < 4; g++) CHECK(sums[g] == 64 * (64 * g) + 2016);
  metal_object_t all[] = {encoder, commands, queue, counts, out, in, pipeline};
  RELEASE_ALL(all);
}

static void check_text(char *text, const char *expected) {
  CHECK(text && strcmp(text, expected) == 0);
  metal_free_string(text);
}

/* Blits do run on the null device too. */
static void blits(metal_device_t device) {
  uint8_t data[64];
  memset(data, 7, sizeof data);
  metal_buffer_t source = metal_device_make_buffer_with_bytes(device, data, 64, METAL_RESOURCE_STORAGE_MODE_MANAGED);
  CHECK(metal_buffer_get_storage_mode(source) == METAL_STORAGE_MODE_MANAGED);
  metal_buffer_t hidden = metal_device_make_buffer(device, 64, METAL_RESOURCE_STORAGE_MODE_PRIVATE);
  CHECK(metal_buffer_get_contents(hidden) == NULL);
  CHECK_OK();
  metal_buffer_t dest = metal_device_make_buffer(device, 64, METAL_RESOURCE_STORAGE_MODE_MANAGED);
  CHECK(metal_buffer_set_label(dest, "destination"));
  check_text(metal_buffer_get_label(dest), "destination");
  ((uint8_t *)metal_buffer_get_contents(source))[63] = 8;
  CHECK(metal_buffer_did_modify_range(source, 63, 1));

  metal_command_queue_t queue = metal_device_make_command_queue(device);
  CHECK(metal_command_queue_set_label(queue, "copies"));
  check_text(metal_command_queue_get_label(queue), "copies");
  metal_command_buffer_t commands = metal_command_queue_make_command_buffer(queue);
  CHECK(metal_command_buffer_set_label(commands, "blits"));
  check_text(metal_command_buffer_get_label(commands), "blits");
  metal_blit_command_encoder_t encoder = metal_command_buffer_make_blit_command_encoder(commands);
  CHECK(encoder);
  metal_blit_command_encoder_copy_buffer(encoder, source, 0, hidden, 0, 64);
  CHECK(metal_blit_command_encoder_fill_buffer(encoder, hidden, 8, 8, 0xab));
  metal_blit_command_encoder_copy_buffer(encoder, hidden, 0, dest, 0, 64);
  CHECK(metal_blit_command_encoder_synchronize_resource(encoder, dest));
  metal_blit_command_encoder_end_encoding(encoder);
  metal_command_buffer_commit(commands);
  metal_command_buffer_wait_until_scheduled(commands);
  metal_command_buffer_wait_until_completed(commands);
  CHECK_OK();
  const uint8_t *bytes = metal_buffer_get_contents(dest);
  for (int i = 0; i < 64; i++) CHECK(bytes[i] == (i >= 8 && i < 16 ? 0xab : i == 63 ? 8 : 7));
  metal_blit_command_encoder_release(encoder);
  metal_command_buffer_release(commands);
  metal_command_queue_release(queue);
  metal_buffer_release(dest);
  metal_buffer_release(hidden);
  metal_buffer_release(source);
}

static const char *const INVERT =
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "kernel void invert(texture2d<float, access::read> in [[texture(0)]],\n"
    "                   texture2d<float, access::write> out [[texture(1)]],\n"
    "                   texture2d<float, access::sample> image [[texture(2)]], sampler s [[sampler(0)]],\n"
    "                   uint2 p [[thread_position_in_grid]]) {\n"
    "  float center = image.sample(s, float2(0.5, 0.5)).x;\n"
    "  out.write(float4(1.0 - in.read(p).x, center, 0.0, 1.0), p);\n"
    "}\n";

static const float TEXELS[8] = {0, 0.25f, 0.5f, 0.75f, 1, 0.5f, 0.25f, 0};
static const metal_region ALL = {0, 0, 0, 4, 2, 1};

static void textures(metal_device_t device, bool runs) {
  metal_texture_descriptor descriptor;
  CHECK(metal_texture_descriptor_init(&descriptor));
  descriptor.pixel_format = METAL_PIXEL_FORMAT_R32_FLOAT;
  descriptor.width = 4;
  descriptor.height = 2;
  metal_texture_t in = metal_device_make_texture(device, &descriptor);
  CHECK(in);
  metal_texture_t out = metal_device_make_texture_2d(device, METAL_PIXEL_FORMAT_RGBA32_FLOAT, 4, 2, 0);
  CHECK(out);
  CHECK(metal_texture_get_width(in) == 4 && metal_texture_get_height(in) == 2 && metal_texture_get_depth(in) == 1);
  CHECK(metal_texture_get_pixel_format(in) == METAL_PIXEL_FORMAT_R32_FLOAT);
  CHECK(metal_texture_set_label(in, "input"));
  check_text(metal_texture_get_label(in), "input");
  float back[8] = {0};
  CHECK(metal_texture_replace_region(in, &ALL, 0, 0, TEXELS, sizeof TEXELS, 16, 0));
  CHECK(metal_texture_get_bytes(in, back, sizeof back, 16, 0, &ALL, 0, 0));
  CHECK(memcmp(TEXELS, back, sizeof back) == 0);

  metal_sampler_descriptor sampling;
  CHECK(metal_sampler_descriptor_init(&sampling));
  sampling.min_filter = sampling.mag_filter = METAL_SAMPLER_MIN_MAG_FILTER_LINEAR;
  metal_sampler_state_t sampler = metal_device_make_sampler_state(device, &sampling);
  CHECK(sampler);

  metal_compute_pipeline_state_t pipeline = make_pipeline(device, INVERT, "invert");
  metal_command_queue_t queue = metal_device_make_command_queue(device);
  metal_command_buffer_t commands = metal_command_queue_make_command_buffer(queue);
  metal_compute_command_encoder_t encoder = metal_command_buffer_make_compute_command_encoder(commands);
  metal_compute_command_encoder_set_compute_pipeline_state(encoder, pipeline);
  CHECK(metal_compute_command_encoder_set_texture(encoder, in, 0));
  CHECK(metal_compute_command_encoder_set_texture(encoder, out, 1));
  CHECK(metal_compute_command_encoder_set_texture(encoder, in, 2));
  CHECK(metal_compute_command_encoder_set_sampler_state(encoder, sampler, 0));
  metal_compute_command_encoder_dispatch_threads(encoder, 4, 2, 1, 4, 2, 1);
  metal_compute_command_encoder_end_encoding(encoder);
  /* And out through a buffer into another texture, with blits. */
  metal_buffer_t linear = metal_device_make_buffer(device, 8 * 16, 0);
  metal_texture_t copy = metal_device_make_texture_2d(device, METAL_PIXEL_FORMAT_RGBA32_FLOAT, 4, 2, 0);
  metal_blit_command_encoder_t blit = metal_command_buffer_make_blit_command_encoder(commands);
  CHECK(blit);
  CHECK(metal_blit_command_encoder_copy_texture_to_buffer(blit, out, 0, 0, &ALL, linear, 0, 64, 0));
  CHECK(metal_blit_command_encoder_copy_buffer_to_texture(blit, linear, 0, 64, 0, copy, 0, 0, &ALL));
  metal_blit_command_encoder_end_encoding(blit);
  metal_command_buffer_commit(commands);
  metal_command_buffer_wait_until_completed(commands);
  CHECK_OK();
  float result[8][4];
  CHECK(metal_texture_get_bytes(copy, result, sizeof result, 64, 0, &ALL, 0, 0));
  for (int i = 0; runs && i < 8; i++) {
    CHECK(result[i][0] == 1.0f - TEXELS[i]);
    CHECK(result[i][1] == (0.25f + 0.5f + 0.5f + 0.25f) / 4.0f);
    CHECK(result[i][3] == 1.0f);
  }
  metal_object_t all[] = {blit, copy, linear, encoder, commands, queue, pipeline, sampler, out, in};
  RELEASE_ALL(all);
}

static void mipmaps(metal_device_t device) {
  metal_texture_descriptor descriptor;
  CHECK(metal_texture_descriptor_init(&descriptor));
  descriptor.pixel_format = METAL_PIXEL_FORMAT_R32_FLOAT;
  descriptor.width = 4;
  descriptor.height = 2;
  descriptor.mipmap_level_count = 3;
  metal_texture_t texture = metal_device_make_texture(device, &descriptor);
  CHECK(texture);
  CHECK(metal_texture_replace_region(texture, &ALL, 0, 0, TEXELS, sizeof TEXELS, 16, 0));
  metal_command_queue_t queue = metal_device_make_command_queue(device);
  metal_command_buffer_t commands = metal_command_queue_make_command_buffer(queue);
  metal_blit_command_encoder_t blit = metal_command_buffer_make_blit_command_encoder(commands);
  CHECK(metal_blit_command_encoder_generate_mipmaps(blit, texture));
  metal_blit_command_encoder_end_encoding(blit);
  metal_command_buffer_commit(commands);
  metal_command_buffer_wait_until_completed(commands);
  CHECK_OK();
  float back[2] = {0};
  metal_region half = {0, 0, 0, 2, 1, 1};
  CHECK(metal_texture_get_bytes(texture, back, sizeof back, 8, 0, &half, 1, 0));
  CHECK(back[0] == (0 + 0.25f + 1 + 0.5f) / 4 && back[1] == (0.5f + 0.75f + 0.25f + 0) / 4);
  metal_object_t all[] = {blit, commands, queue, texture};
  RELEASE_ALL(all);
}

struct seen {
  metal_command_buffer_t command_buffer;
  int32_t status;
  int calls;
};

static void completed(metal_command_buffer_t command_buffer, void *user_data) {
  struct seen *seen = user_data;
  seen->command_buffer = command_buffer;
  seen->status = metal_command_buffer_get_status(command_buffer);
  /* Waiting for oneself must not hang. */
  metal_command_buffer_wait_until_completed(command_buffer);
  seen->calls++;
}

static void handlers_and_events(metal_device_t device) {
  struct seen seen = {NULL, 0, 0};
  metal_shared_event_t event = metal_device_make_shared_event(device);
  CHECK(metal_shared_event_get_signaled_value(event) == 0);
  CHECK(!metal_shared_event_wait_until_signaled_value(event, 1, 1));
  CHECK_OK();
  metal_command_queue_t queue = metal_device_make_command_queue(device);
  metal_command_buffer_t commands = metal_command_queue_make_command_buffer(queue);
  CHECK(metal_command_buffer_encode_wait_for_event(commands, event, 1));
  CHECK(metal_command_buffer_encode_signal_event(commands, event, 2));
  CHECK(metal_command_buffer_add_completed_handler(commands, completed, &seen));
  metal_command_buffer_commit(commands);
  CHECK(metal_command_buffer_get_status(commands) == 0);
  CHECK(seen.calls == 0);
  CHECK(metal_shared_event_set_signaled_value(event, 1));
  metal_command_buffer_wait_until_completed(commands);
  CHECK_OK();
  CHECK(seen.calls == 1 && seen.status == 1 && seen.command_buffer == commands);
  CHECK(metal_shared_event_wait_until_signaled_value(event, 2, UINT64_MAX));
  CHECK(metal_shared_event_get_signaled_value(event) == 2);
  metal_command_buffer_release(commands);

  /* The handler gets a good handle even when the program has let go of it. */
  commands = metal_command_queue_make_command_buffer(queue);
  CHECK(metal_command_buffer_encode_wait_for_event(commands, event, 3));
  CHECK(metal_command_buffer_add_completed_handler(commands, completed, &seen));
  metal_command_buffer_commit(commands);
  metal_command_buffer_release(commands);
  metal_command_buffer_t last = metal_command_queue_make_command_buffer(queue);
  metal_command_buffer_commit(last);
  CHECK(metal_shared_event_set_signaled_value(event, 3));
  metal_command_buffer_wait_until_completed(last);
  CHECK_OK();
  /* The wait was for another one: the handler may still be about to run. Nobody signals 1000; each wait takes 1 ms. */
  for (int i = 0; i < 10000 && *(volatile int *)&seen.calls < 2; i++)
    CHECK(!metal_shared_event_wait_until_signaled_value(event, 1000, 1));
  CHECK(seen.calls == 2 && seen.status == 1 && seen.command_buffer == commands);
  /* Its handle goes when it returns. */
  for (int i = 0; i < 10000 && metal_command_buffer_get_status(commands) != -1; i++)
    CHECK(!metal_shared_event_wait_until_signaled_value(event, 1000, 1));
  CHECK(metal_command_buffer_get_status(commands) == -1);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "released already");
  metal_command_buffer_release(last);
  metal_command_queue_release(queue);
  metal_shared_event_release(event);
}

static void give_back(void *pointer, uint64_t length, void *user_data) {
  CHECK(length == 64);
  free(pointer);
  ++*(int *)user_data;
}

static void memory_of_the_host(metal_device_t device) {
  int given_back = 0;
  uint8_t *memory = malloc(64);
  CHECK(memory);
  memset(memory, 1, 64);
  metal_buffer_t buffer = metal_device_make_buffer_with_bytes_no_copy(
      device, memory, 64, METAL_RESOURCE_STORAGE_MODE_SHARED, give_back, &given_back);
  if (!buffer) {
    /* Not every device can; then the memory stays ours. */
    CHECK_ERROR(METAL_ERROR_DEVICE, "memory");
    CHECK(given_back == 0);
    free(memory);
    return;
  }
  CHECK(metal_buffer_get_contents(buffer) == memory);
  CHECK(metal_retain_object(buffer) == buffer);
  metal_buffer_release(buffer);
  CHECK(given_back == 0);
  metal_buffer_release(buffer);
  CHECK(given_back == 1);
  CHECK_OK();
}

static void devices(metal_device_t device) {
  char *id = metal_device_get_id(device);
  char *name = metal_device_get_name(device);
  CHECK(id && *id && name && *name);
  /* One device has one handle, counted. */
  metal_device_t same = metal_get_device_by_name(id);
  CHECK(same == device);
  metal_device_release(same);
  metal_free_string(id);
  metal_free_string(name);
  int32_t count = metal_get_device_count();
  metal_device_t *list = metal_get_all_devices();
  CHECK(list && count >= 0);
  for (int32_t i = 0; i < count; i++) {
    CHECK(list[i]);
    metal_device_release(list[i]);
  }
  CHECK(list[count] == NULL);
  metal_free_device_list(list);
  uint32_t most[3] = {0, 0, 0};
  CHECK(metal_device_get_max_threads_per_threadgroup(device, most));
  CHECK(most[0] >= 1 && most[1] >= 1 && most[2] >= 1);
  CHECK(metal_device_get_max_buffer_length(device) >= 1 << 20);
  CHECK(metal_device_get_max_threadgroup_memory_length(device) >= 16384);
  (void)metal_device_has_unified_memory(device);
  (void)metal_device_supports_shader_barycentric_coordinates(device);
  CHECK_OK();
}

static const char *const APPLY =
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "[[visible]] float add(float x, float y) { return x + y; }\n"
    "[[visible]] float multiply(float x, float y) { return x * y; }\n"
    "kernel void apply(device float *data [[buffer(0)]],\n"
    "                  visible_function_table<float(float, float)> table [[buffer(1)]],\n"
    "                  uint i [[thread_position_in_grid]]) { data[i] = table[i % table.size()](data[i], 10); }\n";

static void function_tables(metal_device_t device, bool runs) {
  metal_library_t library = metal_device_make_library_with_source(device, APPLY);
  CHECK(library);
  metal_function_t kernel = metal_library_make_function(library, "apply");
  metal_function_t linked[2] = {metal_library_make_function(library, "add"),
                                metal_library_make_function(library, "multiply")};
  CHECK(kernel && linked[0] && linked[1]);
  CHECK(metal_function_get_function_type(kernel) == METAL_FUNCTION_TYPE_KERNEL);
  CHECK(metal_function_get_function_type(linked[0]) == METAL_FUNCTION_TYPE_VISIBLE);
  metal_compute_pipeline_state_t pipeline =
      metal_device_make_compute_pipeline_state_with_linked_functions(device, kernel, linked, 2);
  CHECK(pipeline);
  metal_visible_function_table_t table = metal_compute_pipeline_state_make_visible_function_table(pipeline, 2);
  CHECK(table);
  for (int i = 0; i < 2; i++) {
    metal_function_handle_t handle = metal_compute_pipeline_state_make_function_handle(pipeline, linked[i]);
    CHECK(handle);
    CHECK(metal_visible_function_table_set_function(table, handle, i));
    metal_function_handle_release(handle);
  }
  CHECK(metal_visible_function_table_get_gpu_address(table) != 0);
  metal_buffer_t memory = metal_visible_function_table_get_buffer(table);
  CHECK(memory && metal_buffer_get_length(memory) == 24);
  float values[4] = {1, 2, 3, 4};
  metal_buffer_t data =
      metal_device_make_buffer_with_bytes(device, values, sizeof values, METAL_RESOURCE_STORAGE_MODE_SHARED);
  metal_command_queue_t queue = metal_device_make_command_queue(device);
  metal_command_buffer_t commands = metal_command_queue_make_command_buffer(queue);
  metal_compute_command_encoder_t encoder = metal_command_buffer_make_compute_command_encoder(commands);
  metal_compute_command_encoder_set_compute_pipeline_state(encoder, pipeline);
  metal_compute_command_encoder_set_buffer(encoder, data, 0, 0);
  CHECK(metal_compute_command_encoder_set_visible_function_table(encoder, table, 1));
  metal_compute_command_encoder_dispatch_threads(encoder, 4, 1, 1, 4, 1, 1);
  metal_compute_command_encoder_end_encoding(encoder);
  metal_command_buffer_commit(commands);
  metal_command_buffer_wait_until_completed(commands);
  CHECK_OK();
  const float *result = metal_buffer_get_contents(data);
  if (runs) CHECK(result[0] == 11 && result[1] == 20 && result[2] == 13 && result[3] == 40);
  /* An entry that is not there, and what is no handle of a function. */
  CHECK(!metal_visible_function_table_set_function(table, NULL, 2));
  CHECK(!metal_visible_function_table_set_function(table, kernel, 0));
  CHECK(!metal_device_make_compute_pipeline_state_with_linked_functions(device, kernel, NULL, 1));
  metal_clear_last_error();
  metal_compute_command_encoder_release(encoder);
  metal_command_buffer_release(commands);
  metal_command_queue_release(queue);
  metal_buffer_release(data);
  metal_buffer_release(memory);
  metal_visible_function_table_release(table);
  metal_compute_pipeline_state_release(pipeline);
  metal_function_release(linked[0]);
  metal_function_release(linked[1]);
  metal_function_release(kernel);
  metal_library_release(library);
}

int main(void) {
  char version[40];
  snprintf(version, sizeof version, "%d.%d.%d", PYMETALLIC_VERSION_MAJOR, PYMETALLIC_VERSION_MINOR,
           PYMETALLIC_VERSION_PATCH);
  const char *found = metal_get_version();
  CHECK(strncmp(found, version, strlen(version)) == 0);
  CHECK(strcmp(found + strlen(version), "") == 0 || strcmp(found + strlen(version), "-dev") == 0);
  metal_device_t device = metal_get_default_device();
  CHECK(device);
  bool runs = runs_kernels(device);
  devices(device);
  vector_add(device, runs);
  constants_and_options(device, runs);
  threadgroup_memory_and_indirect(device, runs);
  blits(device);
  textures(device, runs);
  mipmaps(device);
  handlers_and_events(device);
  memory_of_the_host(device);
  function_tables(device, runs);
  CHECK(metal_get_live_object_count() == 1);
  metal_device_release(device);
  CHECK(metal_get_live_object_count() == 0);
  CHECK_OK();
  return 0;
}
