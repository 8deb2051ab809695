"""Files made to do harm: each ends in a ConfigError that points at the place, soon, and never in anything else."""

import os
import time
from pathlib import Path

import pytest

from otagate.config.load import load
from otagate.config.tree import MOST_BYTES
from otagate.core.errors import ConfigError, Exit
from tests.config.platform_copies import original, problems_of, small_in

CORPUS = Path(__file__).parent / "hostile"
LONGEST = 5.0


def expected() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (CORPUS / "expected.txt").read_text().splitlines():
        name, _, problem = line.partition(" ")
        found.setdefault(name, []).append(problem)
    return found


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_hostile_file_is_refused_with_its_place_and_a_hint(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small_in(tmp_path, **{path.stem.partition("-")[0]: path.read_bytes()})
    monkeypatch.chdir(folder)
    began = time.process_time()
    with pytest.raises(ConfigError) as caught:
        load(folder)
    assert time.process_time() - began < LONGEST
    assert caught.value.exit is Exit.USAGE
    assert [str(problem) for problem in caught.value.problems] == expected()[path.stem]
    assert all(problem.at and problem.hint for problem in caught.value.problems)
    assert all(str(problem).isprintable() for problem in caught.value.problems)


def test_every_hostile_file_has_its_expected_problems() -> None:
    assert {path.stem for path in CORPUS.glob("*.yaml")} == set(expected())
    assert len(expected()) >= 30


def test_the_small_platform_itself_is_sound(tmp_path: Path) -> None:
    # The control: without it every hostile file could be refused for a fault of the copy.
    assert problems_of(small_in(tmp_path)) == ()


def only_problem(folder: Path) -> str:
    (problem,) = problems_of(folder)
    assert problem.at is not None
    assert problem.hint
    return str(problem)


def test_a_config_that_is_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = small_in(tmp_path)
    peers = folder / "services/web/peers.yaml"
    peers.unlink()
    (tmp_path / "secret").write_text("outside")
    peers.symlink_to(tmp_path / "secret")
    assert "leads out of the platform's folder by a link" in only_problem(folder)


def test_a_config_behind_a_linked_folder_is_refused(tmp_path: Path) -> None:
    folder = small_in(tmp_path)
    (folder / "services/web").rename(tmp_path / "web")
    (folder / "services/web").symlink_to(tmp_path / "web")
    assert "leads out of the platform's folder by a link" in only_problem(folder)


def test_a_link_that_stays_inside_is_followed(tmp_path: Path) -> None:
    folder = small_in(tmp_path)
    (folder / "services/web/peers.yaml").rename(folder / "services/peers")
    (folder / "services/web/peers.yaml").symlink_to("../peers")
    assert problems_of(folder) == ()


def test_a_link_in_a_ring_is_refused(tmp_path: Path) -> None:
    folder = small_in(tmp_path)
    peers = folder / "services/web/peers.yaml"
    peers.unlink()
    peers.symlink_to("peers.yaml")
    assert only_problem(folder)


@pytest.mark.parametrize("name", ["compose.yaml", "otagate.yaml", "inventory.yaml"])
def test_a_platform_file_that_is_a_link_out_of_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    folder = small_in(tmp_path)
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    assert "leads out" in only_problem(folder)


@pytest.mark.parametrize("name", ["compose.yaml", "otagate.yaml", "inventory.yaml"])
def test_a_missing_platform_file_is_named(name: str, tmp_path: Path) -> None:
    folder = small_in(tmp_path)
    (folder / name).unlink()
    assert f"{name}:1:1: {name} does not exist" in only_problem(folder)


def test_a_pipe_in_a_files_place_makes_nobody_wait(tmp_path: Path) -> None:
    folder = small_in(tmp_path)
    (folder / "compose.yaml").unlink()
    os.mkfifo(folder / "compose.yaml")
    assert "is not a plain file" in only_problem(folder)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    folder = small_in(tmp_path, compose="# " + "x" * MOST_BYTES)
    assert "is larger than 256 KiB" in only_problem(folder)


def test_the_slowest_file_that_is_read_at_all_is_read_in_time(tmp_path: Path) -> None:
    slow = [
        "[" + "{a: " * 9 + "}" * 9 + "]",
        "? a\n",
        "- - - - - -\n",
        "'\\n",
        '"\\u0041',
        "a: &a b\n",
        "#\n",
        "a:\n  ",
    ]
    for number, piece in enumerate(slow):
        folder = small_in(tmp_path / str(number), compose=piece * (MOST_BYTES // len(piece)))
        began = time.process_time()
        assert problems_of(folder)
        assert time.process_time() - began < LONGEST


def test_a_platform_without_anything_to_promote_is_refused(tmp_path: Path) -> None:
    hooks = original("compose")[original("compose").index("      hooks:") : original("compose").index("  store:\n")]
    compose = original("compose").replace(hooks, "").replace("tier: release", "tier: state")
    assert "no release-tier service is declared" in only_problem(small_in(tmp_path, compose=compose))


def test_a_working_directory_that_is_gone_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = small_in(tmp_path, compose="")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert only_problem(folder).startswith(str(folder))


def test_a_suite_that_links_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = small_in(tmp_path)
    (folder / "suites/technical/data").symlink_to("/etc")
    assert "'data' in it leads out of the platform's folder by a link" in only_problem(folder)


@pytest.mark.parametrize("name", ["group_vars", "host_vars", "ansible.cfg"])
def test_what_ansible_would_read_beside_the_inventory_is_refused(name: str, tmp_path: Path) -> None:
    folder = small_in(tmp_path)
    (folder / name).mkdir()
    assert f"{name} beside it would be read by Ansible too" in only_problem(folder)


def test_problems_of_all_files_come_at_once_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compose = original("compose").replace("cap_drop: [ALL]", "cap_add: [ALL]").replace("tier: state", "tier: stat")
    settings = original("otagate").replace("protocol: http", "protocol: htp").replace("suite: technical", "suite: t", 1)
    inventory = original("inventory").replace("    green:\n", "")
    folder = small_in(tmp_path, compose=compose, otagate=settings, inventory=inventory)
    monkeypatch.chdir(folder)
    places = [str(problem).split(": ")[:2] for problem in problems_of(folder)]
    assert places == [
        ["compose.yaml:10:5", "services.web.cap_add"],
        ["compose.yaml:27:23", "services.store.x-otagate.tier"],
        ["inventory.yaml:1:1", "the host green is missing"],
        ["otagate.yaml:5:33", "listeners.web.protocol"],
        ["otagate.yaml:20:37", "policy.rules.technical.suite"],
    ]


@pytest.mark.parametrize("entry", ["hunter2", "{x-otagate: hunter2}", "[hunter2]", "{environment: hunter-2!}"])
def test_a_secret_value_written_by_mistake_is_not_repeated(entry: str, tmp_path: Path) -> None:
    folder = small_in(tmp_path, compose=original("compose").replace("{x-otagate: generated}", entry))
    assert "hunter" not in only_problem(folder)
