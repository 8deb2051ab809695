"""The services' sources are programs of their own, in images of their own; here they are importable for unit tests."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset

SERVICES = Path(__file__).parents[3] / "environments" / "treatment-platform" / "services"

for name in ("dose-engine", "linac", "planner", "reference", "suite"):
    sys.path.insert(0, str(SERVICES / name))

from linac.checks import Machine as Linac  # noqa: E402
from linac.dicom import DicomServer as LinacServer  # noqa: E402
from linac.received import Plans  # noqa: E402
from phantoms.frozen import frozen_plan  # noqa: E402
from phantoms.objects import encode  # noqa: E402
from phantoms.study import Study  # noqa: E402
from phantoms.synthetic import synthetic  # noqa: E402

from tests.environments.treatment_platform.hospital import Hospital, Parts, assembled, at, working  # noqa: E402
from tests.environments.treatment_platform.shelf import Shelf  # noqa: E402


@pytest.fixture(scope="session")
def study() -> Study:
    """One synthetic study, made once: nobody changes it."""
    return synthetic(7)


@pytest.fixture(scope="session")
def shelved(study: Study) -> Shelf:
    """An archive that holds the study; nobody changes it."""
    return Shelf.of(study)


@pytest.fixture
def shelf(shelved: Shelf) -> Shelf:
    """An archive that holds the study, to do with as a test likes."""
    return shelved.copy()


@pytest.fixture(scope="module")
def plan(study: Study) -> Dataset:
    return frozen_plan(study, 1, pixel=20.0)


@pytest.fixture
def hospital(plan: Dataset) -> Hospital:
    return Hospital(encode(plan), str(plan.SOPInstanceUID))


@pytest.fixture
def linac(tmp_path: Path) -> Iterator[tuple[Plans, int]]:
    plans = Plans(tmp_path)
    server = LinacServer("LINAC", ("PLANNER",), Linac("OTA-6MV", ("OTA-*",)), plans)
    port = server.start(("127.0.0.1", 0))
    yield plans, port
    server.close()


@pytest.fixture
def parts(hospital: Hospital, linac: tuple[Plans, int]) -> Iterator[Parts]:
    with working(assembled(hospital, at(linac[1]))) as made:
        yield made
