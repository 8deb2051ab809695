"""What the gate says of builds and suites that are not as they should be, on real components.

The suite is that of three cases, and for the build that crashes hello's own of what it crashes at: such a gate takes
seconds. Through hello's own, which takes a minute, goes one honest build (`test_hello.py`).
"""

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.e2e.live import Live, containers
from tests.e2e.quick import raised

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

HELLO = Path(__file__).parents[2] / "environments" / "hello" / "suites"
BROKEN = Path("suites", "technical", "test_99_broken.py")


@pytest.fixture(scope="module")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Production with its first release live."""
    with raised(tmp_path_factory.mktemp("gate")) as live:
        yield live


def marked(live: Live, mark: str, build: str, exit: int) -> list[tuple[str, str]]:
    """Rule and reason of each finding so marked, of a test that ends with `exit`."""
    envelope = live.otagate("test", f"web={build}", exit=exit)
    assert envelope["data"]["verdict"] == {1: "refuse", 3: "inconclusive"}[exit]
    return [(finding["rule"], finding["reason"]) for finding in envelope["findings"] if finding["mark"] == mark]


def test_a_suite_that_cannot_be_imported_proves_nothing(swift: Live) -> None:
    broken = swift.folder / BROKEN
    broken.write_text("import no_such_module\n")
    try:
        assert ("technical", "suite-incoherent") in marked(swift, "unknown", "hello/web:1.1", 3)
    finally:
        broken.unlink()


def test_an_empty_suite_folder_is_told_before_anything_is_raised(swift: Live) -> None:
    folder = swift.folder / "suites" / "technical"
    away = folder.rename(swift.folder / "away")
    folder.mkdir()
    try:
        errors = swift.otagate("test", "web=hello/web:1.1", exit=2)["errors"]
    finally:
        folder.rmdir()
        away.rename(folder)
    assert "technical" in errors[0]["message"]


def test_a_crashing_build_is_refused_by_the_crash_rule_alone(swift: Live) -> None:
    """It aborts on a truncated file, answers that rightly before, and is up again before the next case."""
    added = [swift.folder / "suites" / name for name in ("conftest.py", "technical/test_90_truncated.py")]
    for path in added:
        shutil.copy(HELLO / path.relative_to(swift.folder / "suites"), path)
    try:
        assert marked(swift, "fail", "hello/web:1.6", 1) == [("crash", "crashed")]
    finally:
        for path in added:
            path.unlink()


def test_a_build_that_ends_as_soon_as_it_starts_is_refused_beside_a_healthy_baseline(swift: Live) -> None:
    assert marked(swift, "fail", "otagate/base:13", 1) == [("crash", "crashed")]


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGHUP])
def test_an_interrupt_takes_the_mirror_down_and_leaves_production_alone(
    swift: Live, engine: docker.DockerClient, sign: signal.Signals
) -> None:
    before = containers(engine, swift)
    process = swift.start("test", "web=hello/web:1.1")
    until = time.monotonic() + 60
    while not any("candidate-web" in name for name in containers(engine, swift)):
        assert time.monotonic() < until, "the mirror was never raised"
        time.sleep(0.2)
    process.send_signal(sign)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, out + err
    assert "Traceback" not in out + err
    assert containers(engine, swift) == before
