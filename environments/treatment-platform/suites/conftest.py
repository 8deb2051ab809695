"""What the cases of both suites share: the services of both sides, each call with a deadline, and studies to send.

The candidate's archive is open to the suite by DICOM and, with its password, by DICOMweb. The baseline's password is
not the suite's to have: a scan goes in there as everywhere, through the planner, and is looked up by DICOM.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, _config, build_role, evt
from pynetdicom.association import Association

HTTP_PORT, DICOM_PORT, VNA_PORT = 8080, 11112, 8042
HEALTHY = 30.0  # seconds a service gets to be healthy before a case begins
OFTEN = 3  # cases before which a service may be away; after these, what it says is no evidence of anything
FOUND = 60.0  # seconds within which a study that was stored must be found; how soon it is, the chain measures
ANSWER = httpx.Timeout(180.0, connect=3.0)  # seconds between two parts of an answer: seen to pass 60 on a busy machine
HELD_BY = 1.0  # seconds in which an association's thread that may run comes round once, on a busy machine too
SUCCESS = 0x0000
PASSING = ("vna", "vna-index")  # once they end, one or another of the calls to the archive still fails

VERIFICATION = "1.2.840.10008.1.1"
CT, DOSE, STRUCTURES, PLAN = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.481.2",
    "1.2.840.10008.5.1.4.1.1.481.3",
    "1.2.840.10008.5.1.4.1.1.481.5",
)
STORED = (CT, STRUCTURES, PLAN, DOSE)
FIND, GET = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.3"  # study root

_config.STORE_SEND_CHUNKED_DATASET = True  # a file's bytes go out as they are


# --- services ---------------------------------------------------------------------------------------------------


class Http:
    """One service over HTTP."""

    def __init__(self, host: str, port: int = HTTP_PORT) -> None:
        self.host = host
        self._client = httpx.Client(base_url=f"http://{host}:{port}", timeout=ANSWER, trust_env=False)

    def get(self, path: str) -> httpx.Response:
        return self._client.get(path)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        return self._client.post(path, json=dict(body or {}))

    def asked(self, path: str, body: Mapping[str, Any], ended: str = "") -> httpx.Response:
        """An answer that must be a good one. Where a service of PASSING `ended` just before it has HEALTHY seconds, as
        for somebody who asks again after a fault that passes.
        """
        until = time.monotonic() + (HEALTHY if ended in PASSING else 0.0)
        while (answer := self.post(path, body)).status_code in (502, 503) and time.monotonic() < until:
            time.sleep(0.5)
        assert answer.status_code == 200, f"{self.host}{path}: {answer.status_code} {answer.text[:500]}"
        return answer

    def healthy(self) -> bool:
        try:
            return self._client.get("/healthz", timeout=5.0).status_code == 200
        except httpx.HTTPError:
            return False

    def wait_until_healthy(self) -> bool:
        """Whether it was healthy at once; fails the case if it is not within HEALTHY seconds."""
        until, waited = time.monotonic() + HEALTHY, False
        while not self.healthy():
            waited = True
            if time.monotonic() > until:
                pytest.fail(f"{self.host} was not healthy within {HEALTHY:.0f} s", pytrace=False)
            time.sleep(0.05)
        return not waited


class Dicom:
    """One DICOM listener, called as a peer would."""

    def __init__(self, host: str, called: str, port: int = DICOM_PORT) -> None:
        self.address, self.called = (host, port), called

    def associate(
        self,
        calling: str = "OTAGATE",
        contexts: Sequence[str] = (VERIFICATION, *STORED),
        syntax: str = ExplicitVRLittleEndian,
    ) -> Association:
        """May come back rejected or aborted; see its flags. Ends within 5 s."""
        entity = AE(ae_title=calling)
        entity.connection_timeout, entity.acse_timeout = 3.0, 5.0
        entity.dimse_timeout = entity.network_timeout = 30.0
        for sop_class in contexts:
            entity.add_requested_context(sop_class, syntax)
        fetched = [build_role(sop_class, scp_role=True) for sop_class in STORED] if GET in contexts else []
        opened: list[Any] = [(evt.EVT_CONN_OPEN, _send_at_once)]
        return entity.associate(*self.address, ae_title=self.called, max_pdu=0, evt_handlers=opened, ext_neg=fetched)

    @contextmanager
    def association(
        self,
        calling: str = "OTAGATE",
        contexts: Sequence[str] = (VERIFICATION, *STORED),
        syntax: str = ExplicitVRLittleEndian,
    ) -> Iterator[Association]:
        found = self.associate(calling, contexts=contexts, syntax=syntax)
        assert found.is_established, f"{calling} was not let in by {self.called}"
        hold(found)
        try:
            yield found
        finally:
            if found.is_established:
                found.release()

    def store(
        self, files: Sequence[Path], calling: str = "SCANNER", syntax: str = ExplicitVRLittleEndian
    ) -> list[int | None]:
        """Sends the files' own bytes, written in `syntax`, over one association; the DIMSE code of each, or None."""
        with self.association(calling, STORED, syntax) as found:
            return [sent(found, file) for file in files]

    def find(self, level: str, calling: str = "PLANNER", **keys: str) -> list[Dataset]:
        """C-FIND, study root; `keys` by keyword, an empty one is asked for."""
        asked = Dataset()
        asked.QueryRetrieveLevel = level
        for keyword, value in keys.items():
            setattr(asked, keyword, value)
        with self.association(calling, (FIND,)) as found:
            answers = list(found.send_c_find(asked, FIND))
        assert answers[-1][0].get("Status") == SUCCESS, f"C-FIND ended with {answers[-1][0]}"
        return [one for code, one in answers if code.Status in (0xFF00, 0xFF01)]

    def instances(self, study: str) -> set[str]:
        """UIDs of all objects that the archive has of a study."""
        found = set()
        for series in self.find("SERIES", StudyInstanceUID=study, SeriesInstanceUID=""):
            asked = {"StudyInstanceUID": study, "SeriesInstanceUID": series.SeriesInstanceUID, "SOPInstanceUID": ""}
            found |= {str(one.SOPInstanceUID) for one in self.find("IMAGE", **asked)}
        return found

    def has_within(self, seconds: float, study: str, wanted: set[str]) -> None:
        """Asks for the objects of a study until all those `wanted` are named; fails the case unless they are in time,
        also where it is the one answer that comes too late.
        """
        begun = time.monotonic()
        while missing := wanted - self.instances(study):
            took = time.monotonic() - begun
            assert took < seconds, f"{len(missing)} of {len(wanted)} objects were not found within {seconds:g} s"
            time.sleep(0.02)
        took = time.monotonic() - begun
        assert took <= seconds, f"the objects were found after {took:.1f} s, not within {seconds:g} s"


def sent(association: Association, file: Path) -> int | None:
    """By C-STORE: the DIMSE code that came, if one did."""
    hold(association)
    code: int | None = association.send_c_store(file).get("Status") if association.is_established else None
    return code


def hold(association: Association) -> None:
    """Lets the association's own thread come to rest before something is sent. pynetdicom (3.0) takes it for resting
    when it has only said that it will; it may then take the answer away, and the sender waits in vain.
    """
    if not association._reactor_checkpoint.is_set():
        return  # it is held
    association._reactor_checkpoint.clear()  # the thread stops here the next time it comes by
    association._is_paused = False  # what it said before does not count
    until = time.monotonic() + HELD_BY
    while not association._is_paused and time.monotonic() < until:
        time.sleep(0.0005)
    association._is_paused = True  # it stopped between our two lines, or has just said so


def _send_at_once(event: Any) -> None:
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class DicomWeb:
    """An archive over DICOMweb, as its one account."""

    def __init__(self, host: str, password: str, port: int = VNA_PORT) -> None:
        self.client = httpx.Client(
            base_url=f"http://{host}:{port}", auth=("clinic", password), timeout=ANSWER, trust_env=False
        )

    def wait_until_it_answers(self) -> None:
        """Fails the case if it does not within HEALTHY seconds."""
        until = time.monotonic() + HEALTHY
        while True:
            try:
                self.search("/studies", limit="1")
                return
            except (httpx.HTTPError, AssertionError):
                if time.monotonic() > until:
                    pytest.fail(f"the archive did not answer within {HEALTHY:.0f} s", pytrace=False)
                time.sleep(0.1)

    def search(self, path: str, **query: str) -> list[dict[str, Any]]:
        """QIDO-RS: `path` as /studies or /studies/UID/instances."""
        answer = self.client.get(f"/dicom-web{path}", params=query, headers={"Accept": "application/dicom+json"})
        assert answer.status_code in (200, 204), answer.text[:300]
        found: list[dict[str, Any]] = answer.json() if answer.status_code == 200 else []
        return found

    def fetch(self, study: str, uid: str) -> bytes:
        """WADO-RS: one object as a file."""
        found = self.search(f"/studies/{study}/instances", SOPInstanceUID=uid)
        assert len(found) == 1, f"the archive has {len(found)} objects {uid}"
        series = found[0]["0020000E"]["Value"][0]
        kind = {"Accept": 'multipart/related; type="application/dicom"'}
        answer = self.client.get(f"/dicom-web/studies/{study}/series/{series}/instances/{uid}", headers=kind)
        assert answer.status_code == 200, answer.text[:300]
        mark = b"--" + answer.headers["content-type"].split("boundary=")[1].strip('"').encode()
        pieces = (b"\r\n" + answer.content).split(b"\r\n" + mark)
        assert len(pieces) == 3, "not one whole object"
        return pieces[1].partition(b"\r\n\r\n")[2]

    def store(self, *files: bytes) -> httpx.Response:
        """STOW-RS; the answer as it is."""
        mark = "otagate-suite-part"
        parts = [b"--%b\r\nContent-Type: application/dicom\r\n\r\n%b\r\n" % (mark.encode(), one) for one in files]
        kind = f'multipart/related; type="application/dicom"; boundary={mark}'
        headers = {"Content-Type": kind, "Accept": "application/dicom+json"}
        return self.client.post("/dicom-web/studies", content=b"".join(parts) + f"--{mark}--".encode(), headers=headers)


class Side:
    """The candidate's or the baseline's chain: `scans` is the planner's DICOM receiver, `archive` the VNA's."""

    def __init__(self, side: Any) -> None:
        self.planner = Http(side.host("planner"))
        self.engine = Http(side.host("dose-engine"))
        self.linac = Http(side.host("linac"))
        self.scans = Dicom(side.host("planner"), "PLANNER")
        self.archive = Dicom(side.host("vna"), "VNA")
        self.machine = Dicom(side.host("linac"), "LINAC")

    def wait_until_healthy(self) -> bool:
        """Whether the release was healthy at once; fails the case if it is not in time."""
        return all([self.planner.wait_until_healthy(), self.engine.wait_until_healthy()])

    def load(self, study: "Phantom", files: Sequence[Path] | None = None) -> None:
        """Sends a study as the scanner does, and waits until the archive finds every object of it."""
        sent = study.files if files is None else files
        codes = self.scans.store(sent)
        assert codes == [SUCCESS] * len(sent), f"the planner's receiver answered {codes}"
        self.archive.has_within(FOUND, study.study, {uid_of(file.read_bytes()) for file in sent})


# --- data -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Phantom:
    """One study on disk: a CT series, its structures, and a plan that never changes and that no engine made."""

    name: str
    slices: tuple[Path, ...]
    structures: Path
    plan: Path
    study: str
    structure_set: str
    plan_uid: str

    @property
    def files(self) -> tuple[Path, ...]:
        return (*self.slices, self.structures, self.plan)


def phantom(folder: Path) -> Phantom:
    """Reads a folder as `python -m phantoms` writes it."""
    structures, plan = folder / "structures.dcm", folder / "frozen.dcm"
    head = pydicom.dcmread(structures, stop_before_pixels=True)
    slices = tuple(sorted((folder / "ct").glob("*.dcm")))
    assert slices, f"{folder} holds no CT images"
    return Phantom(
        folder.name, slices, structures, plan,
        str(head.StudyInstanceUID), str(head.SOPInstanceUID), uid_of(plan.read_bytes()),
    )  # fmt: skip


def uid_of(file: bytes) -> str:
    return str(pydicom.dcmread(BytesIO(file), specific_tags=["SOPInstanceUID"]).SOPInstanceUID)


def data_set(file: bytes) -> bytes:
    """The encoded data set of a Part-10 file: all that follows its file meta information."""
    length = int.from_bytes(file[140:144], "little")
    return file[144 + length :]


# --- fixtures ---------------------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "spread: taken in between the cases that stand before it, evenly")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Nothing is left out: the marked cases move forward, in their order."""
    marked = [item for item in items if item.get_closest_marker("spread")]
    if not marked:
        return
    first = items.index(marked[0])
    before, after = items[:first], [item for item in items[first:] if item not in marked]
    assert len(marked) <= len(before), "there are more cases to spread than cases to spread them among"
    places = {(turn + 1) * len(before) // len(marked): part for turn, part in enumerate(marked)}
    items[:] = [one for at, item in enumerate(before, 1) for one in (item, places.get(at)) if one] + after


@pytest.fixture(scope="session")
def candidate(otagate: Any) -> Side:
    return Side(otagate.candidate)


@pytest.fixture(scope="session")
def baseline(otagate: Any) -> Side:
    found = Side(otagate.baseline)
    found.wait_until_healthy()
    return found


@pytest.fixture(scope="session")
def archive(otagate: Any) -> DicomWeb:
    """The candidate's, with the candidate's password."""
    return DicomWeb(otagate.candidate.host("vna"), otagate.secret("vna-password").rstrip("\n"))


@pytest.fixture(scope="session")
def away() -> list[str]:
    """The cases before which the candidate had to be waited for."""
    return []


@pytest.fixture(autouse=True)
def _healthy_first(candidate: Side, away: list[str], request: pytest.FixtureRequest) -> None:
    """What one case broke must not be taken for the failure of the next; and who keeps breaking is not waited for."""
    if len(away) >= OFTEN:
        pytest.skip(f"no evidence: the build was away before {OFTEN} cases ({', '.join(away)})")
    if not candidate.wait_until_healthy():
        away.append(request.node.name)


@pytest.fixture(scope="session")
def phantoms() -> Callable[[str], Phantom]:
    """`phantoms("synthetic-1")`: synthetic-1 to -3 from their seeds, tg119 from the reference engine's own phantom."""
    folder = Path(os.environ.get("PHANTOMS", "/data"))
    return lambda name: phantom(folder / name)


@pytest.fixture(scope="session")
def loaded(candidate: Side, baseline: Side, phantoms: Callable[[str], Phantom]) -> Phantom:
    """The frozen study, in the archives of both sides."""
    study = phantoms("synthetic-1")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda side: side.load(study), (candidate, baseline)))
    return study
