"""Command buffers and asyncio."""

from __future__ import annotations

import asyncio

from ._native import CommandBuffer


async def wait(command_buffer: CommandBuffer) -> CommandBuffer:
    """Completes when the command buffer has; raises its error. Commits it if nobody has yet."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future = loop.create_future()

    def finish() -> None:
        if not done.done():
            done.set_result(None)

    if command_buffer.status in ("not_enqueued", "enqueued"):
        command_buffer.add_completed_handler(lambda _: None if loop.is_closed() else loop.call_soon_threadsafe(finish))
        command_buffer.commit()
        await done
    elif command_buffer.status not in ("completed", "error"):
        await loop.run_in_executor(None, _quietly, command_buffer)
    if command_buffer.error is not None:
        raise command_buffer.error
    return command_buffer


def _quietly(command_buffer: CommandBuffer) -> None:
    try:
        command_buffer.wait_until_completed()
    except Exception:  # noqa: BLE001 - the caller raises the command buffer's own error
        pass
