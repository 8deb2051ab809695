"""The switch as text: HAProxy's configuration, the command that turns it, the map that it reads, what it counts.

All coloured doors look up one entry, `active`, so one command turns all of them. An uncoloured door (the state tier's)
has a key of its own; while that is absent its one standing back serves. Runs on HAProxy 2.6 and 3.0.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from otagate.core.cloud import Colour
from otagate.core.hold import GUARD, hold_lines, hold_lua
from otagate.core.places import SECOND, run_folder
from otagate.core.platform import Protocol, Tls
from otagate.core.switch_counts import COUNTS_LUA, counting, mode_of
from otagate.core.topology import Door, Topology

MAP_PATH = "/run/otagate/active.map"
SOCKET_PATH = "/run/otagate/admin.sock"
MOST = 8000  # connections at one door
LUA_PATH = "/conf/flip.lua"
SERVERS_PATH = "/conf/servers"  # what it is told of its servers when it starts; start.sh says when
STANDING = "standing"
CERTIFICATES = "/run/otagate/tls"

_HEAD = f"""\
global
    nbthread 1
    maxconn {MOST}
    noreuseport
    stats socket @SOCKET@ mode 660 level admin
    stats timeout 10m
    lua-load {LUA_PATH}
    server-state-file {SERVERS_PATH}

resolvers engine
    nameserver names 127.0.0.11:53
    resolve_retries 2
    timeout resolve 500ms
    timeout retry 200ms
    hold valid 500ms
    hold obsolete 1s

defaults
    load-server-state-from-file global
    timeout connect 2s
    timeout check 2s
    timeout client 60s
    timeout server 60s
    retries 2
    default-server check inter 500ms fall 2 rise 1 init-addr last,libc,none resolvers engine resolve-prefer ipv4
"""


def backend(door: str, side: str) -> str:
    """The name of a door's backend; `side` is a colour or STANDING."""
    return f"{door}_{side}"


def certificate_path(listener: str, number: int = 1, *, second: bool = False) -> str:
    """Where the switch of that number, or the second of a pair, reads the certificate and key with which it ends a
    listener's TLS. All share one volume: what a new one cannot start with must not be what the serving one starts
    with."""
    if second:
        return f"{CERTIFICATES}/{SECOND}-{number}/{listener}.pem"
    return f"{CERTIFICATES}/{listener}.pem" if number == 1 else f"{CERTIFICATES}/{number}/{listener}.pem"


def socket_path(number: int = 1, *, second: bool = False) -> str:
    """Where the Runtime API of production's switch of that number listens, or of the second of a pair; no two stand in
    each other's way."""
    path = SOCKET_PATH if number == 1 else SOCKET_PATH.replace(".sock", f"-{number}.sock")
    return path.replace("admin", "second") if second else path


def rehearsal_path(number: int, *, second: bool = False) -> str:
    """The same while it stands behind no door."""
    return f"{run_folder(second=second)}/rehearsal-{number}.sock"


def haproxy_config(topology: Topology, number: int = 1, *, second: bool = False) -> str:
    """haproxy.cfg; a mirror's topology may know one colour only."""
    head = _HEAD.replace("@SOCKET@", socket_path(number, second=second))
    doors = [
        _door(door, topology.hold if door.coloured else 0.0, certificate_path(door.name, number, second=second))
        for door in topology.doors
    ]
    return "\n".join([head, *doors])


def _door(door: Door, hold: float, certificate: str) -> str:
    mode = mode_of(door)
    ends = f" ssl crt {certificate} ssl-min-ver TLSv1.2" if door.tls is Tls.END else ""
    idle = f"{max(1, round(door.idle_timeout * 1000))}ms"
    key = f"str(active),map({MAP_PATH})" if door.coloured else f"str(door.{door.name}),map({MAP_PATH},{STANDING})"
    front = [
        f"frontend {door.name}",
        f"    mode {mode}",
        f"    bind :{door.front}{ends}",
        f"    timeout client {idle}",
        *(
            ["    option clitcpka"] if mode == "tcp" else []
        ),  # a peer that vanished is found out long before the timeout
        *hold_lines(hold, mode),
        *([f"    http-request lua.shadow {door.name} if METH_GET"] if door.shadowed else []),  # GET and HEAD
        f"    use_backend {door.name}_%[{key}]",
    ]
    backs = [_back(door, side, host, mode, idle) for side, host in _sides(door).items()]
    return "\n".join([*front, "", *backs])


def _sides(door: Door) -> dict[str, str]:
    return dict(door.backs) if door.coloured else {STANDING: next(iter(door.backs.values()))}


def _back(door: Door, side: str, host: str, mode: str, idle: str) -> str:
    lines = [f"backend {backend(door.name, side)}", f"    mode {mode}", f"    timeout server {idle}", *_check(door)]
    lines += counting(door)
    lines.append(f"    timeout tunnel {idle}" if mode == "http" else "    option srvtcpka")
    # A check asks whether the server works; who it is, the steward asks by build and colour before each turn.
    secure = " check-ssl verify none" if door.tls is Tls.PASS else ""
    return "\n".join([*lines, f"    server s1 {host}:{door.port}{secure}", ""])


def _check(door: Door) -> list[str]:
    """How the switch asks whether a server works, beyond that its port is open."""
    match door.protocol:
        case Protocol.HTTP if door.probe:
            return [f"    option httpchk GET {door.probe}", "    http-check expect status 200"]
        case Protocol.DICOM:
            return [
                "    option tcp-check",
                f"    tcp-check connect{' ssl' if door.tls is Tls.PASS else ''}",
                f"    tcp-check send-binary {associate_request(door.called_ae).hex()}",
                "    tcp-check expect rbinary ^0[23]",  # accepted or rejected: it answers
                f"    tcp-check send-binary {_ABORT.hex()}",
            ]
        case _:
            return []


CALLING_AE = "OTAGATE"
VERIFICATION = "1.2.840.10008.1.1"
_ABORT = bytes.fromhex("07000000000400000000")
_CONTEXT, _IMPLICIT_LITTLE = "1.2.840.10008.3.1.1.1", "1.2.840.10008.1.2"
_OURSELVES = "2.25.397168387663841071066879616139392375"  # an implementation class of our own


def associate_request(called: str) -> bytes:
    """An A-ASSOCIATE-RQ (PS3.8 §9.3.2) that proposes verification alone, from CALLING_AE to `called`."""
    syntaxes = _item(0x30, VERIFICATION.encode()) + _item(0x40, _IMPLICIT_LITTLE.encode())
    user = _item(0x51, (16384).to_bytes(4, "big")) + _item(0x52, _OURSELVES.encode())
    items = _item(0x10, _CONTEXT.encode()) + _item(0x20, b"\x01\0\0\0" + syntaxes) + _item(0x50, user)
    titles = (called or "ANY-SCP").ljust(16).encode() + CALLING_AE.ljust(16).encode()
    body = b"\0\x01\0\0" + titles + bytes(32) + items
    return b"\x01\0" + len(body).to_bytes(4, "big") + body


def _item(kind: int, content: bytes) -> bytes:
    return bytes([kind, 0]) + len(content).to_bytes(2, "big") + content


_LUA = """\
-- otagate flip <from> <to> <epoch>   turn all coloured doors at once, or say why not
-- otagate restore <colour> <epoch>     take over what the map file says
-- Each runs to its end without yielding: no request is served between what is checked and what is set.
local PATH = "@PATH@"
local DOORS = { @DOORS@ }
local entries = Map.new(PATH, Map._str)

local function number(text)
  if text == nil or string.match(text, "^%d+$") == nil then return nil end
  return tonumber(text)
end

local function set(colour, epoch)
  core.set_map(PATH, "epoch", string.format("%d", epoch))
  core.set_map(PATH, "active", colour)
end

-- A server whose name was just found counts as UP before it was ever asked: its last check must have passed as well.
local function serves(name)
  for _, server in pairs(core.backends[name].servers) do
    local stats = server:get_stats()
    local passed = string.sub(stats.check_status or "", -2) == "OK"
    if string.sub(stats.status or "", 1, 2) == "UP" and passed then return true end
  end
  return false
end

@HOLD@
local function flip(applet, from, to, epoch@HELD@)
  local active, last = entries:lookup("active"), number(entries:lookup("epoch"))
  local new = number(epoch)
  if from == nil or to == nil or new == nil then return "ERR usage: otagate flip <from> <to> <epoch>" end
  if active == nil or last == nil then return "ERR the map holds no colour or no epoch" end
  if active ~= from then return "ERR active is " .. active .. ", not " .. from end
@GUARD@  if new <= last then return string.format("ERR epoch %d is not newer than %d", new, last) end
  local down = {}
  for _, door in ipairs(DOORS) do
    local name = door .. "_" .. to
    if core.backends[name] == nil then return "ERR no backend " .. name end
    if not serves(name) then down[#down + 1] = name end
  end
  if #down > 0 then return "ERR no server up: " .. table.concat(down, " ") end
  set(to, new)
  return string.format("OK %s -> %s epoch %d", from, to, new)
end

local function restore(applet, colour, epoch)
  local new = number(epoch)
  if colour == nil or new == nil then return "ERR usage: otagate restore <colour> <epoch>" end
  for _, door in ipairs(DOORS) do
    if core.backends[door .. "_" .. colour] == nil then return "ERR no backend " .. door .. "_" .. colour end
  end
  set(colour, new)
  return string.format("OK %s epoch %d", colour, new)
end

core.register_cli({ "otagate", "flip" }, "otagate flip <from> <to> <epoch>",
  function(applet, _, _, from, to, epoch@HELD@) applet:send(flip(applet, from, to, epoch@HELD@) .. "\\n") end)
core.register_cli({ "otagate", "restore" }, "otagate restore <colour> <epoch>",
  function(applet, _, _, colour, epoch) applet:send(restore(applet, colour, epoch) .. "\\n") end)
"""


def read_copies(text: str) -> tuple[tuple[bytes, ...], int]:
    """Requests and how many were dropped, from an `otagate shadow take` answer; ValueError if it is none."""
    first, *lines = text.split("\n")
    word, count, dropped = first.split(" ")
    if word != "OK" or int(count) != len(lines):
        raise ValueError(f"no copies: {text[:80]!r}")
    return tuple(bytes.fromhex(line) for line in lines), int(dropped)


# Copies go into memory and nowhere else: the switch itself never asks a candidate, so none can hold a request up.
_SHADOW_LUA = """
-- otagate shadow arm <door> <ms> <most>   keep copies of safe requests, never ahead of an even pace, at most so many
-- otagate shadow take <door>              hand out what was kept, and how many were dropped since
local SHADOWS = { @DOORS@ }
local WAITING, LONGEST, FORGOTTEN = 64, 8192, 30000  -- requests, bytes of one, ms after the end
local shadows = {}
for _, door in ipairs(SHADOWS) do
  shadows[door] = { kept = {}, left = 0, dropped = 0, ends = 0, due = 0, gap = 0 }
end

local function milliseconds()
  local now = core.now()
  return now.sec * 1000 + now.usec / 1000
end

-- Every safe request of the time is copied or counted. Copies that nobody came for hold what clients sent: they are
-- forgotten.
core.register_action("shadow", { "http-req" }, function(txn, door)
  local shadow = shadows[door]
  if shadow.ends == 0 then return end
  local now = milliseconds()
  if now >= shadow.ends then
    if now >= shadow.ends + FORGOTTEN then shadow.kept, shadow.ends = {}, 0 end
    return
  end
  if shadow.left <= 0 or now < shadow.due or #shadow.kept >= WAITING then shadow.dropped = shadow.dropped + 1 return end
  local lines = { txn.f:method() .. " " .. txn.f:pathq() }
  for name, values in pairs(txn.http:req_get_headers()) do
    for _, value in pairs(values) do lines[#lines + 1] = name .. ": " .. value end
  end
  local raw = table.concat(lines, "\\n")
  if #raw > LONGEST then shadow.dropped = shadow.dropped + 1 return end
  shadow.kept[#shadow.kept + 1] = txn.c:hex(raw)
  shadow.left, shadow.due = shadow.left - 1, shadow.due + shadow.gap
end, 1)

local function shadow(applet, what, door, ms, most)
  local found = shadows[door or ""]
  if found == nil then return "ERR no shadow at listener " .. tostring(door) end
  if what == "arm" then
    local lasts, count = number(ms), number(most)
    if lasts == nil or count == nil or count < 1 then return "ERR usage: otagate shadow arm <door> <ms> <most>" end
    local now = milliseconds()
    found.kept, found.dropped, found.left, found.due, found.ends = {}, 0, count, now, now + lasts
    found.gap = lasts / count
    return string.format("OK %s %d", door, count)
  end
  local answer = { string.format("OK %d %d", #found.kept, found.dropped), table.unpack(found.kept) }
  found.kept, found.dropped = {}, 0
  return table.concat(answer, "\\n")
end

core.register_cli({ "otagate", "shadow" }, "otagate shadow <arm|take> <door> [<ms> <most>]",
  function(applet, _, _, what, door, ms, most) applet:send(shadow(applet, what, door, ms, most) .. "\\n") end)
"""


def flip_lua(topology: Topology) -> str:
    """The Runtime API commands `otagate flip` (compare, epoch, health, set) and `otagate restore`; with a shadowed
    door `otagate shadow` too."""
    doors = ", ".join(f'"{door.name}"' for door in topology.doors if door.coloured)
    shadowed = ", ".join(f'"{door.name}"' for door in topology.doors if door.shadowed)
    text = _LUA + (_SHADOW_LUA.replace("@DOORS@", shadowed) if shadowed else "")
    text = text.replace("@PATH@", MAP_PATH).replace("@DOORS@", doors)
    held = {"@HOLD@\n": "", "@GUARD@": "", "@HELD@": ""}
    if topology.hold:
        held = {"@HOLD@\n": hold_lua(topology.hold), "@GUARD@": GUARD, "@HELD@": ", held"}
    for mark, part in held.items():
        text = text.replace(mark, part)
    return text + COUNTS_LUA


def map_text(colour: Colour, epoch: int) -> str:
    """The map file's whole content."""
    return f"active {colour.value}\nepoch {epoch}\n"


def read_map(text: str) -> tuple[Colour, int]:
    """Colour and epoch; raises ValueError for anything but what `map_text` writes (cut short, empty, twice, odd)."""
    lines = text.split("\n")
    if len(lines) != 3 or lines[2] != "":
        raise ValueError(f"the map is not whole: {text[:80]!r}")
    return read_entries(dict([_pair(lines[0]), _pair(lines[1])]))


def read_entries(entries: Mapping[str, str]) -> tuple[Colour, int]:
    """Colour and epoch of a map's entries; raises ValueError."""
    if not {"active", "epoch"} <= set(entries):
        raise ValueError(f"the map lacks a colour or an epoch: {sorted(entries)}")
    epoch = entries["epoch"]
    if not (epoch.isascii() and epoch.isdigit() and epoch == str(int(epoch))):
        raise ValueError(f"no epoch: {epoch[:40]!r}")
    return Colour(entries["active"]), int(epoch)


def _pair(line: str) -> tuple[str, str]:
    key, blank, value = line.partition(" ")
    if not (key and blank and value) or value.strip() != value:
        raise ValueError(f"no map entry: {line[:80]!r}")
    return key, value


def read_show_map(text: str) -> dict[str, str]:
    """Entries of a `show map` answer (address, key, value a line); raises ValueError on a double key or an odd line."""
    entries: dict[str, str] = {}
    for line in filter(None, text.split("\n")):
        parts = line.split(" ")
        if len(parts) != 3 or not parts[0].startswith("0x") or parts[1] in entries:
            raise ValueError(f"no map entry: {line[:80]!r}")
        entries[parts[1]] = parts[2]
    return entries


@dataclass(frozen=True)
class OpenSession:
    """One session as the switch lists it: `name` is what `shutdown session` takes, `client` is HOST:PORT as the switch
    sees it, `age` is the switch's own text, such as `4m3s`."""

    name: str
    client: str
    backend: str
    age: str


_SESSION = re.compile(r"(0x[0-9a-f]+): proto=\S+ src=(\S+) fe=\S+ be=(\S+) .*?\bage=(\S+)")


def read_sessions(text: str) -> tuple[OpenSession, ...]:
    """Sessions of a `show sess` answer; raises ValueError on a line that is none."""
    found = []
    for line in filter(None, text.split("\n")):
        match = _SESSION.match(line)
        if match is None:
            raise ValueError(f"no session: {line[:80]!r}")
        found.append(OpenSession(match[1], match[2], match[3], match[4]))
    return tuple(found)
