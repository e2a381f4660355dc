//! Tables of functions that kernels call, and what they hold.

use metallic::{
    ComputePipelineState, Device, Function, FunctionHandle, FunctionType, VisibleFunctionTable,
    VisibleFunctionTableDescriptor,
};

use crate::error::{Failure, done, guard, make};
use crate::handle::{Handle, get};
use crate::{convert, object};

/// `MTLFunctionType`: 3 for kernels, 5 for visible functions; 0 on failure.
#[unsafe(no_mangle)]
pub extern "C" fn metal_function_get_function_type(function: Handle) -> i32 {
    guard("metal_function_get_function_type", 0, || {
        Ok(match get::<Function>(function, "function")?.function_type() {
            FunctionType::Kernel => 3,
            FunctionType::Visible => 5,
        })
    })
}

/// # Safety
/// `linked_functions` is NULL or points to `count` handles.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_device_make_compute_pipeline_state_with_linked_functions(
    device: Handle,
    function: Handle,
    linked_functions: *const Handle,
    count: i32,
) -> Handle {
    make("metal_device_make_compute_pipeline_state_with_linked_functions", || {
        let device: Device = get(device, "device")?;
        let function: Function = get(function, "function")?;
        let count: u32 = convert::unsigned(count, "count")?;
        if linked_functions.is_null() && count > 0 {
            return Err(Failure::argument(format!("linked_functions is NULL and count is {count}")));
        }
        // SAFETY: the caller's promise; each handle is read without being followed.
        let handle = |i: u32| unsafe { linked_functions.add(i as usize).read_unaligned() };
        let linked =
            (0..count).map(|i| get(handle(i), "a linked function")).collect::<crate::error::Result<Vec<_>>>()?;
        Ok(device.make_compute_pipeline_state_with_linked_functions(&function, &linked)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_pipeline_state_make_function_handle(pipeline: Handle, function: Handle) -> Handle {
    make("metal_compute_pipeline_state_make_function_handle", || {
        let pipeline: ComputePipelineState = get(pipeline, "pipeline")?;
        Ok(pipeline.function_handle(&get::<Function>(function, "function")?)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_function_handle_release(handle: Handle) {
    object::release::<FunctionHandle>("metal_function_handle_release", handle);
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_pipeline_state_make_visible_function_table(
    pipeline: Handle,
    function_count: i32,
) -> Handle {
    make("metal_compute_pipeline_state_make_visible_function_table", || {
        let pipeline: ComputePipelineState = get(pipeline, "pipeline")?;
        let function_count = convert::unsigned(function_count, "function_count")?;
        Ok(pipeline.make_visible_function_table(&VisibleFunctionTableDescriptor { function_count })?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_visible_function_table_set_function(table: Handle, function: Handle, index: i32) -> bool {
    done("metal_visible_function_table_set_function", || {
        let table: VisibleFunctionTable = get(table, "table")?;
        let index = convert::unsigned(index, "index")?;
        let function: Option<FunctionHandle> = if function.is_null() { None } else { Some(get(function, "function")?) };
        Ok(table.set_function(function.as_ref(), index)?)
    })
}

/// Where kernels find the table; 0 on failure.
#[unsafe(no_mangle)]
pub extern "C" fn metal_visible_function_table_get_gpu_address(table: Handle) -> u64 {
    guard("metal_visible_function_table_get_gpu_address", 0, || {
        Ok(get::<VisibleFunctionTable>(table, "table")?.gpu_address())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_visible_function_table_get_buffer(table: Handle) -> Handle {
    make("metal_visible_function_table_get_buffer", || {
        Ok(get::<VisibleFunctionTable>(table, "table")?.buffer().clone())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_visible_function_table_release(table: Handle) {
    object::release::<VisibleFunctionTable>("metal_visible_function_table_release", table);
}
