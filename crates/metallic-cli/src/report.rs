//! `metallic devices` and `metallic doctor`.

use metallic::{Device, env};

use crate::Outcome;

pub fn devices() -> Outcome {
    let default = Device::system_default().ok();
    for id in Device::ids() {
        match Device::by_name(&id) {
            Ok(device) => {
                let mark = if default.as_ref() == Some(&device) { '*' } else { ' ' };
                println!("{mark} {id:8} {}", device.name());
            }
            Err(error) => println!("  {id:8} unavailable: {error}"),
        }
    }
    Ok(true)
}

pub fn doctor() -> Outcome {
    println!("metallic {}", env!("CARGO_PKG_VERSION"));
    println!("\ndevices (* is the default):");
    devices()?;
    let mut is_ok = true;
    match Device::system_default() {
        Ok(device) => {
            println!("\n{}:", device.id());
            println!("  compute units            {}", device.info().compute_units);
            println!("  threads per threadgroup  {}", device.info().max_total_threads_per_threadgroup);
            println!("  threadgroup memory       {} bytes", device.max_threadgroup_memory_length());
            println!("  unified memory           {}", device.has_unified_memory());
        }
        Err(error) => {
            println!("\nthere is no default device: {error}");
            is_ok = false;
        }
    }
    match msl::prelude_time() {
        Ok(time) => println!("\nstandard library: read in {:.1} ms", time.as_secs_f64() * 1e3),
        Err(error) => {
            println!("\nstandard library: {error}");
            is_ok = false;
        }
    }
    println!("\nenvironment:");
    for variable in env::ALL {
        let value = variable.get().map_or_else(|| "not set".to_string(), |value| format!("\"{value}\""));
        println!("  {} is {value}\n      {}", variable.name, variable.help);
    }
    Ok(is_ok)
}
