# SPDX-License-Identifier: MIT
# Builds Hamlet, its guests and its tests. `make help` lists what there is to make.

O ?= build
CC := gcc
AS := nasm
LD := ld
OBJCOPY := objcopy
HOSTCC ?= gcc
HOSTCXX ?= g++

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n'
endif

.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
.PHONY: all unit explore lint check check-texts diff lab lab-check trap book pictures fuzz fuzz-long fuzz-small setup run debug linux linux-nested test iso mutants bench peer profile plans judges clean help
all: # hypervisor, test image and guests

# The rooms of the house, folders and those inside them; every source of a room is part of the image.
FOLDERS := lib boot arch pci vtd vmx guest monitor
ROOMS   := $(foreach d,$(FOLDERS),$d $(filter-out guest/programs guest/programs/%,$(patsubst %/,%,$(wildcard $d/*/ $d/*/*/))))
SOURCES := $(foreach d,$(ROOMS),$(sort $(wildcard $d/*.c $d/*.asm)))
HEADERS := $(foreach d,$(ROOMS),$(wildcard $d/*.h))
TESTS   := $(sort $(wildcard tests/kernel/*.c tests/kernel/*.asm))
OBJECTS := $(SOURCES:%=$O/%.o)
TEST_OBJECTS := $(TESTS:%=$O/%.o)

# A source with a line "Hot: why" in its signpost is made to be fast, and so are guests; the rest is small.
HOT   := $(shell grep -l '^ \* Hot: ' $(SOURCES))
SMALL := $(filter-out $(HOT),$(SOURCES))
# The stack is aligned to 8 bytes, as no vector register asks for more; no NOPs stand before a loop.
PACKED = $(if $(filter clang%,$(CC)),-mstack-alignment=8,-mpreferred-stack-boundary=3 -fno-align-loops -fno-align-jumps)
# What gcc does to be fast in spite of -Oz: it keeps values in registers that loops do not change, and copies parameters.
SMALLER = $(if $(filter clang%,$(CC)),,-fno-tree-loop-im -fno-move-loop-invariants -fno-shrink-wrap -fno-ipa-sra \
	-fno-reorder-blocks-and-partition)

# No FPU or vector register is touched: they belong to the guests. No red zone: interrupts use our stack.
CFLAGS = -std=gnu11 $(if $(filter $(SMALL),$<),-Oz $(SMALLER),-O2 -falign-functions=4) $(PACKED) -g -ffreestanding -mno-red-zone -mgeneral-regs-only -mcx16 -m64 \
	-fno-pic -fno-stack-protector -fno-omit-frame-pointer -fno-optimize-sibling-calls \
	-fno-asynchronous-unwind-tables -fcf-protection=none -fno-strict-aliasing -fno-common -ffunction-sections \
	-Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -I. -I$O -MMD -MP $(EXTRA_CFLAGS)
ASFLAGS := -f elf64 -g -F dwarf -I./ -I$O/
LDFLAGS := -nostdlib -static -m elf_x86_64 -z max-page-size=4096 -z noexecstack --build-id=none

$O/%.c.o: %.c Makefile
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -c $< -o $@

$O/%.asm.o: %.asm Makefile
	$(say) NASM $<
	$(Q)mkdir -p $(@D)
	$(Q)$(AS) $(ASFLAGS) -MD $(@:.o=.d) -MT $@ $< -o $@

# The letters of the screen: a font that GRUB has, for its own screens.
FONT := /usr/share/grub/ascii.pf2
$O/arch/font.bin: $(FONT) lab/font.py Makefile
	$(say) FONT $<
	$(Q)mkdir -p $(@D)
	$(Q)/usr/bin/python3 lab/font.py $< $@
$(FONT):
	@echo "[hamlet] $@ is missing: install grub-common (make setup)" >&2; exit 1
$O/arch/font.asm.o: $O/arch/font.bin

# The DSDT of the VMs, as the bytes of a C array. The preprocessor puts the virtual PC's numbers into its ASL.
DSDT := $O/guest/load/dsdt
$(DSDT).inc: guest/load/dsdt.asl Makefile
	$(say) IASL $<
	$(Q)mkdir -p $(@D)
	$(Q)command -v iasl >/dev/null || { echo "[hamlet] iasl is missing: install acpica-tools (make setup)" >&2; exit 1; }
	$(Q)$(CC) $(CFLAGS) -imacros guest/core/vm.h -imacros guest/load/vacpi.h -MF $(DSDT).d -MT $@ -E -P -x c $< -o $(DSDT).asl
	$(Q)iasl -we -p $(DSDT) $(DSDT).asl >$(DSDT).log 2>&1 || { cat $(DSDT).log; exit 1; }
	$(Q)od -An -v -tx1 $(DSDT).aml | sed 's/ \(..\)/ 0x\1,/g' >$@
$O/guest/load/vacpi.c.o $O/unit/test_vacpi: $(DSDT).inc

# NAME.sym has everything for gdb; NAME.elf is what GRUB loads: without debug information, with the
# symbol table for backtraces.
$O/hamlet.sym: $(OBJECTS)
$O/hamlet-test.sym: $(OBJECTS) $(TEST_OBJECTS)
$O/hamlet-test.sym: LDFLAGS += -e test_entry
$O/%.sym: linker.ld
	$(say) LD $@
	$(Q)$(LD) $(LDFLAGS) --gc-sections -T linker.ld $(filter %.o,$^) -o $@

$O/%.elf: $O/%.sym
	$(Q)$(OBJCOPY) --strip-debug $< $@

# One guest per file of guest/programs, linked with the small library beside them; NAME.sym is for gdb.
GUEST_SOURCES := $(wildcard guest/programs/*.c guest/programs/*.asm)
GUEST_LIB     := $(sort $(wildcard guest/programs/lib/*.c guest/programs/lib/*.asm))
GUESTS        := $(foreach s,$(GUEST_SOURCES),$O/guests/$(basename $(notdir $s)).elf)
GUEST_LD      := $(wildcard guest/programs/lib/guest.ld)
GUEST_OBJECTS  = $(filter $O/guest/programs/%.o,$^)

$(foreach s,$(GUEST_SOURCES),$(eval $O/guests/$(basename $(notdir $s)).elf: $O/$s.o))
$(GUESTS): $(GUEST_LIB:%=$O/%.o) $(GUEST_LD)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(LD) $(LDFLAGS) --no-warn-rwx-segments $(GUEST_LD:%=-T %) $(GUEST_OBJECTS) -o $(@:.elf=.sym)
	$(Q)$(OBJCOPY) --strip-debug $(@:.elf=.sym) $@

# Programs that test the machine itself stand on tests/guests/bare.asm instead of on Hamlet.
$O/tests/mends.elf: $(patsubst %,$O/tests/guests/%.o,bare.asm mends_code.asm mends.c mends_tlb.c mends_vmx.c mends_ipi.c) tests/guests/bare.ld
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(LD) $(LDFLAGS) --no-warn-rwx-segments -T tests/guests/bare.ld $(filter %.o,$^) -o $@
	$(Q)$(OBJCOPY) --strip-debug $@

# QEMU starts a guest program of ours by a Multiboot kernel, which is a program of 32 bits.
STUB := $O/tests/guests/stub
$O/tests/stub.elf: $(addprefix tests/guests/stub,.asm .c .ld) $(HEADERS) Makefile
	$(say) LD $@
	$(Q)mkdir -p $(STUB)
	$(Q)$(AS) -f elf32 $< -o $(STUB)/asm.o
	$(Q)$(CC) -std=gnu11 -Os -m32 -march=i386 -ffreestanding -fno-pic -fno-stack-protector -mgeneral-regs-only \
		-fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wall -Wextra -Werror -I. -c tests/guests/stub.c -o $(STUB)/c.o
	$(Q)$(LD) -nostdlib -static -m elf_i386 -z noexecstack --no-warn-rwx-segments --build-id=none -T tests/guests/stub.ld $(STUB)/asm.o $(STUB)/c.o -o $@

# Kernels without a linker: the bytes of the file are the bytes in memory, or a multiboot header says.
FLAT_GUESTS := $(patsubst guest/programs/flat/%.asm,$O/guests/%.bin,$(wildcard guest/programs/flat/*.asm))
$O/guests/%.bin: guest/programs/flat/%.asm $(wildcard guest/programs/flat/lib/*.asm) Makefile
	$(say) NASM $<
	$(Q)mkdir -p $(@D)
	$(Q)$(AS) -f bin $< -o $@

# Hamlet's readers of words and kernels as a program of this host, for the launcher.
PRECHECK := lab/precheck.c arch/options.c guest/life/config.c guest/core/config.c lib/option.c lib/parse.c \
	$(addprefix guest/load/,load.c image.c flat.c elf.c multiboot.c info.c linux.c sections.c)
$O/precheck: $(PRECHECK) $(HEADERS) Makefile
	$(say) HOSTCC $@
	$(Q)$(HOSTCC) -std=gnu11 -O1 -DHAMLET_UNIT -I. -mcx16 -Wall -Wextra -Werror $(PRECHECK) -o $@

all: $O/hamlet.elf $O/hamlet-test.elf $O/precheck $(GUESTS) $(FLAT_GUESTS) $O/tests/mends.elf $O/tests/stub.elf

# A unit test names the sources it tests in its first lines: "// sources: vmx/vcpu/posted.c lib/parse.c".
UNIT := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c)))
UNIT_FLAGS := -std=gnu11 -O1 -g -fno-pie -no-pie -Wl,-z,noexecstack -DHAMLET_UNIT -I. -I$O -mcx16 -Wall -Wextra -Werror \
	-fsanitize=address,undefined -fno-sanitize-recover=all
unit_sources = $(patsubst %.asm,$O/%.asm.o,$(shell sed -n 's,^// sources: *,,p' tests/unit/$1.c))
unit_included = $(shell sed -n 's,^\#include "\(.*\.c\)"$$,\1,p' tests/unit/$1.c)

.SECONDEXPANSION:
$O/unit/%: tests/unit/%.c tests/unit/stubs.c $$(call unit_sources,%) $$(call unit_included,%) \
		$(HEADERS) $(wildcard tests/unit/*.h) Makefile
	$(say) UNIT $<
	$(Q)mkdir -p $(@D)
	$(Q)$(HOSTCC) $(UNIT_FLAGS) $< $(call unit_sources,$*) tests/unit/stubs.c -lcmocka -o $@
$O/unit/%.passed: $O/unit/%
	$(Q)$< >$<.log 2>&1 || { cat $<.log; echo "unit: $* FAILED"; exit 1; }
	$(Q)touch $@

# The models of the lab machine: C++, as Bochs is.
LAB_MODELS := $(filter-out lab/bochs/plugin/glue%,$(wildcard lab/bochs/plugin/*.cc)) $(wildcard lab/bochs/plugin/tests/*.cc)
$O/unit/lab_models: $(LAB_MODELS) $(wildcard lab/bochs/plugin/*.h lab/bochs/plugin/tests/*.h) Makefile
	$(say) UNIT lab/bochs/plugin
	$(Q)mkdir -p $(@D)
	$(Q)$(HOSTCXX) -std=c++17 -O0 -g1 -Wall -Wextra -Werror -fsanitize=address,undefined \
		-fno-sanitize-recover=all $(LAB_MODELS) -o $@

# Every interleaving of a few actors, of the real code that tests/explore/NAME.c includes, to a first depth.
EXPLORE := $(filter-out explore,$(patsubst tests/explore/%.c,%,$(sort $(wildcard tests/explore/*.c))))
explored = $(shell sed -n 's,^\#include "\(.*\.c\)"$$,\1,p' tests/explore/$1.c)

$O/unit/explore_%: tests/explore/%.c $(wildcard tests/explore/explore.c tests/explore/*.h) $(HEADERS) $$(call explored,$$*) Makefile
	$(say) UNIT $<
	$(Q)mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu11 -O2 -g -fno-pie -no-pie -DHAMLET_UNIT -DHAMLET_EXPLORE -DTRACE_NEVER -I. -mcx16 -Wall -Wextra -Werror \
		$< tests/explore/explore.c -o $@

explore: $(EXPLORE:%=$O/unit/explore_%) # the same deeper, and with every rule broken on purpose; minutes
	$(Q)for e in $^; do $$e deep || exit 1; done
	$(Q)/usr/bin/python3 tests/explore/explore_mutants.py

unit: $(EXPLORE:%=$O/unit/explore_%.passed) $O/unit/lab_models.passed $(UNIT:%=$O/unit/%.passed) # tests of everything pure, on this machine
	@echo "unit: $(words $(UNIT) lab_models $(EXPLORE)) programs passed"

# The same sources through two compilers, a formatter, an analyser, and rules of our own. The analyser
# knows neither that a linker script names the two ends of one table, nor what inline assembly writes.
LISTED := git ls-files --cached --others --exclude-standard
CPPCHECK := --std=c11 --enable=warning,performance,portability --quiet --error-exitcode=1 -I. \
	--suppress=missingIncludeSystem --suppress=comparePointers --suppress=uninitvar \
	--suppress=va_end_missing:arch/panic.c --suppress=zerodivcond:lib/printf.c \
	--suppress=arrayIndexOutOfBoundsCond:guest/insn/exec.c
# 160 KiB; 16 KiB for the legacy PC and the loaders of its kernels; 8 KiB for the rules of the manual that
# such kernels rely on: instructions on trapped pages, resets, time; 12 KiB for a PC without a serial port;
# 8 KiB for a PC's CPUs: IPIs without an exit, a watchdog, clocks and CPUs that differ; 4 KiB for short ways of
# what costs most often: an exit, a wake-up, a switch.
TEXT_LIMIT := 212992

lint: all # rooms, includes, signposts, names, words, documents (tests/lint/)
	$(Q)bad=0; for c in $(sort $(wildcard tests/lint/*.py)); do O=$O /usr/bin/python3 $$c || bad=1; done; exit $$bad

# What takes longest comes first, so that no other processor waits for it at the end.
CHECKS := cppcheck clang fuzz format size
.PHONY: $(CHECKS:%=check-%)
check: $(CHECKS:%=check-%) unit lint # the same, and format, analyser, both compilers, stored fuzz inputs, size, unit tests
check-format:
	$(say) CHECK clang-format
	$(Q)$(LISTED) '*.c' '*.h' | xargs ls -d 2>/dev/null | xargs clang-format --dry-run --Werror
check-cppcheck:
	$(say) CHECK cppcheck
	$(Q)cppcheck $(CPPCHECK) $(FOLDERS)
check-clang:
	$(say) CHECK clang
	$(Q)$(MAKE) -s O=$O/clang CC=clang $O/clang/hamlet.sym $(GUESTS:$O/%=$O/clang/%) >/dev/null
check-fuzz:
	$(say) CHECK fuzz
	$(Q)$(MAKE) -s $(FUZZ:%=$O/fuzz/%.stored) >/dev/null
	$(Q)tests/fuzz/readers.py runs 2000 1 >/dev/null
check-size: $O/hamlet.elf
	$(say) CHECK size
	$(Q)size -A $O/hamlet.elf | awk '$$1 == ".text" { printf "size: .text is %d bytes, $(TEXT_LIMIT) are enough\n", $$2; \
		exit $$2 > $(TEXT_LIMIT) }'

# Two that must agree, run side by side over generated cases. The other one comes from the library
# that the program names: "// libs: Zydis".
DIFF := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/diff_*.c)))
diff_libs = $(shell sed -n 's,^// libs: *,-l,p' tests/unit/$1.c)

$O/diff/%: tests/unit/%.c $$(call unit_sources,%) $(HEADERS) $(wildcard tests/unit/*.h) Makefile
	$(say) DIFF $<
	$(Q)mkdir -p $(@D)
	$(Q)$(HOSTCC) $(UNIT_FLAGS) $< $(call unit_sources,$*) $(call diff_libs,$*) -o $@

diff: $(DIFF:%=$O/diff/%) # our instruction decoder against Zydis, and executor against this CPU
	$(Q)set -e; for p in $^; do $$p; done

# libFuzzer starts from tests/fuzz/corpus/NAME; what it adds, and any crash, goes to build/fuzz. A program
# says in its first lines "// length: 512", bytes of the longest input, and "// compares: no" if its
# mutator knows the values that count: libFuzzer then need not trace comparisons, which is slow.
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_SECONDS ?= 60
FUZZ_RUNS ?= 1000000000
FUZZ_CC ?= clang
fuzz_line = $(shell sed -n 's,^// $2: *,,p' tests/fuzz/fuzz_$1.c)
fuzz_sources = $(call fuzz_line,$1,sources)
FUZZ_FLAGS = $(UNIT_FLAGS) -fsanitize=fuzzer -fsanitize-coverage-ignorelist=tests/fuzz/not_measured \
	$(if $(filter no,$(call fuzz_line,$*,compares)),-fno-sanitize-coverage=trace-cmp)
# The readers of the lab are Python; they count as one more program. Each gets its part of the time, or of
# the inputs.
FUZZ_PART = $(shell expr $1 / $(words $(FUZZ) readers))
FUZZ_OPTIONS = -max_len=$(firstword $(call fuzz_line,$*,length) 4096) -timeout=5 -print_final_stats=1 \
	-artifact_prefix=$O/fuzz/crashes/$*-
FUZZ_CORPUS = $O/fuzz/corpus/$* $(wildcard tests/fuzz/corpus/$*)
fuzz_log = >$1.log 2>&1 || { tail -n 40 $1.log >&2; echo "$1 FAILED" >&2; exit 1; }

$O/fuzz/%: tests/fuzz/fuzz_%.c $$(call fuzz_sources,%) $(HEADERS) $(wildcard tests/unit/*.h tests/fuzz/*.h) \
		tests/fuzz/not_measured Makefile
	$(say) FUZZ $<
	$(Q)mkdir -p $(@D) $O/fuzz/corpus/$* $O/fuzz/crashes
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) $< $(call fuzz_sources,$*) tests/unit/stubs.c -o $@

.PHONY: $(FUZZ:%=fuzz-%) fuzz-readers $(FUZZ:%=fuzz-long-%) fuzz-long-readers
$(FUZZ:%=fuzz-%): fuzz-%: $O/fuzz/%
	$(Q)$< -max_total_time=$(call FUZZ_PART,$(FUZZ_SECONDS)) $(FUZZ_OPTIONS) $(FUZZ_CORPUS) $(call fuzz_log,$<)
$(FUZZ:%=fuzz-long-%): fuzz-long-%: $O/fuzz/%
	$(Q)$< -runs=$(call FUZZ_PART,$(FUZZ_RUNS)) $(FUZZ_OPTIONS) $(FUZZ_CORPUS) $(call fuzz_log,$<)
fuzz-readers:
	$(Q)mkdir -p $O/fuzz
	$(Q)tests/fuzz/readers.py seconds $(call FUZZ_PART,$(FUZZ_SECONDS)) $(call fuzz_log,$O/fuzz/readers)
# Python is slow: a hundredth of a part.
fuzz-long-readers:
	$(Q)mkdir -p $O/fuzz
	$(Q)tests/fuzz/readers.py runs $(call FUZZ_PART,$(FUZZ_RUNS) / 100) $(call fuzz_log,$O/fuzz/readers)

# The inputs of tests/fuzz/corpus/NAME once each, nothing new: every fuzz program is built and sound. The
# host may be busy: its clock is looked at against a hang only.
$O/fuzz/%.stored: $O/fuzz/% $(wildcard tests/fuzz/corpus/*)
	$(Q)$< -runs=0 $(FUZZ_OPTIONS) -timeout=300 $(wildcard tests/fuzz/corpus/$*) $(call fuzz_log,$<)
	$(Q)touch $@

fuzz: $(FUZZ:%=fuzz-%) fuzz-readers # a minute on everything that parses what a guest, a firmware or a user wrote
	$(Q)tests/fuzz/table.py $O/fuzz $(FUZZ) readers
fuzz-long: $(FUZZ:%=fuzz-long-%) fuzz-long-readers # the same for FUZZ_RUNS inputs, a night
	$(Q)tests/fuzz/table.py $O/fuzz $(FUZZ) readers
fuzz-small: $(FUZZ:%=$O/fuzz/%) # tests/fuzz/corpus: the fewest inputs that reach what those of build/fuzz reach
	$(Q)tests/fuzz/small.py $O/fuzz $(FUZZ)

# The user has typed nothing but `make run`: what is missing is installed before anything is built.
setup: # install what is missing of Debian's packages
	$(Q)sh lab/setup.sh $(patsubst %,--%,$(patsubst test,tests,$(filter test judges book pictures scale,$(MAKECMDGOALS))))
# One instruction, single-stepped three times; a port that is trapped; a device that belongs to its guest.
DEMO ?= --vm kernel=$O/guests/one-instruction.bin,mem=4M,run=3 --vm kernel=$O/guests/hello.elf,mem=16M \
	--vm kernel=$O/guests/edu-msi.elf,name=alpha,mem=16M,pci=1234:11e8
DEMO_DEVICES ?= --device pcie-root-port,id=rp0,addr=5 --device edu,bus=rp0
# The run is recorded; without a network the first page of all cannot be made, and the run counts all the same.
RECORDED := $O/run
run: setup # the whole path, on the best machine that is here (DEMO='--vm ...' for other guests)
	$(Q)$(MAKE) --no-print-directory all
	$(Q)./hamlet run --trace $(RECORDED) $(DEMO_DEVICES) $(DEMO)
	$(Q)./hamlet play $(RECORDED) -o $(RECORDED).html || :
# tcg has no VMX, and so no guests; DEBUG_ON=lab builds a Bochs with a stub first, DEBUG_ON=kvm wants nested VMX.
DEBUG_ON ?= tcg
DEBUG_PORT ?= 1234
DEBUG_LOG ?= $O/debug.log
GDB ?= gdb -q
debug: setup # Hamlet itself under gdb, its console in build/debug.log (DEBUG_ON=lab or kvm: with guests)
	$(Q)$(MAKE) --no-print-directory all
	$(Q)setsid ./hamlet run --on $(DEBUG_ON) --debug $(DEBUG_PORT) --timeout 86400 $(DEMO) </dev/null >$(DEBUG_LOG) 2>&1 & \
	child=$$!; trap "kill $$child 2>/dev/null" EXIT; \
	$(GDB) -ex 'set tcp connect-timeout 600' -ex 'target remote :$(DEBUG_PORT)' -x lab/debug.gdb $(DEBUG_MORE) $O/hamlet.sym
LINUX ?= 'name=linux,kernel=$O/linux/vmlinuz,initrd=$O/linux/initrd,mem=256M,pci=1234:11e8,cmdline="console=ttyS0"'
LINUX_MACHINE ?= $(DEMO_DEVICES)
linux: setup # Debian's kernel and busybox in a VM with a device, a shell on the console
	$(Q)$(MAKE) --no-print-directory all
	$(Q)/usr/bin/python3 -m lab.linux $O/linux
	$(Q)./hamlet run $(LINUX_MACHINE) --megs 512 --vm $(LINUX)
linux-nested: setup # two Linuxes on the nested machine, with devices of QEMU's; many minutes
	$(Q)$(MAKE) --no-print-directory all
	$(Q)/usr/bin/python3 -m pytest -v --no-header -p no:cacheprovider tests/cases/linux_nested.py
iso: setup # an ISO for a USB stick, build/hamlet.iso
	$(Q)$(MAKE) --no-print-directory all
	$(Q)./hamlet iso $O/hamlet.iso $(DEMO)
test: setup # every test: units, checks, boot cases on every machine that is here
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all
	$(Q)/usr/bin/python3 tests/run.py
check-texts: all # tests/cases/check_texts.txt: what `./hamlet run --check` prints on nine processors
	$(Q)/usr/bin/python3 tests/cases/check_texts.py
STEPS := $(addprefix guest/assign/,assign.c reset.c intx.c faults.c)
mutants: setup all # leave out flushes and steps, and see it noticed; half an hour (FILES="a.c b.c": break these in any way)
ifdef FILES
	$(Q)tests/unit/mutants.py $(FILES)
else
	$(Q)tests/unit/mutants.py --steps $(STEPS)
	$(Q)tests/unit/vtd_mutants.py
	$(Q)tests/cases/lab_mutants.py
	$(Q)tests/cases/vmx_mutants.py
	$(Q)tests/cases/mend_mutants.py
endif
judges: setup # KVM, Xen, a newer Linux, kernels of others and a user's PC judge Hamlet and the lab machine; half an hour (FUZZ_RUNS=N: and N fuzzed inputs)
	$(Q)$(MAKE) --no-print-directory all $O/unit/test_scale
	$(Q)/usr/bin/python3 -m pytest -v --no-header -p no:cacheprovider tests/judges
ifeq ($(origin FUZZ_RUNS),command line)
	$(Q)$(MAKE) --no-print-directory fuzz-long
endif
bench: all # what an operation costs, build/bench.json
	$(Q)/usr/bin/python3 tests/bench/bench.py
peer: setup all # the same operations under KVM with VFIO on the same machine, docs/peer.md, build/peer.json
	$(Q)/usr/bin/python3 tests/bench/peer.py
scale: setup all $O/unit/test_scale # what grows with VMs, vCPUs, devices and memory: tables and pictures of docs/scale.md
	$(Q)/usr/bin/python3 tests/bench/scale.py
EXIT ?= exit_cpuid
profile: setup all # where the instructions of one exit go, by function (EXIT=exit_ept_violation: a function of the exit table)
	$(Q)/usr/bin/python3 tests/bench/profile.py $(EXIT)
plans: all # one device by plans A, B, C and D: what each mechanism buys
	$(Q)/usr/bin/python3 tests/bench/plans.py
PICTURES ?= docs/play
pictures: setup # docs/play, docs/frames: pictures of recorded runs; and the figures of `make bench` in the documents
	$(Q)$(MAKE) --no-print-directory all $O/bench.json
	$(Q)/usr/bin/python3 lab/play/pictures.py $(PICTURES)
	$(Q)/usr/bin/python3 lab/play/frames.py
book: setup # the documents as a site with a search, build/book/index.html; compared with runs before
	$(Q)$(MAKE) --no-print-directory all $O/bench.json
	$(Q)/usr/bin/python3 lab/book.py $O/book
$O/bench.json: $O/hamlet.elf
	$(Q)$(MAKE) --no-print-directory bench

# A lab: files of a reader, below the folder MINE, instead of Hamlet's of the same names.
ifdef MINE
INSTEAD := $(patsubst $(MINE)/%,%,$(shell find $(MINE) -mindepth 2 -name '*.c'))
$O/$(MINE)/attack.elf: $O/$(MINE)/attack.c.o $(GUEST_LIB:%=$O/%.o) $(GUEST_LD)
	$(Q)$(LD) $(LDFLAGS) --no-warn-rwx-segments $(GUEST_LD:%=-T %) $(filter %.o,$^) -o $@
$O/$(MINE)/hamlet.sym: $(filter-out $(INSTEAD:%=$O/%.o),$(OBJECTS)) $(INSTEAD:%=$O/$(MINE)/%.o)
$O/$(MINE)/hamlet-test.sym: $(filter-out $(INSTEAD:%=$O/%.o),$(OBJECTS)) $(INSTEAD:%=$O/$(MINE)/%.o) $(TEST_OBJECTS)
$O/$(MINE)/hamlet-test.sym: LDFLAGS += -e test_entry
endif
LAB := $(filter-out lab lab-check trap,$(MAKECMDGOALS))
lab: setup # make lab 8: something is taken out of Hamlet for you to put back (labs/README.md)
	$(Q)labs/labs.py begin $(LAB)
lab-check: setup all # make lab-check 8: is it right?
	$(Q)labs/labs.py check $(LAB)
trap: setup all # make trap 8: the mistake of row 8 of docs/passthrough-traps.md is made, and a test turns red
	$(Q)labs/labs.py trap $(LAB)
ifneq ($(filter lab lab-check trap,$(MAKECMDGOALS)),)
.PHONY: $(LAB)
$(LAB): ; @:
endif
clean: # remove what was built
	$(Q)rm -rf $O
help: # this list
	@sed -n 's/^\([a-z-]*\):[^#]*# \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

-include $(shell find $O -name '*.d' 2>/dev/null)
