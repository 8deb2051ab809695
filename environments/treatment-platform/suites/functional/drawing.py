"""Pictures for the report. Drawn by the reference engine's environment, which has what it takes to draw.

`python drawing.py FOLDER` is what runs there, for planes.npz and curves.npz; `drawn` calls it.
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

PYTHON = "/opt/venv/bin/python"
DEADLINE = 60.0  # seconds
COLOURS = {"PTV": "#d6009a", "BODY": "#444444"}
OTHERS = ("#0050b0", "#107830", "#8a5a00", "#70208a")
NAMES = {"candidate": "build under test", "live": "live build", "reference": "independent engine"}
LINES = {"candidate": "solid", "live": (0, (6, 3)), "reference": (0, (1.2, 1.6))}


def drawn(**arrays: Mapping[str, Any]) -> dict[str, bytes]:
    """A PNG of each; they are called planes and curves."""
    with tempfile.TemporaryDirectory() as folder:
        for kind, held in arrays.items():
            np.savez(Path(folder, f"{kind}.npz"), **held)
        subprocess.run([PYTHON, __file__, folder], check=True, timeout=DEADLINE)  # noqa: S603
        return {kind: Path(folder, f"{kind}.png").read_bytes() for kind in arrays}


def planes(held: Mapping[str, Any], figure: Any) -> None:
    """Doses, their differences and gamma in one axial plane: `x`, `y` in mm, doses in Gy."""
    from matplotlib import colormaps

    figure.set_size_inches(12.5, 7.4)
    places = figure.subplots(2, 3, sharex=True, sharey=True)
    top = float(max(held[name].max() for name in NAMES))
    doses = {"cmap": "viridis", "vmin": 0.0, "vmax": top}
    for place, name in ((places[0, 0], "candidate"), (places[0, 1], "live"), (places[1, 0], "reference")):
        image(figure, place, held, held[name], f"Dose, {NAMES[name]}", "dose (Gy)", doses)
    for place, name in ((places[0, 2], "live"), (places[1, 1], "reference")):
        off = held["candidate"] - held[name]
        most = max(float(np.abs(off).max()), 0.01 * top)
        how = {"cmap": "RdBu_r", "vmin": -most, "vmax": most}
        title = f"Build under test − {NAMES[name]}\nlargest in this plane: {np.abs(off).max():.3g} Gy"
        image(figure, place, held, off, title, "difference (Gy)", how)
    shown = {"cmap": colormaps["summer"].with_extremes(over="#c80000", bad="#e6e6e6"), "vmin": 0.0, "vmax": 1.0}
    passing = f"in the whole volume {float(held['passing']):.2f} % pass"
    title = f"γ 3 %/2 mm, {NAMES['candidate']} to {NAMES['reference']}\n{passing}"
    image(figure, places[1, 2], held, held["gamma"], title, "γ (red: above 1; grey: too little dose)", shown)
    for place in places[1]:
        place.set_xlabel("x (mm), towards the patient's left →")
    for place in places[:, 0]:
        place.set_ylabel("← towards the patient's back, y (mm)")
    place = places[0, 0]
    for name, colour in coloured(held["names"]):
        place.plot([], [], color=colour, label=name)
    figure.legend(loc="outside lower center", ncols=8, frameon=False)
    figure.suptitle(f"{held['title']}: axial plane at z = {float(held['z']):.1f} mm")


def image(
    figure: Any, place: Any, held: Mapping[str, Any], values: Any, title: str, unit: str, how: Mapping[str, Any]
) -> None:
    x, y = held["x"], held["y"]
    half = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
    extent = (x[0] - half[0], x[-1] + half[0], y[-1] + half[1], y[0] - half[1])
    shown = place.imshow(values, extent=extent, interpolation="nearest", **how)
    for (_, colour), mask in zip(coloured(held["names"]), held["masks"], strict=True):
        if mask.any():
            place.contour(x, y, mask.astype(float), levels=[0.5], colors=[colour], linewidths=1.1)
    place.set_title(title, fontsize=10)
    figure.colorbar(shown, ax=place, label=unit, shrink=0.9, extend="max" if "γ" in unit else "neither")


def curves(held: Mapping[str, Any], figure: Any) -> None:
    """Cumulative dose-volume curves: one colour for each structure, one line for each engine."""
    figure.set_size_inches(9.0, 5.4)
    place = figure.subplots()
    colours = coloured(held["names"])
    for (name, colour), mask in zip(colours, held["masks"], strict=True):
        if name == "BODY":
            continue
        for engine, line in LINES.items():
            doses = np.sort(held[engine][mask])
            volume = 100.0 * (1.0 - np.arange(doses.size) / doses.size)
            place.step(np.r_[0.0, doses], np.r_[100.0, volume], where="pre", color=colour, linestyle=line, lw=1.6)
    for engine, line in LINES.items():
        place.plot([], [], color="black", linestyle=line, label=NAMES[engine])
    for name, colour in colours:
        if name != "BODY":
            place.plot([], [], color=colour, lw=4, label=name)
    place.set_xlim(left=0.0)
    place.set_ylim(0.0, 102.0)
    place.set_xlabel("dose (Gy)")
    place.set_ylabel("volume that gets at least this dose (%)")
    place.grid(alpha=0.3)
    place.legend(frameon=True)
    place.set_title(f"{held['title']}: dose-volume curves")


def coloured(names: Any) -> list[tuple[str, str]]:
    others = iter(OTHERS)
    return [(str(name), COLOURS.get(str(name)) or next(others)) for name in names]


def main(folder: str) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib.figure import Figure

    for kind, draw in (("planes", planes), ("curves", curves)):
        figure = Figure(layout="constrained", dpi=100)
        with np.load(Path(folder, f"{kind}.npz")) as held:
            draw(held, figure)
        figure.savefig(Path(folder, f"{kind}.png"))


if __name__ == "__main__":
    main(*sys.argv[1:])
