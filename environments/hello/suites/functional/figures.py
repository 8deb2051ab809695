"""Figures that do not come from the service: stated by the planning system, or computed here from the files."""

import zlib
from dataclasses import dataclass
from struct import pack
from typing import Any

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


def png(grey: NDArray[np.uint8]) -> bytes:
    """An 8-bit grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    height, width = grey.shape
    lines = b"".join(b"\0" + grey[row].tobytes() for row in range(height))
    head = pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def curves_svg(dose: Dataset, names: dict[int, str]) -> bytes:
    """The dose-volume curves of the file as one drawing, relative volume against dose in Gy."""
    colours = ("#1b6ca8", "#d1495b", "#2e933c", "#8c5e99", "#c77d0a", "#0b7a75", "#5c5c5c", "#a23e48", "#3d5a80")
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 360" font-family="sans-serif" font-size="11">']
    parts.append('<path d="M50 20V310H480" fill="none" stroke="#444"/><text x="230" y="345">dose in Gy</text>')
    parts.append('<text x="14" y="200" transform="rotate(-90 14 200)">share of volume</text>')
    parts += [f'<text x="{46 + gray * 28}" y="326">{gray}</text>' for gray in range(0, 16, 3)]
    for turn, item in enumerate(dose.DVHSequence):
        colour = colours[turn % len(colours)]
        parts.append(f'<polyline fill="none" stroke="{colour}" points="{_points(item)}"/>')
        name = names[int(item.DVHReferencedROISequence[0].ReferencedROINumber)]
        parts.append(f'<text x="495" y="{40 + turn * 18}" fill="{colour}">{name}</text>')
    return "".join([*parts, "</svg>"]).encode()


def _points(item: Any) -> str:
    pairs = np.array(item.DVHData, dtype=float).reshape(-1, 2)[::8]
    shares = pairs[:, 1] / pairs[0, 1]
    return " ".join(f"{50 + turn * 8 * BIN * 28:.1f},{310 - share * 290:.1f}" for turn, share in enumerate(shares))
