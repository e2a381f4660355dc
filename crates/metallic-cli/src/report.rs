//! `metallic devices` and `metallic doctor`.

use metallic::{Device, env};

use crate::Outcome;

pub fn devices() -> Outcome {
    let default = Device::system_default().ok();
    for id in Device::ids() {
        match Device::by_name(&id) {
            Ok(device) => {
                let mark = if default.as_ref() == Some(&device) { '*' } else { ' ' };
                say!("{mark} {id:8} {}", device.name());
            }
            Err(error) => say!("  {id:8} unavailable: {error}"),
        }
    }
    Ok(true)
}

pub fn doctor() -> Outcome {
    say!("metallic {}", env!("CARGO_PKG_VERSION"));
    say!("\ndevices (* is the default):");
    devices()?;
    let mut is_ok = true;
    match Device::system_default() {
        Ok(device) => {
            say!("\n{}:", device.id());
            say!("  compute units            {}", device.info().compute_units);
            say!("  threads per threadgroup  {}", device.info().max_total_threads_per_threadgroup);
            say!("  threadgroup memory       {} bytes", device.max_threadgroup_memory_length());
            say!("  unified memory           {}", device.has_unified_memory());
        }
        Err(error) => {
            say!("\nthere is no default device: {error}");
            is_ok = false;
        }
    }
    match msl::prelude_time() {
        Ok(time) => say!("\nstandard library: read in {:.1} ms", time.as_secs_f64() * 1e3),
        Err(error) => {
            say!("\nstandard library: {error}");
            is_ok = false;
        }
    }
    say!("\nenvironment:");
    for variable in env::ALL {
        let value = variable.get().map_or_else(|| "not set".to_string(), |value| format!("\"{value}\""));
        say!("  {} is {value}\n      {}", variable.name, variable.help);
    }
    Ok(is_ok)
}
