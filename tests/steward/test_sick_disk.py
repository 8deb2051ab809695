"""A steward whose disk is sick as it starts."""

import errno
import time
from pathlib import Path

import pytest

from otagate.core.cloud import Colour
from otagate.core.traffic import Kind
from otagate.steward import journal, serve
from otagate.steward.book import JOURNAL
from tests.steward.test_serve import Serving
from tests.steward.world import World


def test_what_was_cut_off_is_gone_on_with_though_the_disk_was_sick_at_the_start_and_nobody_asks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    steward = world.live()
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")
    steward.to_flip()
    world.close()
    sync, tried = journal._sync_folder, []

    def sick_once(folder: Path) -> None:
        tried.append(folder)
        if len(tried) == 1:
            raise OSError(errno.EIO, "Input/output error")
        sync(folder)

    monkeypatch.setattr(journal, "_sync_folder", sick_once)
    monkeypatch.setattr(serve, "AGAIN", 0.05)
    serving = Serving(world)
    until = time.monotonic() + 20
    try:
        while b"rolled-back" not in (world.volume / JOURNAL).read_bytes():
            assert time.monotonic() < until, "nobody went on with it"
            time.sleep(0.02)
    finally:
        serving.end()
    assert len(tried) == 2
