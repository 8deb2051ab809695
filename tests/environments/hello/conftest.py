"""The service's source is a program of its own, in an image of its own; here it is importable for its unit tests."""

import sys
from pathlib import Path

HELLO = Path(__file__).parents[3] / "environments" / "hello"

sys.path.insert(0, str(HELLO / "services" / "web"))
