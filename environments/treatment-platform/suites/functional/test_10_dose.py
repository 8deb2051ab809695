"""The dose of a plan that never changes, beside the live build's dose of the very same plan."""

from io import BytesIO

import numpy as np
import pydicom
import pytest
from acceptance.criteria import worst
from conftest import Phantom, Side

TOLERANCE = 1e-5 * 100  # % of the maximum: no measurement lies between two builds of one engine (acceptance.criteria)


@pytest.mark.requirement("dose")
@pytest.mark.risk("a wrong dose is delivered")
def test_every_voxel_is_the_live_builds(candidate: Side, baseline: Side, loaded: Phantom) -> None:
    doses = []
    for side in (candidate, baseline):
        answer = side.engine.asked("/forward", {"plan": loaded.plan_uid, "spacing": 5})
        read = pydicom.dcmread(BytesIO(answer.content))
        doses.append(read.pixel_array.astype(np.float64) * float(read.DoseGridScaling))
    assert doses[1].max() > 1.0, "control: there is a dose to compare with"
    assert worst(doses[1], doses[0]) <= TOLERANCE
