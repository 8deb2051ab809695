"""Body of `otagate demo`: a platform and a home of its own, the story, and everything removed at the end."""

import sys
from pathlib import Path

from otagate import wiring
from otagate.cli.result import Result
from otagate.core.errors import Exit, UsageError
from otagate.core.promotion import Phase
from otagate.demo import story as stories
from otagate.demo.expected import HELLO


def demo(*, fast: bool, keep: bool) -> Result:
    if not fast:
        raise UsageError(
            "the story on the treatment platform is not part of this otagate yet",
            code="not-yet",
            hint="otagate demo --fast",
        )
    with wiring.stage_for_demo(keep=keep) as (folder, platform, home, environment):
        story = stories.Story(folder, platform, home, environment, _say)
        ending = stories.tell(story)
        promoted = next(e.image for e in HELLO if e.promotion is Phase.ROLLED_BACK)
        figures = {name.strip(): value for name, value in stories.lines_of(ending.account, ending.missing)}
        page = wiring.write_demo_report(home, platform, ending.runs[promoted], figures)
    text = _ending(ending, page)
    data = {
        "seconds": round(ending.seconds, 1),
        "verdicts": dict(ending.verdicts),
        "account": figures,
        "steps": [{"title": title, "seconds": round(seconds, 1)} for title, seconds in ending.steps],
        "surprises": list(ending.surprises),
        "report": page,
    }
    errors = [
        {"code": "surprise", "message": s, "hint": f"the runs are kept in {home}", "at": ""} for s in ending.surprises
    ]
    follow_up = "otagate init my-platform, then otagate up -p my-platform"
    return Result(Exit.DONE if ending.well else Exit.REFUSED, data, text, errors=errors, next=follow_up)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _ending(ending: stories.Ending, page: str) -> str:
    lines = [
        f"{'the story held' if ending.well else 'THE STORY DID NOT HOLD'}, {ending.seconds / 60:.1f} minutes",
        *(f"  {image:<16} {came}" for image, came in ending.verdicts.items()),
        *(f"  {name:<44} {value}" for name, value in stories.lines_of(ending.account, ending.missing)),
        f"report: {Path(page)}",
    ]
    return "\n".join(lines)
