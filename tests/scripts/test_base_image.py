"""The base image: whose packages, which bytes, and no way to hang on a registry."""

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import docker
import pytest
import requests
from docker.errors import APIError

from scripts import base_image
from scripts.base_image import Sources, image_config, inputs, load_root, own_sources, sources_of
from scripts.progress import Line

OWN = """
http://mirror.example/debian/ bookworm
http://mirror.example/debian/ bookworm-updates
https://security.example/debian-security/ bookworm-security
https://packages.example/nodes nodistro
cdrom://old bookworm
"""


def test_the_machines_own_mirrors_are_used() -> None:
    assert sources_of(OWN) == Sources("http://mirror.example/debian", "https://security.example/debian-security")


def test_without_debian_mirrors_the_public_ones_are_used() -> None:
    assert sources_of("https://packages.example/ubuntu noble\n") == Sources()


def test_all_three_suites_are_asked_for() -> None:
    suites = [line.split()[3] for line in sources_of(OWN).text().splitlines()]
    assert suites == ["trixie", "trixie-updates", "trixie-security"]


def test_this_machines_sources_can_be_read() -> None:
    assert own_sources().archive.startswith("http")


def test_another_authority_is_another_base_image(tmp_path: Path) -> None:
    before = inputs([])
    (tmp_path / "own.crt").write_text("certificate")
    assert inputs([tmp_path / "own.crt"]) not in ("", before)


def test_equal_bytes_give_equal_configurations() -> None:
    assert image_config("0" * 64, "sha256:1") == image_config("0" * 64, "sha256:1")
    assert json.loads(image_config("0" * 64, "x"))["rootfs"]["diff_ids"] == [f"sha256:{'0' * 64}"]


class Registry:
    """An engine whose pull goes as it is told."""

    def __init__(self, *events: object) -> None:
        self.events = events
        self.api = SimpleNamespace(pull=self.pull)

    def pull(self, repository: str, tag: str, **_: object) -> Iterator[object]:
        assert (repository, tag) == ("registry.example:5000/debian", "13-slim")
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            if callable(event):
                event()
            yield event


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([{"status": "Pulling"}, {"status": "Done"}], ""),
        ([{"status": "Pulling"}, {"error": "denied: log in first"}], "log in first"),
        ([APIError("500", explanation="Get x: dial tcp: no such host")], "no such host"),
        ([requests.ConnectionError("the engine went away")], "the engine went away"),
    ],
)
def test_a_registry_that_does_not_give_the_image_says_why(events: list[object], why: str) -> None:
    registry = cast(docker.DockerClient, Registry(*events))
    assert base_image._pull(registry, "registry.example:5000/debian:13-slim", Line("x")) == why


def test_a_registry_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine itself would wait 25 s and more."""
    monkeypatch.setattr(base_image, "REGISTRY_SILENCE", 0.05)
    forever = threading.Event()
    registry = cast(docker.DockerClient, Registry(forever.wait))
    why = base_image._pull(registry, "registry.example:5000/debian:13-slim", Line("x"))
    forever.set()
    assert why == "no word from its registry within 0.05 s"


def test_a_registry_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_image, "REGISTRY_TOTAL", -1)
    registry = cast(docker.DockerClient, Registry({"status": "Downloading"}))
    assert "not here after" in base_image._pull(registry, "registry.example:5000/debian:13-slim", Line("x"))


def test_a_taken_image_that_is_not_debian_13_cannot_become_the_base() -> None:
    with tarfile.open(fileobj=base_image._layer_context("debian:13-slim", [])) as archive:
        stream = archive.extractfile("Dockerfile")
        assert stream is not None
        text = stream.read().decode()
    assert '[ "$ID $VERSION_ID" = "debian 13" ]' in text
    assert text.startswith("FROM debian:13-slim\n")


@pytest.mark.docker
def test_a_root_file_system_loaded_twice_has_one_identity(engine: docker.DockerClient, tmp_path: Path) -> None:
    root = tmp_path / "root.tar"
    with tarfile.open(root, "w") as archive:
        entry = tarfile.TarInfo("hello")
        entry.size = 2
        archive.addfile(entry, io.BytesIO(b"hi"))
    tag = "t-setup/root:1"
    try:
        first = load_root(engine, root, "sha256:1", tag)
        assert engine.images.get(tag).id == first
        assert load_root(engine, root, "sha256:1", tag) == first
    finally:
        engine.images.remove(tag, force=True)
