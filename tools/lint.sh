#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tools/lint.sh: static analysis of all sources, called by `make lint`. Runs every tool, then says which complained; a
# tool that is not installed is reported as missing and makes the run red, since nothing was checked. LINT="gcc shell"
# runs some of them only.

set -u
cd "$(dirname "$0")/.." || exit 2
export LC_ALL=C
jobs=$(nproc)
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
red=()

mapfile -t product < <(find stack netif shim tools -name '*.c' 2>/dev/null | sort)
mapfile -t tests < <(find tests -name '*.c' 2>/dev/null | sort)
mapfile -t scripts < <(grep -rlE --exclude-dir=build --exclude-dir=.git '^#!/(usr/)?bin/(env )?(ba)?sh' . | sort)
mapfile -t bats < <(find tests -name '*.bats' -o -name '*.bash' | sort)
cppflags=(-I. -D_GNU_SOURCE '-DWIRESHIM_VERSION="lint"')

# check NAME TOOL: runs lint_NAME and shows what it printed if its status is not 0.
check() {
	local name=$1 start=$SECONDS

	case " ${LINT-$name} " in *" $name "*) ;; *) return ;; esac
	if ! command -v "$2" >/dev/null; then
		echo "lint: $2 is not installed"
		red+=("$name")
		return
	fi
	if "lint_$name" >"$tmp/$name" 2>&1; then
		echo "lint: $name ok, $((SECONDS - start)) s"
	else
		cat "$tmp/$name"
		echo "lint: $name FAILED"
		red+=("$name")
	fi
}

# -fanalyzer follows paths through one file. Off, with reasons:
#   -Wanalyzer-malloc-leak   reference-counted objects are stored in lists by container_of, which gcc 12 loses sight of;
#                            leaks are found by ASan in every test and by skb_live() in every unit test
#   -Wanalyzer-file-leak, -Wanalyzer-fd-leak  the same for descriptors that a structure keeps
lint_gcc() {
	printf '%s\0' "${product[@]}" | xargs -0 -n 1 -P "$jobs" gcc "${cppflags[@]}" -std=gnu11 -O2 -Wall -Wextra -Werror \
		-fanalyzer -Wno-analyzer-malloc-leak -Wno-analyzer-file-leak -c -o /dev/null
}

# Half as many steps a function as the path analyzer takes by default: half the time, and it still leaves none of the
# small functions before its end.
lint_tidy() {
	printf '%s\0' "${product[@]}" "${tests[@]}" | xargs -0 -P "$jobs" -I '{}' clang-tidy --quiet \
		--extra-arg={-Xclang,-analyzer-config,-Xclang,max-nodes=100000} '{}' -- -std=gnu11 "${cppflags[@]}"
}

# Off, with reasons:
#   missingInclude, missingIncludeSystem  it need not read glibc
#   unmatchedSuppression                  not every file has each finding
#   objectIndex, comparePointers          container_of and the bounds of arrays that it cannot see
#   allocaCalled                          between vfork() and exec there is no heap, and -Wvla rules out arrays
#   preprocessorErrorDirective            it tries -D combinations that no compiler has
# The style checks (--enable=style) are off: clang-tidy and the compilers cover what matters of them.
lint_cppcheck() {
	cppcheck --quiet --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -j "$jobs" --std=c11 \
		--suppress=missingInclude --suppress=missingIncludeSystem --suppress=unmatchedSuppression \
		--suppress=objectIndex --suppress=comparePointers --suppress=allocaCalled \
		--suppress=preprocessorErrorDirective \
		-D__GNUC__=12 -D__x86_64__ -D__linux__ "${cppflags[@]}" "${product[@]}"
}

# bats files are bash with a notation of its own, which shellcheck knows. Off in them, with reasons:
#   SC2016  conditions stand in single quotes for wait_for, which evaluates them again and again
#   SC2030, SC2031  each test is a subshell, so what it adds to a variable is meant for it alone
#   SC2034, SC2154  variables that helper.bash reads, and that `run` of bats sets (status, stderr)
#   SC2314, SC2315  about "!", which no test uses to assert: refute does
lint_shell() {
	shellcheck -x "${scripts[@]}" || return 1
	[ "${#bats[@]}" = 0 ] || shellcheck -x -s bats -e SC2016,SC2030,SC2031,SC2034,SC2154,SC2314,SC2315 "${bats[@]}"
}

lint_layers() {
	tools/layers.sh
}

lint_rfc() {
	tests/rfc/generate --check --strict
}

check layers nm
check rfc python3
check shell shellcheck
check gcc gcc
check tidy clang-tidy
check cppcheck cppcheck

[ "${#red[@]}" = 0 ] || echo "lint: red: ${red[*]}"
[ "${#red[@]}" = 0 ]
