#!/bin/sh
# Keeps a dockerd going, as a service manager would: whenever it ends it is started again.
set -eu
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    # cgroup v2: the root group must be empty before its controllers can be handed down
    mount -o remount,rw,bind /sys/fs/cgroup || true
    mkdir -p /sys/fs/cgroup/own
    while read -r pid; do echo "$pid" > /sys/fs/cgroup/own/cgroup.procs || true; done < /sys/fs/cgroup/cgroup.procs
    sed 's/[^ ]*/+&/g' /sys/fs/cgroup/cgroup.controllers > /sys/fs/cgroup/cgroup.subtree_control
else
    awk '$5 ~ "^/sys/fs/cgroup/" {print $5}' /proc/self/mountinfo | while read -r mount; do
        mount -o remount,rw,bind "$mount" || true
    done
fi
while true; do
    rm -f /var/run/docker.pid /var/run/docker/containerd/containerd.pid
    dockerd -H unix:///engine/docker.sock --bip 10.111.0.1/24 \
        --default-address-pool base=10.111.16.0/20,size=24 >> /var/log/dockerd.log 2>&1 || true
    sleep 0.2
done
