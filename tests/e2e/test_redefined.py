"""A changed definition goes to production as a build does, on real components: proven, promoted, brought back."""

from collections.abc import Iterator

import docker
import pytest

from tests.e2e.live import Live, clear
from tests.e2e.quick import raised

pytestmark = [pytest.mark.docker, pytest.mark.e2e]


@pytest.fixture(scope="module")
def redefined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Production with its first release live, and files that say something else of `web` since."""
    with raised(tmp_path_factory.mktemp("redefined")) as live:
        live.edit("compose.yaml", "AE_TITLE: HELLO", "AE_TITLE: HELLO\n      LEVEL: debug")
        live.edit(
            "compose.yaml",
            "mem_limit: 512m\n    cpus: 1.0\n    restart: always\n    stop_grace_period: 20s",
            "mem_limit: 384m\n    cpus: 0.9\n    restart: unless-stopped\n    stop_grace_period: 19s",
        )
        live.edit(
            "compose.yaml",
            'retries: 5\n      start_period: 20s\n    user: "65534',
            'retries: 6\n      start_period: 20s\n    tmpfs: ["/run/more:size=1m"]\n    user: "65534',
        )
        peers = live.folder / "services" / "web" / "peers.yaml"
        peers.write_text(peers.read_text() + "# one line more\n")
        yield live


def test_it_goes_live_and_back(redefined: Live, engine: docker.DockerClient) -> None:
    before = redefined.otagate("status")["data"]
    assert (before["departures"], before["redefined"]) == ([], ["web"])

    envelope = redefined.otagate("test", "web=hello/web:1.0")  # the very build that is live
    assert [f["mark"] for f in envelope["findings"] if f["rule"] == "drift"] == ["pass"]
    run = envelope["data"]["run"]

    redefined.otagate("promote", run)
    after = redefined.otagate("status")["data"]
    assert (after["live"], after["departures"], after["redefined"]) == ("green", [], [])
    green = engine.containers.get(f"{redefined.name}-green-web").attrs
    assert "LEVEL=debug" in green["Config"]["Env"]
    assert green["HostConfig"]["Memory"] == 384 * 1024**2
    assert redefined.otagate("up")["data"]["changed"] == []

    redefined.otagate("rollback", "--by", "tests")
    clear(redefined)
    back = redefined.otagate("status")["data"]
    assert (back["live"], back["departures"], back["redefined"]) == ("blue", [], ["web"])


def test_control_a_limit_raised_by_hand_on_what_is_live_is_drift(redefined: Live, engine: docker.DockerClient) -> None:
    """Also where it is raised to what the files say by now."""
    blue = engine.containers.get(f"{redefined.name}-blue-web")
    blue.update(mem_limit="384m", memswap_limit="768m")
    try:
        envelope = redefined.otagate("test", "web=hello/web:1.1", exit=1)
        assert [f["rule"] for f in envelope["findings"] if f["mark"] == "fail"] == ["drift"]
    finally:
        blue.update(mem_limit="512m", memswap_limit="1024m")


def test_a_changed_idle_time_is_brought_in_by_up_and_switch_replace(redefined: Live) -> None:
    """The whole way back to green, and no request lost on it is `test_switch_replace_e2e.py`'s to show."""
    redefined.edit("otagate.yaml", "idle: 4h", "idle: 3h")
    assert redefined.otagate("status", exit=8)["errors"]
    up = redefined.otagate("up", exit=8)
    assert up["data"]["changed"] == [f"{redefined.name}-shared-steward"]
    assert up["data"]["unapplied"] == [f"{redefined.name}-shared-switch"]
    assert [e["hint"] for e in up["errors"]] == ["otagate switch replace brings it in while traffic runs"]
    redefined.otagate("switch", "replace")
    after = redefined.otagate("status")["data"]
    assert (after["live"], after["departures"]) == ("blue", [])
    assert redefined.otagate("up")["data"]["changed"] == []
