/* SPDX-License-Identifier: MIT */
/*
 * sock_cmsg.c - ancillary data that a receiver gets, of any family (man 3 cmsg)
 *
 * Messages are appended in the order of the calls; what does not fit is cut and MSG_CTRUNC says so.
 */
#include <sys/time.h>

#include "stack/core/socket.h"

/* As sock.c: the numbers of the 64-bit time stamps. */
enum { SCM_STAMP_OLD = 29, SCM_STAMP_NEW = 63, SCM_STAMPNS_OLD = 35, SCM_STAMPNS_NEW = 64 };

/**
 * put_cmsg() - append one ancillary message to what a receiver gets
 * @msg:   control, control_size, controllen; MSG_CTRUNC is set when it does not fit
 * @level: SOL_*
 * @type:  of that level
 * @data:  content
 * @len:   its bytes
 */
void put_cmsg(struct stack_msg *msg, int level, int type, const void *data, size_t len)
{
	size_t room = msg->control && msg->control_size > msg->controllen ?
			      msg->control_size - msg->controllen : 0;
	struct cmsghdr hdr = { .cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type };
	uint8_t *to;

	if (room < sizeof(hdr)) {
		msg->out_flags |= MSG_CTRUNC;
		return;
	}
	if (room < hdr.cmsg_len) {
		msg->out_flags |= MSG_CTRUNC;
		hdr.cmsg_len = room;
	}
	to = (uint8_t *)msg->control + msg->controllen;
	memset(to, 0, MIN((size_t)CMSG_SPACE(len), room));
	memcpy(to, &hdr, sizeof(hdr));
	memcpy(to + sizeof(hdr), data, hdr.cmsg_len - sizeof(hdr));
	msg->controllen += MIN((size_t)CMSG_SPACE(len), room);
}

/**
 * sock_put_timestamp() - append the time of arrival, where the socket asked for it
 * @sk:  receiver
 * @skb: packet
 * @msg: message under way to the program
 */
void sock_put_timestamp(const struct sock *sk, const struct sk_buff *skb, struct stack_msg *msg)
{
	uint64_t wall = (skb->tstamp ? skb->tstamp : sk->net->now) + sk->net->wall_offset_ns;
	bool is_new = sock_flag(sk, SOCK_TSTAMP_NEW);
	struct timespec ts = {
		.tv_sec = (time_t)(wall / NSEC_PER_SEC), .tv_nsec = (long)(wall % NSEC_PER_SEC),
	};
	struct timeval tv = { .tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000 };

	if (!sock_flag(sk, SOCK_RCVTSTAMP))
		return;
	if (sock_flag(sk, SOCK_RCVTSTAMPNS))
		put_cmsg(msg, SOL_SOCKET, is_new ? SCM_STAMPNS_NEW : SCM_STAMPNS_OLD, &ts, sizeof(ts));
	else
		put_cmsg(msg, SOL_SOCKET, is_new ? SCM_STAMP_NEW : SCM_STAMP_OLD, &tv, sizeof(tv));
}
