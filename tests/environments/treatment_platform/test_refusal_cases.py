"""What the refusal cases of the functional suite let pass and what not: the project's own engine and planner, and
mutants of them that compute on what they should refuse, or refuse wrongly.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import dose_engine.engine
import dose_engine.patient
import dose_engine.scan
import dose_engine.structures
import httpx
import numpy as np
import pytest
from dose_engine.contours import rasterise
from dose_engine.density import HIGHEST, LOWEST, relative_density
from dose_engine.multipart import pack
from dose_engine.recent import Recent
from dose_engine.structures import belongs
from phantoms.frozen import frozen_plan
from phantoms.objects import encode, write
from phantoms.synthetic import synthetic
from planner.machine import Machine

from tests.environments.treatment_platform.cases import modules, said
from tests.environments.treatment_platform.hospital import Hospital, ask, assembled
from tests.environments.treatment_platform.shelf import Shelf
from tests.environments.treatment_platform.test_web import client

Body = Mapping[str, Any]
Post = Callable[[str, Body], httpx.Response]
Change = Callable[[httpx.Response], httpx.Response]
Mutant = tuple[Any, str, Callable[..., Any]]  # module, name, and what stands there instead

QUICK = {"gantry": [0], "pixel": 20}  # whether a plan is computed counts here, not which
EVERY = 4


@dataclass
class Archive:
    """The shelf, as the suite reaches it."""

    shelf: Shelf = field(default_factory=Shelf)

    def store(self, *files: bytes) -> httpx.Response:
        self.shelf.store(files)
        return httpx.Response(200)

    def search(self, path: str, **_: str) -> list[dict[str, Any]]:
        study = path.split("/")[2]
        return [{} for where, _ in self.shelf.places.values() if where == study]

    def slip_in(self) -> None:
        """One more object into each study."""
        for study in {study for study, _ in self.shelf.places.values()}:
            self.shelf.put(f"{study}.1", (study, f"{study}.2"), b"a dose")


class Taking(Machine):
    """A machine that takes all that it is sent, and tells the studies."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(("127.0.0.1", 0), "LINAC", "PLANNER", "p")
        self.studies: list[str] = []
        self._shelf = shelf

    def send(self, plan: bytes) -> str:
        self.studies += {study for uid, (study, _) in self._shelf.places.items() if self._shelf.objects[uid] == plan}
        return ""

    def get(self, _: str) -> httpx.Response:
        return httpx.Response(200, json={"plans": [{"study": study} for study in self.studies]})


@dataclass
class Clinic(Hospital):
    """A planner's hospital with the engine itself in it, and the archive that the engine has."""

    shelf: Shelf = field(default_factory=Shelf)

    def engine(self, request: httpx.Request) -> httpx.Response:
        answer = client(self.shelf).post(request.url.path, content=request.content)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def archive(self, request: httpx.Request) -> httpx.Response:
        if uid := request.url.params.get("SOPInstanceUID"):
            return httpx.Response(200, json=[{"0020000E": {"Value": [self.shelf.places[uid][1]]}}])
        body, kind = pack([self.shelf.objects[request.url.path.rpartition("/")[2]]])
        return httpx.Response(200, content=body, headers={"Content-Type": kind})


@pytest.fixture(scope="module")
def suite() -> Iterator[dict[str, ModuleType]]:
    with modules("functional", "conftest", "variants", "test_50_refusals") as found:
        yield found


@pytest.fixture(scope="module")
def source(suite: dict[str, ModuleType], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The suite's own, made coarse in all directions, so that a case costs little."""
    cases = suite["test_50_refusals"]
    folder: Path = tmp_path_factory.mktemp("refused")
    made = synthetic(cases.SEED)
    few = slice(None, None, EVERY)
    study = replace(
        made,
        hounsfield=made.hounsfield[few, few, few],
        spacing=(EVERY * made.spacing[0], EVERY * made.spacing[1], EVERY * made.spacing[2]),
        structures=tuple(replace(one, mask=one.mask[few, few, few]) for one in made.structures[:2]),  # body, target
    )
    write(study, folder)
    (folder / "frozen.dcm").write_bytes(encode(frozen_plan(study, cases.SEED, pixel=20.0)))
    return suite["conftest"].phantom(folder)


def as_it_is(answer: httpx.Response) -> httpx.Response:
    return answer


class Bed:
    """The cases, each before an archive and an engine of its own; `change` is done to each answer on its way."""

    def __init__(self, cases: ModuleType, source: Any) -> None:
        self._cases, self._source = cases, source
        self.spoils = {spoil.__name__: spoil for spoil in cases.SPOILT}

    def spoilt(self, name: str, path: str = "/forward", change: Change = as_it_is, *, stored: bool = False) -> None:
        archive, spoil = Archive(), self.spoils[name]
        side = self._side(archive, change, stored=stored)
        self._cases.test_is_refused_where(side, archive, self._source, spoil, self._cases.SPOILT[spoil], path)

    def foreign(self, keyword: str, code: str, change: Change = as_it_is, *, stored: bool = False) -> None:
        archive = Archive()
        side = self._side(archive, change, stored=stored)
        self._cases.test_a_plan_of_something_else_is_refused(side, archive, self._source, keyword, code)

    def known(self) -> None:
        archive = Archive()
        side = self._side(archive, as_it_is)
        self._cases.test_structures_of_another_study_are_refused_though_the_engine_knows_them(
            side, archive, self._source
        )

    def planner(self, change: Change = as_it_is, *, stored: bool = False, sent: bool = False) -> None:
        archive = Archive()
        machine = Taking(archive.shelf)
        parts = assembled(Clinic(b"", "", shelf=archive.shelf), machine)

        def post(path: str, body: Body) -> httpx.Response:
            answer = change(ask(parts, "POST", path, json={**body, **QUICK}))
            if sent:
                machine.studies.append(body["study"])
            if stored:
                archive.slip_in()
            return answer

        side = SimpleNamespace(planner=SimpleNamespace(post=post), linac=machine)
        self._cases.test_the_planner_passes_a_refusal_on_and_the_machine_gets_nothing(side, archive, self._source)

    def whole(self, change: Change = as_it_is) -> None:
        archive, cases = Archive(), self._cases
        cases.test_the_study_is_computed_as_long_as_nothing_is_wrong_with_it(
            self._side(archive, change), archive, self._source
        )

    def _side(self, archive: Archive, change: Change, *, stored: bool = False) -> Any:
        engine = client(archive.shelf)

        def post(path: str, body: Body) -> httpx.Response:
            answer = change(engine.post(path, json={**body, **(QUICK if path == "/plans" else {})}))
            if stored:
                archive.slip_in()
            return answer

        return SimpleNamespace(engine=SimpleNamespace(post=post, asked=post))


@pytest.fixture(scope="module")
def bed(suite: dict[str, ModuleType], source: Any) -> Bed:
    return Bed(suite["test_50_refusals"], source)


INSIDE, LAST = "a_slice_is_missing_inside", "the_last_slice_is_missing"
SLICE_FRAME, DRAWN_FRAME = "a_slice_lies_in_another_frame", "the_structures_lie_in_another_frame"
DENSITY, UNITS = "the_body_has_a_density_nobody_knows", "the_slices_hold_no_hounsfield_units"
PATIENT = "the_structures_are_another_patients"
FOREIGN = {"FrameOfReferenceUID": "foreign-frame", "PatientID": "foreign-patient"}


def asked(bed: Bed, names: Iterable[str], path: str = "/forward") -> dict[str, str]:
    """Case → what it said; "" where it passed."""
    found = {}
    for name in names:
        if name in FOREIGN:
            found[name] = said(partial(bed.foreign, name, FOREIGN[name]))
        else:
            found[name] = said(partial(bed.spoilt, name, path))
    return found


def test_the_engine_that_refuses_rightly_passes_every_case(bed: Bed) -> None:
    assert said(bed.whole) == ""
    assert set(asked(bed, [*bed.spoils, *FOREIGN]).values()) == {""}
    assert set(asked(bed, bed.spoils, "/plans").values()) == {""}
    assert said(bed.planner) == ""
    assert said(bed.known) == ""


def test_there_is_no_case_without_a_mutant(bed: Bed) -> None:
    assert set().union(*MUTANTS.values()) == {*bed.spoils, *FOREIGN}


def _bridged(heights: Any) -> float:
    return float(np.median(np.diff(heights)))


def _water(hounsfield: Any, inside: Any) -> Any:
    return relative_density(np.where((hounsfield >= LOWEST) & (hounsfield <= HIGHEST), hounsfield, 0.0), inside)


def believed(**what: Callable[[Any], Any]) -> Mutant:
    """The structure set is not looked at for something: taken for what the scan has."""

    def lax(structures: Any, scan: Any) -> None:
        belongs(replace(structures, **{name: of(scan) for name, of in what.items()}), scan)

    return dose_engine.patient, "belongs", lax


def _on_the_scan(contours: Any, grid: Any) -> Any:
    return rasterise([one for one in contours if np.abs(grid.axes()[2] - one[0, 2]).min() < 1.0], grid)


_hounsfield = dose_engine.scan._hounsfield


def _any_units(one: Any, grid: Any) -> Any:
    one.RescaleType = "HU"
    return _hounsfield(one, grid)


# A slice that is missing is seen three times: by the gap, by the structure set's list, and by contours beside slices.
LISTED = believed(slices=lambda scan: scan.slices)
DRAWN: Mutant = (dose_engine.structures, "rasterise", _on_the_scan)
MUTANTS: dict[tuple[Mutant, ...], set[str]] = {
    (LISTED, DRAWN): {LAST},
    (LISTED, DRAWN, (dose_engine.scan, "_spacing", _bridged)): {INSIDE, LAST},
    ((dose_engine.scan, "_same", lambda _: None),): {SLICE_FRAME},
    (believed(frame=lambda scan: scan.frame),): {DRAWN_FRAME},
    ((dose_engine.patient, "relative_density", _water),): {DENSITY},
    ((dose_engine.scan, "_hounsfield", _any_units),): {UNITS},
    (believed(patient=lambda scan: str(scan.first.PatientID)),): {PATIENT},
    ((dose_engine.engine, "_fits", lambda *_: None),): set(FOREIGN),
}
IDS = ("end cut", "gap bridged", "slice frame", "drawn frame", "taken for water", "units", "patient", "plan")


@pytest.mark.parametrize(("mutants", "by"), MUTANTS.items(), ids=IDS)
def test_an_engine_that_computes_on_it_is_caught_by_the_case_for_it(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, mutants: tuple[Mutant, ...], by: set[str]
) -> None:
    for module, name, instead in mutants:
        monkeypatch.setattr(module, name, instead)
    answers = [*asked(bed, by).values(), *asked(bed, by - set(FOREIGN), "/plans").values()]
    if INSIDE in by:
        answers.append(said(bed.planner))
    assert {said_.split(",")[0] for said_ in answers} == {"answered 200 with a dose"}


def test_an_engine_that_keeps_structures_whatever_their_study_is_caught(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Recent.get

    def get(kept: Recent[Any], key: Any, make: Callable[[], Any]) -> Any:
        structures = isinstance(key, tuple) and len(key) == 2
        return whole(kept, key[0] if structures else key, make)

    monkeypatch.setattr(Recent, "get", get)
    assert said(bed.known).startswith("answered 200 with a dose")


def _error(answer: httpx.Response, status: int = 422, **more: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {**answer.json()["error"], **more}})


WRONG: dict[str, tuple[Change, str]] = {
    "a dose": (
        lambda _: httpx.Response(200, content=b"dose", headers={"Content-Type": "application/dicom"}),
        "answered 200 with a dose",
    ),
    "a plan": (lambda _: httpx.Response(200, json={"plan": "1.2.3"}), "answered 200 with a dose"),
    "another reason": (lambda answer: _error(answer, code="refused"), "answered 422 refused"),
    "another status": (lambda answer: _error(answer, 500), "answered 500 "),
    "no reason": (lambda answer: _error(answer, message=""), "refused without a reason"),
    "no code": (lambda _: httpx.Response(422, json={"detail": "unprocessable"}), "answered 422"),
    "a page": (lambda _: httpx.Response(502, text="bad gateway"), "answered 502"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_answer_is_caught_by_every_case(bed: Bed, wrong: str) -> None:
    change, must = WRONG[wrong]
    answers = [
        said(lambda: bed.spoilt(INSIDE, "/forward", change)),
        said(lambda: bed.spoilt(PATIENT, "/plans", change)),
        said(lambda: bed.foreign("PatientID", "foreign-patient", change)),
        said(lambda: bed.planner(change)),
    ]
    assert all(one.startswith(must) for one in answers), answers


@pytest.mark.parametrize("path", ["/forward", "/plans"])
def test_a_refusal_that_leaves_something_in_the_archive_is_caught(bed: Bed, path: str) -> None:
    assert "1 == 0" in said(lambda: bed.spoilt(INSIDE, path, stored=True))
    assert "1 == 0" in said(lambda: bed.foreign("PatientID", "foreign-patient", stored=True))


def test_a_planner_that_passes_it_on_and_does_it_all_the_same_is_caught(bed: Bed) -> None:
    assert "1 == 0" in said(lambda: bed.planner(stored=True))
    assert " not in " in said(lambda: bed.planner(sent=True))


def test_an_engine_that_refuses_all_fails_the_control(bed: Bed) -> None:
    assert said(lambda: bed.whole(lambda _: httpx.Response(422, json={"error": {"code": "refused"}})))
