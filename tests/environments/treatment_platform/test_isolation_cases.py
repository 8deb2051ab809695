"""What the technical suite's cases of isolation let pass and what not, by listeners and names of this machine."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.environments.treatment_platform.cases import modules, said

OWN, OTHER = "127.0.0.1", "127.0.0.2"


@pytest.fixture
def case() -> Iterator[ModuleType]:
    with modules("technical", "conftest", "test_70_isolation") as found:
        yield found["test_70_isolation"]


@contextmanager
def listening(*addresses: tuple[str, int]) -> Iterator[None]:
    with ExitStack() as stack:
        for address in addresses:
            stack.enter_context(socket.create_server(address))
        yield


def free(count: int) -> list[int]:
    """Ports that nobody listens at, on either address."""
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in taken]


def gate(production: dict[str, list[str]]) -> Any:
    return SimpleNamespace(production=production, candidate=SimpleNamespace(host=lambda _: "localhost"))


@pytest.mark.parametrize(
    ("own", "other", "must"),
    [
        ((0, 1), (), ""),
        ((0, 1), (0,), f"{OTHER}:"),
        ((), (), "control"),
        ((0,), (), "control"),
    ],
    ids=["sealed", "production answers", "nothing answers", "half answers"],
)
def test_an_address_of_production_that_answers_is_caught(
    case: ModuleType, monkeypatch: pytest.MonkeyPatch, own: tuple[int, ...], other: tuple[int, ...], must: str
) -> None:
    """`own`: at which of both ports the mirror's own archive listens; `other`: at which production does."""
    ports = free(2)
    for name, value in {"PORTS": ports, "DICOM_PORT": ports[0], "VNA_PORT": ports[1]}.items():
        monkeypatch.setattr(case, name, value)
    there = [(OWN, ports[at]) for at in own] + [(OTHER, ports[at]) for at in other]
    with listening(*there):
        told = said(lambda: case.test_no_address_of_production_answers(gate({"vna": [OTHER]})))
    assert (told == "") is (must == "")
    assert must in told


@pytest.mark.parametrize(
    ("known", "must"),
    [
        ({"localhost"}, ""),
        ({"localhost", "vna"}, "vna"),
        (set(), "control"),
    ],
    ids=["sealed", "production known", "nothing known"],
)
def test_a_name_of_production_that_is_known_is_caught(
    case: ModuleType, monkeypatch: pytest.MonkeyPatch, known: set[str], must: str
) -> None:
    monkeypatch.setattr(case, "_addresses", lambda name: {OWN} if name in known else set())
    told = said(lambda: case.test_no_name_of_production_is_known_here(gate({"planner": [], "vna": []})))
    assert (told == "") is (must == "")
    assert must in told


def test_a_name_that_nobody_knows_has_no_address(case: ModuleType) -> None:
    assert OWN in case._addresses("localhost")
    assert case._addresses("no-such-name.invalid") == set()


@pytest.mark.parametrize("nothing", [{}, {"vna": []}], ids=["no production", "no addresses"])
def test_where_there_is_no_production_nothing_is_proven(case: ModuleType, nothing: dict[str, list[str]]) -> None:
    assert "nothing is proven" in said(lambda: case.test_no_address_of_production_answers(gate(nothing)))
