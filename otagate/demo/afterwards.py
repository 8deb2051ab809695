"""What is asked when all is over: is there what was acknowledged?"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from otagate.demo.account import Account, After
from otagate.demo.command import Surprise
from otagate.demo.production import Production

SOP_CLASS, SOP_INSTANCE = "00080016", "00080018"
PLANNED_BY = 30.0  # seconds after the last request: a scan whose plan was refused gets one on the next look
_ASKING = 4  # at once
RT_PLAN = "1.2.840.10008.5.1.4.1.1.481.5"


def hello(counted: Account, production: Production) -> After:
    """Each object that was acknowledged, by C-STORE or over HTTP, is asked for through the front door."""
    web = production.address("web")

    def missing(uids: Sequence[str]) -> int:
        with requests.Session() as session:  # there are thousands of them
            session.trust_env = False
            return sum(not _found(session, f"http://{web}/objects/{uid}") for uid in uids)

    with ThreadPoolExecutor(_ASKING) as pool:
        return After(missing=sum(pool.map(missing, (counted.kept[n::_ASKING] for n in range(_ASKING)))))


def _found(session: requests.Session, url: str) -> bool:
    try:
        return session.get(url, timeout=10).status_code == 200
    except requests.RequestException:
        return False


def clinic(counted: Account, production: Production) -> After:
    """Each study is asked for at the archive, each acknowledged plan at the machine. Raises Surprise if one of them
    cannot be asked: then nothing is known of what was lost."""
    try:
        return _at_archive_and_machine(counted, production)
    except requests.RequestException as error:
        raise Surprise(f"what was acknowledged could not be asked for: {type(error).__name__}: {error}") from None


def _at_archive_and_machine(counted: Account, production: Production) -> After:
    auth = ("clinic", production.secret("vna-password"))
    base = f"http://{production.address('vna-web')}/dicom-web/studies"

    def holds(study: str) -> Mapping[str, str]:
        answer = requests.get(f"{base}/{study}/instances", params={"limit": "1000"}, auth=auth, timeout=30)
        answer.raise_for_status()
        return {_value(one, SOP_INSTANCE): _value(one, SOP_CLASS) for one in answer.json()}

    studies = sorted({kept.partition("/")[0] for kept in counted.kept})
    until = time.monotonic() + PLANNED_BY
    while True:
        with ThreadPoolExecutor(4) as pool:
            held = dict(zip(studies, pool.map(holds, studies), strict=True))
        machine = requests.get(f"http://{production.outside['linac']}/plans", timeout=30)
        machine.raise_for_status()
        found = compare(counted, held, machine.json()["plans"])
        if not found.unplanned or time.monotonic() > until:
            return found
        time.sleep(1.0)


def compare(counted: Account, held: Mapping[str, Mapping[str, str]], taken: Sequence[Mapping[str, Any]]) -> After:
    """`held` maps study to its instances and their classes, `taken` is what the machine tells of its plans. A study is
    planned once a plan of it is in the archive and at the machine, whoever asked for it."""
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for kept in counted.kept:
        study, _, uid = kept.partition("/")
        wanted[study].add(uid)
    times: defaultdict[str, int] = defaultdict(int)
    for one in taken:
        times[str(one["uid"])] += int(one["times"])
    planned = {
        study
        for study, instances in held.items()
        if any(kind == RT_PLAN and times.get(uid) for uid, kind in instances.items())
    }
    return After(
        missing=sum(len(uids - set(held.get(study, ()))) for study, uids in wanted.items()),
        astray=sum(times[uid] != 1 for uid in counted.plans) + _twice(counted.plans),
        unplanned=len(set(wanted) - planned),
    )


def _twice(plans: Iterable[str]) -> int:
    """Plans that were acknowledged as another's."""
    listed = list(plans)
    return len(listed) - len(set(listed))


def _value(found: Mapping[str, Any], tag: str) -> str:
    return str(found[tag]["Value"][0])
