#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/packages.sh PACKAGE...: says which of these Debian packages are missing, and installs them when it is root.
# A package counts as there when what we need of it is there, wherever it came from. Silent when nothing is missing.

set -u

# Prints the command or the header that stands for package $1.
needed_of() {
	case $1 in
	libpcap-dev) echo /usr/include/pcap/pcap.h ;;
	libc-ares-dev) echo /usr/include/ares.h ;;
	iproute2) echo ip ;;
	util-linux) echo unshare ;;
	netcat-openbsd) echo nc ;;
	dnsutils | bind9-dnsutils) echo dig ;;
	dnsmasq | dnsmasq-base) echo dnsmasq ;;
	nginx-light) echo nginx ;;
	iputils-ping) echo ping ;;
	openssh-server) echo sshd ;;
	openssh-client) echo ssh ;;
	redis-tools) echo redis-cli ;;
	postgresql) echo /usr/lib/postgresql ;;
	postgresql-client) echo psql ;;
	nodejs) echo node ;;
	default-jdk-headless) echo javac ;;
	*) echo "$1" ;;
	esac
}

is_there() {
	case $1 in
	/*) [ -e "$1" ] ;;
	*) command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] ;;
	esac
}

missing=
for package in "$@"; do
	is_there "$(needed_of "$package")" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "missing packages:$missing"
if ! command -v apt-get >/dev/null; then
	echo "install them with the package manager of this system (names are Debian's)" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "install them with: sudo apt-get install$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# shellcheck disable=SC2086 # a list of names
exec apt-get install -q -y --no-install-recommends $missing
