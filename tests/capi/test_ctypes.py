"""Python without our package: ctypes and the shared library, as programs for the Swift bridge are written.

Run it as a program, with PYMETALLIC_LIBRARY naming the shared library; or with pytest.
"""

import ctypes
import os
import threading
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int32, c_uint64, c_void_p

SOURCE = b"""
#include <metal_stdlib>
using namespace metal;
kernel void vector_add(device const float *a [[buffer(0)]], device const float *b [[buffer(1)]],
                       device float *result [[buffer(2)]], uint i [[thread_position_in_grid]]) {
    result[i] = a[i] + b[i];
}
"""

COMPLETED = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)

SIGNATURES = {
    "metal_get_default_device": (c_void_p, []),
    "metal_get_all_devices": (POINTER(c_void_p), []),
    "metal_get_device_count": (c_int32, []),
    "metal_free_device_list": (None, [POINTER(c_void_p)]),
    "metal_device_get_name": (c_void_p, [c_void_p]),
    "metal_device_get_id": (c_void_p, [c_void_p]),
    "metal_device_supports_shader_barycentric_coordinates": (c_bool, [c_void_p]),
    "metal_device_make_command_queue": (c_void_p, [c_void_p]),
    "metal_command_queue_make_command_buffer": (c_void_p, [c_void_p]),
    "metal_device_make_buffer": (c_void_p, [c_void_p, c_uint64, c_int32]),
    "metal_device_make_buffer_with_bytes": (c_void_p, [c_void_p, c_void_p, c_uint64, c_int32]),
    "metal_buffer_get_contents": (c_void_p, [c_void_p]),
    "metal_buffer_get_length": (c_uint64, [c_void_p]),
    "metal_device_make_library_with_source": (c_void_p, [c_void_p, c_char_p]),
    "metal_library_make_function": (c_void_p, [c_void_p, c_char_p]),
    "metal_device_make_compute_pipeline_state": (c_void_p, [c_void_p, c_void_p]),
    "metal_command_buffer_make_compute_command_encoder": (c_void_p, [c_void_p]),
    "metal_compute_command_encoder_set_compute_pipeline_state": (None, [c_void_p, c_void_p]),
    "metal_compute_command_encoder_set_buffer": (None, [c_void_p, c_void_p, c_uint64, c_int32]),
    "metal_compute_command_encoder_dispatch_threads": (None, [c_void_p] + 6 * [c_int32]),
    "metal_compute_command_encoder_end_encoding": (None, [c_void_p]),
    "metal_command_buffer_add_completed_handler": (c_bool, [c_void_p, COMPLETED, c_void_p]),
    "metal_command_buffer_commit": (None, [c_void_p]),
    "metal_command_buffer_wait_until_completed": (None, [c_void_p]),
    "metal_command_buffer_get_status": (c_int32, [c_void_p]),
    "metal_release_object": (None, [c_void_p]),
    "metal_buffer_release": (None, [c_void_p]),
    "metal_get_last_error": (c_void_p, []),
    "metal_free_string": (None, [c_void_p]),
    "metal_get_live_object_count": (c_uint64, []),
    "metal_get_version": (c_char_p, []),
}


def load():
    library = ctypes.CDLL(os.environ["PYMETALLIC_LIBRARY"])
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


metal = load()


def text(pointer):
    """The text that the library gave us, freed."""
    if pointer is None:
        return None
    value = ctypes.string_at(pointer).decode()
    metal.metal_free_string(pointer)
    return value


def last_error():
    return text(metal.metal_get_last_error())


def check(value):
    assert value, last_error()
    return value


def vector_add(count, on_completed=None):
    """Adds two vectors; the sum, or None on a device that runs no kernels."""
    device = check(metal.metal_get_default_device())
    queue = check(metal.metal_device_make_command_queue(device))
    library = check(metal.metal_device_make_library_with_source(device, SOURCE))
    function = check(metal.metal_library_make_function(library, b"vector_add"))
    pipeline = check(metal.metal_device_make_compute_pipeline_state(device, function))
    a = (c_float * count)(*range(count))
    b = (c_float * count)(*(2 * i for i in range(count)))
    size = ctypes.sizeof(a)
    buffers = [check(metal.metal_device_make_buffer_with_bytes(device, x, size, 0)) for x in (a, b)]
    buffers.append(check(metal.metal_device_make_buffer(device, size, 0)))
    assert metal.metal_buffer_get_length(buffers[2]) == size
    commands = check(metal.metal_command_queue_make_command_buffer(queue))
    assert metal.metal_command_buffer_get_status(commands) == -1
    encoder = check(metal.metal_command_buffer_make_compute_command_encoder(commands))
    metal.metal_compute_command_encoder_set_compute_pipeline_state(encoder, pipeline)
    for index, buffer in enumerate(buffers):
        metal.metal_compute_command_encoder_set_buffer(encoder, buffer, 0, index)
    metal.metal_compute_command_encoder_dispatch_threads(encoder, count, 1, 1, 64, 1, 1)
    metal.metal_compute_command_encoder_end_encoding(encoder)
    if on_completed:
        check(metal.metal_command_buffer_add_completed_handler(commands, on_completed, 42))
    metal.metal_command_buffer_commit(commands)
    metal.metal_command_buffer_wait_until_completed(commands)
    assert metal.metal_command_buffer_get_status(commands) == 1, last_error()
    contents = check(metal.metal_buffer_get_contents(buffers[2]))
    result = list((c_float * count).from_address(contents))
    runs = text(metal.metal_device_get_id(device)) != "null"
    for handle in [encoder, commands, *buffers, pipeline, function, library, queue, device]:
        metal.metal_release_object(handle)
    assert last_error() is None
    return result if runs else None


def test_vector_add():
    assert vector_add(1000) in (None, [3.0 * i for i in range(1000)])
    assert metal.metal_get_live_object_count() == 0


def test_handlers_are_python_functions():
    seen = []
    handler = COMPLETED(lambda command_buffer, user_data: seen.append(user_data))
    vector_add(10, handler)
    assert seen == [42]


def test_errors_have_text():
    device = check(metal.metal_get_default_device())
    assert metal.metal_device_make_library_with_source(device, b"kernel void f( {") is None
    assert "program_source:1" in last_error()
    assert last_error() is None
    assert metal.metal_buffer_get_length(None) == 0
    assert last_error() == "metal_buffer_get_length: buffer is NULL"
    assert metal.metal_buffer_get_length(0xDEADBEEF) == 0
    assert "0xdeadbeef, no object of this library" in last_error()
    metal.metal_buffer_release(device)
    assert "is a device, not a buffer" in last_error()
    metal.metal_release_object(device)
    metal.metal_release_object(device)
    assert "released already" in last_error()


def test_devices_are_listed():
    count = metal.metal_get_device_count()
    devices = metal.metal_get_all_devices()
    for i in range(count):
        assert text(metal.metal_device_get_name(devices[i]))
        metal.metal_device_supports_shader_barycentric_coordinates(devices[i])
        metal.metal_release_object(devices[i])
    assert devices[count] is None
    metal.metal_free_device_list(devices)
    assert last_error() is None
    assert metal.metal_get_version().count(b".") == 2


def test_threads():
    results = []
    threads = [threading.Thread(target=lambda: results.append(vector_add(100))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(result in (None, [3.0 * i for i in range(100)]) for result in results)
    assert metal.metal_get_live_object_count() == 0


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print(f"{name}: ok")
