"""Bodies of the commands about judging: test, verdict, report, mirror."""

from collections.abc import Mapping, Sequence

from otagate import wiring
from otagate.cli.result import Result, kept, planned
from otagate.cli.session import opened
from otagate.core.canonical import plain
from otagate.core.errors import Exit, UsageError
from otagate.core.judge import Decision, Finding, Mark
from otagate.core.mirror import Comparison, Explanation
from otagate.core.traffic import PromotionView, Scope
from otagate.ports import StoredRun

EXITS = {Decision.APPROVE: Exit.DONE, Decision.REFUSE: Exit.REFUSED, Decision.INCONCLUSIVE: Exit.INCONCLUSIVE}
_ORDER = {Mark.FAIL: 0, Mark.UNKNOWN: 1, Mark.PASS: 2}


def test(builds: Sequence[str], where: str | None, *, by: str | None, keep: bool, dry_run: bool, wait: str) -> Result:
    from otagate.flows import gate

    asked = _asked(builds)
    with opened(where) as (platform, ports):
        if dry_run:
            return planned(gate.plan_test(platform, asked, ports))
        command = f"otagate test {' '.join(builds)}"
        claim = wiring.claim(Scope.MIRROR, by, command, "test")
        stored = gate.test(platform, asked, ports, claim, wait=wiring.duration(wait), keep=keep)
        pages: list[wiring.WrittenReport] = []
        lost = kept(lambda: pages.append(wiring.write_report(ports, stored, "html", None)))
        unshown = [error for page in pages for error in _unshown(stored, page)]
        return _judged(stored, "".join(page.path for page in pages), [*lost, *unshown], ports.clock.now())


def verdict(run: str, where: str | None) -> Result:
    with opened(where) as (platform, ports):
        return _judged(ports.store.run(platform.name, run), "", (), ports.clock.now())


def report(run: str, where: str | None, *, form: str, to: str | None) -> Result:
    from otagate.flows.keeping import keep_last

    with opened(where) as (platform, ports):
        stored = ports.store.run(platform.name, run)
        # The steward may have ended what this run began. Where it cannot be asked, the report tells what the store has.
        approved = stored.verdict.decision is Decision.APPROVE
        last: list[PromotionView | None] = []
        word = "known what became of it since"
        unasked = kept(lambda: last.append(keep_last(platform, ports)), word) if approved else ()
        going = next((view for view in last if view is not None and view.intent.run == stored.header.run), None)
        written = wiring.write_report(ports, stored, form, to, going)
        unshown = _unshown(stored, written)
        data = {"run": stored.header.run, "path": written.path, "format": form}
        return Result(Exit.ALARM if unshown else Exit.DONE, data, written.path, errors=[*unasked, *unshown])


def _unshown(stored: StoredRun, written: wiring.WrittenReport) -> list[dict[str, str]]:
    """A picture is evidence: one that is gone or changed is told, beside the report that lacks it."""
    hint = "find out who changed the run's folder; only a new otagate test makes the picture again"
    return [
        {
            "code": "picture",
            "message": f"run {stored.header.run} recorded the picture {picture.name}, and its folder does not hold it "
            f"as it was ({picture.file})",
            "hint": hint,
            "at": "",
        }
        for picture in written.unshown
    ]


def mirror_up(builds: Sequence[str], where: str | None, *, by: str | None, dry_run: bool, wait: str) -> Result:
    from otagate.flows import gate
    from otagate.flows.mirror import plan_mirror, plan_text, raise_mirror

    asked = _asked(builds)
    with opened(where) as (platform, ports):
        subject = gate.look_for_test(platform, asked, ports)
        mirror = plan_mirror(platform, subject.production, subject.candidate, ports, run="by-hand")
        if dry_run:
            return planned(plan_text(mirror, gate.standing(platform, ports), ()))
        claim = wiring.claim(Scope.MIRROR, by, "otagate mirror up", "raised by hand")
        with ports.steward.lease(claim, wiring.duration(wait)):
            changed = raise_mirror(platform, mirror, ports, ports.vault.folder("mirror"))
        text = f"mirror in the {mirror.candidate.colour} cloud: {len(changed)} changed"
        return Result(Exit.DONE, {"changed": list(changed)}, text, next="otagate mirror diff")


def mirror_diff(where: str | None) -> Result:
    from otagate.flows import gate

    with opened(where) as (platform, ports):
        comparison = gate.compare_standing(platform, ports)
        code = Exit.REFUSED if comparison.drift or comparison.compared == 0 else Exit.DONE
        return Result(code, {"comparison": plain(comparison)}, _differences(comparison))


def mirror_down(where: str | None, *, by: str | None, dry_run: bool, wait: str) -> Result:
    from otagate.flows.mirror import lower_mirror, plan_lowering

    with opened(where) as (platform, ports):
        if dry_run:
            return planned(plan_lowering(platform, ports))
        claim = wiring.claim(Scope.MIRROR, by, "otagate mirror down", "taken down by hand")
        with ports.steward.lease(claim, wiring.duration(wait)):
            gone = lower_mirror(platform, ports)
        return Result(Exit.DONE, {"removed": list(gone)}, f"{len(gone)} objects of the mirror removed")


def _asked(builds: Sequence[str]) -> dict[str, str]:
    asked: dict[str, str] = {}
    for word in builds:
        service, equals, image = word.partition("=")
        if not (service and equals and image) or service in asked:
            raise UsageError(
                f"{word!r} is not SERVICE=IMAGE" if service not in asked else f"service {service} is named twice",
                hint="for example: otagate test web=hello/web:1.1",
            )
        asked[service] = image
    return asked


def _judged(stored: StoredRun, page: str, lost: Sequence[Mapping[str, str]], now: float) -> Result:
    header, decision = stored.header, stored.verdict.decision
    findings = sorted(stored.verdict.findings, key=lambda f: _ORDER[f.mark])
    what = ", ".join(f"{b.service}={b.reference} ({b.short})" for b in header.builds)
    lines = [f"{decision.upper()}  run {header.run}", f"  {what}"]
    if stored.lifts:
        lines.append(f"  lifts the refusal of this very release by run {stored.lifts}: otagate verdict {stored.lifts}")
    for finding in findings:
        lines.extend(_lines(finding))
    if page:
        lines.append(f"  report: {page}")
    data = {
        "run": header.run,
        "verdict": decision.value,
        "release": header.release,
        "builds": {b.service: b.digest for b in header.builds},
        "expires": stored.expires,
        "lifts": stored.lifts,
        "report": page,
    }
    findings_data = [plain(f) for f in findings]
    return Result(EXITS[decision], data, "\n".join(lines), findings_data, _follow_up(stored, now), lost)


def _follow_up(stored: StoredRun, now: float) -> str:
    match stored.verdict.decision:
        case Decision.APPROVE if now < stored.expires:
            return f"otagate promote {stored.header.run}"
        case Decision.APPROVE:
            return "the verdict has expired: otagate test again"
        case Decision.REFUSE:
            return f"mend the build, then otagate test it; otagate report {stored.header.run} shows all"
        case Decision.INCONCLUSIVE:
            return "see to the evidence that is missing, then otagate test again"


def _lines(finding: Finding) -> list[str]:
    trial = " (trial, not counted)" if finding.trial else ""
    head = f"  {finding.mark:<7} {finding.rule:<12} {finding.reason.value}{trial}"
    if finding.mark is Mark.PASS:
        return [f"{head}: {finding.message}"]
    return [head, f"          {finding.impact}, {finding.impact.meaning}", f"          {finding.message}"]


def _differences(comparison: Comparison) -> str:
    lines = [
        f"{comparison.compared} fields compared, {len(comparison.differences)} differ, "
        f"{len(comparison.drift)} unexplained (fidelity {comparison.fidelity:.4f})"
    ]
    for d in sorted(comparison.differences, key=lambda d: d.explanation is not Explanation.DRIFT):
        lines.append(f"  {d.explanation:<25} {d.service} {d.field}: {d.production} → {d.mirror}  {d.reason}")
    return "\n".join(lines)
