"""What the cases of both suites share: clients of the service under test, each call with a deadline, and test data."""

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pydicom
import pytest
import requests
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association

HTTP_PORT = 8080
DICOM_PORT = 11112
HEALTHY = 30.0  # seconds a service gets to be healthy before a case begins
ANSWER = (3.0, 20.0)  # seconds to connect, seconds between two parts of an answer
VERIFICATION = "1.2.840.10008.1.1"
CT, DOSE, STRUCTURES, PLAN = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.481.2",
    "1.2.840.10008.5.1.4.1.1.481.3",
    "1.2.840.10008.5.1.4.1.1.481.5",
)

_config.STORE_SEND_CHUNKED_DATASET = True  # a file's bytes go out as they are, whole or not


class Web:
    """One container of the service, over HTTP."""

    def __init__(self, host: str, port: int = HTTP_PORT) -> None:
        self.host = host
        self._base = f"http://{host}:{port}"
        self._session = requests.Session()
        self._session.trust_env = False

    def get(self, path: str) -> requests.Response:
        return self._session.get(self._base + path, timeout=ANSWER)

    def post(self, path: str, body: bytes = b"") -> requests.Response:
        return self._session.post(self._base + path, data=body, timeout=ANSWER)

    def keep(self, body: bytes) -> dict[str, Any]:
        """The summary of an object that was taken and kept."""
        return self._summary(self.post("/objects", body))

    def summary(self, body: bytes) -> dict[str, Any]:
        return self._summary(self.post("/summary", body))

    def kept(self, uid: str) -> dict[str, Any]:
        """What is kept under `uid`: summary, kept_by, came_by."""
        answer = self.get(f"/objects/{uid}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["object"]
        return found

    def content(self, uid: str) -> bytes:
        answer = self.get(f"/objects/{uid}/content")
        assert answer.status_code == 200, answer.text
        return answer.content

    def wait_until_healthy(self) -> None:
        until, said = time.monotonic() + HEALTHY, "no answer"
        while time.monotonic() < until:
            try:
                answer = requests.get(self._base + "/healthz", timeout=(1.0, 5.0))
                if answer.status_code == 200:
                    return
                said = answer.text
            except requests.RequestException as error:
                said = type(error).__name__
            time.sleep(0.05)
        pytest.fail(f"{self.host} was not healthy within {HEALTHY:.0f} s: {said}", pytrace=False)

    def _summary(self, answer: requests.Response) -> dict[str, Any]:
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["summary"]
        return found


class Dicom:
    """One DICOM listener, called as a peer would."""

    def __init__(self, host: str, port: int = DICOM_PORT) -> None:
        self._address = host, port

    def associate(self, calling: str = "PLANNER", called: str = "HELLO") -> Association:
        """May come back rejected or aborted; see its flags. Ends within 5 s."""
        entity = AE(ae_title=calling)
        entity.connection_timeout, entity.acse_timeout = 3.0, 5.0
        entity.dimse_timeout = entity.network_timeout = 15.0
        for sop_class in (VERIFICATION, CT, DOSE, STRUCTURES, PLAN):
            for syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian):
                entity.add_requested_context(sop_class, syntax)
        opened: list[Any] = [(evt.EVT_CONN_OPEN, _send_at_once)]
        return entity.associate(*self._address, ae_title=called, max_pdu=0, evt_handlers=opened)

    @contextmanager
    def association(self, calling: str = "PLANNER") -> Iterator[Association]:
        found = self.associate(calling)
        assert found.is_established, f"{calling} was not let in"
        try:
            yield found
        finally:
            if found.is_established:
                found.release()

    def store(self, body: bytes, folder: Path) -> int | None:
        """Sends the file's own bytes by C-STORE; the answer's DIMSE code, None if there was no answer."""
        path = folder / f"{uuid.uuid4()}.dcm"
        path.write_bytes(body)
        with self.association() as found:
            code = found.send_c_store(path).get("Status")
        return None if code is None else int(code)


def _send_at_once(event: Any) -> None:
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Rows:
    """The candidate's own tables, read with the candidate's own password."""

    def __init__(self, host: str, password: str) -> None:
        self._host, self._password = host, password

    def one(self, query: str, *values: object) -> Any:
        """The first column of the first row, None without a row."""
        with psycopg.connect(
            host=self._host,
            dbname="hello",
            user="web",
            password=self._password,
            connect_timeout=5,
            options="-c statement_timeout=5000",
            autocommit=True,
        ) as connection:
            found = connection.execute(query.encode(), values).fetchone()
        return None if found is None else found[0]

    def eventually(self, query: str, *values: object, within: float = 8.0) -> Any:
        """As `one`, once there is something: an acknowledged object may take a moment to become a row."""
        until = time.monotonic() + within
        while (found := self.one(query, *values)) is None and time.monotonic() < until:
            time.sleep(0.1)
        return found


def new_uid() -> str:
    return f"2.25.{uuid.uuid4().int}"


def encoded(dataset: Dataset, *, explicit: bool = False) -> bytes:
    """A Part-10 file of `dataset` with a file meta of its own."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian
    dataset.file_meta = meta
    out = BytesIO()
    pydicom.dcmwrite(out, dataset, implicit_vr=not explicit, little_endian=True, enforce_file_format=True)
    return out.getvalue()


def dose_grid(stored: NDArray[Any], scaling: str, *, spacing: tuple[float, float, float] = (3.0, 2.5, 2.0)) -> Dataset:
    """An RT Dose of the stored values (frames, rows, columns); spacing in mm in the same order."""
    frames, rows, columns = stored.shape
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = DOSE, new_uid()
    made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = new_uid(), new_uid(), new_uid()
    made.Modality, made.PatientName, made.PatientID = "RTDOSE", "Phantom^Water", "PHANTOM"
    made.Rows, made.Columns, made.NumberOfFrames = rows, columns, frames
    made.PixelSpacing = [spacing[1], spacing[2]]
    made.ImagePositionPatient, made.ImageOrientationPatient = [-10, -20, -30], [1, 0, 0, 0, 1, 0]
    made.GridFrameOffsetVector = [frame * spacing[0] for frame in range(frames)]
    made.FrameIncrementPointer = 0x3004000C
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.BitsAllocated = made.BitsStored = stored.dtype.itemsize * 8
    made.HighBit = made.BitsStored - 1
    made.DoseUnits, made.DoseType, made.DoseSummationType, made.DoseGridScaling = "GY", "PHYSICAL", "PLAN", scaling
    made.PixelData = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    made["PixelData"].VR = "OW"
    return made


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


@pytest.fixture
def web(otagate: Any) -> Web:
    return Web(otagate.candidate.host("web"))


@pytest.fixture
def dicom(otagate: Any) -> Dicom:
    return Dicom(otagate.candidate.host("web"))


@pytest.fixture
def rows(otagate: Any) -> Rows:
    return Rows(otagate.candidate.host("store"), otagate.secret("store-password").rstrip("\n"))


@pytest.fixture(autouse=True)
def _healthy_first(web: Web) -> None:
    """What one case broke must not be taken for the failure of the next."""
    web.wait_until_healthy()


@pytest.fixture(scope="session")
def linked() -> dict[str, bytes]:
    """One clinical study: `ct`, `structures`, `plan`, `dose`, each referring to the others."""
    folder = Path(os.environ["HELLO_DATA"])
    names = {"ct": "ct.0.dcm", "structures": "rtss.dcm", "plan": "rtplan.dcm", "dose": "rtdose.dcm"}
    return {name: (folder / file).read_bytes() for name, file in names.items()}


@pytest.fixture(scope="session")
def dose(linked: dict[str, bytes]) -> Dataset:
    return pydicom.dcmread(BytesIO(linked["dose"]))


@pytest.fixture(scope="session")
def regions(linked: dict[str, bytes]) -> dict[int, str]:
    """Number → name of what is drawn, from the structure set."""
    structures = pydicom.dcmread(BytesIO(linked["structures"]))
    return {int(region.ROINumber): str(region.ROIName) for region in structures.StructureSetROISequence}


@pytest.fixture(scope="session")
def anew(linked: dict[str, bytes]) -> Callable[..., bytes]:
    """`anew("plan", PatientName=…)`: one of the linked objects under a UID that nobody has seen, with other values."""
    read = {name: pydicom.dcmread(BytesIO(linked[name])) for name in ("ct", "structures", "plan")}
    dose = pydicom.dcmread(BytesIO(linked["dose"]))
    fine = dose.pixel_array[::2, ::2, ::2]
    dose.PixelData, (dose.NumberOfFrames, dose.Rows, dose.Columns) = np.ascontiguousarray(fine).tobytes(), fine.shape
    dose.PixelSpacing, dose.GridFrameOffsetVector = [5, 5], list(dose.GridFrameOffsetVector)[::2]
    read["dose"] = dose  # every second voxel: the curves and the work stay, the bytes do not

    def made(name: str, **values: Any) -> bytes:
        dataset = Dataset()
        dataset.update(read[name])
        for keyword, value in {"SOPInstanceUID": new_uid(), **values}.items():
            if keyword in dataset:
                delattr(dataset, keyword)  # the element is shared with what was read; a new one is not
            setattr(dataset, keyword, value)
        return encoded(dataset)

    return made


def uid_of(body: bytes) -> str:
    return str(pydicom.dcmread(BytesIO(body), specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
