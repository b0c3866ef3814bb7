#!/bin/sh
# Makes a local stand-in for the image that the Dockerfile starts from, out of this machine's own package mirror.
# Root, about a minute; needs podman and debootstrap. Used where the real image can't be pulled.
set -eu
tag=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates,binutils bookworm "$root" "$mirror" >/dev/null
# No trace of this machine's mirror stays in the image.
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/*
: >"$root/etc/apt/sources.list"
rm -f "$root/usr/lib/python3.11/EXTERNALLY-MANAGED"
# The official image has its interpreter in /usr/local/bin.
for name in python python3; do ln -s /usr/bin/python3 "$root/usr/local/bin/$name"; done

tar -C "$root" -c . | podman import -q --change 'CMD ["python3"]' - "$tag" >/dev/null
