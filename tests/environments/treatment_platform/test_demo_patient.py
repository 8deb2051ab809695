"""The patients of `otagate demo`: the clinic's own engine plans them, each for himself."""

import json
from collections.abc import Mapping
from io import BytesIO

import pytest
from dose_engine.request import parse_forward_request, parse_plan_request
from dose_engine.traits import Traits
from pydicom import Dataset

from otagate.demo.patient import arrive
from tests.environments.treatment_platform.objects import engine
from tests.environments.treatment_platform.shelf import Shelf


def encoded(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_the_engine_plans_them_and_knows_them_apart() -> None:
    shelf, patients = Shelf(), [arrive(1), arrive(2)]
    for patient in patients:
        shelf.store([encoded(one) for one in patient.objects])
    made = engine(shelf, Traits())
    for patient in patients:
        wanted = {
            "study": patient.study,
            "structure_set": patient.structure_set,
            "prescription": {"roi": "PTV", "dose": 50, "fractions": 25},
        }
        answer = made.plan(parse_plan_request(_json(wanted)))
        assert answer["figures"]["PTV"]["mean"] == pytest.approx(50, rel=0.03)
        dose, _ = made.forward(parse_forward_request(_json({"plan": answer["plan"], "spacing": 5})))
        assert dose[128:132] == b"DICM"
    assert made.seen == {patient.identity for patient in patients}


def test_nothing_is_shared_between_two_of_them() -> None:
    first, second = arrive(1), arrive(2)
    named = [{str(one.SOPInstanceUID) for one in patient.objects} for patient in (first, second)]
    assert not named[0] & named[1]
    assert len(named[0]) == len(first.objects)
    assert first.study != second.study
    assert {str(one.PatientID) for one in first.objects} == {first.identity}


def _json(wanted: Mapping[str, object]) -> bytes:
    return json.dumps(wanted).encode()
