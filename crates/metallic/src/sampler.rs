//! Sampler states (`MTLSamplerState`): how a kernel reads between texels.

use crate::{Device, Error, Result};

/// `MTLSamplerAddressMode`, with the numbers of [`msl_ir::SamplerState`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AddressMode {
    #[default]
    ClampToEdge = 0,
    MirrorClampToEdge = 1,
    Repeat = 2,
    MirrorRepeat = 3,
    ClampToZero = 4,
    ClampToBorderColor = 5,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MinMagFilter {
    #[default]
    Nearest = 0,
    Linear = 1,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MipFilter {
    #[default]
    NotMipmapped = 0,
    Nearest = 1,
    Linear = 2,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CompareFunction {
    #[default]
    Never = 0,
    Less = 1,
    Equal = 2,
    LessEqual = 3,
    Greater = 4,
    NotEqual = 5,
    GreaterEqual = 6,
    Always = 7,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BorderColor {
    #[default]
    TransparentBlack = 0,
    OpaqueBlack = 1,
    OpaqueWhite = 2,
}

/// What becomes of the texels that a sample is made from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SamplerReductionMode {
    #[default]
    WeightedAverage = 0,
    /// The least of those that have a part in the average, component by component.
    Minimum = 1,
    Maximum = 2,
}

/// `MTLSamplerDescriptor`.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplerDescriptor {
    pub s_address_mode: AddressMode,
    pub t_address_mode: AddressMode,
    pub r_address_mode: AddressMode,
    pub min_filter: MinMagFilter,
    pub mag_filter: MinMagFilter,
    pub mip_filter: MipFilter,
    pub normalized_coordinates: bool,
    pub compare_function: CompareFunction,
    pub border_color: BorderColor,
    pub max_anisotropy: u32,
    pub lod_min_clamp: f32,
    pub lod_max_clamp: f32,
    pub reduction_mode: SamplerReductionMode,
}

impl Default for SamplerDescriptor {
    fn default() -> Self {
        SamplerDescriptor {
            s_address_mode: AddressMode::default(),
            t_address_mode: AddressMode::default(),
            r_address_mode: AddressMode::default(),
            min_filter: MinMagFilter::default(),
            mag_filter: MinMagFilter::default(),
            mip_filter: MipFilter::default(),
            normalized_coordinates: true,
            compare_function: CompareFunction::default(),
            border_color: BorderColor::default(),
            max_anisotropy: 1,
            lod_min_clamp: 0.0,
            lod_max_clamp: f32::MAX,
            reduction_mode: SamplerReductionMode::default(),
        }
    }
}

/// May be bound on every device; its resource id is that of the device that made it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SamplerState {
    pub(crate) packed: msl_ir::SamplerState,
    resource_id: u64,
}

impl SamplerState {
    pub(crate) fn new(device: &Device, d: &SamplerDescriptor) -> Result<SamplerState> {
        if !(1..=16).contains(&d.max_anisotropy) {
            return Err(Error::invalid(format!("max_anisotropy is {}, not between 1 and 16", d.max_anisotropy)));
        }
        if d.lod_min_clamp.is_nan() || d.lod_max_clamp.is_nan() || d.lod_min_clamp > d.lod_max_clamp {
            return Err(Error::invalid("lod_min_clamp exceeds lod_max_clamp"));
        }
        // A float conversion saturates, so every value has a packed form.
        let lod = |value: f32| u64::from((value * 16.0) as u16);
        let mut packed = 0;
        let mut at = 0;
        let mut field = |value: u64, width: u32| {
            packed |= value << at;
            at += width;
        };
        field(d.s_address_mode as u64, 3);
        field(d.t_address_mode as u64, 3);
        field(d.r_address_mode as u64, 3);
        field(d.min_filter as u64, 1);
        field(d.mag_filter as u64, 1);
        field(d.mip_filter as u64, 2);
        field(u64::from(!d.normalized_coordinates), 1);
        field(d.compare_function as u64, 4);
        field(d.border_color as u64, 2);
        field(u64::from(d.max_anisotropy - 1), 4);
        field(lod(d.lod_min_clamp), 16);
        field(lod(d.lod_max_clamp), 16);
        field(d.reduction_mode as u64, 2);
        let packed = msl_ir::SamplerState(packed);
        Ok(SamplerState { packed, resource_id: device.hal.sampler_resource_id(packed)? })
    }
    /// What an argument buffer holds in the place of this sampler.
    pub fn gpu_resource_id(&self) -> u64 {
        self.resource_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_packed_from_bit_zero() {
        let d = SamplerDescriptor {
            s_address_mode: AddressMode::Repeat,
            mag_filter: MinMagFilter::Linear,
            reduction_mode: SamplerReductionMode::Maximum,
            ..Default::default()
        };
        let device = Device::by_name("null").unwrap();
        let packed = SamplerState::new(&device, &d).unwrap().gpu_resource_id();
        assert_eq!(packed & 7, 2);
        assert_eq!(packed >> 10 & 1, 1);
        assert_eq!(packed >> 40 & 0xffff, 0xffff);
        assert_eq!(packed >> 56, 2);
        let bad = SamplerDescriptor { max_anisotropy: 0, ..Default::default() };
        assert!(SamplerState::new(&device, &bad).is_err());
    }
}
