"""Holding new work at the switch while one colour ends its work and the other begins: a hold-flip's part of HAProxy.

The bound is kept by HAProxy itself: when it passes, what waits goes where the map says, whether anybody lives who could
release it or not. The command is refused while a hold is on, so that nobody makes it longer than the platform says.
"""

from collections.abc import Sequence

STEP = 5  # milliseconds between two looks of one that waits
SLACK = 5.0  # seconds by which HAProxy's own limits lie above the bound

# Seconds are whole in core.now().sec; together with usec they are exact to a microsecond.
_LUA = """\

-- otagate hold <epoch>      new work waits, at most @MOST@ ms; refused if the map has turned since <epoch>
-- otagate release           what waits goes where the map says
-- Whoever waits is let go at the bound by its own look at the clock; who came first waits longest.
local MOST = @MOST@
local until_ms, first_ms = 0, 0

local function ms()
  local now = core.now()
  return now.sec * 1000 + now.usec // 1000
end

local function wait(txn)
  if until_ms == 0 then return end
  local now = ms()
  if first_ms == 0 and now < until_ms then first_ms = now end
  while ms() < until_ms do core.msleep(@STEP@) end
end

core.register_action("hold", { "tcp-req", "http-req" }, wait, 0)

core.register_cli({ "otagate", "hold" }, "otagate hold <epoch>", function(applet, _, _, epoch)
  local said
  if number(epoch) == nil then said = "ERR usage: otagate hold <epoch>"
  elseif number(epoch) ~= number(entries:lookup("epoch")) then said = "ERR the map has another epoch"
  elseif ms() < until_ms then said = "ERR held already"
  else
    until_ms, first_ms = ms() + MOST, 0
    said = "OK held"
  end
  applet:send(said .. "\\n")
end)

core.register_cli({ "otagate", "release" }, "otagate release", function(applet, _, _)
  local now = ms()
  local held = now < until_ms
  local longest = first_ms > 0 and math.min(now, until_ms) - first_ms or 0
  until_ms, first_ms = 0, 0
  applet:send(string.format("OK %s, longest %d\\n", held and "released" or "passed", longest))
end)
"""

# In the command that flips: what was held may have gone to the old colour since.
GUARD = """\
  if held == "held" and ms() >= until_ms then return "ERR the hold has passed" end
"""


def hold_lua(hold: float) -> str:
    """The action and the commands of a switch that may hold for so many seconds."""
    return _LUA.replace("@MOST@", f"{round(hold * 1000)}").replace("@STEP@", str(STEP))


def hold_lines(hold: float, mode: str) -> Sequence[str]:
    """What makes new work at a frontend wait; of TCP HAProxy ends the wait at its inspect-delay, so it lies above."""
    if not hold:
        return ()
    if mode == "http":
        return ("    http-request lua.hold",)
    return (f"    tcp-request inspect-delay {round((hold + SLACK) * 1000)}ms", "    tcp-request content lua.hold")
