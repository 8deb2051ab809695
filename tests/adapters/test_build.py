"""Following a build: its last words when it fails, and nothing believed that is not there."""

from collections.abc import Iterator
from typing import Any

import docker
import pytest
import requests

from otagate.adapters.engine.build import build_image, follow_build
from otagate.core.errors import EngineFault

TAG = "t-build/thing:1"


def test_a_build_that_fails_says_its_last_lines() -> None:
    heard: list[str] = []
    stream = iter([{"stream": "Step 1/2 : RUN true\n"}, {"stream": "no space left\n"}, {"error": "ended with 1"}])
    with pytest.raises(EngineFault, match="ended with 1") as raised:
        follow_build(stream, TAG, heard.append)
    assert "no space left" in raised.value.message
    assert raised.value.hint
    assert heard == ["Step 1/2 : RUN true", "no space left"]


def test_a_build_that_falls_silent_is_a_fault() -> None:
    def silent() -> Iterator[dict[str, str]]:
        yield {"stream": "Step 1/2"}
        raise requests.ReadTimeout("read timed out")

    with pytest.raises(EngineFault, match="said nothing") as raised:
        follow_build(silent(), TAG, lambda _: None)
    assert raised.value.code == "build"


def test_an_image_that_is_not_there_after_its_build_is_a_fault() -> None:
    class Engine:
        def __init__(self) -> None:
            self.images = self.api = self

        def build(self, **_: Any) -> Any:
            return iter([{"stream": "all well"}])

        def get(self, reference: str) -> Any:
            raise docker.errors.ImageNotFound(reference)

    with pytest.raises(EngineFault, match="was built and is not there"):
        build_image(Engine(), TAG, None, arguments={}, labels={}, say=print)  # type: ignore[arg-type]
