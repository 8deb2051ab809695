"""What the switch counts, as text: HAProxy's statistics, and by lines and Lua of ours what it does not count by itself.

That is how long each answer took, and associations that are refused.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from otagate.core.answer_times import LAST, row_of
from otagate.core.platform import Protocol, Tls
from otagate.core.topology import Door

COUNTS_LUA = """
-- otagate counts   of each backend: its name, associations refused, bucket:answers …
-- What the switch does not count itself, since it started; buckets as in otagate.core.answer_times.
local counted = {}

local function row(txn)
  local name = txn.f:be_name()
  if counted[name] == nil then counted[name] = { refused = 0, times = {} } end
  return counted[name]
end

-- The switch's own clock at both ends: beside the wall's it may be seconds off.
local function microseconds()
  local now = core.now()
  return now.sec * 1000000 + now.usec
end

core.register_action("came", { "http-req" }, function(txn) txn:set_var("txn.came", microseconds()) end)

core.register_action("took", { "http-res" }, function(txn)
  local came = txn:get_var("txn.came")
  if came == nil then return end
  local took = (microseconds() - came) / 1000
  local at = 0
  if took > 1 then at = math.min(@LAST@, math.floor(math.log(took) / math.log(2) * 4) + 1) end
  local times = row(txn).times
  times[at] = (times[at] or 0) + 1
end)

core.register_action("refused", { "tcp-res" }, function(txn)
  local of = row(txn)
  of.refused = of.refused + 1
end)

local function counts()
  local lines = { "# counts" }
  for name, of in pairs(counted) do
    local words = { name, string.format("%d", of.refused) }
    for at, answers in pairs(of.times) do words[#words + 1] = string.format("%d:%d", at, answers) end
    lines[#lines + 1] = table.concat(words, " ")
  end
  return table.concat(lines, "\\n")
end

core.register_cli({ "otagate", "counts" }, "otagate counts",
  function(applet) applet:send(counts() .. "\\n") end)
""".replace("@LAST@", str(LAST))


_UNKNOWN = "Unknown command"  # what HAProxy says to a command that nobody registered


def is_timed(door: Door) -> bool:
    """Whether the switch reads its requests, and so can tell how long each answer took."""
    return mode_of(door) == "http"


def mode_of(door: Door) -> str:
    """What passes unread is bytes, whatever it would be if it could be read."""
    return "http" if door.protocol is Protocol.HTTP and door.tls is not Tls.PASS else "tcp"


def counting(door: Door) -> list[str]:
    """What the switch does not count by itself: how long each answer took, and associations that are refused. A service
    that refuses or aborts one says so in its first byte and hangs up in order, which looks like a good end."""
    if is_timed(door):
        return ["    http-request lua.came", "    http-response lua.took"]
    if door.protocol is Protocol.DICOM and door.tls is not Tls.PASS:
        return [
            "    tcp-response inspect-delay 10s",
            "    tcp-response content lua.refused if { res.payload(0,1) -m bin 03 07 }",
            "    tcp-response content accept if { res.len gt 0 }",
        ]
    return []


@dataclass(frozen=True)
class BackendCount:
    """What the switch counts of one backend since it started. `up`: a server is used; `proven`: and its last check has
    passed (a name just found is used before it was ever asked); `sessions` open now; `answers` HTTP answers or TCP
    sessions; `errors` of those failed, each once: 5xx or broken off, or not connected, reset or refused; `taken` HTTP
    requests or TCP sessions sent to it; `aborted` of those by one side or the other; `queued` wait for a server;
    `times`: HTTP answers by bucket of `answer_times`, None where the switch does not tell; `each`: what each of a pair
    counts, of which this is the sum."""

    up: bool
    proven: bool
    sessions: int
    answers: int
    errors: int
    taken: int
    aborted: int
    queued: int = 0
    times: tuple[int, ...] | None = None
    each: tuple["BackendCount", ...] = ()

    @property
    def by_switch(self) -> tuple["BackendCount", ...]:
        """Of one that is started again all counters begin anew, of the other none: what rose is told by each alone."""
        return self.each or (self,)


def read_counts(text: str) -> dict[str, BackendCount]:
    """Backend → counts, from the answers to `show stat` and `otagate counts` in this order; raises ValueError if they
    are not that. A switch made before it could tell answer times says that it knows no such command."""
    statistics, _, own = text.partition("\n\n")
    counts = read_stat(statistics)
    if own.startswith(_UNKNOWN):
        return counts
    if not own.startswith("# counts"):
        raise ValueError(f"no counts: {own[:80]!r}")
    told = dict(_own_counts(line) for line in own.strip().split("\n")[1:])
    nothing = (0, row_of({}))
    return {
        name: replace(count, errors=count.errors + refused, times=times)
        for name, count in counts.items()
        for refused, times in (told.get(name, nothing),)
    }


def _own_counts(line: str) -> tuple[str, tuple[int, tuple[int, ...]]]:
    name, refused, *buckets = line.split(" ")
    pairs = (pair.partition(":") for pair in buckets)
    return name, (int(refused), row_of({int(at): int(answers) for at, _, answers in pairs}))


def read_stat(text: str) -> dict[str, BackendCount]:
    """Backend → counts, from a `show stat` answer; raises ValueError if it is not one."""
    if not text.startswith("# "):
        raise ValueError(f"no statistics: {text[:80]!r}")
    rows = list(csv.DictReader(text[2:].splitlines()))
    servers = [row for row in rows if row["svname"] not in ("BACKEND", "FRONTEND")]
    up = {row["pxname"] for row in servers if row["status"].startswith("UP")}
    proven = {row["pxname"] for row in servers if row["pxname"] in up and row["check_status"].endswith("OK")}
    return {
        name: _count(row, [s for s in servers if s["pxname"] == name], name in up, name in proven)
        for row in rows
        if row["svname"] == "BACKEND" and (name := row["pxname"])
    }


def _count(row: Mapping[str, str], servers: Sequence[Mapping[str, str]], up: bool, proven: bool) -> BackendCount:
    sessions, taken, aborted = int(row["scur"]), int(row["stot"]), int(row["cli_abrt"]) + int(row["srv_abrt"])
    queued = int(row["qcur"])
    if row["mode"] != "http":
        broken = int(row["econ"]) + int(row["eresp"])
        return BackendCount(up, proven, sessions, taken, broken, taken, aborted, queued)
    answers = sum(int(row[f"hrsp_{kind}"]) for kind in ("1xx", "2xx", "3xx", "4xx", "5xx", "other"))
    return BackendCount(up, proven, sessions, answers, _failed(row, servers), taken, aborted, queued)


def _failed(row: Mapping[str, str], servers: Sequence[Mapping[str, str]]) -> int:
    """HTTP answers that failed, each once, though one of them moves several counters.

    As clients saw it: 5xx, whoever made them, and answers that the server broke off (`srv_abrt`). `econ` and `eresp`
    hold the same again, and twice where a server hung up instead of answering. But a body that is no chunks moves
    `eresp` alone: by the servers' own 5xx, `econ` and half of `eresp` nothing else weighs more than it should, and such
    bodies half of it. Hence the greater of the two. Where nothing tells one from two, it is two: a 5xx that then breaks
    off. Both are sums of counters that only rise, for one that falls means a switch begun anew."""
    seen = int(row["hrsp_5xx"]) + int(row["srv_abrt"])
    behind = sum(int(server["hrsp_5xx"]) for server in servers) + int(row["econ"]) + -(-int(row["eresp"]) // 2)
    return max(seen, behind)
