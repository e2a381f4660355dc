/* Many threads at once: with objects of their own, with shared ones, and all releasing the same one. */
#include <pthread.h>

#include "check.h"

enum { THREADS = 8, ROUNDS = 20, COUNT = 256 };

static metal_device_t device;
static metal_command_queue_t queue;
static metal_compute_pipeline_state_t pipeline;
static metal_buffer_t contested[ROUNDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int released, refused, handled;

static void count(int *counter) {
  pthread_mutex_lock(&lock);
  ++*counter;
  pthread_mutex_unlock(&lock);
}

static void completed(metal_command_buffer_t command_buffer, void *user_data) {
  CHECK(metal_command_buffer_get_status(command_buffer) == 1);
  count(user_data);
}

static void *work(void *argument) {
  float first = (float)(intptr_t)argument;
  bool runs = runs_kernels(device);
  for (int round = 0; round < ROUNDS; round++) {
    float data[COUNT];
    for (int i = 0; i < COUNT; i++) data[i] = first + (float)i;
    metal_buffer_t in = metal_device_make_buffer_with_bytes(device, data, sizeof data, 0);
    metal_buffer_t out = metal_device_make_buffer(device, sizeof data, 0);
    metal_command_buffer_t commands = metal_command_queue_make_command_buffer(queue);
    metal_compute_command_encoder_t encoder = metal_command_buffer_make_compute_command_encoder(commands);
    CHECK(metal_command_buffer_add_completed_handler(commands, completed, &handled));
    metal_compute_command_encoder_set_compute_pipeline_state(encoder, pipeline);
    metal_compute_command_encoder_set_buffer(encoder, in, 0, 0);
    metal_compute_command_encoder_set_buffer(encoder, in, 0, 1);
    metal_compute_command_encoder_set_buffer(encoder, out, 0, 2);
    metal_compute_command_encoder_dispatch_threads(encoder, COUNT, 1, 1, 32, 1, 1);
    metal_compute_command_encoder_release(encoder); /* which ends it */
    metal_command_buffer_commit(commands);
    metal_buffer_release(in);
    metal_command_buffer_wait_until_completed(commands);
    CHECK_OK();
    const float *result = metal_buffer_get_contents(out);
    for (int i = 0; runs && i < COUNT; i++) CHECK(result[i] == 2 * (first + (float)i));
    metal_command_buffer_release(commands);
    metal_buffer_release(out);

    /* All threads use and release one buffer: exactly one release counts. */
    (void)metal_buffer_get_length(contested[round]);
    metal_clear_last_error();
    metal_buffer_release(contested[round]);
    count(metal_get_last_error_code() == METAL_ERROR_NONE ? &released : &refused);
    metal_clear_last_error();
  }
  return NULL;
}

static void *other_thread(void *argument) {
  (void)argument;
  CHECK(metal_get_last_error() == NULL);
  (void)metal_buffer_get_length(NULL);
  CHECK(metal_get_last_error_code() == METAL_ERROR_VALIDATION);
  return NULL;
}

int main(void) {
  device = metal_get_default_device();
  CHECK(device);
  queue = metal_device_make_command_queue(device);
  CHECK(queue);
  pipeline = make_pipeline(device, VECTOR_ADD, "vector_add");
  for (int i = 0; i < ROUNDS; i++) contested[i] = metal_device_make_buffer(device, 16, 0);
  pthread_t threads[THREADS];
  for (intptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  CHECK(released == ROUNDS && refused == ROUNDS * (THREADS - 1) && handled == ROUNDS * THREADS);

  /* Errors are kept per thread. */
  (void)metal_buffer_get_length(device);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK_ERROR(METAL_ERROR_VALIDATION, "buffer is a device");

  metal_compute_pipeline_state_release(pipeline);
  metal_command_queue_release(queue);
  metal_device_release(device);
  CHECK(metal_get_live_object_count() == 0);
  return 0;
}
