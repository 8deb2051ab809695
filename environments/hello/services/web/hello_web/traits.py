"""What one build of the service does, fixed when its image is made. Nothing else tells the builds apart."""

import json
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Traits:
    """Baked into the image by build arguments; the defaults are the plain service.

    `write_behind` in seconds (0: an object is in the store before it is acknowledged); `tired_after` in answers
    (0: never).
    """

    compress_kept: bool = False
    locate_maximum: bool = False
    dose_factor: float = 1.0
    summary_passes: int = 1
    frames_left_out: int = 0
    log_patient: bool = False
    write_behind: float = 0.0
    abort_on_truncated: bool = False
    tired_after: int = 0


def parse_traits(text: str) -> Traits:
    """Raises ValueError on a key that is unknown, missing or of another type: an image is whole or does not start."""
    raw = json.loads(text)
    expected = {f.name: type(getattr(Traits(), f.name)) for f in fields(Traits)}
    if not isinstance(raw, dict) or set(raw) != set(expected):
        raise ValueError(f"traits must name exactly {', '.join(sorted(expected))}")
    for name, kind in expected.items():
        if kind is float and type(raw[name]) is int:
            raw[name] = float(raw[name])
        if type(raw[name]) is not kind:
            raise ValueError(f"trait {name} must be {kind.__name__}")
    return Traits(**raw)


def read_traits(path: Path) -> Traits:
    return parse_traits(path.read_text())
