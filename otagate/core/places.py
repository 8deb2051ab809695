"""Where a side of a platform stands, and what everything there is called."""

from dataclasses import dataclass

from otagate.core.cloud import Binding, Cloud, Colour

RUN_FOLDER = "/run/otagate"
SWITCH, STEWARD, HOLDER = "switch", "steward", "holder"
SECOND = "second"  # of a pair of switches, the other one


@dataclass(frozen=True)
class Place:
    """Where one side of a platform stands: production's colour, or one side of the mirror in a colour's cloud."""

    platform: str
    binding: Binding
    colour: Colour

    @property
    def prefix(self) -> str:
        side = f"-{self.binding}" if self.binding.is_mirror else ""
        return f"{self.platform}-{self.colour}{side}"

    @property
    def network(self) -> str:
        return self.prefix

    def container(self, service: str) -> str:
        return f"{self.prefix}-{service}"


def shared_name(platform: str, service: str) -> str:
    return f"{platform}-{Cloud.SHARED}-{service}"


def switch_name(platform: str, number: int, *, second: bool = False) -> str:
    """The container of production's switch; each replacement has the next number, the first is 1."""
    name = shared_name(platform, doors_name(second=second))
    return name if number == 1 else f"{name}-{number}"


def holder_name(platform: str, *, second: bool = False) -> str:
    """The container that owns the front doors' sockets."""
    return shared_name(platform, f"{HOLDER}-{SECOND}" if second else HOLDER)


def doors_name(*, second: bool = False) -> str:
    """The host name of the front doors on production's networks, whoever serves behind them."""
    return f"{SWITCH}-{SECOND}" if second else SWITCH


def run_folder(*, second: bool = False) -> str:
    """Where holder and switches find one another. The map is one for both of a pair and stands in RUN_FOLDER."""
    return f"{RUN_FOLDER}/{SECOND}" if second else RUN_FOLDER


def production_networks(platform: str) -> tuple[str, ...]:
    return tuple(f"{platform}-{cloud}" for cloud in (Cloud.SHARED, Cloud.BLUE, Cloud.GREEN))


def steward_volume(platform: str) -> str:
    return f"{platform}-{Cloud.SHARED}-{STEWARD}"
