/* SPDX-License-Identifier: MIT */
/* call_opt.c - getsockopt(), setsockopt() and ancillary data: values by their shape in the script */
#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include <linux/errqueue.h> /* needs time.h */

#include "tools/packetdrill/calls.h"

/* Bytes of an option: a number, [n], "text", {onoff=, linger=}, {tv_sec=, tv_usec=} or [a, b]. */
struct value {
	uint8_t bytes[512];
	size_t len;
};

static bool put_int(struct call *c, struct value *v, const struct expr *e)
{
	int64_t num;
	int n;

	if (!expr_number(c, e, &num))
		return false;
	n = (int)num;
	if (v->len + sizeof(n) > sizeof(v->bytes))
		return run_wrong(c->run, e->line, "the value of the option is too long");
	memcpy(v->bytes + v->len, &n, sizeof(n));
	v->len += sizeof(n);
	return true;
}

/* Two fields: a struct linger of ints, or a struct timeval of longs for what is a time. */
static bool put_struct(struct call *c, struct value *v, const struct expr *e, bool is_time)
{
	const struct expr *a = e->items, *b = a ? a->next : NULL;
	struct timeval tv;
	int64_t x, y;

	if (e->nitems != 2)
		return run_wrong(c->run, e->line, "expected a structure with two fields");
	if (!is_time)
		return put_int(c, v, a) && put_int(c, v, b);
	if (!expr_number(c, a, &x) || !expr_number(c, b, &y))
		return false;
	tv.tv_sec = (time_t)x;
	tv.tv_usec = (suseconds_t)y;
	memcpy(v->bytes, &tv, sizeof(tv));
	v->len = sizeof(tv);
	return true;
}

static bool to_value(struct call *c, const struct expr *e, bool is_time, struct value *v)
{
	const struct expr *item;

	v->len = 0;
	switch (e->kind) {
	case EXPR_STRING:
		v->len = e->len < sizeof(v->bytes) ? e->len : sizeof(v->bytes);
		memcpy(v->bytes, e->text, v->len);
		return true;
	case EXPR_STRUCT: return put_struct(c, v, e, is_time);
	case EXPR_LIST:
		for (item = e->items; item; item = item->next)
			if (item->kind == EXPR_STRUCT ? !put_struct(c, v, item, is_time) : !put_int(c, v, item))
				return false;
		return true;
	default: return put_int(c, v, e);
	}
}

static bool is_time(int64_t level, int64_t name)
{
	return level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO);
}

/** do_setsockopt() - setsockopt(fd, level, name, value, length) */
enum attempt do_setsockopt(struct call *c)
{
	int64_t level, name, len;
	struct value v;

	if (!c->file->sock)
		return call_returns(c, -ENOTSOCK);
	if (!arg_number(c, 1, &level) || !arg_number(c, 2, &name) || !arg_number(c, 4, &len) ||
	    !to_value(c, c->argv[3], is_time(level, name), &v))
		return CALL_BAD;
	if (len >= 0 && (size_t)len < sizeof(v.bytes)) {
		if ((size_t)len > v.len)
			memset(v.bytes + v.len, 0, (size_t)len - v.len);
		v.len = (size_t)len;
	}
	return call_returns(c, sock_setsockopt(c->file->sock, (int)level, (int)name, v.bytes,
					       (socklen_t)v.len));
}

/* The option's value is the script's, as far as the script's goes. */
static bool check_value(struct call *c, const struct expr *e, bool time, const struct value *got)
{
	struct value want;
	int w, g;

	if (is_ellipsis(e))
		return true;
	if (!to_value(c, e, time, &want))
		return false;
	if (e->kind == EXPR_STRING) {
		if (got->len >= want.len && strncmp((const char *)got->bytes, e->text, got->len) == 0)
			return true;
		return run_fail(c->run, c->ev->line, "getsockopt(): expected \"%.40s\" vs actual \"%.*s\"",
				e->text, (int)got->len, (const char *)got->bytes);
	}
	if (got->len >= want.len && memcmp(got->bytes, want.bytes, want.len) == 0)
		return true;
	if (got->len < sizeof(int) || want.len != sizeof(int))
		return run_fail(c->run, c->ev->line, "getsockopt(): the value differs");
	memcpy(&w, want.bytes, sizeof(w));
	memcpy(&g, got->bytes, sizeof(g));
	return run_fail(c->run, c->ev->line, "getsockopt(): expected value %d vs actual %d", w, g);
}

/* [n]: room there, and how much was given back. */
static bool value_length(struct call *c, int64_t *len)
{
	const struct expr *e = c->argv[4];

	*len = sizeof(int);
	if (is_ellipsis(e))
		return true;
	return expr_number(c, e, len);
}

/** do_getsockopt() - getsockopt(fd, level, name, value, [length]); the value is compared */
enum attempt do_getsockopt(struct call *c)
{
	int64_t level, name, room;
	struct value v = { 0 };
	socklen_t len;
	int err;

	if (!c->file->sock)
		return call_returns(c, -ENOTSOCK);
	if (!arg_number(c, 1, &level) || !arg_number(c, 2, &name) || !value_length(c, &room))
		return CALL_BAD;
	if (room < 0)
		return call_returns(c, -EINVAL);
	len = (socklen_t)((size_t)room < sizeof(v.bytes) - 1 ? (size_t)room : sizeof(v.bytes) - 1);
	if (c->argv[3]->kind == EXPR_STRING && len < 64)
		len = 64;
	if (is_time(level, name) || (level == SOL_SOCKET && name == SO_LINGER))
		len = 16;
	err = sock_getsockopt(c->file->sock, (int)level, (int)name, v.bytes, &len);
	v.len = len;
	if (err == 0 && !check_value(c, c->argv[3], is_time(level, name), &v))
		return CALL_BAD;
	return call_returns(c, err);
}

/* ---- ancillary data -------------------------------------------------------------------------- */

/* {ee_errno=, ee_origin=, ...} of IP_RECVERR. */
static bool check_ee(struct call *c, const struct expr *e, const struct sock_extended_err *ee, size_t len)
{
	static const char *const names[] = { "ee_errno", "ee_origin", "ee_type", "ee_code", "ee_info", "ee_data" };
	int64_t got[6];
	unsigned int i;

	if (len < sizeof(*ee))
		return run_fail(c->run, c->ev->line, "recvmsg(): no extended error in the ancillary data");
	got[0] = ee->ee_errno;
	got[1] = ee->ee_origin;
	got[2] = ee->ee_type;
	got[3] = ee->ee_code;
	got[4] = ee->ee_info;
	got[5] = ee->ee_data;
	for (i = 0; i < 6; i++) {
		const struct expr *field = expr_field(e, names[i], i);

		if (field && !check_number(c, names[i], field, got[i]))
			return false;
	}
	return true;
}

static bool check_cmsg_data(struct call *c, const struct expr *e, const uint8_t *data, size_t len)
{
	struct sock_extended_err ee = { 0 };
	int value = 0;

	if (is_ellipsis(e))
		return true;
	if (e->kind == EXPR_STRUCT && expr_field(e, "ee_errno", 0)) {
		memcpy(&ee, data, len < sizeof(ee) ? len : sizeof(ee));
		return check_ee(c, e, &ee, len);
	}
	if (e->kind == EXPR_STRUCT)
		return run_skip(c->run, e->line, "time stamps in ancillary data are not compared");
	if (len == 1)
		value = data[0];
	else
		memcpy(&value, data, len < sizeof(value) ? len : sizeof(value));
	return check_number(c, "cmsg_data", e, value);
}

/** check_cmsgs() - the ancillary messages are those of the script, one by one */
bool check_cmsgs(struct call *c, const struct expr *list, void *control, size_t len)
{
	struct msghdr mh = { .msg_control = control, .msg_controllen = len };
	struct cmsghdr *cm = len ? CMSG_FIRSTHDR(&mh) : NULL;
	const struct expr *e;

	if (is_ellipsis(list))
		return true;
	for (e = list->items; e; e = e->next) {
		const struct expr *level = expr_field(e, "cmsg_level", 0), *type = expr_field(e, "cmsg_type", 1);
		const struct expr *data = expr_field(e, "cmsg_data", 2);

		if (is_ellipsis(e))
			return true;
		if (e->kind != EXPR_STRUCT || !level || !type || !data)
			return run_wrong(c->run, list->line, "expected {cmsg_level=, cmsg_type=, cmsg_data=}");
		if (!cm)
			return run_fail(c->run, c->ev->line, "recvmsg(): an ancillary message is missing");
		if (!check_number(c, "cmsg_level", level, cm->cmsg_level) ||
		    !check_number(c, "cmsg_type", type, cm->cmsg_type) ||
		    !check_cmsg_data(c, data, CMSG_DATA(cm), cm->cmsg_len - CMSG_LEN(0)))
			return false;
		cm = CMSG_NXTHDR(&mh, cm);
	}
	if (cm)
		return run_fail(c->run, c->ev->line, "recvmsg(): an ancillary message too many: level %d type %d",
				cm->cmsg_level, cm->cmsg_type);
	return true;
}
