#!/bin/sh
# Removes from the base image what a container that runs one program does not use: package managers and their caches,
# documentation, translations, and the parts of Python for development.
set -eu
dpkg --purge --force-all binutils binutils-common binutils-x86-64-linux-gnu libbinutils libctf0 libctf-nobfd0 libgprofng0 \
    apt libapt-pkg6.0 gpgv libgnutls30 libp11-kit0 libunistring2 python3-pip python3-pip-whl python3-setuptools \
    python3-setuptools-whl python3-wheel python3-lib2to3 python3-distutils e2fsprogs libext2fs2 logsave mount util-linux-extra \
    perl-base debconf >/dev/null 2>&1 || true
rm -rf /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/python-wheels /usr/share/lintian /usr/share/perl5 \
    /var/lib/apt /var/lib/dpkg/info /var/cache/* /var/log/* /usr/lib/*/gconv /usr/lib/*/perl-base /usr/lib/apt /root/.cache
for python in /usr/lib /usr/local/lib; do
    rm -rf "$python"/python3/dist-packages/pip* "$python"/python3/dist-packages/setuptools* "$python"/python3/dist-packages/wheel* \
        "$python"/python3/dist-packages/pkg_resources "$python"/python3*/site-packages/* "$python"/python3.*/ensurepip \
        "$python"/python3.*/idlelib "$python"/python3.*/lib2to3 "$python"/python3.*/test "$python"/python3.*/tkinter \
        "$python"/python3.*/turtledemo "$python"/python3.*/pydoc_data "$python"/python3.*/config-3.*
done
rm -f /usr/local/bin/pip* /usr/bin/pip*
