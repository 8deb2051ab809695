"""May traffic return to what the other colour holds? Asked by the command before it begins and by the steward again."""

from collections.abc import Mapping, Sequence

from otagate.core.cloud import Colour
from otagate.core.preflight import Objection
from otagate.core.schema import INCOMPATIBLE, beyond, unreadable
from otagate.core.traffic import ColourView

_OTHERWISE = "or, for a reason of your own: otagate rollback --override REASON --by NAME"


def against_return(
    to: Colour, there: ColourView | None, live: ColourView | None, at: Mapping[str, Sequence[str]]
) -> tuple[Objection, ...]:
    """Why not, worst first; empty means go. `there` is what `to` holds, `live` what serves, `at` what each state's
    schema is, or may be. `no-release` cannot be overridden, the others can (see `Intent.override`)."""
    if there is None:
        return (Objection(NO_RELEASE, f"{to} holds no release", _test_again("an earlier build")),)
    found = []
    if live is not None and live.release == there.release:
        found.append(
            Objection(
                "identical-release",
                f"{to} holds the very release that is live: going there would change nothing",
                f"{_test_again('another build')}; {_OTHERWISE}",
            )
        )
    who = f"the release in {to}"
    lost = unreadable(live.schemas if live else {}, there.schemas, who) or beyond(at, there.schemas, who)
    if lost:
        found.append(
            Objection(
                INCOMPATIBLE,
                f"the schema has moved on: {'; '.join(lost)}",
                f"{_test_again('a mended build that reads it')}; {_OTHERWISE}",
            )
        )
    if not there.warm:
        found.append(
            Objection(
                "no-warm-side",
                f"{to} is not warm: what it holds is no proven way back",
                f"{_test_again('an earlier build')}; {_OTHERWISE}",
            )
        )
    return tuple(found)


NO_RELEASE = "no-release"
KEEP = "otagate recover --override REASON --by NAME"  # what is stranded on a colour that has nothing to go back to


def _test_again(what: str) -> str:
    return f"otagate test {what}, then otagate promote it"
