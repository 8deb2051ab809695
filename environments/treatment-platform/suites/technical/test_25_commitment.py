"""Storage commitment: the archive takes responsibility for what it has, and names what it has not."""

from typing import Any

import pytest
from conftest import CT, DicomWeb, Phantom, Side, uid_of
from peer import COMMITTED, WITH_FAILURES, listening
from pydicom.uid import generate_uid

NO_SUCH_OBJECT = 0x0112  # failure reason, PS3.4 J.3.3

pytestmark = [pytest.mark.requirement("commitment"), pytest.mark.risk("a scanner deletes what was never archived")]


def test_what_is_there_is_committed(candidate: Side, archive: DicomWeb, loaded: Phantom, otagate: Any) -> None:
    objects = [(CT, uid_of(file.read_bytes())) for file in loaded.slices]
    transaction = str(generate_uid(prefix="2.25."))
    with listening(candidate.archive, archive, otagate.candidate.host("vna")) as peer:
        peer.ask_for_commitment(transaction, objects)
        kind, report = peer.report()
    assert (kind, str(report.TransactionUID)) == (COMMITTED, transaction)
    assert {str(one.ReferencedSOPInstanceUID) for one in report.ReferencedSOPSequence} == {uid for _, uid in objects}


def test_an_object_that_is_missing_is_named_as_failed(
    candidate: Side, archive: DicomWeb, loaded: Phantom, otagate: Any
) -> None:
    there, missing = uid_of(loaded.slices[0].read_bytes()), str(generate_uid(prefix="2.25."))
    with listening(candidate.archive, archive, otagate.candidate.host("vna")) as peer:
        peer.ask_for_commitment(str(generate_uid(prefix="2.25.")), [(CT, there), (CT, missing)])
        kind, report = peer.report()
    assert kind == WITH_FAILURES
    assert [(str(one.ReferencedSOPInstanceUID), int(one.FailureReason)) for one in report.FailedSOPSequence] == [
        (missing, NO_SUCH_OBJECT)
    ]
    assert [str(one.ReferencedSOPInstanceUID) for one in report.ReferencedSOPSequence] == [there]
