# SPDX-License-Identifier: MIT
#
# wireshim: `make` builds build/wireshim, build/libwireshim.so, build/libwireshim-host.so; `make help` lists the rest.
# Sources are found by wildcard, so a new file needs no change here. Each compiler and each set of sanitizers keeps its
# objects in a folder of its own, build/<variant>/; CC=clang, SANITIZE=address,undefined, V=1 and CI=true work anywhere.

VERSION := 0.1.0

ifeq ($(origin CC),default)
CC := gcc
endif
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
LINK_KIND := $(if $(findstring clang,$(CC)),clang,gcc)

# --- variants -----------------------------------------------------------------------------------------------------
comma := ,
VARIANT := $(notdir $(firstword $(CC)))$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
B := build/$(VARIANT)
# Only the plain build puts its products into build/ itself; a sanitized one must never be taken for it.
OUT := $(if $(SANITIZE),$(B),build)

# --- flags --------------------------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wundef -Wvla \
	-Wformat=2 -Wimplicit-fallthrough -Wconversion
ifeq ($(CI),true)
WARN += -Werror
endif
ALL_CPPFLAGS := -I. -D_GNU_SOURCE -DWIRESHIM_VERSION=\"$(VERSION)\" $(CPPFLAGS)
ALL_CFLAGS := -std=gnu11 -fPIC -fvisibility=hidden -fno-common $(WARN) $(CFLAGS)
ALL_LDFLAGS := -Wl,-z,now -Wl,--as-needed $(LDFLAGS)
DEFS := -Wl,-z,defs
LIBS := -lpcap -lcares -ldl -lpthread

ifneq ($(SANITIZE),)
ALL_CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
ALL_LDFLAGS += -fsanitize=$(SANITIZE)
ifeq ($(LINK_KIND),clang)
# clang resolves the runtime's symbols at load time only.
DEFS :=
ALL_LDFLAGS += -shared-libsan
endif
endif
# The runtime of ASan has to be the first library of a process; the launcher puts it in front of libwireshim.so.
ifneq ($(findstring address,$(SANITIZE)),)
ASAN_RUNTIME := $(shell $(CC) -print-file-name=$(if $(filter clang,$(LINK_KIND)),libclang_rt.asan-$(shell uname -m).so,libasan.so))
# And it has to start before other constructors allocate: started by a malloc() inside newlocale() (libp11-kit), it
# asks for the text of a dlsym() error and upsets the lock of the locales, which curl then waits for.
$(OUT)/libwireshim.so: DEFS += -Wl,-z,initfirst
endif

# --- sources ------------------------------------------------------------------------------------------------------
stack_src := $(wildcard stack/*.c stack/*/*.c netif/*.c)
shared_src := $(wildcard shim/*.c)
program_src := $(wildcard shim/program/*.c) $(shared_src)
host_src := $(wildcard shim/host/*.c)
tools_src := $(wildcard tools/*.c tools/packetdrill/*.c) $(shared_src)
test_src := $(wildcard tests/unit/test_*.c)
lab_test_src := $(wildcard tests/lab/test_*.c)
check_src := $(filter-out $(test_src) $(lab_test_src),$(wildcard tests/unit/*.c tests/lab/*.c))

objects = $(patsubst %.c,$(B)/%.o,$(1))
# What fuzzers need beside the stack: the fixtures without the main() of unit tests, and the parsers of texts.
fuzz_check := $(filter-out tests/unit/check.c,$(check_src)) tests/fuzz/check_abort.c
fuzz_parsers := $(wildcard tools/packetdrill/*.c) shim/rules.c $(wildcard shim/host/lab_*.c)
all_src := $(stack_src) $(program_src) $(host_src) $(tools_src) $(test_src) $(lab_test_src) $(check_src) tests/bench/impair_link.c $(wildcard tests/fuzz/*.c)
PRODUCTS := $(OUT)/libwireshim.so $(OUT)/libwireshim-host.so $(OUT)/wireshim
UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(test_src))
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
LAB_TESTS := $(patsubst tests/lab/%.c,$(B)/lab/%,$(lab_test_src))

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $(2))

.PHONY: all unit-tests test unit rfc fuzz fuzz-corpus fuzzers pkt grid golden diff matrix e2e lint bench bench-loss demo install uninstall clean help print-% FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PRODUCTS)            ## build/wireshim and its two libraries (default)
unit-tests: $(UNIT_TESTS)   ## build the unit tests only

# --- compile ------------------------------------------------------------------------------------------------------
$(call objects,$(tools_src)): ALL_CPPFLAGS += $(if $(ASAN_RUNTIME),-DWIRESHIM_PRELOAD_FIRST=\"$(ASAN_RUNTIME)\")

# Random numbers say nothing about an input, and what tables compare is our own: a fuzzer does not follow the one and
# does not note the other, which was more than half of its time.
ifneq ($(findstring fuzzer,$(SANITIZE)),)
$(B)/stack/core/random.o: ALL_CFLAGS += -fno-sanitize=all
fuzz_tables := core/timer core/net_namespace core/neighbour core/notifier inet/inet_hash inet/inet_port inet/inet_protocol inet/route
$(fuzz_tables:%=$(B)/stack/%.o): ALL_CFLAGS += -fno-sanitize-coverage=trace-cmp
endif

$(B)/%.o: %.c Makefile
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# --- link ---------------------------------------------------------------------------------------------------------
# Relinks the products when another compiler or other flags made what lies in build/ now.
$(OUT)/.linked: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_LDFLAGS)' | cmp -s - $@ || echo '$(CC) $(ALL_LDFLAGS)' >$@

# One line SYM(type, name, (parameters), (arguments)) per intercepted call; the names are what the library exports.
$(B)/libwireshim.map: shim/program/syms.def Makefile
	@mkdir -p $(@D)
	$(Q){ echo '{ global:'; \
	sed -n 's/^[[:space:]]*SYM([^,]*,[[:space:]]*\([A-Za-z0-9_]*\)[[:space:]]*,.*/\1;/p' $<; \
	echo 'local: *; };'; } >$@

$(OUT)/libwireshim.so: $(call objects,$(program_src)) $(B)/libwireshim.map $(OUT)/.linked
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(DEFS) $(ALL_LDFLAGS) -Wl,--version-script=$(B)/libwireshim.map -o $@ $(filter %.o,$^)

$(OUT)/libwireshim-host.so: $(call objects,$(host_src) $(stack_src)) $(OUT)/.linked
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(DEFS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS)

$(OUT)/wireshim: $(call objects,$(tools_src) $(host_src) $(stack_src)) $(OUT)/.linked
	$(call say,LD,$@)
	$(Q)$(CC) -pie $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS)

# Unit tests link against archives, so that a test takes only the members it needs: a file of the stack that the test
# includes as source (for its statics) is not linked a second time.
$(B)/libstack.a: $(call objects,$(stack_src))
$(B)/libcheck.a: $(call objects,$(check_src))
$(B)/lib%.a:
	$(call say,AR,$@)
	@mkdir -p $(@D) && rm -f $@
	$(Q)$(AR) qcs $@ $^

$(B)/unit/%: $(B)/tests/unit/%.o $(B)/libcheck.a $(B)/libstack.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -pie $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(B)/lab/%: $(B)/tests/lab/%.o $(B)/libcheck.a $(B)/libstack.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -pie $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# The linker must find main() in libFuzzer's runtime.
$(B)/libparsers.a: $(call objects,$(fuzz_parsers))
$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(call objects,$(fuzz_check)) $(B)/libparsers.a $(B)/libstack.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIBS)

$(B)/bench/%: $(B)/tests/bench/%.o $(B)/libstack.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -pie $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# --- run ----------------------------------------------------------------------------------------------------------
RUN := WIRESHIM_BUILD='$(abspath $(OUT))' WIRESHIM_UNIT='$(abspath $(B)/unit)' WIRESHIM_LAB='$(abspath $(B)/lab)' SANITIZE='$(SANITIZE)' CC='$(CC)'

test: all $(UNIT_TESTS) $(LAB_TESTS) ## unit, packet, grid, differential, matrix and end-to-end tests; the last line counts them
	@$(RUN) tests/run rfc unit pkt grid diff matrix e2e
unit: $(UNIT_TESTS)         ## unit tests only
	@$(RUN) tests/run unit
pkt: all                    ## packet-level scripts in packetdrill's language; PKT=tests/pkt/rto for one folder
	@$(RUN) tests/run pkt $(PKT)
grid: $(LAB_TESTS)          ## the loss grid: bulk transfers in virtual time, compared with tests/golden
	@$(RUN) tests/run grid
golden: $(LAB_TESTS)        ## the loss grid's table, written anew: its difference belongs into the commit
	@GOLDEN_UPDATE=1 $(B)/lab/test_grid =test_loss_grid_arrives_and_is_as_it_was
	@git --no-pager diff --stat tests/golden
diff: all                   ## the same calls on the kernel's stack and on ours; DIFF=tcp_poll for one program
	@$(RUN) tests/run diff $(DIFF)
matrix: all                 ## real programs, each doing its work; MATRIX=tests/matrix/ssh.bats for one file
	@$(RUN) tests/run matrix $(MATRIX)
e2e: all                    ## end-to-end tests only; E2E=tests/e2e/curl.bats for one file
	@$(RUN) tests/run e2e $(E2E)
fuzzers: $(FUZZERS)
fuzz: FUZZ_TIME ?= 60
fuzz:                       ## libFuzzer on all that takes input from outside, FUZZ_TIME=60 seconds each; needs clang
	@$(MAKE) --no-print-directory CC=clang CFLAGS='-O1 -g' SANITIZE=fuzzer-no-link,address,undefined fuzzers
	@tests/fuzz/run build/clang-fuzzer-no-link-address-undefined/fuzz $(FUZZ_TIME)
fuzz-corpus:                ## the same over the corpus kept in tests/fuzz/corpus, and a few seconds more
	@$(MAKE) --no-print-directory fuzz FUZZ_TIME=5
rfc:                        ## tests/rfc.md: what the RFCs ask for, the line of code and the test that proves it
	@tests/rfc/generate
lint: $(call objects,$(stack_src)) ## static analysis, shellcheck, layering
	@CC='$(CC)' tools/lint.sh
bench: all                  ## over wireshim and over the kernel in turn: iperf3; a call, an exec, a round trip
	@$(RUN) tests/private tests/bench/iperf3.sh
	@$(RUN) CC='$(CC)' tests/private tests/bench/calls.sh
	@$(MAKE) --no-print-directory bench-loss
bench-loss: all $(B)/bench/impair_link ## one bulk transfer over a bad link, by wireshim and by the kernel in turn
	@$(RUN) WIRESHIM_LINK='$(abspath $(B)/bench/impair_link)' tests/private tests/bench/impair.sh
demo:                       ## build, then show the main job; needs no root
	@tools/packages.sh gcc make libpcap-dev libc-ares-dev curl python3 iproute2 util-linux
	@$(MAKE) --no-print-directory all
	@$(OUT)/wireshim demo

install: all                ## into $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/wireshim
	install -m 755 $(OUT)/wireshim $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(OUT)/libwireshim.so $(OUT)/libwireshim-host.so $(DESTDIR)$(PREFIX)/lib/wireshim/
uninstall:                  ## what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/wireshim
	rm -rf $(DESTDIR)$(PREFIX)/lib/wireshim

clean:                      ## remove build/
	rm -rf build
help:                       ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22
	@echo '  variables: CC=clang SANITIZE=address,undefined CI=true (-Werror) V=1 CFLAGS= PREFIX= DESTDIR='
print-%:
	@echo '$($*)'

-include $(patsubst %.c,$(B)/%.d,$(all_src))
