"""What must hold in otagate.yaml: against compose.yaml, against the folder, and within itself."""

import ipaddress
from fnmatch import fnmatchcase
from pathlib import Path

from otagate.config.check_second import check_second
from otagate.config.check_services import check_variables, declared, readable
from otagate.config.check_watch import check_watch
from otagate.config.compose import ComposeFile
from otagate.config.paths import holds_tests, links_out, within
from otagate.config.settings import CasesEntry, ListenerEntry, MetricEntry, SettingsFile, SuiteEntry, host_and_port
from otagate.config.tree import Document, Flaw, shown
from otagate.config.tree import Path as Place
from otagate.core.mirror import CONTAINER
from otagate.core.platform import IDLE, Protocol


def check_gate(settings: SettingsFile, document: Document, compose: ComposeFile, other: Document, folder: Path) -> None:
    """Report what is wrong to `document`; `other` is compose.yaml's."""
    _clouds(settings, document)
    _listeners(settings, document, compose, other)
    check_second(settings, document)
    _allowed(settings, document, other)
    _suites(settings, document, other, folder)
    _rules(settings, document)
    check_watch(settings, document, compose, other)


def _clouds(settings: SettingsFile, document: Document) -> None:
    clouds = (("blue", settings.clouds.blue), ("green", settings.clouds.green), ("shared", settings.clouds.shared))
    named = [(name, cloud.engine) for name, cloud in clouds if cloud is not None]
    for name, engine in named[1:]:
        if engine != named[0][1]:
            message = f"{name} has another engine than {named[0][0]}: several engines come with a later version"
            document.complain(("clouds", name, "engine"), message, "write one engine's URL for all clouds")


def _listeners(settings: SettingsFile, document: Document, compose: ComposeFile, other: Document) -> None:
    if document.at(("listeners",)) == {}:
        hint = "declare at least one listener: it is what a promotion turns"
        document.complain(("listeners",), "no listener is declared", hint)
    taken: list[tuple[str, str, int]] = []
    for name, listener in settings.listeners.items():
        place: Place = ("listeners", name)
        _behind(listener, document, compose, other, place)
        _fields(listener, document, place)
        _tls(listener, document, place)
        _idle(listener, document, compose, place)
        _shadow(listener, document, compose, (*place, "shadow"))
        try:
            host, port = host_and_port(listener.address)
            ipaddress.ip_address(host)
        except ValueError:
            document.complain(
                (*place, "address"), f"{shown(listener.address)} holds no IP address", "write 127.0.0.1:auto"
            )
            continue
        if port is not None:
            _port(name, host, port, taken, document)


def _behind(listener: ListenerEntry, document: Document, compose: ComposeFile, other: Document, place: Place) -> None:
    services = declared(other, "services")
    service = compose.services.get(listener.service)
    if listener.service not in services:
        if services and readable(other, "services"):
            hint = f"known: {', '.join(services)}"
            document.complain((*place, "service"), f"there is no service {shown(listener.service)}", hint)
    elif service is not None and service.facts.tier == "external":
        hint = "name a release- or state-tier service"
        document.complain((*place, "service"), f"{listener.service} is external: it is not behind the switch", hint)


def _idle(listener: ListenerEntry, document: Document, compose: ComposeFile, place: Place) -> None:
    """Whoever is held must not be hung up on meanwhile."""
    holds = {name: s.facts.hold for name, s in compose.services.items() if s.facts.hold}
    idle = IDLE[Protocol(listener.protocol)] if listener.idle is None else listener.idle
    for name, hold in holds.items():
        if idle <= hold:
            message = f"a session idles for {idle:g} s at most, and a flip may hold it for {hold:g} s ({name}'s hold)"
            document.complain((*place, "idle"), message, "write a longer idle, or a shorter hold")
            return


def _fields(listener: ListenerEntry, document: Document, place: Place) -> None:
    for field, value, owner in (("probe", listener.probe, "http"), ("called_ae", listener.called_ae, "dicom")):
        if listener.protocol == owner and value is None:
            hint = f"add {field}: the switch's turn is proven with it"
            document.complain((*place, field), f"{field} is missing for {owner}", hint)
        if listener.protocol != owner and value is not None:
            document.complain((*place, field), f"{field} is for {owner} only", "delete the line", key=True)


def _tls(listener: ListenerEntry, document: Document, place: Place) -> None:
    if listener.protocol == "tcp" and listener.tls is not None and listener.tls.end is None:
        hint = "delete the line: bytes pass a tcp listener unread anyway"
        document.complain((*place, "tls"), "tls: pass is for http and dicom", hint, key=True)


def _shadow(listener: ListenerEntry, document: Document, compose: ComposeFile, place: Place) -> None:
    shadow, service = listener.shadow, compose.services.get(listener.service)
    if shadow is None:
        return
    if listener.protocol != "http":
        document.complain(place, "shadow is for http only", "delete the line", key=True)
    elif listener.tls is not None and listener.tls.end is None:
        document.complain(place, "what passes inside TLS cannot be read", "delete the line, or end TLS here", key=True)
    if service is not None and service.facts.tier == "state":
        hint = "delete the line: a promotion does not turn it"
        document.complain(place, f"{listener.service} is of the state tier", hint, key=True)
    if shadow.ignore and shadow.body != "json":
        document.complain((*place, "ignore"), "ignore is for body: json", "write body: json, or delete it", key=True)
    if shadow.minimum > shadow.most:
        hint = "choose minimum ≤ most"
        document.complain((*place, "minimum"), f"{shadow.minimum} are never compared: most is {shadow.most}", hint)


def _port(name: str, host: str, port: int, taken: list[tuple[str, str, int]], document: Document) -> None:
    path: Place = ("listeners", name, "address")
    if not 1 <= port <= 65535:
        document.complain(path, f"{port} is not a port", "write a port from 1 to 65535, or auto")
        return
    wide = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    for first, there, same in taken:
        if same == port and (there == host or host in wide or there in wide):
            document.complain(path, f"port {port} is already {first}'s", "write another port, or auto")
    taken.append((name, host, port))


def _allowed(settings: SettingsFile, document: Document, other: Document) -> None:
    if "mirror" not in settings.model_fields_set:
        return
    seen: set[str] = set()
    known = declared(other, "services")
    for index, rule in enumerate(settings.mirror.allowed):
        place: Place = ("mirror", "allowed", index)
        if rule.service != "*" and rule.service not in (known or [rule.service]):
            document.complain((*place, "service"), f"there is no service {shown(rule.service)}", "name one, or *")
        if _matches_all(rule.service) and _matches_all(rule.field):
            hint = "name the service or the field"
            document.complain(place, "a rule that explains every difference would blind the gate", hint)
        elif rule.field != CONTAINER and fnmatchcase(CONTAINER, rule.field):
            message = f"{shown(rule.field)} would explain a missing or extra container too"
            hint = "write a narrower pattern, such as env.*; one rule more with field: container if that is meant"
            document.complain((*place, "field"), message, hint)
        if rule.name in seen:
            document.complain((*place, "name"), f"{shown(rule.name)} stands twice", "give each rule its own name")
        seen.add(rule.name)


def _matches_all(pattern: str) -> bool:
    """As far as wildcards alone go: `*`, `**`, `?*`."""
    return set(pattern) <= {"*", "?"}


def _suites(settings: SettingsFile, document: Document, other: Document, folder: Path) -> None:
    if document.at(("suites",)) == {}:
        document.complain(("suites",), "no suite is declared", "declare at least one: nothing else proves a build")
    for name, suite in settings.suites.items():
        place: Place = ("suites", name)
        _tree(suite, document, folder, (*place, "folder"))
        check_variables(suite.environment, document, (*place, "environment"))
        for index, secret in enumerate(suite.secrets):
            if secret not in declared(other, "secrets") and readable(other, "secrets"):
                hint = "declare it under secrets in compose.yaml"
                document.complain((*place, "secrets", index), f"{shown(secret)} is not declared", hint)


def _tree(suite: SuiteEntry, document: Document, folder: Path, place: Place) -> None:
    try:
        tree = within(folder, suite.folder)
    except Flaw as flaw:
        document.complain(place, flaw.message, flaw.hint)
        return
    if not tree.is_dir():
        document.complain(place, f"the folder {shown(suite.folder)} does not exist", "make it, or mend the path")
    elif (link := links_out(tree, folder)) is not None:
        message = f"{shown(link.name)} in it leads out of the platform's folder by a link"
        document.complain(place, message, "put the file itself there")
    elif not holds_tests(tree):
        document.complain(place, f"{shown(suite.folder)} holds no test", "add a file test_….py with a test in it")


def _rules(settings: SettingsFile, document: Document) -> None:
    rules = settings.policy.rules
    raw = document.at(("policy", "rules"))
    place: Place = ("policy", "rules")
    if raw == {}:
        document.complain(place, "the policy is empty: it would judge nothing", "add a rule")
    elif isinstance(raw, dict) and rules and len(rules) == len(raw) and all(rule.trial for rule in rules.values()):
        document.complain(place, "every rule is on trial: none would count", "take trial: true from one at least")
    known = declared(document, "suites")
    for name, rule in rules.items():
        if isinstance(rule, CasesEntry) and known and rule.suite not in known:
            hint = f"known: {', '.join(known)}"
            document.complain((*place, name, "suite"), f"there is no suite {shown(rule.suite)}", hint)
        if isinstance(rule, CasesEntry) and not rule.requirements and "requirements" in rule.model_fields_set:
            message = "an empty list would claim every case that no other rule claims"
            hint = "name the requirements, or delete the line if that is meant"
            document.complain((*place, name, "requirements"), message, hint)
        if isinstance(rule, MetricEntry) and rule.limit is None and rule.ratio is None:
            document.complain((*place, name), "a metric rule needs a limit or a ratio", "add limit: or ratio:")
    if isinstance(raw, dict) and 0 < len(rules) == len(raw):
        judged = {rule.suite for rule in rules.values() if isinstance(rule, CasesEntry)}
        for name in settings.suites:
            if name not in judged:
                hint = f"add a rule {{kind: cases, suite: {name}, impact: …}}"
                document.complain(("suites", name), "no rule judges this suite's cases", hint, key=True)
