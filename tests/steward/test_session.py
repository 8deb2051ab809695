"""The relay that the engine's exec runs: it ends with its steward, and says where there is none."""

import json
import os
import socket
import threading
from pathlib import Path

import pytest

from otagate.steward.session import relay
from tests.steward.world import World


def test_the_relay_ends_when_the_steward_ends(world: World) -> None:
    path = world.volume / "steward.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen()
        ask_in, ask_out = os.pipe()
        ended: list[int] = []
        running = threading.Thread(target=lambda: ended.append(relay(str(path), ask_in, ask_out)))
        running.start()
        line, _ = listening.accept()
        line.close()
        running.join(5)
    assert ended == [0]
    os.close(ask_in)
    os.close(ask_out)


def test_where_nobody_listens_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otagate.steward.session._STARTING", 0.1)
    say_in, say_out = os.pipe()
    assert relay(str(tmp_path / "nobody.sock"), 0, say_out) == 1
    os.close(say_out)
    with open(say_in, "rb") as said:
        assert json.loads(said.readline())["error"]["code"] == "no-steward"
