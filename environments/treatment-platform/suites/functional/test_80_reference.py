"""The independent engine computes in this run; what it keeps it keeps by the content of plan and image, not by name."""

import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
from bench import Bench

pytest_plugins = ["bench"]
pytestmark = [pytest.mark.requirement("reference"), pytest.mark.risk("a stale dose hides a wrong one")]


def kept() -> set[str]:
    return {file.name for file in Path(os.environ["REFERENCE_CACHE"]).glob("*.npz")}


def test_a_changed_plan_is_computed_anew_and_the_same_one_is_not(bench: Bench, tmp_path: Path) -> None:
    """The frozen plan under its own UID with 20 of its 25 fractions: four fifths of the dose, from a second entry. The
    unchanged plan, asked for again, adds none: that something is kept is part of the proof.
    """
    one = bench.frozen("synthetic-1")
    for other in ("synthetic-2", "synthetic-3", "tg119"):
        bench.frozen(other)
    bench.own_reference()  # nothing else is under way any more
    before = kept()
    assert before, "control: the reference keeps what it computes"
    like, plan = tmp_path / "like.dcm", tmp_path / "plan.dcm"
    head = one.candidate.head
    head.save_as(like)

    plan.write_bytes(one.plan)
    again = bench.reference.dose(plan, one.study, like)
    assert np.array_equal(again, one.reference)
    assert kept() == before, "the same plan was computed twice"

    changed = pydicom.dcmread(plan)
    changed.FractionGroupSequence[0].NumberOfFractionsPlanned = 20
    changed.save_as(plan)
    found = bench.reference.dose(plan, one.study, like)
    assert len(kept() - before) == 1, "a changed plan was not computed"
    assert found == pytest.approx(0.8 * one.reference, rel=1e-9, abs=1e-12)


def test_no_two_of_the_doses_are_the_same(bench: Bench) -> None:
    """A dose served under the wrong plan would stand here twice."""
    found = [bench.frozen(name).reference for name in ("synthetic-1", "synthetic-2", "synthetic-3")]
    for at, one in enumerate(found):
        for other in found[at + 1 :]:
            assert np.abs(one - other).max() > 0.01 * one.max()
