//! `Texture` and `SamplerState`.

use metallic::{
    AddressMode, BorderColor, CompareFunction, MinMagFilter, MipFilter, PixelFormatInfo, Region, SamplerDescriptor,
    SamplerReductionMode, Size, TextureDescriptor, TextureType, TextureUsage,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyDict};

use crate::array::{numpy, with_bytes};
use crate::buffer::storage_mode;
use crate::device::Device;
use crate::error::{ToPython, invalid, unsigned};
use crate::released::CountRelease;

/// Image memory of a device; made by `Device.make_texture`.
#[pyclass(frozen, module = "pymetallic", weakref)]
pub struct Texture {
    pub inner: metallic::Texture,
    _released: CountRelease,
}

fn texture_type(name: Option<&str>, size: [u32; 3]) -> PyResult<TextureType> {
    use TextureType::*;
    let Some(name) = name else {
        return Ok(if size[2] > 1 { D3 } else { D2 });
    };
    let known = [D1, D1Array, D2, D2Array, Cube, CubeArray, D3, TextureBuffer];
    let plain = |t: TextureType| t.name().trim_start_matches("texture").trim_start_matches('_');
    known.into_iter().find(|t| plain(*t) == name || t.name() == name).ok_or_else(|| {
        let names: Vec<&str> = known.into_iter().map(plain).collect();
        invalid(format!("texture_type {name:?} is none of {}", names.join(", ")))
    })
}

fn pixel_format(object: Option<&Bound<'_, PyAny>>) -> PyResult<&'static PixelFormatInfo> {
    let Some(object) = object else {
        return Ok(PixelFormatInfo::from_name("rgba32float").expect("the format exists"));
    };
    let found = match object.extract::<u32>() {
        Ok(number) => PixelFormatInfo::from_raw(number).ok_or_else(|| PixelFormatInfo::why_not_number(number)),
        Err(_) => {
            let name = object.extract::<&str>()?;
            PixelFormatInfo::from_name(name).ok_or_else(|| PixelFormatInfo::why_not_name(name))
        }
    };
    found.map_err(|why| invalid(format!("pixel_format {why}")))
}

#[expect(clippy::too_many_arguments)]
pub fn make_texture(
    py: Python<'_>,
    device: &metallic::Device,
    size: [i64; 3],
    format: Option<&Bound<'_, PyAny>>,
    kind: Option<&str>,
    (mipmap_level_count, array_length): (i64, i64),
    mode: Option<i64>,
    usage: &str,
) -> PyResult<Texture> {
    let [width, height, depth] = size;
    let size = [unsigned(width, "a width")?, unsigned(height, "a height")?, unsigned(depth, "a depth")?];
    let format = pixel_format(format)?;
    let mut descriptor = TextureDescriptor::new_2d(format.format, size[0], size[1], false);
    descriptor.texture_type = texture_type(kind, size)?;
    descriptor.depth = size[2];
    descriptor.mipmap_level_count = unsigned(mipmap_level_count, "mipmap_level_count")?;
    descriptor.array_length = unsigned(array_length, "array_length")?;
    descriptor.storage_mode = storage_mode(mode)?;
    descriptor.usage = choice("usage", usage, USAGE)?;
    py.detach(|| device.make_texture(&descriptor)).python().map(|inner| Texture { inner, _released: CountRelease })
}

/// NumPy's type of one channel, and how many channels an element of it covers.
fn element_type(info: &PixelFormatInfo) -> (String, usize) {
    let is_packed = info.bytes_per_texel != u32::from(info.channels) * channel_bytes(info.name);
    if is_packed {
        return (format!("<u{}", info.bytes_per_texel), 1);
    }
    let kind = if info.name.ends_with("Float") {
        'f'
    } else if info.name.ends_with("Snorm") || info.name.ends_with("Sint") {
        'i'
    } else {
        'u'
    };
    (format!("<{kind}{}", channel_bytes(info.name)), usize::from(info.channels))
}

/// Bytes of a channel by the format's name; 0 for packed formats.
fn channel_bytes(name: &str) -> u32 {
    let digits: String = name.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    let letters = name.chars().filter(char::is_ascii_digit).count() == digits.len();
    match (letters, digits.as_str()) {
        (true, "8") => 1,
        (true, "16") => 2,
        (true, "32") => 4,
        _ => 0,
    }
}

impl Texture {
    fn level_size(&self, level: u32) -> Size {
        self.inner.descriptor().level_size(level)
    }
    fn info(&self) -> &'static PixelFormatInfo {
        PixelFormatInfo::of(self.inner.pixel_format())
    }
    /// The region (x, y, z, width, height, depth), or all of the level.
    pub fn region(&self, region: Option<[i64; 6]>, level: u32) -> PyResult<Region> {
        let Some(numbers) = region else { return Ok(Region::new_3d(0, 0, 0, self.level_size(level))) };
        let mut values = [0u32; 6];
        for (value, number) in values.iter_mut().zip(numbers) {
            *value = unsigned(number, "a region's position or size")?;
        }
        let [x, y, z, width, height, depth] = values;
        Ok(Region::new_3d(x, y, z, Size { width, height, depth }))
    }
    /// Bytes from row to row and from image to image; without gaps where not given.
    pub fn strides(&self, region: Region, row: Option<i64>, image: Option<i64>) -> PyResult<(u64, u64)> {
        let row = match row {
            Some(row) => unsigned(row, "bytes_per_row")?,
            None => u64::from(region.size.width) * u64::from(self.info().bytes_per_texel),
        };
        let image = match image {
            Some(image) => unsigned(image, "bytes_per_image")?,
            None => row.checked_mul(u64::from(region.size.height)).ok_or_else(|| invalid("the region is too large"))?,
        };
        Ok((row, image))
    }
}

#[pymethods]
impl Texture {
    /// Copies an array ((depth,) height, width(, channels), of the format's own type) into a region.
    ///
    /// region: (x, y, z, width, height, depth), by default all of the level.
    #[pyo3(signature = (array, region=None, level=0, slice=0))]
    fn replace_region(
        &self,
        array: &Bound<'_, PyAny>,
        region: Option<[i64; 6]>,
        level: i64,
        slice: i64,
    ) -> PyResult<()> {
        let (level, slice) = (unsigned(level, "a mipmap level")?, unsigned(slice, "a slice")?);
        let region = self.region(region, level)?;
        let (row, image) = self.strides(region, None, None)?;
        let expected =
            image.checked_mul(u64::from(region.size.depth)).ok_or_else(|| invalid("the region is too large"))?;
        let py = array.py();
        with_bytes(array, |bytes| {
            if bytes.len() as u64 != expected {
                return Err(invalid(format!(
                    "the region takes {expected} bytes ({} of {}), the array has {}",
                    region.size,
                    self.info().name,
                    bytes.len()
                )));
            }
            py.detach(|| self.inner.replace_region(region, level, slice, bytes, row, image)).python()
        })
    }

    /// A copy of a region as an array ((depth,) height, width(, channels)) of the format's own type.
    #[pyo3(signature = (region=None, level=0, slice=0))]
    fn to_numpy<'py>(
        &self,
        py: Python<'py>,
        region: Option<[i64; 6]>,
        level: i64,
        slice: i64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (level, slice) = (unsigned(level, "a mipmap level")?, unsigned(slice, "a slice")?);
        let region = self.region(region, level)?;
        let (row, image) = self.strides(region, None, None)?;
        let length = image
            .checked_mul(u64::from(region.size.depth))
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| invalid("the region is too large"))?;
        let mut bytes = vec![0u8; length];
        py.detach(|| self.inner.get_bytes(&mut bytes, row, image, region, level, slice)).python()?;
        let (dtype, channels) = element_type(self.info());
        let array = numpy(py)?.call_method1("frombuffer", (PyByteArray::new(py, &bytes), dtype))?;
        let mut shape = Vec::new();
        if self.inner.texture_type() == TextureType::D3 {
            shape.push(region.size.depth as usize);
        }
        if !matches!(self.inner.texture_type(), TextureType::D1 | TextureType::D1Array | TextureType::TextureBuffer) {
            shape.push(region.size.height as usize);
        }
        shape.push(region.size.width as usize);
        if channels > 1 {
            shape.push(channels);
        }
        array.call_method1("reshape", (shape,))
    }

    /// In texels, of level 0.
    #[getter]
    fn width(&self) -> u32 {
        self.inner.width()
    }
    /// In texels, of level 0; 1 for one-dimensional textures.
    #[getter]
    fn height(&self) -> u32 {
        self.inner.height()
    }
    /// In texels, of level 0; 1 but for three-dimensional textures.
    #[getter]
    fn depth(&self) -> u32 {
        self.inner.depth()
    }
    /// How many slices; 1 for textures that are no arrays.
    #[getter]
    fn array_length(&self) -> u32 {
        self.inner.array_length()
    }
    /// How many levels; each is half as large as the one before, rounded down, but 1 at least.
    #[getter]
    fn mipmap_level_count(&self) -> u32 {
        self.inner.mipmap_level_count()
    }
    /// As Metal spells it: "RGBA32Float".
    #[getter]
    fn pixel_format(&self) -> &'static str {
        self.info().name
    }
    /// As MSL spells it: "texture2d".
    #[getter]
    fn texture_type(&self) -> &'static str {
        self.inner.texture_type().name()
    }
    /// The device that the memory belongs to.
    #[getter]
    fn device(&self) -> Device {
        Device::from_inner(self.inner.device().clone())
    }
    fn __repr__(&self) -> String {
        let (w, h) = (self.inner.width(), self.inner.height());
        format!("<pymetallic.Texture {w}x{h} {} on {}>", self.info().name, self.inner.device().id())
    }
}

/// How a kernel reads between texels; made by `Device.make_sampler_state`.
#[pyclass(frozen, module = "pymetallic")]
pub struct SamplerState {
    pub inner: metallic::SamplerState,
}

/// One of the named choices of an option.
fn choice<T: Copy>(option: &str, value: &str, choices: &[(&str, T)]) -> PyResult<T> {
    choices.iter().find(|(name, _)| *name == value).map(|(_, v)| *v).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        invalid(format!("{option}={value:?} is none of {}", names.join(", ")))
    })
}

const ADDRESS: &[(&str, AddressMode)] = &[
    ("clamp_to_edge", AddressMode::ClampToEdge),
    ("mirror_clamp_to_edge", AddressMode::MirrorClampToEdge),
    ("repeat", AddressMode::Repeat),
    ("mirrored_repeat", AddressMode::MirrorRepeat),
    ("clamp_to_zero", AddressMode::ClampToZero),
    ("clamp_to_border", AddressMode::ClampToBorderColor),
];
const USAGE: &[(&str, TextureUsage)] = &[
    ("read", TextureUsage::SHADER_READ),
    ("write", TextureUsage::SHADER_WRITE),
    ("read_write", TextureUsage::READ_WRITE),
];
const FILTER: &[(&str, MinMagFilter)] = &[("nearest", MinMagFilter::Nearest), ("linear", MinMagFilter::Linear)];
const MIP: &[(&str, MipFilter)] =
    &[("none", MipFilter::NotMipmapped), ("nearest", MipFilter::Nearest), ("linear", MipFilter::Linear)];
const COMPARE: &[(&str, CompareFunction)] = &[
    ("never", CompareFunction::Never),
    ("less", CompareFunction::Less),
    ("equal", CompareFunction::Equal),
    ("less_equal", CompareFunction::LessEqual),
    ("greater", CompareFunction::Greater),
    ("not_equal", CompareFunction::NotEqual),
    ("greater_equal", CompareFunction::GreaterEqual),
    ("always", CompareFunction::Always),
];
const BORDER: &[(&str, BorderColor)] = &[
    ("transparent_black", BorderColor::TransparentBlack),
    ("opaque_black", BorderColor::OpaqueBlack),
    ("opaque_white", BorderColor::OpaqueWhite),
];

const REDUCTION: &[(&str, SamplerReductionMode)] = &[
    ("weighted_average", SamplerReductionMode::WeightedAverage),
    ("minimum", SamplerReductionMode::Minimum),
    ("maximum", SamplerReductionMode::Maximum),
];

pub fn make_sampler_state(device: &metallic::Device, options: Option<&Bound<'_, PyDict>>) -> PyResult<SamplerState> {
    let mut d = SamplerDescriptor::default();
    for (key, value) in options.iter().flat_map(|o| o.iter()) {
        let key: String = key.extract()?;
        let text = || value.extract::<String>();
        match key.as_str() {
            "address" => {
                d.s_address_mode = choice(&key, &text()?, ADDRESS)?;
                d.t_address_mode = d.s_address_mode;
                d.r_address_mode = d.s_address_mode;
            }
            "s_address" => d.s_address_mode = choice(&key, &text()?, ADDRESS)?,
            "t_address" => d.t_address_mode = choice(&key, &text()?, ADDRESS)?,
            "r_address" => d.r_address_mode = choice(&key, &text()?, ADDRESS)?,
            "filter" => {
                d.min_filter = choice(&key, &text()?, FILTER)?;
                d.mag_filter = d.min_filter;
            }
            "min_filter" => d.min_filter = choice(&key, &text()?, FILTER)?,
            "mag_filter" => d.mag_filter = choice(&key, &text()?, FILTER)?,
            "mip_filter" => d.mip_filter = choice(&key, &text()?, MIP)?,
            "compare_function" => d.compare_function = choice(&key, &text()?, COMPARE)?,
            "border_color" => d.border_color = choice(&key, &text()?, BORDER)?,
            "reduction_mode" => d.reduction_mode = choice(&key, &text()?, REDUCTION)?,
            "normalized_coordinates" => d.normalized_coordinates = value.extract()?,
            "max_anisotropy" => d.max_anisotropy = value.extract()?,
            "lod_min_clamp" => d.lod_min_clamp = value.extract()?,
            "lod_max_clamp" => d.lod_max_clamp = value.extract()?,
            _ => return Err(PyTypeError::new_err(format!("a sampler state has no option {key:?}"))),
        }
    }
    device.make_sampler_state(&d).python().map(|inner| SamplerState { inner })
}
