"""The services' sources are programs of their own, in images of their own; here they are importable for unit tests."""

import sys
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[3] / "environments" / "treatment-platform" / "services"

for name in ("dose-engine", "linac", "planner", "reference", "suite"):
    sys.path.insert(0, str(SERVICES / name))

from phantoms.study import Study  # noqa: E402
from phantoms.synthetic import synthetic  # noqa: E402

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
