"""The one place that joins ports to adapters, and with config the only reader of the environment."""

import getpass
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_state_path

from otagate.core.canonical import digest_of_bytes
from otagate.core.cloud import Binding, Cloud
from otagate.core.diagnosis import Check
from otagate.core.errors import ConfigError, OtagateError, StoreFault, UsageError
from otagate.core.picture import Picture
from otagate.core.platform import Platform, SecretKind, SecretSource
from otagate.core.record import PromotionRecord
from otagate.core.traffic import Claim, PromotionView, Scope
from otagate.ports import Ports, StoredRun, Tell, Vault

if TYPE_CHECKING:
    from otagate.demo.expected import Expectation
    from otagate.demo.story import Ending


def home() -> Path:
    """Where runs, store and secrets live: $OTAGATE_HOME, else the user's state folder."""
    named = os.environ.get("OTAGATE_HOME")
    return Path(named).absolute() if named else user_state_path("otagate")


def login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def claim(scope: Scope, by: str | None, command: str, why: str) -> Claim:
    return Claim(scope, by or login(), f"{login()}@{socket.gethostname()}:{os.getpid()}", command, why)


def duration(text: str) -> float:
    """Seconds of "30s", "5m" …; UsageError otherwise."""
    from pydantic_core import PydanticCustomError

    from otagate.config.units import seconds

    try:
        return seconds(text)
    except (PydanticCustomError, ValueError):
        raise UsageError(f"{text!r} is no duration", hint="for example 30s, 5m or 1h") from None


def platform(where: str | None) -> Platform:
    """The platform at a path or of a name, else the only or nearest one, read and checked."""
    from otagate.config.find import find_platform
    from otagate.config.load import load

    return load(find_platform(where, Path.cwd()))


def init(target: Path, like: str) -> list[str]:
    from otagate.config.starter import init as write

    return [str(path.relative_to(target.absolute())) for path in write(target, like)]


def wire(platform: Platform, tell: Tell) -> Ports:
    """Ports over the real adapters. Asks no engine: what is stored is read without one."""
    from otagate.adapters.ansible.provisioner import AnsibleProvisioner
    from otagate.adapters.engine.docker_engine import DockerEngine
    from otagate.adapters.images import edge_images, source_digest
    from otagate.adapters.pytest_child import PytestSuites
    from otagate.adapters.secrets import KeptSecrets
    from otagate.adapters.steward_client import StewardClient
    from otagate.adapters.store import SqlStore, sqlite_url
    from otagate.adapters.system import SystemClock
    from otagate.adapters.vault import FolderVault

    root = home()
    engine = DockerEngine(platform.engines, edge_images, platform=platform.name)
    return Ports(
        clock=SystemClock(),
        engine=engine,
        provisioner=AnsibleProvisioner(platform.engines, inventory=str(Path(platform.folder) / "inventory.yaml")),
        suites=PytestSuites(engine.client),
        secrets=KeptSecrets(str(root), _outside(platform)),
        steward=StewardClient(partial(engine.client, Cloud.SHARED), platform.name, source_digest()),
        store=SqlStore(sqlite_url(str(root))),
        vault=FolderVault(str(root)),
        tell=tell,
    )


def doctor(where: str | None) -> tuple[Check, ...]:
    """The machine's checks, then the platform's."""
    from otagate.adapters.machine import look_at_machine

    try:
        checked = platform(where)
    except ConfigError as error:
        return (*look_at_machine(home(), ()), Check("platform", False, error.message, "otagate check"))
    except UsageError as error:
        return (*look_at_machine(home(), ()), Check("platform", False, error.message, error.hint))
    images = (*(s.image for s in checked.services.values()), *(s.image for s in checked.suites.values()))
    found = (*look_at_machine(home(), tuple(dict.fromkeys(images))), Check("platform", True, checked.name))
    return (*found, *_production(checked)) if all(c.well for c in found if c.name == "engine") else found


def look_at_secret_files(checked: Platform) -> None:
    """UsageError for a secret whose file is not there: told by `check`, so that no `rollback` fails over it."""
    for name, source in checked.secrets.items():
        if source.kind is SecretKind.FILE and not (Path(checked.folder) / source.reference).is_file():
            raise UsageError(
                f"the file of secret {name} does not exist or is no file",
                code="secret",
                hint="put the secret into the file, or mend its path",
            )


def _outside(checked: Platform) -> dict[str, Callable[[], bytes]]:
    """Production's secrets that the platform takes from a variable or a file, each read when it is needed."""
    from otagate.config.secret import read_secret

    def reader(source: SecretSource) -> Callable[[], bytes]:
        return lambda: read_secret(source, Path(checked.folder)).reveal()

    return {n: reader(s) for n, s in checked.secrets.items() if s.kind is not SecretKind.GENERATED}


def _production(checked: Platform) -> Iterator[Check]:
    """Whether the platform's steward answers and is made from this otagate."""
    try:
        steward = wire(checked, lambda _: None).steward
        if not steward.present():
            yield Check("production", True, "not there yet: otagate up makes it")
            return
        status = steward.status()
    except OtagateError as error:
        yield Check("steward", False, error.message, error.hint)
        return
    ahead = abs(status.now - time.time())
    yield Check("steward", not status.disagreements, f"{status.live or 'nothing'} is live", "otagate status")
    yield Check("steward's clock", ahead <= checked.policy.clock_skew, f"{ahead:.1f} s from ours", "set clocks by NTP")


@dataclass(frozen=True)
class WrittenReport:
    """`unshown`: pictures of the run's record that its folder does not hold as they were recorded."""

    path: str
    unshown: tuple[Picture, ...]


def write_report(
    ports: Ports, stored: StoredRun, form: str, to: str | None, going: PromotionView | None = None
) -> WrittenReport:
    """Render a run's report; answers where it was written and what it could not show. `going`: its promotion, or
    the rollback that leaves it, that has no end yet."""
    from otagate.report import FORMATS

    if form not in FORMATS:
        raise UsageError(f"there is no format {form!r}", hint=f"one of: {', '.join(FORMATS)}")
    promotions = ports.store.promotions_of(stored.header.platform, stored.header.run)
    if going is not None:
        ended = (record for record in promotions if record.view.intent.promotion != going.intent.promotion)
        promotions = (*ended, PromotionRecord(going))
    pictures = _pictures(ports.vault, stored)
    content, name = FORMATS[form](stored, promotions, pictures)
    unshown = tuple(picture for picture in _recorded(stored) if picture.digest not in pictures)
    if to is None:
        return WrittenReport(ports.vault.write(stored.header.run, name, content), unshown)
    try:
        Path(to).write_bytes(content)
    except OSError as error:
        raise UsageError(f"{to} cannot be written: {error.strerror}", hint="name another file by --to") from None
    return WrittenReport(to, unshown)


def _recorded(stored: StoredRun) -> Iterator[Picture]:
    return (picture for report in stored.record.suites.values() for picture in report.pictures)


def _pictures(vault: Vault, stored: StoredRun) -> dict[str, bytes]:
    """The contents of a run's pictures by digest, as far as the files in its folder still are what was recorded."""
    found = {}
    for picture in _recorded(stored):
        with suppress(StoreFault):
            content = vault.read(stored.header.run, picture.file)
            if digest_of_bytes(content) == picture.digest:
                found[picture.digest] = content
    return found


@contextmanager
def stage_for_demo(*, keep: bool) -> Iterator[tuple[Path, str, Path, dict[str, str]]]:
    """A platform's folder and name, a home of its own below ours, and the environment for its commands.

    At the end everything that bears the platform's label is removed, also after a failure, unless `keep`.
    """
    from otagate.adapters.engine.docker_engine import DockerEngine
    from otagate.adapters.images import edge_images

    name = f"demo-{secrets.token_hex(3)}"
    root = home() / "demo" / name
    root.mkdir(parents=True, mode=0o700)
    try:
        yield root / name, name, root, {**os.environ, "OTAGATE_HOME": str(root), "OTAGATE_RESERVED_NAMES": "1"}
    finally:
        if not keep:
            with DockerEngine({}, edge_images, platform=name) as engine:
                engine.remove(name, list(Binding), state=True, may=lambda: None, tell=lambda _: None)


def write_story(root: Path, platform: str, ending: "Ending", builds: Sequence["Expectation"]) -> str:
    """The story's page, and each run's own beside it; answers where the story's lies."""
    from otagate.adapters.store import SqlStore, sqlite_url
    from otagate.adapters.vault import FolderVault
    from otagate.report import FORMATS
    from otagate.report.story import Chapter, StoryRecord, story_page
    from otagate.report.words import last

    store, vault, chapters = SqlStore(sqlite_url(str(root))), FolderVault(str(root)), []
    for build in (one for one in builds if one.image in ending.runs):
        run = store.run(platform, ending.runs[build.image])
        promotions, pictures = store.promotions_of(platform, run.header.run), _pictures(vault, run)
        content, name = FORMATS["html"](run, promotions, pictures)
        page = Path(vault.write(run.header.run, name, content)).relative_to(root).as_posix()
        departure = ending.departures[build.image]
        chapters.append(Chapter(build.image, build.does, departure, run, last(promotions), page, pictures))
    told = StoryRecord(platform, ending.surprises, ending.seconds, ending.lines, chapters)
    story = root / "story.html"
    story.write_text(story_page(told), encoding="utf-8")
    return str(story)


def keep_traceback(text: str) -> str:
    """Writes a bug's traceback under the home; answers the path, or where it could not be written, why not."""
    path = home() / "bugs" / f"{os.getpid()}.txt"
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(text)
        return str(path)
    return f"(not kept: {path.parent} is not writable)"
