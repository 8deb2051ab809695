"""Every service is there, is the build it should be, and says so on both protocols, directly and by the front doors."""

from typing import Any

import pytest
from conftest import SUCCESS, VERIFICATION, Dicom, Http, Side

RELEASE = ("planner", "dose-engine")


def _implementation(otagate: Any, colour: str) -> str:
    digest: str = otagate.candidate.build("planner")
    return f"{colour[:1]}-{digest.removeprefix('sha256:')[:12]}"


@pytest.mark.parametrize("service", RELEASE)
@pytest.mark.parametrize(("path", "code"), [("/healthz", 200), ("/no-such", 404), ("/forward", 405)])
def test_every_answer_names_build_and_colour_also_a_refusal(otagate: Any, service: str, path: str, code: int) -> None:
    answer = Http(otagate.candidate.host(service)).get(path)
    assert answer.status_code == code
    assert answer.headers["X-Otagate-Build"] == answer.json()["build"] == otagate.candidate.build(service)
    assert answer.headers["X-Otagate-Colour"] in ("blue", "green")


@pytest.mark.parametrize("name", ["scans", "archive"])
def test_an_echo_is_answered(candidate: Side, name: str) -> None:
    listener: Dicom = getattr(candidate, name)
    with listener.association() as association:
        assert association.send_c_echo().Status == SUCCESS


def test_the_machine_answers_the_planners_echo(candidate: Side) -> None:
    with candidate.machine.association("PLANNER", (VERIFICATION,)) as association:
        assert association.send_c_echo().Status == SUCCESS


def test_an_association_names_build_and_colour(candidate: Side, otagate: Any) -> None:
    colour = candidate.planner.get("/healthz").headers["X-Otagate-Colour"]
    with candidate.scans.association() as association:
        assert association.acceptor.implementation_version_name == _implementation(otagate, colour)


def test_the_front_doors_lead_to_this_build(candidate: Side, otagate: Any) -> None:
    for listener, service in (("planner", "planner"), ("engine", "dose-engine")):
        answer = Http(*otagate.door(listener)).get("/healthz")
        assert (answer.status_code, answer.headers["X-Otagate-Build"]) == (200, otagate.candidate.build(service))
    colour = candidate.planner.get("/healthz").headers["X-Otagate-Colour"]
    host, port = otagate.door("scans")
    with Dicom(host, "PLANNER", port).association() as association:
        assert association.acceptor.implementation_version_name == _implementation(otagate, colour)
    host, port = otagate.door("vna-dicom")
    with Dicom(host, "VNA", port).association() as association:
        assert association.send_c_echo().Status == SUCCESS
    answer = Http(*otagate.door("vna-web")).get("/dicom-web/studies")
    assert answer.status_code == 401, "the archive's web door lets nobody in without a password"
