// The kernels that ship with the Python package, on inputs small enough to check by hand.
//--- linear algebra
// buffer 0: f32 = 1 2 3 4 5 6
// buffer 1: f32 = 7 8 9 10 11 12
// buffer 2: f32 = zeros(4)
// buffer 3: u32 = 2
// buffer 4: u32 = 2
// buffer 5: u32 = 3
// dispatch: matrix_multiply grid=2,2 threadgroup=2,2
// expect 2: f32 = 58 64 139 154
// buffer 0: f32 = iota(10)
// buffer 1: f32 = fill(10, 3)
// buffer 2: f32 = zeros(10)
// dispatch: vector_add grid=10 threadgroup=4
// expect 2: f32 = expr(10, i + 3)
// dispatch: vector_multiply grid=10 threadgroup=4
// expect 2: f32 = expr(10, i * 3)
// buffer 1: f32 = zeros(10)
// buffer 2: f32 = 0.5
// dispatch: vector_scale grid=10 threadgroup=4
// expect 1: f32 = expr(10, i / 2)
// buffer 0: f32 = iota(100)
// buffer 1: f32 = zeros(4)
// buffer 2: u32 = 90
// dispatch: reduce_sum groups=4 threadgroup=25
// expect 1: f32 = 300 925 1550 1230
#include "python/pymetallic/kernels/linalg_kernels.metal"
//--- demonstration
// buffer 0: f32 = zeros(8)
// buffer 1: u32 = 4
// buffer 2: u32 = 2
// buffer 3: u32 = 10
// dispatch: mandelbrot grid=4,2 threadgroup=4,2
// expect 0: f32 ~ 1e-6 = 0.1 0.2 0.3 0.4 0.1 1 1 1
#include "python/pymetallic/kernels/demo_kernels.metal"
//--- game of life
// buffer 0: u8 = 0 0 0 0 0  0 0 1 0 0  0 0 1 0 0  0 0 1 0 0  0 0 0 0 0
// buffer 1: u8 = zeros(25)
// buffer 2: u32 = 5 5
// dispatch: life_step grid=5,5 threadgroup=5,5
// expect 1: u8 = 0 0 0 0 0  0 0 0 0 0  0 1 1 1 0  0 0 0 0 0  0 0 0 0 0
#include "python/pymetallic/kernels/game_of_life.metal"
//--- helpers
// buffer 0: u32 = zeros(4)
// buffer 1: u32 = 3 9
// dispatch: fill_u32 grid=4 threadgroup=4
// expect 0: u32 = 9 9 9 0
// buffer 0: f32 = 1 2 3
// buffer 1: f32 = 10
// buffer 2: u32 = 2
// dispatch: scalar_add_f32 grid=3 threadgroup=3
// expect 0: f32 = 11 12 3
// dispatch: scalar_multiply_f32 grid=3 threadgroup=3
// expect 0: f32 = 110 120 3
#include "python/pymetallic/kernels/helper_kernels.metal"
//--- image processing keeps a constant image
// buffer 0: f32 = fill(32, 0.5)
// buffer 1: f32 = zeros(32)
// buffer 2: u32 = 4
// buffer 3: u32 = 4
// buffer 4: u32 = 2
// dispatch: gaussian_blur_5x5_buffer grid=4,4 threadgroup=4,4
// expect 1: f32 ~ 1e-6 = fill(32, 0.5)
// texture 0: rgba8Unorm 3x3 = fill(36, 255)
// texture 1: rgba32Float 3x3
// dispatch: gaussian_blur_3x3 grid=3,3 threadgroup=3,3
// expect texture 1: f32 ~ 1e-6 = fill(36, 1)
#include "python/pymetallic/kernels/image_processing.metal"
//--- fluids: nothing moves where nothing pushes
// buffer 0: f32 = fill(32, 0)
// buffer 1: f32 = fill(16, 2)
// buffer 2: f32 = zeros(16)
// buffer 3: u32 = 4 4 f32: 0.1 2 2 1 0
// dispatch: add_force grid=4,4 threadgroup=4,4
// expect 0: f32 = zeros(32)
// buffer 0: f32 = iota(16)
// buffer 1: f32 = zeros(32)
// dispatch: advect_scalar grid=4,4 threadgroup=4,4
// expect 2: f32 ~ 1e-6 = iota(16)
#include "python/pymetallic/kernels/fluid_simulation.metal"
