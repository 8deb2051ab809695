"""Only known peers associate."""

import pytest
from conftest import Dicom, Web


def test_a_known_peer_is_let_in(dicom: Dicom) -> None:
    with dicom.association("PLANNER") as association:
        assert association.send_c_echo().Status == 0x0000


@pytest.mark.risk("objects from an unknown sender")
@pytest.mark.parametrize("calling", ["STRANGER", "planner", "PLANNER2", "HELLO"])
def test_an_unknown_peer_is_refused(web: Web, dicom: Dicom, calling: str) -> None:
    association = dicom.associate(calling)
    assert association.is_rejected
    assert web.get("/healthz").status_code == 200


def test_a_call_for_another_service_is_refused(dicom: Dicom) -> None:
    assert dicom.associate("PLANNER", called="OTHER").is_rejected
