"""What one build of the engine does, fixed when its image is made. Nothing else tells the builds apart."""

import json
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Traits:
    """Baked into the image by build arguments; the defaults are the plain engine.

    `scaled_search` lets the optimiser see how stiff each pixel is; `passes` is how often all work is done;
    `crash_at` the request that ends the process (0: none); `tired_after` distinct patients, every fifth request
    fails (0: never).
    """

    scaled_search: bool = False
    output_factor: float = 1.0
    mirrored: bool = False
    passes: int = 1
    crash_at: int = 0
    foreign_structures: bool = False
    tired_after: int = 0


def parse_traits(text: str) -> Traits:
    """Raises ValueError on a key that is unknown, missing or of another type: an image is whole or does not start."""
    raw = json.loads(text)
    plain = Traits()
    expected = {one.name: type(getattr(plain, one.name)) for one in fields(Traits)}
    if not isinstance(raw, dict) or set(raw) != set(expected):
        raise ValueError(f"traits must name exactly {', '.join(sorted(expected))}")
    for name, kind in expected.items():
        if kind is float and type(raw[name]) is int:
            raw[name] = float(raw[name])
        if type(raw[name]) is not kind:
            raise ValueError(f"trait {name} must be {kind.__name__}")
    return Traits(**raw)


def read_traits(path: Path) -> Traits:
    """Raises OSError or ValueError."""
    return parse_traits(path.read_text())
