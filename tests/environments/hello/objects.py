"""Small sound DICOM objects, and a store that lives in memory."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from hello_web.settings import Identity
from hello_web.store import Conflict, Entry, Kept, Span, StoreDown
from hello_web.summary import RT_DOSE, RT_PLAN, Summary
from numpy.typing import NDArray
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID

IDENTITY = Identity("sha256:" + "ab" * 32, "green")
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


def file_of(dataset: Dataset, syntax: str = EXPLICIT) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta = meta
    out = BytesIO()
    dcmwrite(out, dataset, implicit_vr=syntax == IMPLICIT, little_endian=True, enforce_file_format=True)
    return out.getvalue()


def identified(sop_class: str, modality: str, uid: str = "1.2.3") -> Dataset:
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID, made.Modality = sop_class, uid, modality
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3.1", "1.2.3.2"
    made.PatientName, made.PatientID = "Secret^Name", "SECRET"
    return made


def dose(stored: NDArray[Any] | None = None, uid: str = "1.2.3") -> Dataset:
    grid = np.arange(24, dtype="<u2").reshape(2, 3, 4) if stored is None else stored
    made = identified(RT_DOSE, "RTDOSE", uid)
    made.NumberOfFrames, made.Rows, made.Columns = grid.shape
    made.PixelSpacing, made.ImagePositionPatient = [2.5, 2], [1, 2, 3]
    made.ImageOrientationPatient, made.GridFrameOffsetVector = [1, 0, 0, 0, 1, 0], [3.0 * n for n in range(len(grid))]
    made.FrameOfReferenceUID = "1.2.3.3"
    made.SamplesPerPixel, made.PixelRepresentation = 1, 0
    made.BitsAllocated = made.BitsStored = grid.dtype.itemsize * 8
    made.DoseUnits, made.DoseSummationType, made.DoseGridScaling = "GY", "PLAN", "0.5"
    made.PixelData = grid.tobytes()
    made["PixelData"].VR = "OW"
    return made


def curve(kind: str, pairs: list[float], **values: Any) -> Dataset:
    made = Dataset()
    made.DVHType, made.DoseUnits, made.DVHDoseScaling, made.DVHVolumeUnits = kind, "GY", "1", "CM3"
    made.DVHData = pairs
    region = Dataset()
    region.ReferencedROINumber = 7
    made.DVHReferencedROISequence = [region]
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def plan() -> Dataset:
    made = identified(RT_PLAN, "RTPLAN")
    group, referenced, beam, point = Dataset(), Dataset(), Dataset(), Dataset()
    referenced.ReferencedBeamNumber, referenced.BeamMeterset = 1, "97"
    group.NumberOfFractionsPlanned, group.ReferencedBeamSequence = 7, [referenced]
    point.NominalBeamEnergy, point.GantryAngle = "6", "56"
    beam.BeamNumber, beam.BeamName, beam.RadiationType, beam.ControlPointSequence = 1, "LAO", "PHOTON", [point, point]
    made.FractionGroupSequence, made.BeamSequence = [group], [beam]
    return made


class Memory:
    """An Objects that keeps in memory; `down` makes it raise StoreDown."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.down = False
        self.tallies: list[tuple[str, str]] = []
        self.apart: set[str] = set()
        self.asked: list[Span] = []

    def alive(self) -> bool:
        return not self.down

    def tally(self, build: str, colour: str) -> None:
        self._up()
        self.tallies.append((build, colour))

    def keep(self, entry: Entry) -> Kept:
        self._up()
        uid = entry.summary.sop_instance_uid
        known = self.entries.setdefault(uid, entry)
        if known is entry:
            return Kept.NEW
        if known.summary.sha256 != entry.summary.sha256:
            raise Conflict(uid)
        return Kept.SAME

    def holds(self, uid: str) -> bool:
        self._up()
        return uid in self.entries

    def find(self, uid: str) -> dict[str, Any] | None:
        self._up()
        if uid not in self.entries:
            return None
        entry = self.entries[uid]
        known = {"summary": entry.summary.answer, "kept_by": entry.kept_by, "came_by": entry.came_by}
        return {**known, "kept_bytes": len(entry.content), "quarantined": uid in self.apart}

    def content(self, uid: str) -> bytes | None:
        self._up()
        return self.entries[uid].content if uid in self.entries else None

    def recent(self, limit: int) -> list[dict[str, Any]]:
        self._up()
        return [entry.line() for entry in reversed(self.entries.values())][:limit]

    def written(self, span: Span, limit: int) -> tuple[int, list[str]]:
        self._up()
        self.asked.append(span)
        uids = [uid for uid, e in self.entries.items() if (e.kept_by, e.colour) == (span.build, span.colour)]
        return len(uids), uids[:limit]

    def quarantine(self, span: Span) -> int:
        count, uids = self.written(span, len(self.entries))
        self.apart.update(uids)
        return count

    def _up(self) -> None:
        if self.down:
            raise StoreDown("down")


def entry(uid: str, content: bytes = b"x", sha256: str = "s") -> Entry:
    answer: Mapping[str, Any] = {"sop_instance_uid": uid, "bytes": len(content), "sha256": sha256}
    return Entry(Summary(uid, RT_DOSE, "RTDOSE", "", sha256, dict(answer)), content, "sha256:b", "blue", "http")
