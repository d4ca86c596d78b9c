# SPDX-License-Identifier: MIT
#
# compare.awk -v program=NAME EXPECTED KERNEL OURS: compares what a program printed on the two stacks, label by label.
#
# Prints what is not as it should be, at the end "CALLS EXPECTED": how many labels there are, and how many of them are
# known to differ. EXPECTED holds stanzas, see its head. Exit status 0 when all is well.

function complain(label, text) {
	printf "  %s\n%s", label, text
	bad++
}

# Labels contain no ": ".
function split_line(    at) {
	at = index($0, ": ")
	label = at ? substr($0, 1, at - 1) : $0
	result = at ? substr($0, at + 2) : ""
}

# The stanza "LABEL*" that covers a label, or nothing.
function starred(text,    name) {
	for (name in known_ours)
		if (name ~ /\*$/ && index(text, substr(name, 1, length(name) - 1)) == 1)
			return name
	return ""
}

FNR == 1 { file++ }

file == 1 {
	if (/^#/ || /^$/)
		next
	if (/^[^ \t]/) {
		split_line()
		wanted = label == program
		name = result
		next
	}
	if (!wanted)
		next
	sub(/^[ \t]+/, "")
	field = $1
	sub(/^[a-z]+[ \t]+/, "")
	if (field == "kernel")
		known_kernel[name] = $0
	else if (field == "ours")
		known_ours[name] = $0
	else if (field == "reason" || field == "document")
		why[name] = why[name] field
	next
}

file == 2 {
	split_line()
	if (label in kernel)
		complain(label, "    printed twice\n")
	order[++count] = label
	kernel[label] = result
	next
}

{
	split_line()
	if (!(label in kernel) && !(label in ours)) {
		order[++count] = label
		kernel[label] = "(not printed)"
	}
	ours[label] = result
}

END {
	for (i = 1; i <= count; i++) {
		label = order[i]
		k = kernel[label]
		o = label in ours ? ours[label] : "(not printed)"
		if (!(label in known_ours) && (star = starred(label)) != "") {
			listed++
			if (k == o)
				complain(label, "    expected to differ, and both: " k "\n")
			else if (o != known_ours[star])
				complain(label, sprintf("    ours    %s\n    listed  %s\n", o, known_ours[star]))
			seen[star] = 1
		} else if (label in known_ours) {
			listed++
			if (why[label] != "reasondocument")
				complain(label, "    its stanza lacks reason or document\n")
			if (k == o)
				complain(label, "    expected to differ, and both: " k "\n")
			else if (k != known_kernel[label] || o != known_ours[label])
				complain(label, sprintf("    kernel  %s\n    listed  %s\n    ours    %s\n    listed  %s\n", k,
					 known_kernel[label], o, known_ours[label]))
		} else if (k != o) {
			complain(label, sprintf("    kernel  %s\n    ours    %s\n", k, o))
		}
		seen[label] = 1
	}
	for (label in known_ours)
		if (!(label in seen))
			complain(label, "    listed as expected, and not printed at all\n")
	print count + 0, listed + 0
	exit bad != 0 || count == 0
}
