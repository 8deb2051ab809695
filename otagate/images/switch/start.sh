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
for pem in ${OTAGATE_SWITCH_OWN_TLS:-}; do
    mkdir -p "${pem%/*}"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=mirror \
        -keyout /conf/key -out /conf/certificate 2> /conf/openssl || { cat /conf/openssl >&2; exit 1; }
    cat /conf/certificate /conf/key > "$pem"
done
trap 'exit 0' TERM INT
if [ ! -s "$map" ]; then
    echo "waiting for $map" >&2
    while [ ! -s "$map" ]; do sleep 0.1; done
fi
exec haproxy -W -db -f /conf/haproxy.cfg
