#!/bin/bash
# Runs deploy/driftline.service under a real systemd, in a container that systemd-nspawn boots, with the agent from the image
# that run.sh builds. Root; needs systemd-container, debootstrap and podman. ROOTFS= keeps the root folder for the next time.
#   unit.sh IMAGE
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
export CONTAINERS_CONF=${CONTAINERS_CONF:-$here/containers.conf}
image=$1
root=${ROOTFS:-}
if [ -z "$root" ]; then
    root=$(mktemp -d)
    made=$root
fi
nspawn=
leader=
leave() {
    # The leader is the first process of its own world: with it all that runs inside ends.
    for process in $leader $nspawn; do kill -KILL "$process" 2>/dev/null || true; done
    [ -z "${made:-}" ] || rm -rf "$made"
}
trap leave EXIT
say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }

if [ ! -e "$root/usr/lib/systemd/systemd" ]; then
    mkdir -p "$root"
    chmod 755 "$root" # a folder of mode 700 keeps DynamicUser= out of /
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,procps,python3,ca-certificates bookworm "$root" "$mirror" >/dev/null
    say "made a root with systemd in it"
fi
for name in python python3; do ln -sf /usr/bin/python3 "$root/usr/local/bin/$name"; done
rm -rf "$root/opt/driftline" "$root/etc/driftline" "$root/srv/examples" "$root/var/lib/driftline" "$root/var/lib/private"
box=$(podman create "$image")
podman cp "$box:/opt/driftline" "$root/opt/"
podman rm "$box" >/dev/null 2>&1
mkdir -p "$root/etc/driftline" "$root/srv"
cp -r "$top/examples" "$root/srv/examples"
sed 's#examples/churn#/srv/examples/churn#; s#sqlite:///#sqlite:////var/lib/driftline/#' "$top/config.example.yaml" >"$root/etc/driftline/config.yaml"
: >"$root/etc/machine-id"
cp "$top/deploy/driftline.service" "$root/etc/systemd/system/"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants" "$root/etc/systemd/system/driftline.service.d"
printf '[Service]\nWatchdogSec=10\n' >"$root/etc/systemd/system/driftline.service.d/quick.conf" # a minute is long for a test
ln -sf ../driftline.service "$root/etc/systemd/system/multi-user.target.wants/driftline.service"

# --register=no --keep-unit: there may be no systemd outside to ask. --uuid: an empty machine-id is otherwise an error.
systemd-nspawn -q -D "$root" --register=no --keep-unit --console=pipe --boot --private-network \
    --uuid=11111111111111111111111111111111 >/dev/null 2>&1 &
nspawn=$!
inside() { timeout 20 nsenter -t "$leader" -a "$@"; }
property() { inside systemctl show driftline -p "$1" --value; }
until_it_is() { # property, value, seconds
    for _ in $(seq $(($3 * 5))); do [ "$(property "$1" 2>/dev/null || true)" = "$2" ] && return; sleep 0.2; done
    echo "FAILED: $1 is $(property "$1"), not $2"
    inside journalctl -u driftline --no-pager -o cat | tail -n 40
    exit 1
}
for _ in $(seq 150); do
    leader=$(pgrep -P "$nspawn" | head -n 1) || true
    [ -n "$leader" ] && [ "$(cat "/proc/$leader/comm" 2>/dev/null)" = systemd ] && inside systemctl is-system-running >/dev/null 2>&1 && break
    sleep 0.2
done

until_it_is ActiveState active 60
say "active: it told systemd that it is ready"
inside python3 -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:8080/readyz", timeout=5)'
main=$(property MainPID)
[ "$(inside stat -c %u "/proc/$main")" -ge 61184 ] || { echo "FAILED: it runs as $(inside stat -c %u "/proc/$main")"; exit 1; }
rows() { inside python3 -c '
import urllib.request as u
[print(line.split()[-1]) for line in u.urlopen("http://127.0.0.1:8080/metrics", timeout=5).read().decode().splitlines() if line.startswith("driftline_rows_total{")]'; }
for _ in $(seq 100); do [ "$(rows)" = 37422.0 ] && break; sleep 0.2; done
[ "$(rows)" = 37422.0 ] || { echo "FAILED: it counted $(rows) rows"; exit 1; }
say "ready; read all rows under the full hardening, as a user of its own"

inside systemctl reload driftline
until_it_is ActiveState active 10
[ "$(property MainPID)" = "$main" ] || { echo "FAILED: a reload changed the process"; exit 1; }
say "reloads in place"

inside systemctl kill --kill-whom=main --signal=STOP driftline
until_it_is NRestarts 1 120
until_it_is ActiveState active 60
say "hung on purpose: the watchdog started it again"

inside systemctl stop driftline
[ "$(property Result)" = success ] || { echo "FAILED: it stopped with $(property Result)"; exit 1; }
say "stops cleanly"
inside systemctl poweroff || true
wait "$nspawn" || true
leader= nspawn=
echo "unit test: all passed"
