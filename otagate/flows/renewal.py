"""The steward made anew: from another otagate or image, for another number of switches, for another definition.

Its journal stays, and traffic does not pass it. `platform` is as the live release defines it, as far as that can be
told: no steward gets the hooks of a release that is not live.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from otagate.core.cloud import LABEL_SPEC, Binding
from otagate.core.container import Stage
from otagate.core.edge import steward_stage
from otagate.core.errors import Refused, SwitchFault
from otagate.core.mirror import ObservedCloud
from otagate.core.platform import Platform
from otagate.core.traffic import Claim, Status
from otagate.flows.look import live_definition
from otagate.flows.switch import doors_of, keeps_doors, keeps_pair, needs_holder
from otagate.ports import Ports


@dataclass(frozen=True)
class Kept:
    """Why a steward stays as it was defined once, and what to do."""

    why: str
    hint: str


def at_rest(status: Status) -> bool:
    """Whether the steward can be replaced: nothing that it began is unfinished."""
    promoted = status.promotion is None or status.promotion.phase.ended
    return promoted and (status.replacement is None or status.replacement.ended)


def renewed_stage(platform: Platform, ports: Ports) -> Stage:
    return replace(steward_stage(platform, ports.engine.images().steward), replace=True)


def renewal_is_due(platform: Platform, status: Status, clouds: Sequence[ObservedCloud], ports: Ports) -> bool:
    """Whether the steward was made from another image or for another number of switches, or as the files defined it
    once, where nothing keeps it so. Refused where it must be renewed and the doors were made for others."""
    (wanted,) = renewed_stage(platform, ports).containers
    there = {c.name: c for cloud in clouds for c in cloud.containers}.get(wanted.name)
    if status.paired is not bool(platform.second) or (there is not None and there.image != wanted.image):
        if at_rest(status):
            keeps_labelled_doors(platform, clouds)
        return at_rest(status)
    changed = there is not None and there.labels.get(LABEL_SPEC) != wanted.labels[LABEL_SPEC]
    return changed and kept_because(platform, status, clouds) is None


def kept_because(platform: Platform, status: Status, clouds: Sequence[ObservedCloud]) -> Kept | None:
    """None where nothing keeps the steward from being renewed for its definition alone."""
    if not at_rest(status):
        return Kept("what it began is unfinished", "otagate status, then otagate up once it has ended")
    left = _way_back_left(platform, status)
    if left > 0:
        # The warm colour may not answer to what a listener is asked by from now on.
        return Kept(f"the way back is kept for {left:.0f} s more", "take the change back, or otagate up after that")
    try:
        keeps_doors(platform, doors_of(platform, clouds))
    except Refused as no:
        return Kept(no.message, no.hint)
    return None


def _way_back_left(platform: Platform, status: Status) -> float:
    """Seconds for which the policy keeps the way back of the last flip; at most 0 where there is none to lose."""
    warm = any(view.warm for view in status.colours.values())
    if not warm or status.last_flip is None:
        return 0.0
    return min(platform.policy.warm, status.last_flip + platform.policy.warm - status.now)


def keeps_labelled_doors(platform: Platform, clouds: Sequence[ObservedCloud]) -> None:
    """Refused where doors say that they were made for others. Those that an older otagate made say nothing, and its
    steward must not be left unreadable for that."""
    keeps_doors(platform, {holder: made for holder, made in doors_of(platform, clouds).items() if made})


def renew_steward(platform: Platform, ports: Ports, claim: Claim, *, wait: float) -> tuple[str, ...]:
    """Replace a steward for which `renewal_is_due`, or that is another otagate's; answers what was changed. `platform`
    is as its files say.

    Never while it is at work: of another otagate it says so itself, else it is asked under the lease.
    """
    if not ports.steward.present():
        return ()
    clouds = ports.engine.observe(platform.name, [Binding.PRODUCTION])
    needs_holder(clouds)
    keeps_pair(platform, clouds)
    try:
        due = _due(platform, ports)
    except SwitchFault as fault:
        if fault.code != "version":
            raise
        keeps_labelled_doors(platform, clouds)
        return _apply(platform, ports)
    if due is None:
        return ()
    with ports.steward.lease(claim, wait):
        due = _due(platform, ports)
        return () if due is None else _apply(due, ports)


def _due(platform: Platform, ports: Ports) -> Platform | None:
    """As what the steward is to be made anew now; None where it is not."""
    status = ports.steward.status()
    clouds = ports.engine.observe(platform.name, [Binding.PRODUCTION])
    defined = live_definition(platform, status, status.live, clouds)[0] if status.live else platform
    return defined if renewal_is_due(defined, status, clouds, ports) else None


def _apply(platform: Platform, ports: Ports) -> tuple[str, ...]:
    folder = ports.vault.folder(f"up-{platform.name}")
    return ports.provisioner.apply(platform.name, [renewed_stage(platform, ports)], folder, ports.tell)
