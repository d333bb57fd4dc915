"""A board at 921,600 baud in real time: 200 frames/s through a pseudo-terminal and the serial source, none lost."""

from __future__ import annotations

import asyncio

import pytest

from edgehar.boards.virtual_board import BoardSettings, VirtualBoard
from edgehar.boards.virtual_board_port import ServedBoard
from edgehar.sources import open_source
from edgehar.sources.virtual_csi_radio import RadioSettings
from edgehar.wire.frames import Loss

FRAMES = 2000


async def _frames(address):
    count = 0
    async with open_source(address) as source:
        async for chunk in source:
            count += len(chunk)
            if count >= FRAMES:
                break
        return count, source.counts, source.spec


@pytest.mark.slow
@pytest.mark.alone
def test_nothing_is_lost_at_200_frames_a_second():
    pytest.importorskip("serial")
    board = VirtualBoard(BoardSettings(RadioSettings(seed=1, rate_hz=200)))
    with ServedBoard(board) as served:
        count, counts, spec = asyncio.run(_frames(f"csi:{served.where}"))
        overrun = served.overrun_bytes
    assert count >= FRAMES
    assert spec.simulated
    assert overrun == 0
    assert not [loss for loss in Loss if counts[loss]]
