"""Body of `otagate demo`: a platform and a home of its own, the story, and everything removed at the end."""

import sys
import textwrap
from pathlib import Path

from otagate import wiring
from otagate.cli.result import Result
from otagate.core.errors import Exit
from otagate.demo import command, scenario, story

WIDTH = 80


def demo(*, fast: bool, keep: bool) -> Result:
    told = scenario.HELLO if fast else scenario.TREATMENT
    with wiring.stage_for_demo(keep=keep) as (folder, platform, home, environment):
        ending = story.tell(command.Story(folder, platform, home, environment, _say), told)
        page = wiring.write_story(home, platform, ending, told.builds)
    data = {
        "seconds": round(ending.seconds, 1),
        "verdicts": dict(ending.verdicts),
        "promotions": dict(ending.promotions),
        "account": {name.strip(): value for name, value in ending.lines},
        "steps": [{"title": title, "seconds": round(seconds, 1)} for title, seconds in ending.steps],
        "surprises": list(ending.surprises),
        "report": page,
    }
    errors = [
        {"code": "surprise", "message": s, "hint": f"the runs are kept in {home}", "at": ""} for s in ending.surprises
    ]
    follow_up = f"otagate init my-platform --like {told.like}, then otagate up -p my-platform"
    return Result(
        Exit.DONE if ending.well else Exit.REFUSED, data, _ending(ending, page), errors=errors, next=follow_up
    )


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _ending(ending: story.Ending, page: str) -> str:
    wide = max(map(len, ending.verdicts), default=0)
    lines = [f"{'the story held' if ending.well else 'THE STORY DID NOT HOLD'}, {ending.seconds / 60:.1f} minutes"]
    for image, came in ending.verdicts.items():
        hanging = " " * (wide + 4)
        lines += textwrap.wrap(f"  {image:<{wide}}  {came}", WIDTH, subsequent_indent=hanging, break_on_hyphens=False)
    lines += [f"  {name:<44} {value}" for name, value in ending.lines]
    return "\n".join([*lines, f"report: {Path(page)}"])
