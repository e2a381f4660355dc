"""Command buffers, asyncio and concurrent.futures."""

from __future__ import annotations

import asyncio
import weakref
from concurrent.futures import Future

from ._native import CommandBuffer, MetalValidationError

_UNCOMMITTED = ("not_enqueued", "enqueued")


async def wait(command_buffer: CommandBuffer) -> CommandBuffer:
    """Completes when the command buffer has; raises its error. Commits it if nobody has yet."""
    if command_buffer.status in _UNCOMMITTED:
        try:
            command_buffer.commit()
        except MetalValidationError:
            # Others that wait for it may have been first.
            if command_buffer.status in _UNCOMMITTED:
                raise
    if command_buffer.status not in ("completed", "error"):
        loop = asyncio.get_running_loop()
        done: asyncio.Future = loop.create_future()

        def finish() -> None:
            if not done.done():
                done.set_result(None)

        def notify(_: CommandBuffer) -> None:
            try:
                loop.call_soon_threadsafe(finish)
            except RuntimeError:
                pass  # The loop has been closed: nobody waits any more.

        command_buffer._notify_completed(notify)
        await done
    if command_buffer.error is not None:
        raise command_buffer.error
    return command_buffer


def future(command_buffer: CommandBuffer) -> Future[CommandBuffer]:
    """A future that completes with the command buffer: its result is the command buffer, or its error is raised."""
    result: Future[CommandBuffer] = Future()
    # Running: commands on their way cannot be canceled.
    result.set_running_or_notify_cancel()

    # The command buffer holds the listener, which therefore must not hold the command buffer.
    original = weakref.ref(command_buffer)

    def finish(same: CommandBuffer) -> None:
        error = same.error
        if error is None:
            result.set_result(original() or same)
        else:
            result.set_exception(error)

    command_buffer._notify_completed(finish)
    return result
