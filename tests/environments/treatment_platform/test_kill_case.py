"""What the technical suite's case of a killed service lets pass and what not, by chains that lose what they took."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import pytest

from tests.environments.treatment_platform.cases import modules, said

CANNOT = 0xA700  # out of resources
NONCE = "c0ffee0123456789"


@pytest.fixture(scope="module")
def suite() -> Iterator[dict[str, ModuleType]]:
    with modules("technical", "conftest", "studies", "test_86_kill") as found:
        yield found


class Object:
    """Stands for a file on disk, and is its own UID."""

    def __init__(self, study: str, name: str) -> None:
        self.study, self.name = study, name

    def read_bytes(self) -> Any:
        return self


@dataclass
class Chain:
    """Planner, archive and machine in one. `fault` is what it does wrongly; while it is `down` nothing is kept."""

    fault: str = ""
    down: bool = False
    kept: dict[str, set[Object]] = field(default_factory=lambda: defaultdict(set))
    plans: list[dict[str, str]] = field(default_factory=list)

    @contextmanager
    def association(self, _: str) -> Iterator[Any]:
        yield SimpleNamespace(is_established=True)

    def sent(self, _: object, one: Object) -> int:
        if self.down and self.fault != "takes what it cannot keep":
            return CANNOT
        if not self.down:
            self.kept[one.study].add(one)
        return 0

    def kill(self, _: str) -> None:
        """Answers once all is well again, as the gate does."""
        self.down = True
        if self.fault == "forgets":
            self.kept.clear()
        time.sleep(0.3)
        self.down = False
        time.sleep(0.2)

    def instances(self, study: str) -> set[Object]:
        return self.kept[study]

    def load(self, study: Any, files: Any) -> None:
        self.kept[study.study] |= set(files)

    def asked(self, _: str, wanted: dict[str, Any], ended: str) -> httpx.Response:
        assert ended == "vna"
        for turn in range(2 if self.fault == "sends twice" else 1):
            plan = f"{wanted['study']}.{turn}"
            self.plans.append({"study": wanted["study"], "uid": plan, "sha256": "ab"})
        return httpx.Response(200, json={"plan": plan, "linac": {"sha256": "ab"}})

    def get(self, _: str) -> httpx.Response:
        return httpx.Response(200, json={"plans": self.plans})

    def wait(self) -> bool:
        return True


def killed(suite: dict[str, ModuleType], patch: pytest.MonkeyPatch, of: Chain) -> str:
    """What the case says of a chain."""
    cases, number = suite["test_86_kill"], count(1)

    def fresh(*_: object) -> Any:
        study = f"1.2.{next(number)}"
        slices = tuple(Object(study, f"slice {n}") for n in range(8))
        return SimpleNamespace(study=study, slices=slices, structures=Object(study, "structures"), structure_set="1")

    for name, value in {"fresh": fresh, "sent": of.sent, "uid_of": lambda one: one, "PACE": 0.01}.items():
        patch.setattr(cases, name, value)
    side = SimpleNamespace(scans=of, archive=of, planner=of, linac=of, load=of.load, wait_until_healthy=of.wait)
    archive = SimpleNamespace(wait_until_it_answers=of.wait)
    gate = SimpleNamespace(nonce=NONCE, kill=of.kill)
    ask = cases.test_what_was_acknowledged_outlives_a_service_that_is_killed
    return said(lambda: ask(side, archive, gate, Path(), "vna"))


def test_a_chain_that_keeps_what_it_took_passes(suite: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    assert killed(suite, monkeypatch, Chain()) == ""


@pytest.mark.parametrize(
    ("fault", "must"),
    [
        ("takes what it cannot keep", "objects were acknowledged and are not there"),
        ("forgets", "objects were acknowledged and are not there"),
        ("sends twice", "the machine has 2 plans of the study"),
    ],
)
def test_one_that_does_not_is_caught(
    suite: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, fault: str, must: str
) -> None:
    assert must in killed(suite, monkeypatch, Chain(fault))
