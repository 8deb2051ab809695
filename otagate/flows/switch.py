"""The switch itself, replaced while traffic runs: containers are raised and removed here, the steward hands over."""

from collections.abc import Mapping, Sequence

from otagate.core.cloud import LABEL_DOORS, Binding
from otagate.core.edge import another_switch, doors_label
from otagate.core.errors import EngineFault, OtagateError, Refused, SwitchFault, UsageError
from otagate.core.mirror import ObservedCloud
from otagate.core.places import HOLDER, SWITCH, holder_name, switch_name
from otagate.core.plan import Action, Plan, Step
from otagate.core.platform import Platform
from otagate.core.replacement import Reach, Replacement
from otagate.core.topology import topology
from otagate.core.traffic import Claim, Status
from otagate.flows.course import open_end
from otagate.flows.look import live_definition, live_status
from otagate.ports import Hold, Ports, Progress

LOOK = 0.3  # seconds between two looks at what the steward does
PATIENCE = 120.0  # seconds beyond the drain in which it must have ended


def needs_holder(clouds: Sequence[ObservedCloud]) -> None:
    """Refused for a production whose switch owns its ports itself: it cannot be handed over, only started anew."""
    there = {c.service: c.name for cloud in clouds for c in cloud.containers if c.binding == Binding.PRODUCTION}
    if SWITCH in there and HOLDER not in there:
        raise Refused(
            f"{there[SWITCH]} owns its ports itself, as an older otagate made it: no other can take them over uncut",
            code="no-holder",
            hint=f"once, outside treatment hours: docker rm -f {there[SWITCH]}, then otagate up; it cuts every session "
            "(docs/switch.md, a platform made before)",
        )


def keeps_pair(platform: Platform, clouds: Sequence[ObservedCloud]) -> None:
    """Refused where a pair stands and the files declare one switch: a steward made from them would turn one of two."""
    other = holder_name(platform.name, second=True)
    if not platform.second and any(c.name == other for cloud in clouds for c in cloud.containers):
        raise Refused(
            f"production has a pair of switches, and otagate.yaml declares one: nobody would turn what {other} has",
            code="pair-changed",
            hint="declare switch.second again; to give it up, once no client uses its address, docker rm -f that "
            "container and its switch, then otagate up (docs/switch.md, two switches)",
        )


def turns_as_many(platform: Platform, status: Status) -> None:
    """Refused while the steward turns fewer or more switches than the files declare."""
    if status.paired is not bool(platform.second):
        told, declared = ("two switches", "one") if status.paired else ("one switch", "two")
        raise Refused(
            f"the steward turns {told}, and otagate.yaml declares {declared}",
            code="pair-changed",
            hint="otagate recover, then otagate up: it makes the steward anew once nothing is unfinished",
        )


def _sides(platform: Platform) -> tuple[bool, ...]:
    """Of each switch whether it is a pair's second."""
    return (False, True) if platform.second else (False,)


def doors_of(platform: Platform, clouds: Sequence[ObservedCloud]) -> dict[str, str]:
    """Of each holder that stands, what its doors were made for; "" where it does not say."""
    holders = {holder_name(platform.name, second=second) for second in _sides(platform)}
    there = [c for cloud in clouds for c in cloud.containers if c.name in holders]
    return {c.name: c.labels.get(LABEL_DOORS, "") for c in there}


def keeps_doors(platform: Platform, made: Mapping[str, str]) -> None:
    """Refused where the doors of a holder were made for other listeners than the files define."""
    defined = doors_label(topology(platform))
    for holder, label in made.items():
        if label != defined:
            raise Refused(
                f"the doors of {holder} were made for {label or 'what no label says'}; the platform's files define "
                f"{defined}",
                code="doors-changed",
                hint="a replacement adds, removes and reorders no listener and changes neither its protocol nor its "
                "service nor its TLS: take the change back, or make the platform anew"
                if label
                else "docs/switch.md, a platform made before its holder said what its doors were made for",
            )


def plan_replacement(platform: Platform, ports: Ports) -> Plan:
    """What `switch replace` would do, for `--dry-run`."""
    status, _ = _ready(platform, ports)
    last = status.replacement.new if status.replacement else 1
    image = ports.engine.images().switch
    steps: list[Step] = []
    for new, second in enumerate(_sides(platform), last + 1):
        old = switch_name(platform.name, status.serving_second if second else status.serving, second=second)
        steps.extend(_steps(old, switch_name(platform.name, new, second=second), image, platform.deadlines.drain))
    return Plan(f"switch replace {platform.name}", tuple(steps))


def _steps(old: str, new: str, image: str, drain: float) -> tuple[Step, ...]:
    return (
        Step(Action.CREATE, new, f"from image {image.removeprefix('sha256:')[:12]}, beside the one that serves"),
        Step(Action.RUN, new, "proven behind no door: its map, its servers, every listener"),
        Step(Action.TURN, "doors", f"{old} → {new}, open sessions stay where they are"),
        Step(Action.REMOVE, old, _draining(drain)),
    )


def steps_to_finish(platform: Platform, now: Replacement) -> tuple[Step, ...]:
    """What `recover` would do about an unfinished replacement."""
    old, new = (switch_name(platform.name, number, second=now.second) for number in (now.old, now.new))
    if now.reach in (Reach.BESIDE, Reach.VOID):
        return (Step(Action.REMOVE, new, "it never took the doors"), Step(Action.KEEP, old, "it serves as before"))
    drained = Step(Action.REMOVE, old, _draining(now.drain))
    if now.reach is Reach.TAKING:
        taken = Step(Action.TURN, "doors", f"{old} → {new}, or back to {old} where something is wrong")
        return (taken, drained)
    return (Step(Action.KEEP, new, "it serves"), drained)


def _draining(seconds: float) -> str:
    return f"once its sessions have ended, {seconds:g} s at most"


def _ready(platform: Platform, ports: Ports) -> tuple[Status, Platform]:
    """The platform as its live release defines it: a hold of files that are not live is not the switch's yet. Alarm,
    Refused and UsageError for what the switch cannot be replaced in."""
    status = live_status(platform, ports)
    if status.live is None:
        raise UsageError(f"platform {platform.name} is not live yet", code="no-production", hint="otagate up goes on")
    clouds = ports.engine.observe(platform.name, [Binding.PRODUCTION])
    needs_holder(clouds)
    turns_as_many(platform, status)
    doors = doors_of(platform, clouds)
    for holder in (holder_name(platform.name, second=second) for second in _sides(platform)):
        if holder not in doors:
            raise Refused(f"{holder}, which owns the doors, is not there", code="no-holder", hint="otagate up adds it")
    keeps_doors(platform, doors)
    return status, live_definition(platform, status, status.live, clouds)[0]


def replace(platform: Platform, ports: Ports, claim: Claim, *, wait: float) -> tuple[Replacement, ...]:
    """Hand the doors to a new switch, and a pair's other doors to another once that is done; answers how each ended.
    Raises Busy, Refused and Fault; where a new one could not be raised or proven it is removed first."""
    _ready(platform, ports)
    done: list[Replacement] = []
    with ports.steward.lease(claim, wait) as hold:
        _, defined = _ready(platform, ports)  # again: while the lease was waited for, production may have turned
        for second in _sides(platform):
            if done and done[-1].reach is not Reach.REPLACED:
                break  # what one could not take, the other is not tried with
            done.append(_replaced(defined, ports, hold, second=second))
            ports.tell(Progress("switch", _new_name(platform, done[-1]), str(done[-1].reach)))
    return tuple(done)


def _replaced(platform: Platform, ports: Ports, hold: Hold, *, second: bool) -> Replacement:
    begun = hold.replace_switch(platform.deadlines.drain, second=second)
    try:
        _raise(platform, ports, begun)
        hold.take_doors()
    except (OtagateError, KeyboardInterrupt) as broke:
        why = broke.message if isinstance(broke, OtagateError) else "interrupted"
        _withdraw(platform, ports, hold, begun, why)
        raise
    return _followed(platform, ports, hold)


def _raise(platform: Platform, ports: Ports, begun: Replacement) -> None:
    def secret(name: str) -> bytes:
        return ports.secrets.of(platform.name, Binding.PRODUCTION, name)

    stage = another_switch(platform, ports.engine.images().switch, secret, begun.new, second=begun.second)
    folder = ports.vault.folder(f"switch-{platform.name}")
    ports.provisioner.apply(platform.name, [stage], folder, ports.tell)


def _withdraw(platform: Platform, ports: Ports, hold: Hold, begun: Replacement, why: str) -> None:
    """Nothing was moved, unless the steward is lost: then it is left to `recover`, which can tell."""
    try:
        hold.give_up(why)
        ports.engine.remove_switch(platform.name, begun.new, ports.tell, second=begun.second)
        hold.tidied()
    except (Refused, SwitchFault, EngineFault) as worse:
        ports.tell(Progress("switch", _new_name(platform, begun), f"left to recover: {worse.message}"))


def _new_name(platform: Platform, now: Replacement) -> str:
    return switch_name(platform.name, now.new, second=now.second)


def finish_replacement(platform: Platform, ports: Ports, claim: Claim, *, wait: float) -> Replacement | None:
    """For `recover`, once the steward goes on by itself. Idempotent."""
    with ports.steward.lease(claim, wait) as hold:
        now = ports.steward.status().replacement
        return now if now is None or now.ended else _followed(platform, ports, hold)


def _followed(platform: Platform, ports: Ports, hold: Hold) -> Replacement:
    """Until the steward is done, then remove what nothing needs any more."""
    told: Reach | None = None
    began = ports.clock.monotonic()
    while (now := _current(ports)).acts:
        if now.reach is not told:
            told = now.reach
            ports.tell(Progress("switch", _new_name(platform, now), _words(now)))
        if ports.clock.monotonic() - began > now.drain + PATIENCE:
            raise SwitchFault("the steward does not end the replacement", code="steward-silent", hint="otagate status")
        ports.clock.sleep(LOOK)
    return now if now.left_over is None else _tidied(platform, ports, hold, now, now.left_over)


def _tidied(platform: Platform, ports: Ports, hold: Hold, now: Replacement, left_over: int) -> Replacement:
    """Remove what nothing needs any more. Raises Fault that says what serves all the same."""
    try:
        ports.engine.remove_switch(platform.name, left_over, ports.tell, second=now.second)
        return hold.tidied()
    except (SwitchFault, EngineFault) as fault:
        serves, left = (switch_name(platform.name, n, second=now.second) for n in (now.serving, left_over))
        raise type(fault)(
            f"{serves} serves; {left}, which nothing needs, may be left over: {fault.message}",
            code=fault.code,
            hint="otagate recover removes it; otagate status shows it",
        ) from fault


def _current(ports: Ports) -> Replacement:
    with open_end():
        now = ports.steward.status().replacement
    if now is None:
        raise SwitchFault("the steward knows of no replacement", code="protocol", hint="otagate status")
    return now


def _words(now: Replacement) -> str:
    return "takes the doors" if now.reach is Reach.TAKING else "serves alone; the old one finishes its sessions"
