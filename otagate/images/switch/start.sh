#!/bin/sh
# Writes what the environment says to /conf, waits for the map, and becomes HAProxy. Without a map no door opens: a
# mirror's switch is given one, production's is written by the steward at the first flip.
set -eu
printf '%s' "${OTAGATE_SWITCH_CONFIG:?}" > /conf/haproxy.cfg
printf '%s' "${OTAGATE_SWITCH_LUA:?}" > /conf/flip.lua
map=/run/otagate/active.map
if [ -n "${OTAGATE_SWITCH_MAP:-}" ]; then
    printf '%s' "$OTAGATE_SWITCH_MAP" > "$map"
fi
trap 'exit 0' TERM INT
if [ ! -s "$map" ]; then
    echo "waiting for $map" >&2
    while [ ! -s "$map" ]; do sleep 0.1; done
fi
exec haproxy -W -db -f /conf/haproxy.cfg
