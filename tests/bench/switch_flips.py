"""The switch under load beside other ways to turn traffic, and long runs of it alone; writes docs/switch.md's figures.

Run: .venv/bin/python -m tests.bench.switch_flips [compare] [flips] [dicom] [hl7] [fault] [shadow] [--short]; without
words: all.
"""

import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import docker

from otagate.core.cloud import Colour
from tests.bench import planted_fault, shadow_cost
from tests.bench.marks import write_figures
from tests.bench.switch_page import DOCS, picture, table
from tests.bench.switch_ways import Way, ways
from tests.e2e.flip_account import Flip, account_of
from tests.e2e.load_edge import LoadEdge
from tests.e2e.long_sessions import Association, Sender, send
from tests.e2e.open_loop import Ask, OpenLoop

CALM, GAP = 4.0, 2.5  # seconds before the first flip, and from one flip's begin to the next at least
Measure = Callable[[docker.DockerClient, bool], list[str]]


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


def compare(client: docker.DockerClient, short: bool) -> list[str]:
    """Every way, the same load, one after the other in one run."""
    count, rate = (2, 200.0) if short else (10, 400.0)
    asks: dict[str, Sequence[Ask]] = {}
    flips: dict[str, Sequence[Flip]] = {}
    with standing(client) as edge:
        for way in ways(edge):
            asks[way.name], flips[way.name] = turned(way, count, rate)
            print(f"{way.name}: {account_of(asks[way.name], flips[way.name])}", file=sys.stderr)
    if not short:
        (DOCS / "switch.svg").write_text(picture(asks, flips) + "\n")
    found = {name: account_of(asks[name], flips[name]) for name in asks}
    image = "![Which colour answered around a flip, and what failed](switch.svg)"
    return [*table(found, flips), "", f"{rate:.0f} requests/s due, {count} flips each. {machine()}", "", image]


def long_run(client: docker.DockerClient, short: bool) -> list[str]:
    """Flips of ours alone until both counts are reached."""
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
    rows = table({"otagate": found}, {"otagate": flips})
    return [*rows, "", f"{rate:.0f} requests/s due over {time.monotonic() - began:.0f} s. {machine()}"]


def dicom(client: docker.DockerClient, short: bool) -> list[str]:
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
        while len(flips) < least_flips:
            to = Colour.GREEN if len(flips) % 2 == 0 else Colour.BLUE
            flips.append(edge.flip(to, f"p-dicom-{len(flips)}", drain=60.0))
        for thread in threads:
            thread.join(120)
        places = {colour: Counter(uid for _, uid in edge.told(colour, "/stored")) for colour in Colour}
    asked = [uid for association in done for uid in association.asked]
    times = Counter(sum(places[colour][uid] for colour in Colour) for uid in asked)
    crossings = sum(a.began < flip.began and a.ended > flip.acked for a in done for flip in flips)
    split = sum(all(any(places[c][uid] for uid in a.asked) for c in Colour) for a in done)
    return [
        "| associations | stores asked | stored once | missing | twice | cut | split over colours | flips "
        "| flips crossed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        f"| {len(done)} | {len(asked):,} | {times[1]:,} | {times[0]} | {len(asked) - times[0] - times[1]} "
        f"| {sum(bool(a.cut) for a in done)} | {split} | {len(flips)} | {crossings} |",
    ]


def hl7(client: docker.DockerClient, short: bool) -> list[str]:
    """Eight senders that keep their connections; the service lets its sessions go, or (the control) does not."""
    count = 3 if short else 15
    rows = [
        "| the old colour | messages | lost | twice | resent | reconnects | sessions cut | flips |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, draining in (("has the `drain` hook", True), ("has none: cut at the deadline", False)):
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
            received = Counter(message for colour in Colour for message in edge.told(colour, "/received"))
            cut = sum(len(e.data["cut"]) for n in range(count) for e in edge.events(f"p-hl7-{n}") if "cut" in e.data)
        sent = [message for sender in senders for message in sender.acknowledged]
        rows.append(
            f"| {name} | {len(sent):,} | {sum(received[m] == 0 for m in sent)} | {sum(received[m] > 1 for m in sent)} "
            f"| {sum(s.resent for s in senders)} | {sum(s.reconnects for s in senders)} | {cut} | {count} |"
        )
    return rows


def fault(client: docker.DockerClient, short: bool) -> list[str]:
    """A faulty release is flipped to and gone back from, with the command line alive and killed."""
    with standing(client) as edge:
        found = planted_fault.rows(edge, 1 if short else 3, (50.0,) if short else (500.0, 50.0))
    return [*found, "", f"Every fifth answer was an error; the default watch. {machine()}"]


def shadow(client: docker.DockerClient, short: bool) -> list[str]:
    """Production beside no shadow, beside one, and beside one whose candidate hangs."""
    turns, rate, lasts = (1, 200.0, 3.0) if short else (6, 400.0, 6.0)
    with standing(client, shadowed=True) as edge:
        found = shadow_cost.rows(edge, turns, rate, lasts)
    bound = f"at most {shadow_cost.MOST} copies a second"
    return [*found, "", f"{rate:.0f} requests/s due, {turns} turns of {lasts:.0f} s each way, {bound}. {machine()}"]


PARTS: dict[str, Measure] = {
    "shadow": shadow,
    "fault": fault,
    "compare": compare,
    "flips": long_run,
    "dicom": dicom,
    "hl7": hl7,
}


def main() -> int:
    """Prints each part's table; writes docs/switch.md too unless --short."""
    words = sys.argv[1:]
    short = "--short" in words
    chosen = [word for word in words if word in PARTS] or list(PARTS)
    client = docker.from_env(timeout=120)
    for name in chosen:
        lines = PARTS[name](client, short)
        print(f"== {name}\n" + "\n".join(lines), flush=True)
        if not short:
            write_figures(DOCS / "switch.md", name, lines)
    client.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
