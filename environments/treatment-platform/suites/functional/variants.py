"""A study under UIDs of its own, so that something can be wrong with it and nothing with the one it was made from."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import pydicom
from conftest import DicomWeb, Phantom
from pydicom import Dataset

STANDARD = "1.2.840.10008."


@dataclass(eq=False)
class Variant:
    """The data sets of one study, to be spoilt before they are stored."""

    slices: list[Dataset]
    structures: Dataset
    plan: Dataset

    @property
    def study(self) -> str:
        return str(self.structures.StudyInstanceUID)

    def store(self, archive: DicomWeb) -> None:
        files = [encoded(one) for one in (*self.slices, self.structures, self.plan)]
        answer = archive.store(*files)
        assert answer.status_code == 200, f"the archive did not take the study: {answer.text[:300]}"

    def whole_plan(self, **more: object) -> dict[str, object]:
        """A request for a plan of it."""
        wanted = {"study": self.study, "structure_set": str(self.structures.SOPInstanceUID)}
        return {**wanted, "prescription": {"roi": "PTV", "dose": 50, "fractions": 25}, "spacing": 10, **more}

    def frozen_plan(self) -> dict[str, object]:
        """A request for the dose of its frozen plan."""
        return {"plan": str(self.plan.SOPInstanceUID), "spacing": 10}


def variant(study: Phantom, tag: str) -> Variant:
    """`tag` is what the new UIDs derive from: another for each variant."""
    read = [pydicom.dcmread(file) for file in study.files]
    for one in read:
        for dataset in (one, one.file_meta):
            renew(dataset, tag)
    return Variant(read[:-2], read[-2], read[-1])


def renew(dataset: Dataset, tag: str) -> None:
    for element in everything(dataset):
        if element.VR == "UI" and not str(element.value).startswith(STANDARD):
            element.value = renewed(str(element.value), tag)


def renewed(uid: str, tag: str) -> str:
    return f"2.25.{int.from_bytes(hashlib.sha256(f'{tag} {uid}'.encode()).digest()[:15], 'big')}"


def everything(dataset: Dataset) -> Iterator[pydicom.DataElement]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from everything(item)
        else:
            yield element


def encoded(dataset: Dataset) -> bytes:
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    out = BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()
