/* Uploads and downloads as part of a command buffer. */
#include "check.h"

enum { LENGTH = 3 << 20 };

static void give_back(void *pointer, uint64_t length, void *user_data) {
  CHECK(pointer && length == LENGTH);
  ++*(int *)user_data;
}

static bool is_filled(const uint8_t *bytes, uint8_t value) {
  for (size_t i = 0; i < LENGTH; ++i)
    if (bytes[i] != value) return false;
  return true;
}

/* Up to private memory, down to memory of the host. */
static void up_and_down(metal_device_t device, metal_command_queue_t queue, bool is_staged) {
  int given_back = 0;
  uint8_t *source = malloc(LENGTH), *target = calloc(LENGTH, 1);
  CHECK(source && target);
  memset(source, 7, LENGTH);
  metal_buffer_t buffer = metal_device_make_buffer(device, LENGTH, METAL_RESOURCE_STORAGE_MODE_PRIVATE);
  metal_buffer_t down = metal_device_make_buffer_with_bytes_no_copy(device, target, LENGTH, 0, give_back, &given_back);
  metal_command_buffer_t commands = metal_command_queue_make_command_buffer(queue);
  metal_blit_command_encoder_t blit = metal_command_buffer_make_blit_command_encoder(commands);
  CHECK(buffer && down && commands && blit);
  if (is_staged) {
    CHECK(metal_blit_command_encoder_copy_bytes(blit, source, LENGTH, buffer, 0));
    memset(source, 9, LENGTH);
  } else {
    CHECK(metal_blit_command_encoder_copy_bytes_no_copy(blit, source, LENGTH, give_back, &given_back, buffer, 0));
    CHECK(given_back == 0);
  }
  metal_blit_command_encoder_copy_buffer(blit, buffer, 0, down, 0, LENGTH);
  metal_blit_command_encoder_end_encoding(blit);
  metal_command_buffer_commit(commands);
  metal_command_buffer_wait_until_completed(commands);
  CHECK_OK();
  CHECK(given_back == (is_staged ? 0 : 1));
  CHECK(is_filled(target, 7) || !runs_kernels(device));
  metal_object_t objects[] = {blit, commands, down, buffer};
  RELEASE_ALL(objects);
  CHECK(given_back == (is_staged ? 1 : 2));
  free(source);
  free(target);
  CHECK_OK();
}

static void never_committed(metal_device_t device, metal_command_queue_t queue) {
  int given_back = 0;
  static uint8_t source[LENGTH];
  metal_buffer_t buffer = metal_device_make_buffer(device, LENGTH, METAL_RESOURCE_STORAGE_MODE_SHARED);
  metal_command_buffer_t commands = metal_command_queue_make_command_buffer(queue);
  metal_blit_command_encoder_t blit = metal_command_buffer_make_blit_command_encoder(commands);
  CHECK(metal_blit_command_encoder_copy_bytes_no_copy(blit, source, LENGTH, give_back, &given_back, buffer, 0));
  metal_object_t objects[] = {blit, commands, buffer};
  RELEASE_ALL(objects);
  CHECK(given_back == 1);
  CHECK_OK();
}

/* What fails leaves the memory to the caller, and spoils the command buffer. */
static void wrong_uses(metal_device_t device, metal_command_queue_t queue) {
  int given_back = 0;
  static uint8_t source[LENGTH];
  metal_buffer_t buffer = metal_device_make_buffer(device, 64, METAL_RESOURCE_STORAGE_MODE_SHARED);
  metal_command_buffer_t commands = metal_command_queue_make_command_buffer(queue);
  metal_blit_command_encoder_t blit = metal_command_buffer_make_blit_command_encoder(commands);
  CHECK(!metal_blit_command_encoder_copy_bytes(blit, source, 65, buffer, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "exceeds the buffer");
  CHECK(!metal_blit_command_encoder_copy_bytes(blit, NULL, 4, buffer, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "bytes is NULL");
  CHECK(!metal_blit_command_encoder_copy_bytes_no_copy(blit, source, LENGTH, give_back, &given_back, buffer, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "exceeds the buffer");
  CHECK(!metal_blit_command_encoder_copy_bytes_no_copy(blit, NULL, 4, give_back, &given_back, buffer, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "bytes is NULL");
  CHECK(!metal_blit_command_encoder_copy_bytes_no_copy(blit, source, 0, give_back, &given_back, buffer, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "length is 0");
  CHECK(!metal_blit_command_encoder_copy_bytes_no_copy(blit, source, 4, give_back, &given_back, NULL, 0));
  CHECK_ERROR(METAL_ERROR_VALIDATION, "dest");
  CHECK(given_back == 0);
  metal_object_t objects[] = {blit, commands, buffer};
  RELEASE_ALL(objects);
  CHECK(given_back == 0);
  CHECK_OK();
}

int main(void) {
  metal_device_t device = metal_get_default_device();
  metal_command_queue_t queue = metal_device_make_command_queue(device);
  CHECK(device && queue);
  up_and_down(device, queue, true);
  if (metal_device_has_unified_memory(device)) {
    up_and_down(device, queue, false);
    never_committed(device, queue);
  }
  wrong_uses(device, queue);
  metal_command_queue_release(queue);
  metal_device_release(device);
  CHECK(metal_get_live_object_count() == 0);
  return 0;
}
