"""The clinic's planning protocol: what the optimiser strives for when a request names no objectives of its own."""

from dose_engine.request import Aim
from dose_engine.structures import BODY, Structures

COLD, HOT = 300.0, 150.0  # weights of a target's under- and overdose
SPARED, TISSUE = 60.0, 20.0
HOT_FROM, SPARED_FROM, TISSUE_FROM = 1.03, 0.4, 0.5  # of the prescribed dose


def aims_of(structures: Structures, target: str, dose: float) -> tuple[Aim, ...]:
    """The whole dose to the target, little to each organ, a fall of dose around."""
    aims = [Aim(target, "under", dose, COLD), Aim(target, "over", dose * HOT_FROM, HOT)]
    for name, region in structures.regions.items():
        if region.kind == BODY:
            aims.append(Aim(name, "over", dose * TISSUE_FROM, TISSUE))
        elif region.kind == "ORGAN" and name != target:
            aims.append(Aim(name, "over", dose * SPARED_FROM, SPARED))
    return tuple(aims)
