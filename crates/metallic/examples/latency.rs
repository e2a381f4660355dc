//! How long a small launch takes, from commit to the end of the wait, on each device.

use std::time::Instant;

use metallic::{Device, Result, StorageMode};

const KERNEL: &str = "
fn scale(%data: ptr<device, f32>, %factor: ptr<constant, f32>) -> void {
  %gid = builtin thread_position_in_grid
  %i = extract %gid, 0
  %p = ptr_offset %data, %i
  %x = load %p
  %f = load %factor
  %y = mul %x, %f
  store %p, %y
}
kernel scale = @scale {
  data: buffer 0 device read_write f32
  factor: buffer 1 constant reference read f32
}
";

fn main() -> Result<()> {
    for device in Device::all().into_iter().chain(Device::by_name("null")) {
        let queue = device.make_command_queue()?;
        let library = device.make_library_with_ir(KERNEL)?;
        let pipeline = device.make_compute_pipeline_state(&library.make_function("scale")?)?;
        for n in [1, 256, 1024, 1 << 16, 1 << 20] {
            let data = device.make_buffer(4 * u64::from(n), StorageMode::Shared)?;
            let launch = || -> Result<u128> {
                let command_buffer = queue.make_command_buffer()?;
                let encoder = command_buffer.make_compute_command_encoder()?;
                encoder.set_compute_pipeline_state(&pipeline)?;
                encoder.set_buffer(&data, 0, 0)?;
                encoder.set_bytes(&1.5f32.to_le_bytes(), 1)?;
                encoder.dispatch_threads(n, 256)?;
                encoder.end_encoding()?;
                let start = Instant::now();
                command_buffer.commit()?;
                command_buffer.wait_until_completed()?;
                Ok(start.elapsed().as_nanos())
            };
            for _ in 0..1000 {
                launch()?;
            }
            let mut times = (0..5000).map(|_| launch()).collect::<Result<Vec<_>>>()?;
            times.sort_unstable();
            let [p10, median, p90, p99] = [500, 2500, 4500, 4950].map(|i: usize| times[i]);
            println!("{:6} {n:8} threads: median {median} ns, 10% {p10}, 90% {p90}, 99% {p99}", device.id());
        }
    }
    Ok(())
}
