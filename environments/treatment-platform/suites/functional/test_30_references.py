"""Every object refers to what it was made from, and to nothing that is not there."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
import pytest
from acceptance.volumes import read_dose
from bench import SPACING, STUDIES, Bench
from conftest import DicomWeb, Side, uid_of
from pydicom import Dataset

pytest_plugins = ["bench"]
pytestmark = [pytest.mark.requirement("references"), pytest.mark.risk("a plan that belongs to something else")]

WHOSE = ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID")
SOFTWARE = 0  # which value of SoftwareVersions is the build


@pytest.fixture
def plan(bench: Bench) -> Dataset:
    """The build's own plan, as the archive has it."""
    return pydicom.dcmread(BytesIO(bench.own().plan))


@pytest.fixture
def dose(bench: Bench) -> Dataset:
    return pydicom.dcmread(BytesIO(bench.own().dose))


@pytest.fixture
def scan(bench: Bench) -> Dataset:
    return pydicom.dcmread(bench.own().study.slices[0], stop_before_pixels=True)


def test_the_plan_refers_to_the_structures_it_was_made_on(bench: Bench, plan: Dataset) -> None:
    referred = [str(one.ReferencedSOPInstanceUID) for one in plan.ReferencedStructureSetSequence]
    wanted = bench.own().study.structure_set
    assert referred == [wanted], f"RTPLAN refers to structure set {referred}, made on {wanted}"


def test_the_dose_refers_to_its_plan(bench: Bench, plan: Dataset, dose: Dataset) -> None:
    referred = [str(one.ReferencedSOPInstanceUID) for one in dose.ReferencedRTPlanSequence]
    assert referred == [str(plan.SOPInstanceUID)] == [bench.own().answer["plan"]]


@pytest.mark.parametrize("name", STUDIES)
def test_the_dose_of_a_frozen_plan_refers_to_that_plan(bench: Bench, name: str) -> None:
    one = bench.frozen(name)
    referred = [str(found.ReferencedSOPInstanceUID) for found in one.candidate.head.ReferencedRTPlanSequence]
    assert referred == [one.study.plan_uid]


@pytest.mark.parametrize("name", STUDIES)
def test_the_dose_of_a_frozen_plan_is_of_the_scans_patient_study_and_frame(bench: Bench, name: str) -> None:
    one = bench.frozen(name)
    assert whose(one.candidate.head) == whose(pydicom.dcmread(one.study.slices[0], stop_before_pixels=True))


def test_a_forward_dose_that_is_archived_is_the_one_that_is_answered(
    candidate: Side, archive: DicomWeb, bench: Bench
) -> None:
    one = bench.frozen(STUDIES[0])
    wanted = {"plan": one.study.plan_uid, "spacing": SPACING, "store": True}
    answer = candidate.engine.asked("/forward", wanted).json()
    kept = read_dose(archive.fetch(one.study.study, answer["dose"]))
    assert [str(to.ReferencedSOPInstanceUID) for to in kept.head.ReferencedRTPlanSequence] == [one.study.plan_uid]
    assert whose(kept.head) == whose(one.candidate.head)
    assert np.array_equal(kept.gray, one.candidate.gray)


@pytest.mark.parametrize("keyword", WHOSE)
def test_plan_and_dose_are_of_one_patient_study_and_frame(
    scan: Dataset, plan: Dataset, dose: Dataset, keyword: str
) -> None:
    wanted = scan[keyword].value
    assert wanted
    assert {"plan": plan[keyword].value, "dose": dose[keyword].value} == {"plan": wanted, "dose": wanted}


@pytest.mark.parametrize("which", ["plan", "dose"])
def test_nothing_refers_to_what_the_archive_has_not(
    archive: DicomWeb, which: str, request: pytest.FixtureRequest
) -> None:
    """Each object referred to, in any depth of sequences, is in the archive, once."""
    read: Dataset = request.getfixturevalue(which)
    referred = sorted(set(references(read)))
    assert referred, "control: there is a reference to follow"
    lost = [uid for uid in referred if len(archive.search("/instances", SOPInstanceUID=uid)) != 1]
    assert not lost, f"{which} refers to {', '.join(lost)}: not in the archive"


def test_what_is_written_bears_the_build_that_wrote_it(otagate: Any, plan: Dataset, dose: Dataset) -> None:
    build = otagate.candidate.build("dose-engine").removeprefix("sha256:")
    for read in (plan, dose):
        assert read.SoftwareVersions[SOFTWARE] == build


@pytest.mark.parametrize("name", STUDIES)
def test_each_dose_that_is_compared_is_of_the_build_that_it_stands_for(otagate: Any, bench: Bench, name: str) -> None:
    """A baseline that is not the live release would make any dose an unchanged one."""
    one = bench.frozen(name)
    for side, dose in ((otagate.candidate, one.candidate), (otagate.baseline, one.live)):
        assert dose.head.SoftwareVersions[SOFTWARE] == side.build("dose-engine").removeprefix("sha256:")


def test_nothing_is_written_under_a_uid_that_is_there(bench: Bench, plan: Dataset, dose: Dataset) -> None:
    study = bench.own().study
    known = {study.plan_uid, study.structure_set, *(uid_of(file.read_bytes()) for file in study.slices)}
    fresh = {str(plan.SOPInstanceUID), str(dose.SOPInstanceUID)}
    assert len(fresh) == 2
    assert not fresh & known
    assert plan.SeriesInstanceUID != dose.SeriesInstanceUID


def whose(dataset: Dataset) -> dict[str, str]:
    found = {keyword: str(dataset[keyword].value) for keyword in WHOSE}
    assert all(found.values()), f"it does not say whose it is: {found}"
    return found


def references(dataset: Dataset) -> Iterator[str]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from references(item)
        elif element.keyword == "ReferencedSOPInstanceUID":
            yield str(element.value)
