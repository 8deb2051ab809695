"""Figures that do not come from the service: stated by the planning system, or computed here from the files."""

import zlib
from dataclasses import dataclass
from struct import pack

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

PRESCRIBED = 14.0  # Gy, the plan's target prescription; the planning system states its curve figures in % of it


@dataclass(frozen=True)
class Stated:
    """What the planning system says of one region: cm³, and Gy for the rest (D95: read off its own curve)."""

    volume: float
    mean: float
    maximum: float
    d95: float


# Published with the clinical set and confirmed by an independent calculation from contours and grid.
CURVES = {
    "Tumor Bed Block": Stated(62.9, 14.26, 14.68, 13.83),
    "Tumor Bed": Stated(12.8, 14.29, 14.58, 14.14),
    "Breast": Stated(396.2, 5.61, 14.70, 0.07),
    "Heart": Stated(437.5, 0.64, 3.11, 0.03),
    "Lt Lung": Stated(2008.9, 0.90, 12.74, 0.04),
    "BODY": Stated(13944.0, 0.48, 14.70, 0.0),
    "Scar": Stated(0.3, 6.32, 11.56, 2.59),
}
BIN = 0.01  # Gy, the width of the curves' bins: no figure read off a curve is finer


def relative_figures(dose: Dataset, region: int) -> tuple[float, float]:
    """Mean and maximum in Gy from the percentages that the planning system wrote beside the curve of `region`."""
    for item in dose.DVHSequence:
        if int(item.DVHReferencedROISequence[0].ReferencedROINumber) == region:
            return float(item.DVHMeanDose) * PRESCRIBED / 100, float(item.DVHMaximumDose) * PRESCRIBED / 100
    raise AssertionError(f"the dose has no curve of region {region}")


def png(pixels: NDArray[np.uint8]) -> bytes:
    """An 8-bit picture: grey (height, width) or in colours (height, width, 3)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    height, width = pixels.shape[:2]
    lines = b"".join(b"\0" + pixels[row].tobytes() for row in range(height))
    head = pack(">IIBBBBB", width, height, 8, 0 if pixels.ndim == 2 else 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


COLOURS = {
    "Tumor Bed": ("red", (176, 35, 24)),
    "Breast": ("blue", (27, 92, 158)),
    "Heart": ("green", (26, 107, 60)),
    "Lt Lung": ("black", (24, 33, 43)),
}
LEGEND = ", ".join(f"{name} {colour}" for name, (colour, _) in COLOURS.items())
GRAY, TALL = 40, 300  # pixels of one Gy along, and of the whole volume up


def curves_png(dose: Dataset, names: dict[int, str]) -> bytes:
    """The dose-volume curves of four regions: dose along, from 0 Gy with a line at each, share of the volume up."""
    wide = 15 * GRAY + 1
    canvas = np.full((TALL + 3, wide, 3), 255, np.uint8)
    canvas[:, ::GRAY] = canvas[1 : TALL + 2 : TALL // 4] = 223
    for item in dose.DVHSequence:
        name = names[int(item.DVHReferencedROISequence[0].ReferencedROINumber)]
        if name not in COLOURS:
            continue
        pairs = np.array(item.DVHData, dtype=float).reshape(-1, 2)
        bins = np.minimum(np.arange(wide) / GRAY / BIN, len(pairs)).astype(int)
        shares = np.append(pairs[:, 1] / pairs[0, 1], 0.0)[bins]
        rows = np.round((1 - shares) * TALL).astype(int)
        for column, (row, before) in enumerate(zip(rows, np.append(rows[:1], rows), strict=False)):
            # From where the column before ended: a steep curve stays one line.
            canvas[min(row, before) : max(row, before) + 3, column] = COLOURS[name][1]
    return png(canvas)
