"""From the bytes of a DICOM file to its summary. Pure: the same bytes and traits give the same summary."""

import hashlib
import json
import re
from dataclasses import dataclass
from io import BytesIO

import pydicom.config
from pydicom import Dataset, dcmread

from hello_web import figures
from hello_web.figures import Figures
from hello_web.limits import Unreadable, check_file
from hello_web.traits import Traits

# What a value may be is checked where it is used; the library's own complaints would quote it.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

_UID = re.compile(r"[0-9][0-9.]{0,62}[0-9]")
RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
RT_STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"
RT_PLAN = "1.2.840.10008.5.1.4.1.1.481.5"


@dataclass(frozen=True)
class Summary:
    """`answer` is JSON-like and names no person; `patient` never leaves the process in a sound build."""

    sop_instance_uid: str
    sop_class_uid: str
    modality: str
    patient: str
    sha256: str
    answer: Figures


def summarise(data: bytes, traits: Traits) -> Summary:
    """Raises Unreadable (or one of its kinds) for everything that is not a sound object, whatever it is."""
    syntax = check_file(data)
    try:
        for _ in range(traits.summary_passes):
            summary = _read(data, syntax, traits)
    except Unreadable:
        raise
    except Exception as error:  # hostile bytes make the library raise anything at all
        raise Unreadable(f"cannot be read as DICOM ({type(error).__name__})") from None
    return summary


def _read(data: bytes, syntax: str, traits: Traits) -> Summary:
    dataset = dcmread(BytesIO(data))
    sop_class = _uid(dataset, "SOPClassUID")
    digest = hashlib.sha256(data).hexdigest()
    answer: Figures = {
        "sop_instance_uid": _uid(dataset, "SOPInstanceUID"),
        "sop_class_uid": sop_class,
        "study_instance_uid": _uid(dataset, "StudyInstanceUID"),
        "series_instance_uid": _uid(dataset, "SeriesInstanceUID"),
        "transfer_syntax_uid": syntax,
        "modality": figures.words(dataset, "Modality"),
        "bytes": len(data),
        "sha256": digest,
        **_of_class(dataset, sop_class, traits),
    }
    json.dumps(answer, allow_nan=False)
    return Summary(
        sop_instance_uid=answer["sop_instance_uid"],
        sop_class_uid=sop_class,
        modality=answer["modality"],
        patient=figures.words(dataset, "PatientName"),
        sha256=digest,
        answer=answer,
    )


def _of_class(dataset: Dataset, sop_class: str, traits: Traits) -> Figures:
    if sop_class == RT_PLAN:
        return {"plan": figures.plan(dataset)}
    if sop_class == RT_STRUCTURES:
        return {"structures": figures.structures(dataset)}
    if sop_class != RT_DOSE and "ImagePositionPatient" not in dataset:
        return {}  # nothing that lies in space: only its identity is summarised
    grid, offsets = figures.frames(dataset), figures.planes(dataset)
    used = max(1, len(offsets) - traits.frames_left_out)
    found: Figures = {"geometry": figures.geometry(dataset, offsets[:used])}
    if sop_class == RT_DOSE:
        found["dose"] = figures.dose(dataset, grid[:used], traits)
    return found


def _uid(dataset: Dataset, keyword: str) -> str:
    raw = str(dataset.get(keyword) or "")
    if not _UID.fullmatch(raw):
        raise Unreadable(f"{keyword} is missing or not a UID")
    return raw
