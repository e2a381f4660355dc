/* What kernels log reaches handlers, from a level on. */
#include "check.h"

static const char *const SOURCE =
    "#include <metal_stdlib>\n"
    "#include <metal_logging>\n"
    "using namespace metal;\n"
    "constant os_log tiles(\"org.example\", \"tiles\");\n"
    "kernel void talk(device int *p) {\n"
    "  os_log_default.log(\"value %d\", p[0]);\n"
    "  tiles.log_debug(\"quiet\");\n"
    "  tiles.log_error(\"error %.2f\", 1.5f);\n"
    "}\n";

/* Everything that was logged, a line each. One thread runs one kernel, so nobody else writes meanwhile. */
typedef struct {
  char text[512];
} seen;

static void take(const char *subsystem, const char *category, int32_t level, const char *message, void *user_data) {
  seen *all = user_data;
  size_t length = strlen(all->text);
  snprintf(all->text + length, sizeof all->text - length, "%s:%s %d %s\n", subsystem ? subsystem : "",
           category ? category : "", (int)level, message);
}

static metal_device_t device;
static metal_compute_pipeline_state_t pipeline;

static void talk(metal_command_buffer_t commands) {
  CHECK(commands);
  metal_buffer_t data = metal_device_make_buffer(device, 4, 0);
  metal_compute_command_encoder_t encoder = metal_command_buffer_make_compute_command_encoder(commands);
  metal_compute_command_encoder_set_compute_pipeline_state(encoder, pipeline);
  metal_compute_command_encoder_set_buffer(encoder, data, 0, 0);
  metal_compute_command_encoder_dispatch_threads(encoder, 1, 1, 1, 1, 1, 1);
  metal_compute_command_encoder_end_encoding(encoder);
  metal_command_buffer_commit(commands);
  metal_command_buffer_wait_until_completed(commands);
  CHECK_OK();
  metal_object_t objects[] = {data, encoder, commands};
  RELEASE_ALL(objects);
}

int main(void) {
  device = metal_get_default_device();
  CHECK(device);
  pipeline = make_pipeline(device, SOURCE, "talk");
  bool runs = runs_kernels(device);

  seen all = {""}, errors = {""};
  metal_log_state_t state = metal_device_make_log_state(device, METAL_LOG_LEVEL_DEBUG);
  metal_log_state_t strict = metal_device_make_log_state(device, METAL_LOG_LEVEL_ERROR);
  CHECK(metal_log_state_get_level(strict) == METAL_LOG_LEVEL_ERROR);
  CHECK(metal_log_state_add_log_handler(state, take, &all));
  CHECK(metal_log_state_add_log_handler(strict, take, &errors));

  metal_command_queue_t queue = metal_device_make_command_queue_with_log_state(device, state);
  CHECK(queue);
  talk(metal_command_queue_make_command_buffer(queue));
  CHECK(!runs || strcmp(all.text, ": 3 value 0\norg.example:tiles 1 quiet\norg.example:tiles 4 error 1.50\n") == 0);

  /* A command buffer says otherwise than its queue. */
  all.text[0] = '\0';
  talk(metal_command_queue_make_command_buffer_with_log_state(queue, strict));
  CHECK(all.text[0] == '\0');
  CHECK(!runs || strcmp(errors.text, "org.example:tiles 4 error 1.50\n") == 0);

  CHECK(!metal_device_make_log_state(device, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "metal_device_make_log_state: level is 0, not between 1 and 5");
  CHECK(!metal_log_state_add_log_handler(state, NULL, NULL));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "handler is NULL");
  CHECK(!metal_device_make_command_queue_with_log_state(device, queue));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "log_state is a command queue, not a log state");

  metal_log_state_release(state);
  metal_log_state_release(strict);
  metal_object_t objects[] = {queue, pipeline, device};
  RELEASE_ALL(objects);
  CHECK_OK();
  CHECK(metal_get_live_object_count() == 0);
  return 0;
}
