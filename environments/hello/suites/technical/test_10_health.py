"""It runs, it is the build it should be, and it says so on both protocols, directly and through the front doors."""

from typing import Any

import pytest
from conftest import Dicom, Web


def _implementation(otagate: Any, colour: str) -> str:
    digest: str = otagate.candidate.build("web")
    return f"{colour[:1]}-{digest.removeprefix('sha256:')[:12]}"


def test_a_healthy_answer_names_build_and_colour(web: Web, otagate: Any) -> None:
    answer = web.get("/healthz")
    assert answer.status_code == 200
    assert answer.headers["X-Otagate-Build"] == otagate.candidate.build("web")
    assert answer.headers["X-Otagate-Colour"] in ("blue", "green")
    assert answer.json()["build"] == otagate.candidate.build("web")


@pytest.mark.parametrize(
    ("path", "code"), [("/objects?limit=1", 200), ("/objects?limit=-1", 400), ("/objects/1.2.3", 404), ("/none", 404)]
)
def test_every_answer_names_its_build_also_a_refusal(web: Web, otagate: Any, path: str, code: int) -> None:
    answer = web.get(path)
    assert answer.status_code == code
    assert answer.headers["X-Otagate-Build"] == answer.json()["build"] == otagate.candidate.build("web")


def test_an_association_names_build_and_colour(web: Web, dicom: Dicom, otagate: Any) -> None:
    colour = web.get("/healthz").headers["X-Otagate-Colour"]
    with dicom.association() as association:
        assert association.send_c_echo().Status == 0x0000
        assert association.acceptor.implementation_version_name == _implementation(otagate, colour)


def test_the_front_doors_lead_to_this_build(web: Web, otagate: Any) -> None:
    colour = web.get("/healthz").headers["X-Otagate-Colour"]
    answer = Web(*otagate.door("web")).get("/objects?limit=1")
    assert (answer.status_code, answer.headers["X-Otagate-Build"]) == (200, otagate.candidate.build("web"))
    with Dicom(*otagate.door("dicom")).association() as association:
        assert association.send_c_echo().Status == 0x0000
        assert association.acceptor.implementation_version_name == _implementation(otagate, colour)
