"""The command line: parse, hand to one command's body, exit with its status. Bodies are imported when they are called,
so that `--help` and completion stay quick."""

import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from otagate import __version__
from otagate.cli.options import ByOption, DryRunOption, Output, OutputOption, OverrideOption, PlatformOption, WaitOption
from otagate.cli.result import Result, of_bug, run, show
from otagate.cli.streams import take_over, tell_lost
from otagate.core.errors import Exit

app = typer.Typer(
    name="otagate",
    help="Prove a build on a mirror of production, flip to it without losing a connection, keep proof of both.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
mirror = typer.Typer(help="The mirror alone: raise it, compare it with production, take it down.", no_args_is_help=True)
app.add_typer(mirror, name="mirror")
switch = typer.Typer(help="The switch itself.", no_args_is_help=True)
app.add_typer(switch, name="switch")
incident = typer.Typer(help="What a rolled-back release left behind.", no_args_is_help=True)
app.add_typer(incident, name="incident")

BuildsArgument = Annotated[list[str], typer.Argument(metavar="SERVICE=IMAGE…", help="Builds to judge.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run's id or its unique beginning (the newest).")]


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        typer.echo(f"otagate {__version__}")
        raise typer.Exit


@app.command()
def demo(
    fast: Annotated[bool, typer.Option("--fast", help="A shorter story, on the hello platform.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the demo's production standing.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """The whole story, from nothing to the report. Makes and removes a platform of its own.

    Exit: 0 as told, 1 something went otherwise, 2 usage, 4 fault, 130 interrupted.
    """
    from otagate.cli.demo import demo as body

    raise typer.Exit(run("demo", output, lambda: body(fast=fast, keep=keep)))


@app.command()
def doctor(platform: PlatformOption = None, output: OutputOption = Output.TEXT) -> None:
    """Can this machine and this platform do it? Each check with its remedy. Changes nothing.

    Exit: 0 it can, 2 usage, 4 something is in the way.
    """
    from otagate.cli.platforms import doctor as body

    raise typer.Exit(run("doctor", output, lambda: body(platform)))


@app.command()
def init(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    like: Annotated[str, typer.Option("--like", metavar="NAME", help="The shipped platform to begin with.")] = "hello",
    output: OutputOption = Output.TEXT,
) -> None:
    """Write a new platform that runs into DIR. Overwrites nothing; needs no engine.

    Exit: 0 written, 2 not into this DIR, 4 it cannot be written.
    """
    from otagate.cli.platforms import init as body

    raise typer.Exit(run("init", output, lambda: body(folder, like)))


@app.command()
def check(platform: PlatformOption = None, output: OutputOption = Output.TEXT) -> None:
    """Check the platform's files, every problem at once. Changes nothing; needs no engine.

    Exit: 0 sound, 2 problems, or no platform.
    """
    from otagate.cli.platforms import check as body

    raise typer.Exit(run("check", output, lambda: body(platform)))


@app.command()
def up(
    platform: PlatformOption = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    wait: WaitOption = "0s",
    output: OutputOption = Output.TEXT,
) -> None:
    """Make production (genesis, marked unproven) or add what is missing. Never changes what is live.

    Exit: 0 it stands, 1 refused, 2 usage, 4 fault, 5 undone, 6 stranded, 7 busy, 8 alarm, 130 interrupted.
    """
    from otagate.cli.platforms import up as body

    raise typer.Exit(run("up", output, lambda: body(platform, by=by, dry_run=dry_run, wait=wait)))


@app.command()
def down(
    platform: PlatformOption = None,
    destroy_state: Annotated[
        str | None, typer.Option("--destroy-state", metavar="NAME", help="Production with all its data, by its name.")
    ] = None,
    dry_run: DryRunOption = False,
    wait: WaitOption = "0s",
    output: OutputOption = Output.TEXT,
) -> None:
    """Remove the mirror and what an undone promotion left; with --destroy-state NAME everything, data too.

    Exit: 0 removed, 1 refused, 2 usage, 4 fault, 7 busy, 8 alarm, 130 interrupted.
    """
    from otagate.cli.platforms import down as body

    raise typer.Exit(run("down", output, lambda: body(platform, destroy=destroy_state, dry_run=dry_run, wait=wait)))


@app.command("test")
def gate(
    builds: BuildsArgument,
    platform: PlatformOption = None,
    by: ByOption = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the mirror standing afterwards.")] = False,
    dry_run: DryRunOption = False,
    wait: WaitOption = "0s",
    output: OutputOption = Output.TEXT,
) -> None:
    """The gate: raise the mirror with the builds, run the suites, judge. Never changes traffic.

    Exit: 0 approve, 1 refuse, 2 usage, 3 inconclusive, 4 fault, 7 busy, 8 alarm, 130 interrupted.
    """
    from otagate.cli.gate import test as body

    raise typer.Exit(run("test", output, lambda: body(builds, platform, by=by, keep=keep, dry_run=dry_run, wait=wait)))


@app.command()
def verdict(run_id: RunArgument = "", platform: PlatformOption = None, output: OutputOption = Output.TEXT) -> None:
    """Why: a run's verdict, rule by rule. Changes nothing.

    Exit: 0 approve, 1 refuse, 3 inconclusive, as test ended; 2 no such run, 4 fault.
    """
    from otagate.cli.gate import verdict as body

    raise typer.Exit(run("verdict", output, lambda: body(run_id, platform)))


@app.command()
def report(
    run_id: RunArgument = "",
    platform: PlatformOption = None,
    form: Annotated[str, typer.Option("--format", help="html, junit or markdown.")] = "html",
    to: Annotated[
        str | None, typer.Option("--to", metavar="FILE", help="Where to write it (the run's folder).")
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write a run's report as HTML, JUnit or Markdown, with what became of its release as far as it can be known.

    Exit: 0 written, 2 no such run or format, 4 it cannot be written, 8 written without evidence that is gone.
    """
    from otagate.cli.gate import report as body

    raise typer.Exit(run("report", output, lambda: body(run_id, platform, form=form, to=to)))


@app.command()
def promote(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run whose release is to go live.")],
    platform: PlatformOption = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    wait: WaitOption = "0s",
    output: OutputOption = Output.TEXT,
) -> None:
    """Make a judged release live: deploy to the idle colour, smoke, flip all listeners, watch, or go back.

    Exit: 0 promoted, 1 refused in preflight, 2 usage, 4 fault, 5 undone, 6 stranded, 7 busy, 8 alarm, 130 interrupted.
    """
    from otagate.cli.promotion import promote as body

    raise typer.Exit(run("promote", output, lambda: body(run_id, platform, by=by, dry_run=dry_run, wait=wait)))


@app.command()
def rollback(
    platform: PlatformOption = None,
    by: ByOption = None,
    override: OverrideOption = None,
    dry_run: DryRunOption = False,
    wait: WaitOption = "0s",
    output: OutputOption = Output.TEXT,
) -> None:
    """Turn traffic back to the warm colour, all listeners at once; what is being watched is gone back from.

    Exit: 0 turned back, 1 refused, 2 usage, 4 fault or not back, 6 stranded, 7 busy, 8 alarm, 130 interrupted.
    """
    from otagate.cli.promotion import rollback as body

    raise typer.Exit(
        run("rollback", output, lambda: body(platform, by=by, override=override, dry_run=dry_run, wait=wait))
    )


@app.command()
def status(platform: PlatformOption = None, output: OutputOption = Output.TEXT) -> None:
    """What is live, idle and unfinished, and who holds the lease. Changes nothing.

    Exit: 0 as it should be, 2 usage, 4 fault, 6 stranded, 8 not as it should be.
    """
    from otagate.cli.promotion import status as body

    raise typer.Exit(run("status", output, lambda: body(platform)))


@app.command()
def recover(
    platform: PlatformOption = None,
    by: ByOption = None,
    override: OverrideOption = None,
    dry_run: DryRunOption = False,
    wait: WaitOption = "0s",
    output: OutputOption = Output.TEXT,
) -> None:
    """Finish or undo a promotion that was cut off; says what it found and did. Changes nothing if none was.
    With --override what is stranded ends where it led to, if that serves and answers and what was live before does not.

    Exit: 0 finished or nothing to do, 1 refused, 2 usage, 4 fault, 5 undone, 6 stranded, 7 busy, 8 alarm, or 130
    interrupted.
    """
    from otagate.cli.promotion import recover as body

    raise typer.Exit(
        run("recover", output, lambda: body(platform, by=by, override=override, dry_run=dry_run, wait=wait))
    )


@mirror.command("up")
def mirror_up(
    builds: Annotated[list[str] | None, typer.Argument(metavar="[SERVICE=IMAGE…]", help="Builds in it.")] = None,
    platform: PlatformOption = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    wait: WaitOption = "0s",
    output: OutputOption = Output.TEXT,
) -> None:
    """Raise the mirror in the idle cloud and leave it standing. Never touches production.

    Exit: 0 it stands, 2 usage, 4 fault, 7 busy, 8 alarm, 130 interrupted.
    """
    from otagate.cli.gate import mirror_up as body

    raise typer.Exit(run("mirror up", output, lambda: body(builds or [], platform, by=by, dry_run=dry_run, wait=wait)))


@mirror.command("diff")
def mirror_diff(platform: PlatformOption = None, output: OutputOption = Output.TEXT) -> None:
    """Compare the standing mirror with production, field by field. Changes nothing.

    Exit: 0 like production, 1 drift, 2 usage, 4 fault, 8 alarm.
    """
    from otagate.cli.gate import mirror_diff as body

    raise typer.Exit(run("mirror diff", output, lambda: body(platform)))


@mirror.command("down")
def mirror_down(
    platform: PlatformOption = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    wait: WaitOption = "0s",
    output: OutputOption = Output.TEXT,
) -> None:
    """Remove the mirror with its state. Never touches production.

    Exit: 0 removed, 2 usage, 4 fault, 7 busy, 8 alarm, 130 interrupted.
    """
    from otagate.cli.gate import mirror_down as body

    raise typer.Exit(run("mirror down", output, lambda: body(platform, by=by, dry_run=dry_run, wait=wait)))


@switch.command("replace")
def switch_replace(
    platform: PlatformOption = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    wait: WaitOption = "0s",
    output: OutputOption = Output.TEXT,
) -> None:
    """Replace the switch by one of the current image, configuration and certificates; cuts no session in time.

    Changes one container: the new one takes the doors, the old one finishes its sessions and is removed.

    Exit: 0 replaced, 1 refused, 2 usage, 4 fault, 5 undone, 7 busy, 8 alarm, 130 interrupted.
    """
    from otagate.cli.switch import replace as body

    raise typer.Exit(run("switch replace", output, lambda: body(platform, by=by, dry_run=dry_run, wait=wait)))


@incident.command("list")
def incident_list(
    platform: PlatformOption = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are cleared.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """What rolled-back releases left: impact, reason, what they wrote. Changes nothing.

    Exit: 0 listed, 2 usage, 4 fault.
    """
    from otagate.cli.incidents import list_ as body

    raise typer.Exit(run("incident list", output, lambda: body(platform, every=every)))


@incident.command("clear")
def incident_clear(
    name: Annotated[str, typer.Argument(metavar="ID", help="An incident's id or its unique end.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who clears it.")],
    reason: Annotated[str, typer.Option("--reason", metavar="REASON", help="What was looked at, and why it is well.")],
    platform: PlatformOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Clear an incident, by a named person with a reason; its release may then be promoted again.

    Exit: 0 cleared, 1 it is already, 2 usage, 4 fault.
    """
    from otagate.cli.incidents import clear as body

    raise typer.Exit(run("incident clear", output, lambda: body(name, platform, by=by, reason=reason)))


def main() -> None:
    """The console script. A usage error speaks JSON too when JSON was asked for; SIGTERM and SIGHUP are interrupts."""
    out = take_over()
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup asks to outlive the terminal
        signal.signal(signal.SIGHUP, _hung_up)
    code = _carried_out()
    tell_lost(out)
    sys.exit(code)


def _carried_out() -> int:
    """The exit status of what was typed."""
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as usage:
        code = _usage(usage)
    except (typer.Abort, KeyboardInterrupt):
        code = int(Exit.INTERRUPTED)
    except typer.Exit as leave:
        code = leave.exit_code
    except Exception:
        code = int(Exit.BUG)
        show("", Output.TEXT, of_bug())
    return code if isinstance(code, int) else 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _hung_up(*_: object) -> None:
    """The terminal is gone. Kernel and shell both say so; the second time must not cut the way out short."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise KeyboardInterrupt


def _usage(usage: typer.TyperException) -> int:
    asked = sys.argv[1:]
    wants_json = "--output=json" in asked or ("--output" in asked and "json" in asked)
    message = usage.format_message()
    error = {"code": "usage", "message": message, "hint": "otagate --help", "at": ""}
    show(_command(asked), Output.JSON if wants_json else Output.TEXT, Result(Exit.USAGE, {}, "", errors=(error,)))
    return int(Exit.USAGE)


def _command(asked: Sequence[str]) -> str:
    """The command that was asked for, as far as its words were: "mirror up"; empty if none was."""
    at, words = typer.main.get_command(app), []
    for word in asked:
        if (inner := getattr(at, "commands", {}).get(word)) is not None:
            at = inner
            words.append(word)
    return " ".join(words)
