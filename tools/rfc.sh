#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/rfc.sh [NUMBER]: where the code and the tests cite an RFC, sorted by number and section; then the places marked
# DEVIATES, where we knowingly do otherwise. A line is "RFC section  file:line".

set -u
cd "$(dirname "$0")/.." || exit 2

sources() { find stack shim netif tools tests -name '*.[ch]' -o -name '*.def' -o -name '*.pkt' | sort; }

# "RFC 9293 3.10.7.4", "RFC 6298 2.2, 2.3", "RFC 5961 section 3.2"; a citation without a section is listed with "-".
# shellcheck disable=SC2016 # awk's own $
sources | xargs awk '
{
	line = $0
	while (match(line, /RFC ?[0-9]+,?( (section|sections|appendix))?( [0-9A-Z]+(\.[0-9]+)*[,;:]?)*/)) {
		text = substr(line, RSTART, RLENGTH)
		line = substr(line, RSTART + RLENGTH)
		gsub(/[,;:]/, " ", text)
		sub(/^RFC ?/, "", text)
		n = split(text, word, " ")
		found = 0
		for (i = 2; i <= n; i++)
			if (word[i] ~ /^([0-9]+|[A-Z])(\.[0-9]+)*$/ && word[i] != "A") {
				printf "RFC %s %s\t%s:%d\n", word[1], word[i], FILENAME, FNR
				found = 1
			} else if (word[i] !~ /^(section|sections|appendix)$/) {
				break
			}
		if (!found)
			printf "RFC %s -\t%s:%d\n", word[1], FILENAME, FNR
	}
}' /dev/null | sort -t' ' -k2,2n -k3,3V | grep "^RFC ${1-[0-9]*} " | expand -t 24

echo
echo 'Deviations:'
sources | xargs grep -n 'DEVIATES' /dev/null | sed 's/[[:space:]]\{1,\}/ /g; s/^/  /'
