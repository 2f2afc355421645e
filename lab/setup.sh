#!/bin/sh
# SPDX-License-Identifier: MIT
# Install the Debian packages that Hamlet is built, booted and tested with; does nothing if they are all there.
#
# From: Makefile (setup), the launcher `hamlet` (doctor calls it with --check)
# Usage: lab/setup.sh [--check | --tests | --judges | --book | --pictures | --scale]      --check only prints what is missing; the others: for that goal, too

set -u

build="gcc g++ make nasm binutils acpica-tools python3 patch"
boot="grub-common grub-pc-bin grub-efi-amd64-bin xorriso mtools"
lab="libltdl-dev libtool xz-utils bochsbios vgabios"
qemu="qemu-system-x86 ovmf"
nested="busybox-static cpio"
tests="libcmocka-dev libzydis-dev python3-pytest python3-pexpect gdb e2fsprogs"
check="clang libclang-rt-dev clang-format cppcheck"
book="python3-sphinx python3-myst-parser furo"
pictures="chromium fonts-dejavu-core pngquant"
case ${1:-} in
    --tests) goal="chromium" ;;     # 120 MB for one case, which opens the page of a trace
    --judges) goal="mmdebstrap $book $pictures" ;;
    --book) goal=$book ;;
    --pictures) goal=$pictures ;;
    --scale) goal="python3-matplotlib" ;;
    *) goal= ;;
esac

missing=
for package in $build $boot $lab $qemu $nested $tests $check $goal; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)
    [ "$state" = installed ] || missing="$missing $package"
done
missing=${missing# }

if [ "${1:-}" = --check ]; then
    [ -z "$missing" ] || echo "$missing"
    exit 0
fi
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "[hamlet] setup: please install as root: apt-get install $missing" >&2
        exit 1
    }
    as_root=sudo
fi

log=$(mktemp)
echo "[hamlet] setup: installing $missing" >&2
export DEBIAN_FRONTEND=noninteractive
if { $as_root apt-get update -q && $as_root apt-get install -qy --no-install-recommends $missing; } >"$log" 2>&1; then
    rm -f "$log"
    echo "[hamlet] setup: done" >&2
else
    echo "[hamlet] setup: apt-get failed: $(grep -m 1 '^E:' "$log") (all of it: $log)" >&2
    exit 1
fi
