/* SPDX-License-Identifier: MIT */
/*
 * `wireshim sysctl`: reads and changes settings of the running host (CTL_SYSCTL).
 *
 * Everybody who may talk to the host may read, but for secrets; only its owner and root may change.
 */
#include "shim/host/host.h"

/* "net.ipv4.tcp_sack = 1" behind what is in @out; a name that cannot be read has no line. */
static size_t put_line(struct host *h, const char *path, char *out, size_t size)
{
	char name[SYSCTL_NAME_MAX], value[SYSCTL_VALUE_MAX];
	ssize_t n = sysctl_read(h->net, path, value, sizeof(value));
	int len;

	if (n < 0)
		return 0;
	snprintf(name, sizeof(name), "%s", path);
	sysctl_swap_separators(name);
	len = snprintf(out, size, "%s = %.*s", name, (int)n, value);
	if (len < 0 || (size_t)len >= size) {
		*out = '\0';
		return 0;
	}
	return (size_t)len;
}

static bool may_read(struct host *h, const char *path, bool owner)
{
	int mode = sysctl_mode(h->net, path);

	return owner ? mode & 0444 : mode & 0004;
}

/* All settings in a folder, or the one of that name; how many. */
static unsigned int list(struct host *h, const char *folder, bool owner, char *out, size_t size)
{
	char path[SYSCTL_NAME_MAX] = "";
	unsigned int count = 0;
	size_t used = 0;

	while (sysctl_next(h->net, folder, path)) {
		count++;
		if (may_read(h, path, owner))
			used += put_line(h, path, out + used, size - used);
	}
	return count;
}

static int assign(struct host *h, const char *name, const char *value, bool owner, char *out, size_t size)
{
	char path[SYSCTL_NAME_MAX];
	int ret;

	if (!owner) {
		snprintf(out, size, "only its owner and root may change the host's settings");
		return -EPERM;
	}
	ret = sysctl_set(h->net, name, value, out, size);
	if (ret)
		return ret;
	host_log(h, LOG_LEVEL_INFO, "sysctl %s=%s", name, value);
	out[0] = '\0';
	if (sysctl_path(name, path))
		put_line(h, path, out, size);
	return 0;
}

/**
 * control_sysctl() - what `wireshim sysctl` asks for
 * @text:  "", "NAME", a folder, or "NAME=VALUE"; changed
 * @owner: the asking process may change settings
 * @out:   lines, or the reason; @size bytes
 *
 * Return: 0, or negative errno with the reason in @out
 */
int control_sysctl(struct host *h, char *text, bool owner, char *out, size_t size)
{
	char path[SYSCTL_NAME_MAX], *eq = strchr(text, '=');

	out[0] = '\0';
	if (eq) {
		*eq = '\0';
		return assign(h, text, eq + 1, owner, out, size);
	}
	if (!sysctl_path(text, path) || !list(h, path, owner, out, size)) {
		snprintf(out, size, "sysctl %.90s: this stack has no such setting", text);
		return -ENOENT;
	}
	if (!out[0] && text[0]) {
		snprintf(out, size, "sysctl %.90s: it cannot be read", text);
		return -EACCES;
	}
	return 0;
}
