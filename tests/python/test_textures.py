"""Textures: formats, regions, copies, reads, writes and samples."""

from __future__ import annotations

import numpy as np
import pytest
from support import HEADER, launch

import pymetallic as pm


def run_blit(device: pm.Device, record) -> None:
    commands = device.command_buffer
    blit = commands.make_blit_command_encoder()
    record(blit)
    blit.end_encoding()
    commands.commit()
    commands.wait_until_completed()


def values_of(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    random = np.random.default_rng(5)
    if np.dtype(dtype).kind == "f":
        return random.random(shape, dtype=np.float32).astype(dtype)
    info = np.iinfo(dtype)
    return random.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("pixel_format, dtype, channels", [
    ("r8unorm", "u1", 1), ("rg8unorm", "u1", 2), ("rgba8unorm", "u1", 4), ("rgba8snorm", "i1", 4), ("r8uint", "u1", 1), ("rgba8uint", "u1", 4), ("rgba8sint", "i1", 4),
    ("r16float", "f2", 1), ("rgba16float", "f2", 4), ("rg16uint", "u2", 2), ("r16unorm", "u2", 1), ("r32float", "f4", 1), ("rg32float", "f4", 2),
    ("rgba32float", "f4", 4), ("r32uint", "u4", 1), ("rgba32sint", "i4", 4), ("RGBA32Float", "f4", 4)])
def test_formats(device, pixel_format, dtype, channels):
    shape = (5, 7, channels) if channels > 1 else (5, 7)
    values = values_of(dtype, shape)
    texture = device.make_texture(7, 5, pixel_format=pixel_format)
    assert texture.pixel_format.lower() == pixel_format.lower() and (texture.width, texture.height, texture.depth) == (7, 5, 1)
    texture.replace_region(values)
    result = texture.to_numpy()
    assert result.dtype == np.dtype(dtype) and result.shape == shape
    assert np.array_equal(result, values)


@pytest.mark.parametrize("pixel_format, reason", [("bc7_rgbaUnorm", "compressed"), ("astc_4x4_srgb", "compressed"), (130, "compressed"), ("gbgr422", "share colors"),
                                                  ("depth24Unorm_stencil8", "depth and stencil"), (260, "depth and stencil"), ("rgba9", "no pixel format"), (9, "no pixel format")])
def test_formats_that_there_are_not(device, pixel_format, reason):
    with pytest.raises(pm.MetalError, match=f"pixel_format {pixel_format} is .*{reason}"):
        device.make_texture(8, 8, pixel_format=pixel_format)


def test_formats_of_an_extended_range_and_of_depth(device):
    for pixel_format, dtype, shape in (("bgr10_xr", "u4", (2, 3)), ("bgra10_xr_srgb", "u8", (2, 3)), ("depth16unorm", "u2", (2, 3)), ("depth32float", "f4", (2, 3)), ("stencil8", "u1", (2, 3))):
        texture = device.make_texture(3, 2, pixel_format=pixel_format)
        values = np.arange(6).astype(dtype).reshape(shape)
        texture.replace_region(values)
        assert texture.to_numpy().dtype == np.dtype(dtype) and np.array_equal(texture.to_numpy(), values)
    with pytest.raises(pm.MetalValidationError, match="can only be read"):
        device.make_kernel(COPY, "copy")(device.make_texture(4, 4), device.make_texture(4, 4, pixel_format="depth32float"))


def test_types(device):
    for options, kind in (({}, "texture2d"), ({"texture_type": "2d"}, "texture2d"), ({"depth": 3}, "texture3d"), ({"texture_type": "2d_array", "array_length": 4}, "texture2d_array"),
                          ({"texture_type": "cube"}, "texturecube")):
        texture = device.make_texture(8, 8, **options)
        assert texture.texture_type == kind and texture.device == device
        assert kind in repr(texture) or "8x8" in repr(texture)
    line = device.make_texture(8, texture_type="1d", pixel_format="r32float")
    line.replace_region(np.arange(8, dtype=np.float32))
    assert np.array_equal(line.to_numpy(), np.arange(8))


def test_regions_slices_and_levels(device):
    texture = device.make_texture(8, 6, pixel_format="r8uint", texture_type="2d_array", array_length=3, mipmap_level_count=2)
    texture.replace_region(np.full((2, 3), 9, np.uint8), (4, 1, 0, 3, 2, 1), slice=2)
    expected = np.zeros((6, 8), np.uint8)
    expected[1:3, 4:7] = 9
    assert np.array_equal(texture.to_numpy(slice=2), expected) and not texture.to_numpy(slice=1).any()
    assert np.array_equal(texture.to_numpy((3, 0, 0, 2, 3, 1), slice=2), expected[0:3, 3:5])
    texture.replace_region(np.full((3, 4), 7, np.uint8), level=1, slice=1)
    assert (texture.to_numpy(level=1, slice=1) == 7).all() and texture.to_numpy(level=1).shape == (3, 4)
    volume = device.make_texture(4, 3, 2, pixel_format="r32uint")
    volume.replace_region(np.arange(24, dtype=np.uint32).reshape(2, 3, 4))
    assert np.array_equal(volume.to_numpy((1, 1, 1, 2, 2, 1)), [[[17, 18], [21, 22]]])


def test_what_does_not_fit(device):
    texture = device.make_texture(8, 6, pixel_format="rgba8unorm")
    for array, region in ((np.zeros((6, 8, 3), "u1"), None), (np.zeros((6, 8, 4), "f4"), None), (np.zeros((1, 1, 4), "u1"), (8, 0, 0, 1, 1, 1)), (np.zeros((7, 8, 4), "u1"), (0, 0, 0, 8, 7, 1)),
                          (np.zeros((1, 1, 4), "u1"), (-1, 0, 0, 1, 1, 1))):
        with pytest.raises(pm.MetalError):
            texture.replace_region(array, region)
    for arguments in ({"level": 1}, {"slice": 1}, {"level": -1}, {"region": (0, 0, 0, 9, 1, 1)}, {"region": (0, 0, 0, (1 << 32) - 1, (1 << 32) - 1, 1)}):
        with pytest.raises(pm.MetalError):
            texture.to_numpy(**arguments)
    for arguments, options in (((0,), {}), ((8, 0), {}), ((-8,), {}), ((1 << 20, 1 << 20), {}), ((8, 8), {"pixel_format": "rgba9"}), ((8, 8), {"texture_type": "4d"}), ((8, 8), {"mipmap_level_count": 5}),
                               ((8, 8), {"array_length": 0}), ((8, 9), {"texture_type": "cube"}), ((8, 8), {"usage": "erase"})):
        with pytest.raises(pm.MetalError):
            device.make_texture(*arguments, **options)
    with pytest.raises(ValueError):
        device.make_texture(8, 8, storage_mode=9)


def test_copies(device):
    values = values_of("u1", (6, 8, 4))
    texture, other = device.make_texture(8, 6, pixel_format="rgba8unorm"), device.make_texture(10, 10, pixel_format="rgba8uint")
    source, destination = device.make_buffer_from_numpy(values), device.make_buffer(values.nbytes)
    padded = device.make_buffer(6 * 64 + 16)
    run_blit(device, lambda b: b.copy_from_buffer_to_texture(source, texture))
    assert np.array_equal(texture.to_numpy(), values)
    run_blit(device, lambda b: (b.copy_from_texture_to_buffer(texture, destination), b.copy_from_texture_to_buffer(texture, padded, 16, bytes_per_row=64),
                                b.copy_from_texture(texture, other, (1, 2, 0, 5, 3, 1), (4, 6, 0))))
    assert np.array_equal(destination.to_numpy(np.uint8, values.shape), values)
    assert np.array_equal(padded.to_numpy(np.uint8)[16:].reshape(6, 64)[:, :32].reshape(values.shape), values)
    assert np.array_equal(other.to_numpy()[6:9, 4:9], values[2:5, 1:6]) and not other.to_numpy()[:6].any()
    part = device.make_buffer_from_numpy(np.full((2, 2, 4), 3, np.uint8))
    run_blit(device, lambda b: b.copy_from_buffer_to_texture(part, texture, region=(6, 4, 0, 2, 2, 1)))
    values[4:6, 6:8] = 3
    assert np.array_equal(texture.to_numpy(), values)


def test_copies_that_cannot_be(device):
    texture, buffer = device.make_texture(8, 6, pixel_format="rgba8unorm"), device.make_buffer(8 * 6 * 4 - 1)
    blit = device.command_buffer.make_blit_command_encoder()
    for call in (lambda: blit.copy_from_buffer_to_texture(buffer, texture), lambda: blit.copy_from_texture_to_buffer(texture, buffer), lambda: blit.copy_from_texture(texture, device.make_texture(8, 5, pixel_format="rgba8unorm")),
                 lambda: blit.copy_from_texture(texture, device.make_texture(8, 6, pixel_format="r8unorm")), lambda: blit.copy_from_texture_to_buffer(texture, buffer, level=1),
                 lambda: blit.copy_from_texture_to_buffer(texture, buffer, region=(0, 0, 0, 8, 2, 1), bytes_per_row=16), lambda: blit.generate_mipmaps(texture),
                 lambda: blit.copy_from_texture(texture, texture, dest_origin=(-1, 0, 0))):
        with pytest.raises(pm.MetalError):
            call()


def test_mipmaps(device):
    texture = device.make_texture(8, 4, pixel_format="r32float", mipmap_level_count=4)
    assert texture.mipmap_level_count == 4
    values = values_of("f4", (4, 8))
    texture.replace_region(values)
    run_blit(device, lambda b: b.generate_mipmaps(texture))
    level1 = values.reshape(2, 2, 4, 2).mean(axis=(1, 3))
    assert np.allclose(texture.to_numpy(level=1), level1, atol=1e-6)
    assert np.allclose(texture.to_numpy(level=3), values.mean(), atol=1e-6)


# ---- in kernels ----------------------------------------------------------------------------------

COPY = HEADER + """
kernel void copy(texture2d<float, access::read> in, texture2d<float, access::write> out, uint2 at [[thread_position_in_grid]])
{ out.write(in.read(at), at); }
kernel void twice(texture2d<uint, access::read_write> image, uint2 at [[thread_position_in_grid]])
{ image.write(image.read(at) * 2, at); }
kernel void sizes(texture2d_array<float> a, texture3d<float> b, device uint* out)
{
    out[0] = a.get_width(); out[1] = a.get_height(); out[2] = a.get_array_size(); out[3] = a.get_num_mip_levels();
    out[4] = b.get_width(); out[5] = b.get_height(); out[6] = b.get_depth(); out[7] = a.get_width(1);
}
kernel void look(texture2d<float> image, sampler s, device const float2* where, device float4* out, uint i [[thread_position_in_grid]])
{ out[i] = image.sample(s, where[i]); }
kernel void fixed_sampler(texture2d<float> image, device const float2* where, device float4* out, uint i [[thread_position_in_grid]])
{
    constexpr sampler s(coord::pixel, address::clamp_to_edge, filter::linear);
    out[i] = image.sample(s, where[i]);
}
"""


def test_read_and_write(device):
    values = values_of("u1", (9, 33, 4))
    a, b = (device.make_texture(33, 9, pixel_format="rgba8unorm") for _ in range(2))
    a.replace_region(values)
    device.make_kernel(COPY, "copy")(a, b)
    assert np.array_equal(b.to_numpy(), values)
    c = device.make_texture(33, 9, pixel_format="rgba32float")
    launch(device, COPY, "copy", [a, c], (33, 9, 1), (8, 8, 1))
    assert np.allclose(c.to_numpy(), values / 255.0, atol=1e-6)


def test_writes_outside_are_dropped(device):
    a, b = device.make_texture(16, 16, pixel_format="r32float"), device.make_texture(8, 8, pixel_format="r32float")
    a.replace_region(np.ones((16, 16), np.float32))
    launch(device, COPY, "copy", [a, b], (16, 16, 1), (16, 16, 1))
    assert (b.to_numpy() == 1).all()


def test_read_write(device):
    image = device.make_texture(5, 4, pixel_format="r32uint")
    image.replace_region(np.arange(20, dtype=np.uint32).reshape(4, 5))
    device.make_kernel(COPY, "twice")(image)
    assert np.array_equal(image.to_numpy(), 2 * np.arange(20).reshape(4, 5))


def test_sizes(device):
    array = device.make_texture(16, 8, texture_type="2d_array", array_length=3, mipmap_level_count=2)
    volume = device.make_texture(4, 5, 6)
    out = np.zeros(8, np.uint32)
    device.make_kernel(COPY, "sizes")(array, volume, out, grid=1)
    assert out.tolist() == [16, 8, 3, 2, 4, 5, 6, 8]


def sampled(device, image, where, **options) -> np.ndarray:
    texture = device.make_texture(image.shape[1], image.shape[0], pixel_format="r32float")
    texture.replace_region(image.astype(np.float32))
    out = np.zeros((len(where), 4), np.float32)
    device.make_kernel(COPY, "look")(texture, device.make_sampler_state(**options), np.array(where, np.float32), out, grid=len(where))
    return out


IMAGE = np.array([[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]])


def test_nearest_samples(device):
    where = [((x + 0.5) / 4, (y + 0.5) / 2) for y in range(2) for x in range(4)]
    out = sampled(device, IMAGE, where)
    assert np.array_equal(out[:, 0], IMAGE.ravel()) and (out[:, 1:] == [0, 0, 1]).all()


@pytest.mark.parametrize("address, expected", [("clamp_to_edge", [0, 3, 3]), ("repeat", [3, 0, 1]), ("mirrored_repeat", [0, 3, 2]), ("clamp_to_zero", [0, 0, 0])])
def test_address_modes(device, address, expected):
    where = [(-0.5 / 4, 0.25), (4.5 / 4, 0.25), (5.5 / 4, 0.25)]
    assert sampled(device, IMAGE, where, address=address)[:, 0].tolist() == expected


def test_border_colors(device):
    out = sampled(device, IMAGE, [(-1.0, 0.5)], address="clamp_to_border", border_color="opaque_white")
    assert out[0].tolist() == [1, 1, 1, 1]


def test_linear_samples(device):
    where = [(1.0 / 4, 0.25), (0.5, 0.5), (1.25 / 4, 0.25), (0.0, 0.0), (1.0, 1.0)]
    out = sampled(device, IMAGE, where, filter="linear")[:, 0]
    assert np.allclose(out, [0.5, 3.5, 0.75, 0.0, 7.0], atol=1e-2)
    for mode, expected in (("minimum", [0, 1]), ("maximum", [1, 6]), ("weighted_average", [0.5, 3.5])):
        reduced = sampled(device, IMAGE, [(1.0 / 4, 0.25), (0.5, 0.5)], filter="linear", reduction_mode=mode)[:, 0]
        assert np.allclose(reduced, expected, atol=1e-2)
    pixels = sampled(device, IMAGE, [(1.0, 0.5), (2.0, 1.0)], filter="linear", normalized_coordinates=False)[:, 0]
    assert np.allclose(pixels, [0.5, 3.5], atol=1e-2)


def test_samplers_in_the_source(device):
    texture = device.make_texture(4, 2, pixel_format="r32float")
    texture.replace_region(IMAGE.astype(np.float32))
    out = np.zeros((2, 4), np.float32)
    device.make_kernel(COPY, "fixed_sampler")(texture, np.array([[1.0, 0.5], [9.0, 1.5]], np.float32), out, grid=2)
    assert np.allclose(out[:, 0], [0.5, 7.0], atol=1e-2)


def test_sampler_options(device):
    with pytest.raises(TypeError, match="flavor"):
        device.make_sampler_state(flavor="sweet")
    with pytest.raises(pm.MetalError, match="nearest, linear"):
        device.make_sampler_state(filter="cubic")
    with pytest.raises(pm.MetalError):
        device.make_sampler_state(max_anisotropy=17)
    with pytest.raises(pm.MetalError):
        device.make_sampler_state(lod_min_clamp=2.0, lod_max_clamp=1.0)


def test_textures_that_do_not_fit_the_kernel(device):
    kernel = device.make_kernel(COPY, "copy")
    good = device.make_texture(4, 4)
    for bad, reason in ((device.make_texture(4, 4, pixel_format="rgba8uint"), "float"), (device.make_texture(4, 4, 2), "texture2d"), (device.make_texture(4, 4, usage="read"), "usage")):
        with pytest.raises(pm.MetalValidationError, match=f"copy.*out.*{reason}"):
            kernel(good, bad)
    with pytest.raises(pm.MetalValidationError, match="texture"):
        kernel(good, np.zeros((4, 4), np.float32))
    encoder = device.command_encoder
    encoder.set_compute_pipeline_state(kernel.pipeline_state)
    encoder.set_texture(good, 0)
    with pytest.raises(pm.MetalValidationError, match="no texture is bound at index 1"):
        encoder.dispatch_threads((4, 4), (4, 4))
    for index in (128, -1):
        with pytest.raises(pm.MetalValidationError, match="index"):
            encoder.set_texture(good, index)
    look = device.make_kernel(COPY, "look")
    with pytest.raises(pm.MetalValidationError, match="sampler"):
        look(good, None, np.zeros((1, 2), np.float32), np.zeros((1, 4), np.float32))
