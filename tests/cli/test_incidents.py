"""An incident in words: impact first, what is not known said so, who cleared it."""

from dataclasses import replace

from otagate.cli.incidents import data_of, lines_of
from otagate.core.cloud import Colour
from otagate.core.incident import Clearing, Incident, Written

OPEN = Incident(
    "i-r-7",
    "r-7",
    "sha256:" + "ab" * 32,
    {"api": "sha256:1", "web": "sha256:2"},
    Colour.GREEN,
    1_795_543_200.0,
    1_795_543_260.0,
    "rolled back by ada",
    "K1",
    (Written("api", message="it declares no written_since hook"), Written("web", 30, ("1.2.3", "1.2.4"), 30)),
)


def test_the_impact_leads_and_what_is_not_known_is_said_so() -> None:
    assert lines_of(OPEN) == [
        "incident i-r-7 (open): K1, treatment stands still",
        "  release    abababababab was live on green",
        "  from       2026-11-24 18:00:00 UTC to 2026-11-24 18:01:00 UTC",
        "  because    rolled back by ada",
        "  wrote      api: not known (it declares no written_since hook)",
        "  wrote      web: 30 objects, the first 2 below; 30 quarantined",
        "  wrote        1.2.3",
        "  wrote        1.2.4",
    ]


def test_nothing_written_is_said_and_is_not_the_same_as_not_known() -> None:
    nothing = replace(OPEN, written=(Written("web", 0, quarantined=0),), impact="")
    assert lines_of(nothing)[0].endswith("impact unknown")
    assert lines_of(nothing)[-1] == "  wrote      web: 0 objects; 0 quarantined"


def test_who_cleared_it_stands_with_the_reason() -> None:
    cleared = replace(OPEN, cleared=Clearing("bob", "bob@ward:3", "all sent again", 1_795_543_320.0))
    assert lines_of(cleared)[0].startswith("incident i-r-7 (cleared)")
    assert lines_of(cleared)[-1] == "  cleared    by bob from bob@ward:3 at 2026-11-24 18:02:00 UTC: all sent again"
    assert [entry["open"] for entry in data_of([OPEN, cleared])] == [True, False]
    assert data_of([OPEN])[0]["written"][0]["count"] is None
