"""Names of platforms that are the demo's and the tests' own: `make clean` removes them with all they hold."""

from collections.abc import Mapping

PREFIXES = ("demo-", "t-")
PERMIT = "OTAGATE_RESERVED_NAMES"  # demo and tests set it to 1
HINT = "choose another name; none that begins with demo- or t-"


def refusal(name: str, environment: Mapping[str, str]) -> str:
    """Why a platform may not be called `name`; empty if it may."""
    prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), "")
    if not prefix or environment.get(PERMIT) == "1":
        return ""
    return f"names that begin with {prefix} are the demo's and the tests' own, and make clean removes those platforms"
