"""What must hold in `watch:`, within itself, against the policy and against compose.yaml."""

from otagate.config.check_services import declared, readable
from otagate.config.compose import ComposeFile
from otagate.config.settings import SettingsFile
from otagate.config.tree import Document, shown
from otagate.config.tree import Path as Place
from otagate.config.watching import InvariantEntry


def check_watch(settings: SettingsFile, document: Document, compose: ComposeFile, other: Document) -> None:
    """Report what is wrong to `document`; `other` is compose.yaml's."""
    _lengths(settings, document)
    for name, invariant in settings.watch.invariants.items():
        _invariant(invariant, document, compose, other, ("watch", "invariants", name))


def _lengths(settings: SettingsFile, document: Document) -> None:
    watch = settings.watch
    if not watch.every < watch.window <= watch.lasts:
        hint = "choose every < window ≤ lasts"
        document.complain(("watch",), "every must be shorter than window, and window no longer than lasts", hint)
        return
    for name, looks in (("blind", watch.blind), ("unhealthy", watch.unhealthy)):
        if looks * watch.every >= watch.lasts:
            message = f"{looks} looks take longer than the whole watch: it would never go back"
            document.complain(("watch", name), message, f"choose {name} × every < lasts")
    warm = settings.policy.warm
    if warm is not None and warm < watch.lasts:
        message = f"the old colour would be kept for {warm:g} s and watched over for {watch.lasts:g} s"
        document.complain(("policy", "warm"), message, "write at least what watch: lasts says")


def _invariant(entry: InvariantEntry, document: Document, compose: ComposeFile, other: Document, place: Place) -> None:
    bounds = [bound for bound in (entry.least, entry.most) if bound is not None]
    if (entry.is_true is None) == (not bounds):
        message = "an invariant needs either is: or a bound" if not bounds else "is: and a bound exclude each other"
        document.complain(place, message, "write is: true, or least: and most: for a number")
    if entry.least is not None and entry.most is not None and entry.least > entry.most:
        document.complain(place, f"no number is at least {entry.least:g} and at most {entry.most:g}", "swap the two")
    known = declared(other, "services")
    service = compose.services.get(entry.service)
    if entry.service not in known:
        if known and readable(other, "services"):
            hint = f"known: {', '.join(known)}"
            document.complain((*place, "service"), f"there is no service {shown(entry.service)}", hint)
    elif service is not None and (service.facts.tier != "release" or service.facts.hooks.invariants is None):
        hint = "declare the hook under its x-otagate in compose.yaml, or name another service"
        document.complain((*place, "service"), f"{entry.service} has no invariants hook", hint)
