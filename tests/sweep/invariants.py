"""What must hold after any fault, looked at past otagate's own eyes where that can be."""

import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from otagate.core.cloud import Colour
from otagate.core.switch import read_map
from otagate.core.topology import topology
from otagate.steward.book import JOURNAL, MAP, Book
from otagate.steward.journal import Journal, JournalUnreadable
from otagate.steward.outside import RealClock
from tests.e2e.live import undone
from tests.sweep.processes import Ground
from tests.sweep.services import KeptServices
from tests.sweep.stories import Scene, Story, Told, replacement_says
from tests.sweep.switches import DOORS, KeptSwitches

RECOVERY = 5.0  # seconds from the restart to the end of recover: the promise
UNDONE = {"abandoned", "rolled-back"}
ENDED = {"promoted", *UNDONE}


def allowed() -> float:
    """The promise, on a machine that can keep it: where far more wants to run than there are processors, all waits."""
    crowd = os.getloadavg()[0] / (os.cpu_count() or 1)
    return RECOVERY * max(1.0, crowd / 2)


@dataclass
class After:
    """What was found after one fault; `wrong` is empty where all held."""

    wrong: list[str] = field(default_factory=list)
    recovered_in: float = 0.0

    def must(self, holds: bool, what: str) -> None:
        if not holds:
            self.wrong.append(what)


def journal_says(volume: Path) -> tuple[Colour | None, int, str]:
    """Live colour, its epoch and the last promotion's phase, from the entries alone, past otagate's own reading."""
    live, epoch, phase = None, 0, ""
    path = volume / JOURNAL
    if not path.exists():
        return live, epoch, phase
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as line:
        read = "SELECT kind, json_extract(body, '$.to'), json_extract(body, '$.epoch'), "
        read += "json_extract(body, '$.stage'), json_extract(body, '$.after') FROM entries ORDER BY seq"
        for kind, to, number, stage, after in line.execute(read):
            if kind == "turn" and stage == "turned":
                live, epoch = Colour(to), number
            elif kind == "begin":
                phase = "preflight"
            elif kind == "advance":
                phase = after
    return live, epoch, phase


def end_means(volume: Path, phase: str) -> Colour | None:
    """What is live if the last promotion ended so, by the entry with which it began alone."""
    with closing(sqlite3.connect(f"file:{volume / JOURNAL}?mode=ro", uri=True)) as line:
        read = "SELECT json_extract(body, '$.came'), json_extract(body, '$.intent.to') FROM entries "
        came, to = line.execute(read + "WHERE kind = 'begin' ORDER BY seq DESC").fetchone()
    colour = came if phase in UNDONE else to
    return Colour(colour) if colour is not None else None


def journal_adds_up(volume: Path, after: After) -> None:
    """Whoever starts next can read it. The steward that met the fault may live on, and knows more than it wrote."""
    path = volume / JOURNAL
    if not path.exists():
        return
    line = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    try:
        Book(Journal(line), RealClock()).close()
    except JournalUnreadable as odd:
        after.wrong.append(odd.message)


def one_colour(scene: Scene, after: After) -> Colour | None:
    """Exactly one colour serves, and journal, map file, run time and the services themselves say which."""
    ground = scene.ground
    live, epoch, phase = journal_says(ground.volume)
    world = ground.world(ground.faults())
    switches = ground.switches(world)
    serving = doors_owned(ground, switches, after)
    switch = switches.at_doors(serving)
    after.must(phase in ENDED or not phase, f"the promotion rests in {phase}")
    if phase in ENDED:
        after.must(live is end_means(ground.volume, phase), f"the promotion ended {phase}, and {live} is live")
    if live is None:
        after.must(not (ground.volume / MAP).exists(), "nothing is live, and there is a map file")
        after.must(switch.runs() is None, "nothing is live, and the switch serves")
        return None
    try:
        file = read_map((ground.volume / MAP).read_text())
    except (OSError, ValueError) as odd:
        after.wrong.append(f"the map file: {odd}")
        return live
    run = switch.runs()
    after.must(file == run == (live, epoch), f"journal {live} {epoch}, map file {file}, run time {run}")
    after.must(world.one(f"p-{live}-web") is not None, f"{live} is live and does not run")
    after.must(not switch.holds(), "new work is still held")
    active = KeptServices(ground.around, topology(ground.platform), switches, world).active()
    after.must(active == {f"p-{live}-web"}, f"{live} is live, on their own work {sorted(active)}")
    return live


def doors_owned(ground: Ground, switches: KeptSwitches, after: After) -> int:
    """One switch stands, accepts at every door, and is the one that the journal names; none was removed while it
    accepted, for that cuts what it has. Answers its number."""
    if not (ground.volume / JOURNAL).exists():
        return 1
    serving, _, reach = replacement_says(ground.volume)
    after.must(reach in ("", "replaced", "undone"), f"the replacement of the switch rests in {reach}")
    after.must(switches.serving() == serving, f"switch {serving} serves, a restarted one reads {switches.serving()}")
    if standing := switches.standing():
        after.must(set(standing) == {serving}, f"switch {serving} serves, there are {sorted(standing)}")
        for door in DOORS:
            after.must(switches.accepting(door) == [serving], f"at {door} accept {switches.accepting(door)}")
    for number, last in switches.removed().items():
        left = [door for door in DOORS if last.accepts(door)]
        after.must(not left, f"switch {number} was removed while it accepted at {left}")
    return serving


class _Whole(HTMLParser):
    """A page that was written whole ends with its last tag."""

    closed = False

    def handle_endtag(self, tag: str) -> None:
        self.closed = tag == "html"


def folders_readable(scene: Scene, after: After) -> None:
    """Each file of each run folder under its own name is whole; the store opens and gives every run that it names."""
    for path in (scene.ground.home / "runs").glob("*/*.html"):
        page = _Whole()
        page.feed(path.read_text())
        after.must(page.closed, f"{path.name} is cut off")
    if (scene.ground.home / "otagate.sqlite").exists():
        told = scene.run("verdict")
        nothing = "no run of platform" in told.errors
        after.must(told.status in (0, 1, 3) or nothing, f"verdict: {told.status} {told.errors}")


def schema_true(scene: Scene, after: After) -> None:
    """What the journal says of the schema is so, no program of it is left, and what nobody takes back is owed."""
    world = scene.ground.world(scene.ground.faults())
    left = [name for name in world.containers if name.startswith("p-green-web-migrate")]
    after.must(not left, f"left behind: {left}")
    path = scene.ground.volume / JOURNAL
    if not path.exists():
        return
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as line:
        read = "SELECT promotion, json_extract(body, '$.stage'), json_extract(body, '$.move.to') FROM entries "
        moves = list(line.execute(read + "WHERE kind = 'schema' ORDER BY seq"))
        last = line.execute("SELECT promotion FROM entries WHERE kind = 'begin' ORDER BY seq DESC").fetchone()
    if moves and moves[-1][1] == "proven":
        now = world.schemas.get("p-green")
        after.must(now == moves[-1][2], f"the journal says schema {moves[-1][2]}, the state is at {now}")
    promotion = scene.run("status").body.get("data", {}).get("promotion") or {}
    begun = any(name == last[0] and stage == "begun" for name, stage, _ in moves)
    if begun and promotion.get("phase") in ("abandoned", "rolled-back"):
        after.must(any("schema" in debt for debt in promotion["debts"]), f"owes nothing: {promotion['debts']}")


def truly_done(story: Story, told: Told, live: Colour | None, after: After) -> None:
    """Nothing is said that is not so."""
    after.must(told.status is not None, "the command hung")
    after.must(told.status != 70, f"a bug of ours: {told.errors}")
    after.must("Traceback" not in told.text and "bug of the" not in told.text, f"traceback: {told.text[-600:]}")
    if told.status == 0 and story.target is not None:
        after.must(live is story.target, f"said done, and {live} is live")
    came_to = (told.body.get("data", {}).get("promotion") or {}).get("phase")
    if (told.status in (1, 5) or came_to in UNDONE) and story.before is not story.target:
        after.must(live is story.before, f"said undone, and {live} is live")
    if told.status is not None and told.status > 0 and live is not story.before:
        after.must("status" in told.errors, f"said {told.status} and is done, without a word: {told.errors}")
    if told.status == 0 and story.name == "test":
        after.must(told.body.get("data", {}).get("verdict") == "approve", "said approved without a verdict")


def truly_ended(told: Told, volume: Path, after: After) -> None:
    """A promotion of which the command told the end has ended so, whichever colour that means: an end is final."""
    said = told.body.get("data", {}).get("promotion") or {}
    if told.status == 0 and told.words[0] == "promote":
        after.must(said.get("phase") == "promoted", f"ended with 0, and said {said.get('phase')}")
    if said.get("phase") in ENDED:
        so = ended_as(volume, said["id"])
        after.must(so == said["phase"], f"said {said['phase']}, and {said['id']} ended {so}")


def ended_as(volume: Path, promotion: str) -> str:
    """The phase in which the journal leaves a promotion, by its entries alone."""
    with closing(sqlite3.connect(f"file:{volume / JOURNAL}?mode=ro", uri=True)) as line:
        read = "SELECT json_extract(body, '$.after') FROM entries WHERE kind = 'advance' AND promotion = ? "
        found = line.execute(read + "ORDER BY seq DESC", (promotion,)).fetchone()
    return str(found[0]) if found else ""


def truly_replaced(told: Told, serving: int, after: After) -> None:
    if told.status == 0:
        after.must(serving == told.body["data"]["replacement"]["serving"] == 2, f"said replaced, and {serving} serves")
    if told.status in (1, 5):
        after.must(serving == 1, f"said undone, and switch {serving} serves")
    if told.status is not None and told.status > 0 and serving != 1:
        after.must("status" in told.errors, f"said {told.status} and is done, without a word: {told.errors}")


def settle(scene: Scene, after: After) -> None:
    """One `recover` and nothing else, within the promise; then `status` is content."""
    began = time.monotonic()
    scene.keep_up()
    world = scene.ground.world(scene.ground.faults())
    if world.one("p-shared-steward") is None:
        return  # it was cut off before there was anything to recover
    told = scene.run("recover")
    after.recovered_in = time.monotonic() - began
    after.must(told.status in (0, undone(told.body)), f"recover: {told.status} {told.errors} {told.text[-300:]}")
    if told.status:  # that what it undid left what came before is looked at with all else
        was = journal_says(scene.ground.volume)[2] in UNDONE or replacement_says(scene.ground.volume)[2] == "undone"
        after.must(was, "recover said undone, and nothing was")
    after.must(after.recovered_in <= allowed(), f"recover took {after.recovered_in:.1f} s")
    seen = scene.run("status")
    if seen.status == 8 and not _disagreement(seen):  # what was cut off in deploying is missing: up adds it
        return
    after.must(seen.status == 0, f"status: {seen.status} {seen.errors}")


def _disagreement(told: Told) -> bool:
    return any(e["code"] == "disagreement" for e in told.body.get("errors", ()))


def idle_again(scene: Scene, seconds: float = 2.0) -> None:
    """The keeper has had its look: hooks that did not answer are told again."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        probe = After()
        one_colour(scene, probe)
        if not probe.wrong:
            return
        time.sleep(0.05)


def examined(scene: Scene, story: Story, told: Told) -> After:
    """Everything that must hold after a fault, in the order in which a person would find out."""
    after = After()
    unsafe = scene.ground.around / "unsafe"
    if unsafe.exists():
        after.wrong.append(unsafe.read_text())
    if scene.split:
        after.wrong.append(scene.split)
    settle(scene, after)
    idle_again(scene)
    live = one_colour(scene, after)
    journal_adds_up(scene.ground.volume, after)
    schema_true(scene, after)
    truly_done(story, told, live, after)
    truly_ended(told, scene.ground.volume, after)
    if told.words == ("switch", "replace"):
        truly_replaced(told, replacement_says(scene.ground.volume)[0], after)
    folders_readable(scene, after)
    return after


def next_works(scene: Scene, story: Story, after: After) -> None:
    """What was cut off bars nothing: the same can be done now, from the beginning."""
    (scene.ground.around / "deaf").unlink(missing_ok=True)
    if story.words == ("switch", "replace"):
        told = scene.run(*story.words)
        after.must(told.status == 0, f"replaced afterwards: {told.status} {told.errors}")
        doors_owned(scene.ground, scene.ground.switches(scene.ground.world(scene.ground.faults())), after)
    live, _, _ = journal_says(scene.ground.volume)
    if story.words == ("rollback",) and live is not story.target:
        told = scene.run(*story.words)
        live, _, _ = journal_says(scene.ground.volume)
        after.must(told.status == 0 and live is story.target, f"rollback afterwards: {told.status} {told.errors}")
    words = ("up",) if live is None else ("test", "web=hello/web:1.2")
    told = scene.run(*words)
    after.must(told.status == 0, f"{words[0]} afterwards: {told.status} {told.errors}")
    if live is not None and told.status == 0:
        (scene.ground.around / "sickens").unlink(missing_ok=True)
        told = scene.run("promote", str(told.body["data"]["run"]))
        now, _, _ = journal_says(scene.ground.volume)
        after.must(told.status == 0 and now is live.other, f"promote afterwards: {told.status} {told.errors}")
