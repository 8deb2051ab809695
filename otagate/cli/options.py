"""Options that several commands share; they follow the subcommand."""

from enum import StrEnum
from typing import Annotated

import typer


class Output(StrEnum):
    TEXT = "text"
    JSON = "json"


PlatformOption = Annotated[
    str | None,
    typer.Option("--platform", "-p", metavar="PATH", help="The platform's folder or name (the only or nearest one)."),
]
OutputOption = Annotated[Output, typer.Option("--output", help="How the result is printed on stdout.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print the plan, each step with its cause; change nothing.")
]
WaitOption = Annotated[
    str, typer.Option("--wait", metavar="DURATION", help="How long to wait for another's lease, e.g. 30s, 5m.")
]
OverrideOption = Annotated[
    str | None, typer.Option("--override", metavar="REASON", help="Do it all the same, unsigned; needs --by.")
]
ByOption = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who does this (the login name).")]
