"""The switch under load beside other ways to turn traffic, and long runs of it alone; writes docs/switch.md's figures.

Run: .venv/bin/python -m tests.bench.switch_flips [compare] [flips] [dicom] [hl7] [fault] [shadow] [--short]; without
words: all. Where our own switch is not what it must be (`targets`), or too little was asked of it, the command says
what, ends with 1 and writes nothing of that part.
"""

import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker

from otagate.core.cloud import Colour
from tests.bench import planted_fault, shadow_cost
from tests.bench.marks import write_figures
from tests.bench.switch_page import DOCS, picture, table
from tests.bench.switch_ways import Ours, Way, ways
from tests.bench.targets import Messages, Stored, fewer, flips_wrong
from tests.e2e.flip_account import Flip, account_of
from tests.e2e.load_edge import LoadEdge
from tests.e2e.long_sessions import Association, Sender, send
from tests.e2e.open_loop import Ask, OpenLoop

CALM, GAP = 4.0, 2.5  # seconds before the first flip, and from one flip's begin to the next at least


@dataclass(frozen=True)
class Found:
    """A part's lines of the page, and what is wrong with what they tell; `picture` of docs/switch.svg."""

    lines: list[str]
    wrong: list[str]
    picture: str = ""


Measure = Callable[[docker.DockerClient, bool], Found]


@contextmanager
def standing(client: docker.DockerClient, *, draining: bool = False, shadowed: bool = False) -> Iterator[LoadEdge]:
    """An edge with both colours, gone afterwards."""
    edge = LoadEdge.made(client, draining=draining, shadowed=shadowed)
    try:
        edge.begin()
        yield edge
    finally:
        edge.remove()


def machine() -> str:
    return f"Load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."


def turned(way: Way, count: int, rate: float) -> tuple[list[Ask], list[Flip]]:
    """So many flips of one way under load, there and back."""
    web, tcp = way.ports
    flips: list[Flip] = []
    with tempfile.TemporaryDirectory() as folder, OpenLoop(web, tcp, rate, Path(folder)) as load:
        time.sleep(CALM)
        for n in range(count):
            next_one = time.monotonic() + GAP
            flips.append(way.flip(Colour.GREEN if n % 2 == 0 else Colour.BLUE))
            time.sleep(max(0.0, next_one - time.monotonic()))
    return load.asks, flips


def compare(client: docker.DockerClient, short: bool) -> Found:
    """Every way, the same load, one after the other in one run."""
    count, rate = (2, 200.0) if short else (10, 400.0)
    asks: dict[str, Sequence[Ask]] = {}
    flips: dict[str, Sequence[Flip]] = {}
    with standing(client) as edge:
        for way in ways(edge):
            asks[way.name], flips[way.name] = turned(way, count, rate)
            print(f"{way.name}: {account_of(asks[way.name], flips[way.name])}", file=sys.stderr)
    found = {name: account_of(asks[name], flips[name]) for name in asks}
    least = round(rate * GAP * count)
    wrong = flips_wrong(found[Ours.name], count, least)
    for name, account in found.items():
        wrong += [] if name == Ours.name else fewer(account.asks, least, f"requests of {name}")
    image = "![Which colour answered around a flip, and what failed](switch.svg)"
    lines = [*table(found, flips), "", f"{rate:.0f} requests/s due, {count} flips each. {machine()}", "", image]
    return Found(lines, wrong, picture(asks, flips))


def long_run(client: docker.DockerClient, short: bool) -> Found:
    """Flips of ours alone until both counts must be reached, by the clock: how many were asked is known afterwards."""
    least_flips, least_asks, rate = (3, 1000, 300.0) if short else (50, 100_000, 800.0)
    flips: list[Flip] = []
    with standing(client) as edge, tempfile.TemporaryDirectory() as folder:
        web, tcp = edge.address("web")[1], edge.address("tcp")[1]
        began = time.monotonic()
        with OpenLoop(web, tcp, rate, Path(folder)) as load:
            time.sleep(CALM)
            while len(flips) < least_flips or (time.monotonic() - began) * rate < least_asks * 1.02:
                to = Colour.GREEN if len(flips) % 2 == 0 else Colour.BLUE
                flips.append(edge.flip(to, f"p-long-{len(flips)}"))
    found = account_of(load.asks, flips)
    rows = table({Ours.name: found}, {Ours.name: flips})
    told = f"{rate:.0f} requests/s due over {time.monotonic() - began:.0f} s. {machine()}"
    return Found([*rows, "", told], flips_wrong(found, least_flips, least_asks))


def dicom(client: docker.DockerClient, short: bool) -> Found:
    """Associations of many stores, begun one after the other while the switch turns again and again."""
    count, stores, least_flips, lasts = (6, 60, 2, 3.0) if short else (40, 60, 10, 12.0)
    done: list[Association] = []
    flips: list[Flip] = []
    with standing(client) as edge:
        address = edge.address("dicom")

        def one(number: int) -> None:
            done.append(send(address, f"BENCH{number}", stores, lasts))

        threads = [threading.Thread(target=one, args=(n,), daemon=True) for n in range(count)]
        for number, thread in enumerate(threads):
            thread.start()
            if number % 4 == 3 or number == count - 1:
                time.sleep(1.0)
                to = Colour.GREEN if len(flips) % 2 == 0 else Colour.BLUE
                flips.append(edge.flip(to, f"p-dicom-{len(flips)}", drain=60.0))
        for thread in threads:
            thread.join(120)
        places = {colour: Counter(uid for _, uid in edge.told(colour, "/stored")) for colour in Colour}
    found = Stored.of(done, flips, places)
    return Found(found.rows(), found.wrong(count, least_flips))


def hl7(client: docker.DockerClient, short: bool) -> Found:
    """Eight senders that keep their connections; the service lets its sessions go, or (the control) does not."""
    count = 3 if short else 15
    wrong: list[str] = []
    rows = [
        "| the old colour | messages | lost | twice | resent | reconnects | sessions cut | flips |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, draining in (("has the `drain` hook", True), ("has none: cut at the deadline", False)):
        found = sent_across(client, count, draining=draining)
        rows.append(found.row(name))
        wrong += [f"{name}: {what}" for what in found.wrong(draining=draining)]
    return Found(rows, wrong)


def sent_across(client: docker.DockerClient, count: int, *, draining: bool) -> Messages:
    """What became of the messages of eight senders across so many flips."""
    with standing(client, draining=draining) as edge:
        senders = [Sender(edge.address("hl7"), f"{n}", pause=0.02) for n in range(8)]
        threads = [sender.start() for sender in senders]
        for n in range(count):
            to = Colour.GREEN if n % 2 == 0 else Colour.BLUE
            edge.flip(to, f"p-hl7-{n}", drain=20.0 if draining else 0.5)
        for sender in senders:
            sender.stop()
        for thread in threads:
            thread.join(30)
        stuck = sum(thread.is_alive() for thread in threads)
        received = Counter(message for colour in Colour for message in edge.told(colour, "/received"))
        cut = sum(len(e.data["cut"]) for n in range(count) for e in edge.events(f"p-hl7-{n}") if "cut" in e.data)
    return Messages.of(senders, received, count, stuck=stuck, cut=cut)


def fault(client: docker.DockerClient, short: bool) -> Found:
    """A faulty release is flipped to and gone back from, with the command line alive and killed."""
    with standing(client) as edge:
        found = planted_fault.trials(edge, 1 if short else 3, (50.0,) if short else (500.0, 50.0))
    told = f"Every fifth answer was an error; the default watch. {machine()}"
    return Found([*planted_fault.table(found), "", told], planted_fault.wrong(found))


def shadow(client: docker.DockerClient, short: bool) -> Found:
    """Production beside no shadow, beside one, and beside one whose candidate hangs."""
    turns, rate, lasts = (1, 200.0, 3.0) if short else (6, 400.0, 6.0)
    with standing(client, shadowed=True) as edge:
        asks, windows, seen = shadow_cost.measured(edge, turns, rate, lasts)
    bound = f"at most {shadow_cost.MOST} copies a second"
    told = f"{rate:.0f} requests/s due, {turns} turns of {lasts:.0f} s each way, {bound}. {machine()}"
    return Found(
        [*shadow_cost.table(asks, windows, seen), "", told], shadow_cost.wrong(asks, windows, seen, turns * lasts)
    )


PARTS: dict[str, Measure] = {
    "shadow": shadow,
    "fault": fault,
    "compare": compare,
    "flips": long_run,
    "dicom": dicom,
    "hl7": hl7,
}


def main() -> int:
    """Prints each part's table; writes docs/switch.md too unless --short. 0 if nothing is wrong in any part."""
    words = sys.argv[1:]
    if unknown := set(words) - {*PARTS, "--short"}:
        sys.exit(f"no part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    short = "--short" in words
    client = docker.from_env(timeout=120)
    wrong: list[str] = []
    for name in [word for word in words if word in PARTS] or list(PARTS):
        found = PARTS[name](client, short)
        print(f"== {name}\n" + "\n".join(found.lines), flush=True)
        wrong += [f"{name}: {what}" for what in found.wrong]
        if not short and not found.wrong:
            write(name, found)
    client.close()
    print("wrong: " + ("; ".join(wrong) or "nothing"))
    return 1 if wrong else 0


def write(name: str, found: Found) -> None:
    """Into the page, between the part's marks."""
    write_figures(DOCS / "switch.md", name, found.lines)
    if found.picture:
        (DOCS / "switch.svg").write_text(found.picture + "\n")


if __name__ == "__main__":
    sys.exit(main())
