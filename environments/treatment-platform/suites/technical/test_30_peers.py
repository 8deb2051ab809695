"""Only known peers associate, with the archive, the planner and the machine; and each may only what is its affair."""

import httpx
import pytest
from conftest import CT, FIND, SUCCESS, VNA_PORT, Dicom, DicomWeb, Phantom, Side
from peer import ACCEPTED, REJECTED, answer
from pydicom import Dataset

PERMANENT, BY_THE_USER, UNKNOWN_CALLER, UNKNOWN_CALLED = 1, 1, 3, 7  # PS3.8 table 9-21
KNOWN = {"archive": "OTAGATE", "scans": "SCANNER", "machine": "PLANNER"}

pytestmark = pytest.mark.requirement("peers")


@pytest.mark.risk("objects from an unknown sender")
@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("calling", ["STRANGER", "PLANNER2"])
def test_an_unknown_peer_is_refused_and_a_known_one_is_not(candidate: Side, name: str, calling: str) -> None:
    listener: Dicom = getattr(candidate, name)
    assert answer(listener, calling) == (REJECTED, PERMANENT, BY_THE_USER, UNKNOWN_CALLER)
    assert answer(listener, KNOWN[name]) == (ACCEPTED,), "control: a known peer is let in"


@pytest.mark.parametrize("name", KNOWN)
def test_a_call_for_another_service_is_refused(candidate: Side, name: str) -> None:
    refused = answer(getattr(candidate, name), KNOWN[name], "OTHER")
    assert refused == (REJECTED, PERMANENT, BY_THE_USER, UNKNOWN_CALLED)


@pytest.mark.risk("a probe writes into the archive")
def test_the_gates_own_title_may_not_store_in_the_archive(candidate: Side, loaded: Phantom) -> None:
    """The gate's probes only ask whether somebody is there."""
    found = candidate.archive.associate("OTAGATE", contexts=(CT,))
    codes = [found.send_c_store(loaded.slices[0]).get("Status")] if found.is_established else []
    assert codes in ([], [None]) or codes[0] != SUCCESS
    assert candidate.archive.store([loaded.slices[0]], "SCANNER") == [SUCCESS], "control: the scanner may"


@pytest.mark.risk("a scanner reads other patients' objects")
def test_a_scanner_may_not_search_the_archive(candidate: Side, loaded: Phantom) -> None:
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.StudyInstanceUID = "STUDY", loaded.study
    found = candidate.archive.associate("SCANNER", contexts=(FIND,))
    answers = list(found.send_c_find(asked, FIND)) if found.is_established and found.accepted_contexts else []
    assert [one for code, one in answers if code.get("Status") in (0xFF00, 0xFF01)] == []
    assert candidate.archive.find("STUDY", "PLANNER", StudyInstanceUID=loaded.study), "control: the planner may"


@pytest.mark.risk("a stranger reads patients' objects")
@pytest.mark.parametrize("login", [None, ("clinic", "wrong"), ("admin", "")])
def test_the_archives_web_door_wants_the_password(
    archive: DicomWeb, loaded: Phantom, login: tuple[str, str] | None
) -> None:
    url = f"http://{archive.client.base_url.host}:{VNA_PORT}/dicom-web/studies/{loaded.study}/instances"
    assert httpx.get(url, auth=login, timeout=10.0, trust_env=False).status_code == 401
    assert archive.search(f"/studies/{loaded.study}/instances"), "control: with it, it opens"
