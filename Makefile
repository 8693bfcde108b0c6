# The way into the build; meson.build is the build itself. `make help` lists the targets.
#
#   make                            build/pocketcan and build/libpocketcan.so
#   make SAN=address,undefined ...  the same (and test, demo, ...) with sanitizers, in build-san-address-undefined/
#   make WERROR=true ...            warnings are errors (the default when CI is set; not with sanitizers, under which gcc imagines some)
SAN ?=
PREFIX ?= /usr/local
WERROR ?= $(if $(CI),$(if $(SAN),false,true),false)
FUZZ_SECONDS ?= 60
N ?= 100000
TESTS ?=

comma := ,
BUILD ?= build$(if $(SAN),-san-$(subst $(comma),-,$(SAN)))
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
MESON_FLAGS = -Dprefix=$(PREFIX) -Dlibdir=lib$(if $(MULTIARCH),/$(MULTIARCH)) -Dlibexecdir=libexec \
	-Db_sanitize=$(or $(SAN),none) -Dwerror=$(WERROR)
# What meson was last asked with; cmocka is in it because unit tests appear with it.
STAMP = $(MESON_FLAGS) cmocka=$(shell pkg-config --modversion cmocka 2>/dev/null)
# Sanitizers stop the test at the first report, so that no report goes unnoticed.
export UBSAN_OPTIONS ?= halt_on_error=1:print_stacktrace=1
# Our own command inside an instance has the preload library before the sanitizer's.
export ASAN_OPTIONS ?= verify_asan_link_order=0
export TSAN_OPTIONS ?= halt_on_error=1
export TEST_TIMEOUT_SCALE ?= $(if $(SAN),4,1)

.PHONY: all configure deps demo test arch oracle check coverage bench fuzz fuzz-diff install clean help

all: configure
	@ninja -C $(BUILD) $(if $(V),-v)

# Meson is only asked again when the flags are not those of the last time.
configure:
	@command -v meson >/dev/null || { echo "meson is missing: run tools/install-deps build" >&2; exit 1; }
	@if [ ! -f $(BUILD)/build.ninja ]; then set -x; meson setup $(BUILD) $(MESON_FLAGS); \
	elif [ "$$(cat $(BUILD)/.flags 2>/dev/null)" != "$(STAMP)" ]; then \
		set -x; meson setup --reconfigure $(BUILD) $(MESON_FLAGS); fi
	@echo "$(STAMP)" >$(BUILD)/.flags

# Each sub-make starts after the packages are there: the compiler's triplet above is asked again.
demo:
	@tools/install-deps build test
	@$(MAKE) --no-print-directory all
	@$(BUILD)/pocketcan run --private examples/demo.sh

test:
	@tools/install-deps build test
	@$(MAKE) --no-print-directory all
	@tools/run-tests --build $(BUILD) $(TESTS)

# ARCHS: for these only
ARCHS ?= i686 i686-time64 musl aarch64 armhf
arch:
	@tools/install-deps build test arch
	@$(MAKE) --no-print-directory all
	@tools/build-arch $(BUILD) $(ARCHS)
	@tools/run-tests --build $(BUILD) arch/

# KERNEL=6.12: the newer one of the two that Debian 12 has
oracle:
	@tools/install-deps build test
	@$(MAKE) --no-print-directory all
	@tests/vm/oracle $(BUILD) $(if $(KERNEL),-k $(KERNEL)) $(TESTS)

check:
	@tools/install-deps build test check
	@$(MAKE) --no-print-directory all
	@tools/check $(BUILD)

# TESTS: these only, which makes more untested
coverage:
	@tools/install-deps build test check
	@TEST_TIMEOUT_SCALE=4 tools/coverage build-coverage $(TESTS)

bench: all
	@tests/bench/run $(BUILD)

fuzz:
	@tools/install-deps build check
	@tools/fuzz build-fuzz $(FUZZ_SECONDS)

# The real kernel is booted by tests/vm/vm.
fuzz-diff:
	@tools/install-deps build test
	@$(MAKE) --no-print-directory all
	@tests/diff/run-diff --build $(BUILD) $(N)

install: all
	@DESTDIR='$(DESTDIR)' meson install -C $(BUILD) --no-rebuild
	@if [ -d $(BUILD)/preload ]; then cp -a --no-preserve=ownership $(BUILD)/preload '$(DESTDIR)$(PREFIX)/lib$(if $(MULTIARCH),/$(MULTIARCH))/pocketcan/'; fi

clean:
	rm -rf build build-san-* build-fuzz build-coverage

help:
	@echo 'make            build build/pocketcan and build/libpocketcan.so'
	@echo 'make demo       build, make vcan0, run the C example and candump on it'
	@echo 'make test       build and run every test; TESTS="ring interop/ip" runs those whose name contains a word'
	@echo 'make arch       build library and command for i386, arm64, armhf, and tests for those and musl, and run them; ARCHS="i686 musl"'
	@echo 'make oracle     run the conformance programs on a real kernel, too, and compare; KERNEL=6.12: on that one'
	@echo 'make check      formatting, layers, headers, symbols, sizes, clang-tidy, cppcheck: all errors'
	@echo 'make coverage   how much of each folder the tests run, and what of src/bus and src/sockets they do not'
	@echo 'make bench      measure, print a table, write JSON'
	@echo 'make fuzz       run every fuzz target for FUZZ_SECONDS (60)'
	@echo 'make fuzz-diff  N=100000 random socket calls, on a real kernel and on pocketcan: do they do the same?'
	@echo 'make install    to PREFIX (/usr/local) below DESTDIR'
	@echo 'make clean      remove the build directories'
	@echo 'demo, test and check first install what is missing (tools/packages) with apt.'
	@echo 'SAN=address,undefined or SAN=thread: the same with sanitizers, in a build directory of its own. V=1: show commands.'
