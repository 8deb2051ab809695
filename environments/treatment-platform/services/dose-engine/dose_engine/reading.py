"""From bytes to DICOM data sets, and from their elements to numbers, strictly: what is not sound is refused."""

import math
from collections.abc import Iterable
from io import BytesIO

import pydicom.config
from pydicom import Dataset, dcmread

from dose_engine.refusal import Refusal
from dose_engine.whole import check_whole

# A value of the wrong form is an error, once used.
pydicom.config.settings.reading_validation_mode = pydicom.config.RAISE

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


def parse(data: bytes, sop_class: str) -> Dataset:
    """A whole Part-10 object of that class, little endian, uncompressed. Raises Refusal."""
    check_whole(data)
    try:
        dataset = dcmread(BytesIO(data))
        syntax = str(dataset.file_meta.TransferSyntaxUID)
    except Exception as error:  # damaged bytes make the library raise anything at all
        raise Refusal("unreadable-object", f"an object cannot be read as DICOM ({type(error).__name__})") from None
    if syntax not in (EXPLICIT, IMPLICIT):
        raise Refusal("unreadable-object", "only uncompressed little-endian objects are read")
    if str(dataset.get("SOPClassUID")) != sop_class:
        raise Refusal("wrong-object", "an object is not of the class it was asked for as")
    return dataset


def text(item: Dataset, keyword: str) -> str:
    """A non-empty value. Raises Refusal."""
    value = item.get(keyword)
    if value is None or not str(value).strip():
        raise Refusal("incomplete-object", f"{keyword} is missing")
    return str(value)


def items(item: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence, one at least. Raises Refusal."""
    found = list(item.get(keyword) or ())
    if not found:
        raise Refusal("incomplete-object", f"{keyword} is missing")
    return found


def number(item: Dataset, keyword: str) -> float:
    """A finite number. Raises Refusal."""
    return numbers(item, keyword, 1)[0]


def numbers(item: Dataset, keyword: str, count: int) -> list[float]:
    """So many finite numbers. Raises Refusal."""
    value = item.get(keyword)
    raw = [] if value is None else [value] if isinstance(value, str | int | float) else value
    try:
        found = finite(raw)
    except (TypeError, ValueError):
        found = []
    if len(found) != count:
        raise Refusal("incomplete-object", f"{keyword} must hold {count} finite numbers")
    return found


def finite(raw: Iterable[object]) -> list[float]:
    """Raises ValueError or TypeError unless all are finite numbers."""
    found = [float(value) for value in raw]  # type: ignore[arg-type]
    if not all(map(math.isfinite, found)):
        raise ValueError("not finite")
    return found


def whole(item: Dataset, keyword: str, most: int) -> int:
    """A count from 1 to `most`. Raises Refusal."""
    value = number(item, keyword)
    if value != int(value) or not 1 <= value <= most:
        raise Refusal("incomplete-object", f"{keyword} must be a whole number from 1 to {most}")
    return int(value)
