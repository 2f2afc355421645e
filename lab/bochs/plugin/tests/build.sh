#!/bin/sh
# SPDX-License-Identifier: MIT
# Build and run the unit tests of the lab machine's models. Argument: a folder for the binary.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../../../../build/lab}
mkdir -p "$out"
models="text.cc vtd_unit.cc vtd_walk.cc vtd_queue.cc vtd_intr.cc ioapic.cc pci_function.cc device.cc options.cc machine.cc"
cd "$here/.."
${CXX:-g++} -std=c++17 -Wall -Wextra -Werror -O0 -g1 -fsanitize=address,undefined $models tests/*.cc \
    -o "$out/lab-models-test"
"$out/lab-models-test"
