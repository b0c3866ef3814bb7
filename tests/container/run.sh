#!/bin/bash
# Builds the real Dockerfile and runs the image as `deploy/compose.yaml` does: ordinary user, read-only root, no capabilities.
# Root; needs buildah, podman, runc and, where the base image can't be pulled, debootstrap (it then builds a stand-in once).
#   KEEP=1 leaves the image behind.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
export CONTAINERS_CONF=${CONTAINERS_CONF:-$here/containers.conf}
pinned=$(sed -n 's/^ARG BASE=//p' "$top/Dockerfile")
standin=localhost/python-standin:3.11-bookworm
requirements=${REQUIREMENTS:-aws}
case $requirements in aws*) largest=450 ;; *) largest=550 ;; esac
image=localhost/driftline:test
name=driftline-test-$$
port=18080
work=$(mktemp -d)
leave() {
    podman rm --force --time 1 "$name" "$name-config" >/dev/null 2>&1 || true
    podman volume rm --force "$name" >/dev/null 2>&1 || true
    [ -n "${KEEP:-}" ] || podman rmi --force "$image" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap leave EXIT
say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }
fail() { echo "FAILED: $*"; podman logs "$name" 2>&1 | tail -n 30; exit 1; }

for tool in buildah podman runc; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install buildah podman runc debootstrap netavark aardvark-dns iptables"; exit 1; }
done

# 1. The unit file: the tool's exit code is 0 even for unknown settings, so any word of it is a failure.
if command -v systemd-analyze >/dev/null; then
    sed 's#^ExecStart=[^ ]*#ExecStart=/bin/true#' "$top/deploy/driftline.service" >"$work/driftline.service"
    said=$(systemd-analyze verify "$work/driftline.service" 2>&1 || true)
    [ -z "$said" ] || fail "deploy/driftline.service: $said"
    say "the systemd unit is clean"
fi

# 2. The base image: the pinned one, or one that is made here.
base=$pinned
if ! podman image exists "$pinned" && ! podman pull -q "$pinned" >/dev/null 2>&1; then
    base=$standin
    podman image exists "$base" || sh "$here/base.sh" "$base"
    say "$pinned can't be pulled; the base is a stand-in (Debian's own Python, not the official image)"
fi

# 3. Build without a network: packages are downloaded out here, where a package index can be reached.
mkdir "$work/context"
tar -C "$top" -c --exclude=__pycache__ --exclude='*.egg-info' \
    Dockerfile .dockerignore pyproject.toml LICENSE NOTICE README.md src plugins deploy | tar -C "$work/context" -x
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes -d "$work/context/wheels" \
    --python-version 3.11 --only-binary :all: --no-binary sdnotify --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 \
    -r "$top/deploy/requirements/$requirements.txt" 2>"$work/said" || { cat "$work/said"; fail "the packages can't be downloaded"; }
"$work/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes -d "$work/context/wheels" \
    -r "$top/deploy/requirements/build.txt" 2>"$work/said" || { cat "$work/said"; fail "the packages can't be downloaded"; }
say "downloaded $(ls "$work/context/wheels" | wc -l) packages, each with its hash"
buildah build --pull-never --network none --format docker -q --build-arg "BASE=$base" --build-arg "REQUIREMENTS=$requirements" \
    -t "$image" "$work/context" >"$work/said" 2>&1 || { cat "$work/said"; fail "the image can't be built"; }
size=$(podman image inspect "$image" --format '{{.Size}}' | awk '{printf "%.0f", $1 / 1e6}')
say "built the image with $requirements, $size MB of at most $largest"
# 4. Run it on the churn example, reachable from outside of its container.
sed 's#sqlite:///#sqlite:////var/lib/driftline/#; s#^  http: .*#  http: 0.0.0.0:8080\n  http_token: ${env:DRIFTLINE_HTTP_TOKEN}#' "$top/config.example.yaml" >"$work/config.yaml"
chmod 755 "$work" && chmod 644 "$work/config.yaml"
hardened=(--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --memory 1g
    -v "$name:/var/lib/driftline" -v "$top/examples:/etc/driftline/examples:ro" -v "$work/config.yaml:/etc/driftline/config.yaml:ro"
    -e "DRIFTLINE_HTTP_TOKEN=only-for-this-test")
podman run --rm --no-healthcheck --name "$name-config" "${hardened[@]}" "$image" validate -c /etc/driftline/config.yaml ||
    fail "the configuration is not valid"
podman run -d --name "$name" "${hardened[@]}" -p "127.0.0.1:$port:8080" "$image" >/dev/null 2>"$work/said" ||
    { cat "$work/said"; fail "it does not start"; }

ask() { python3 "$here/ask.py" "http://127.0.0.1:$port$1" "${2:-}"; }
for _ in $(seq 100); do [ "$(ask /readyz | head -n 1)" = 200 ] && break; sleep 0.2; done
[ "$(ask /readyz | head -n 1)" = 200 ] || fail "it is not ready after 20 s"
say "ready"

[ "$(podman exec "$name" python -c 'import os; print(os.getuid(), os.getgid())')" = "10001 10001" ] || fail "it does not run as its own user"
podman exec "$name" python -c 'import pathlib
try:
    pathlib.Path("/opt/driftline/x").touch()
except OSError:
    raise SystemExit
raise SystemExit("the root can be written")' || fail "the root is not read-only"
caps=$(podman exec "$name" python -c 'print(*[line.split()[1] for line in open("/proc/1/status") if line.startswith(("CapEff", "NoNewPrivs"))])')
[ "$caps" = "0000000000000000 1" ] || fail "capabilities and no-new-privileges are $caps"
say "the bill of materials has $(podman exec "$name" python -c 'import json
print(len(json.load(open("/opt/driftline/sbom.cdx.json"))["components"]), "packages and", len(open("/opt/driftline/sbom.cdx.json").read()) // 1000, "kB")')"
say "user 10001, read-only root, no capabilities, no new privileges"

podman healthcheck run "$name" || fail "the health check fails"
[ "$(ask /metrics | head -n 1)" = 401 ] || fail "metrics are open to strangers"
[ "$(ask /metrics only-for-this-test | head -n 1)" = 200 ] || fail "the token does not open the metrics"
say "healthy; metrics only with the token"

rows=
for _ in $(seq 150); do
    rows=$(ask /metrics only-for-this-test | awk '$1 == "driftline_rows_total{model=\"churn\"}" {printf "%d", $2}')
    [ "$rows" = 37422 ] && break
    sleep 0.2
done
[ "$rows" = 37422 ] || fail "it has counted ${rows:-no} rows, not 37422"
say "read all 37422 rows"

started=$(date +%s%N)
podman stop -t 15 "$name" >/dev/null 2>&1 # without systemd podman complains of a timer
took=$(( ($(date +%s%N) - started) / 1000000 ))
[ "$(podman inspect "$name" --format '{{.State.ExitCode}}')" = 0 ] || fail "it stopped with $(podman inspect "$name" --format '{{.State.ExitCode}}')"
[ "$took" -lt 11000 ] || fail "it took $took ms to stop"
say "stopped on SIGTERM in $took ms, exit 0"

# 5. The state outlives the container: a second one has the rows already, and reads none again.
podman rm "$name" >/dev/null 2>&1
again=$(podman run --rm --no-healthcheck --name "$name-config" "${hardened[@]}" "$image" run --once -c /etc/driftline/config.yaml --json) || [ $? = 1 ] ||
    fail "the second run fails"
echo "$again" | python3 -c 'import json, sys; churn = json.load(sys.stdin)["models"]["churn"]; sys.exit((churn["rows"], churn["added"]["rows"]) != (37422, 0))' ||
    fail "the second run lost rows or read them again: $again"
say "the state volume outlives the container"
[ "$size" -le "$largest" ] || fail "the image has $size MB, more than $largest"
echo "container test: all passed"

# 6. The unit file under a real systemd, with the same agent.
if command -v systemd-nspawn >/dev/null; then
    bash "$here/unit.sh" "$image"
else
    echo "the unit file was not run: apt-get install systemd-container"
fi
