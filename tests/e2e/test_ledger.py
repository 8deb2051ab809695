"""A schema's move on real PostgreSQL: rehearsed, refused where it breaks the live release, made, and gone back from."""

import json
import shutil
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.e2e.conftest import produced
from tests.e2e.live import Live
from tests.e2e.quick import remove

pytestmark = pytest.mark.docker

HOME = Path(__file__).with_name("platforms") / "ledger"
BUILDS = {"1.0": {"LABEL": "1"}, "2.0": {"LABEL": "2"}, "2.1": {"LABEL": "2", "RENAMES": "yes"}}


@pytest.fixture(scope="module")
def ledger(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    engine.images.build(path=str(HOME / "store"), tag="t-ledger/store:1.0", rm=True)
    for version, arguments in BUILDS.items():
        engine.images.build(path=str(HOME / "web"), tag=f"t-ledger/web:{version}", buildargs=arguments, rm=True)
    live = produced(tmp_path_factory)
    shutil.copytree(HOME, live.folder, ignore=shutil.ignore_patterns("store", "web", "__pycache__"))
    live.edit("otagate.yaml", "platform: ledger", f"platform: {live.name}")
    try:
        live.otagate("up", "--by", "tests")
        live.edit("compose.yaml", 'writes: "1"', 'writes: "2"')
        yield live
    finally:
        remove(live.name)


def asked(live: Live, note: str = "") -> tuple[str, list[str]]:
    """Through production's front door: which build answers, and what it has."""
    address = live.otagate("status")["data"]["listeners"]["web"]["address"]
    url = f"http://{address}/notes"
    if note:
        urllib.request.urlopen(urllib.request.Request(url, data=note.encode()), timeout=10).close()
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.headers["X-Otagate-Colour"], json.loads(answer.read())


def columns(live: Live, engine: docker.DockerClient) -> set[str]:
    said = engine.containers.get(f"{live.name}-shared-store").exec_run(
        ["psql", "-d", "hello", "-tAc", "SELECT attname FROM pg_attribute WHERE attrelid = 'notes'::regclass"],
        user="5432",
    )
    assert isinstance(said.output, bytes)
    return set(said.output.decode().split())


def test_a_move_that_breaks_the_live_release_is_refused_and_one_that_widens_goes_live(
    ledger: Live, engine: docker.DockerClient
) -> None:
    began = time.monotonic()
    asked(ledger, "before")
    refused = ledger.otagate("test", "web=t-ledger/web:2.1", exit=1)
    assert [f["reason"] for f in refused["findings"] if f["rule"] == "migrate"] == ["live-broken"]
    assert [f["mark"] for f in refused["findings"] if f["rule"] == "all"] == ["pass"]  # by itself it is sound
    assert "author" not in columns(ledger, engine)

    run = ledger.otagate("test", "web=t-ledger/web:2.0")["data"]["run"]
    assert "author" not in columns(ledger, engine)
    ledger.otagate("promote", run)
    assert "author" in columns(ledger, engine)
    assert asked(ledger, "after") == ("green", ["before", "after"])
    assert not [c.name for c in engine.containers.list(all=True) if f"{ledger.name}-green-web-" in str(c.name)]

    ledger.otagate("rollback")
    assert asked(ledger, "again") == ("blue", ["before", "after", "again"])
    print(f"refused, made and gone back from in {time.monotonic() - began:.0f} s")
