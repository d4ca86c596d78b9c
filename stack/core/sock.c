/* SPDX-License-Identifier: MIT */
/*
 * The transport's side of a socket: life, memory accounting, errors, and the options of SOL_SOCKET.
 *
 * A struct sock lives as long as somebody holds a reference. sk_alloc() gives one to the maker; the
 * struct socket of the program owns it until close(), then proto.close() takes it over, because a
 * transport may have to go on without a program (FIN, TIME-WAIT). Packets on their way out hold one
 * each, so that the accounting always finds its sock; packets in a receive queue hold none, because
 * the queue is part of the sock and goes with it.
 *
 * Memory is counted in truesize. Receiving stops at rcvbuf (the packet that reaches the limit is
 * still taken, as on Linux), datagram sending stops at sndbuf.
 *
 * Options: a positive list. What is not here is -ENOPROTOOPT, never accepted and ignored.
 * Read first: man 7 socket.
 */
#include <limits.h>
#include <sys/time.h>

#include "stack/core/dev.h"
#include "stack/core/filter.h"
#include "stack/core/sock.h"
#include "stack/core/socket.h"

/* Numbers that older libc headers lack (asm-generic/socket.h). */
enum {
	OPT_SNDBUFFORCE = 32, OPT_RCVBUFFORCE = 33, OPT_COOKIE = 57, OPT_BINDTOIFINDEX = 62,
	OPT_TIMESTAMP_OLD = 29, OPT_TIMESTAMPNS_OLD = 35, OPT_TIMESTAMP_NEW = 63, OPT_TIMESTAMPNS_NEW = 64,
	OPT_RCVTIMEO_OLD = 20, OPT_SNDTIMEO_OLD = 21, OPT_RCVTIMEO_NEW = 66, OPT_SNDTIMEO_NEW = 67,
	OPT_NO_CHECK = 11, OPT_BPF_EXTENSIONS = 48,
};

#define BPF_EXTENSIONS 64 /* SO_BPF_EXTENSIONS: all ancillary loads below this are known (SKF_AD_MAX) */

static void wake_socket(struct sock *sk)
{
	if (sk->socket && sk->socket->wake)
		sk->socket->wake(sk->socket);
}

static int sock_net_init(struct net *net)
{
	struct sock_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	list_init(&t->all);
	net->socks = t;
	net_core_sysctl_init(net);
	return 0;
}

static void sock_net_exit(struct net *net)
{
	/* Every holder lets go before this: programs by sock_release(), transports in their exit. */
	BUG_ON(!list_empty(&net->socks->all));
	net_core_sysctl_exit(net);
	free(net->socks);
	net->socks = NULL;
}

const struct pernet_operations sock_pernet_ops = {
	.name = "sock",
	.init = sock_net_init,
	.exit = sock_net_exit,
};

/**
 * sk_alloc() - make a sock of a transport with Linux's defaults
 * @net:    where it lives
 * @family: AF_*
 * @type:   SOCK_STREAM ...
 * @prot:   transport; obj_size bytes are allocated, none of its functions is called
 *
 * Return: the sock with one reference, state TCP_CLOSE; NULL when out of memory
 */
struct sock *sk_alloc(struct net *net, uint16_t family, uint16_t type, const struct proto *prot)
{
	struct sock *sk = calloc(1, prot->obj_size);

	if (!sk)
		return NULL;
	sk->net = net;
	sk->prot = prot;
	sk->refs = 1;
	sk->cookie = ++net->socks->last_cookie;
	sk->family = family;
	sk->type = type;
	sk->protocol = prot->protocol;
	sk->state = TCP_CLOSE;
	skb_queue_head_init(&sk->receive_queue);
	skb_queue_head_init(&sk->error_queue);
	sk->rcvbuf = net->core.rmem_default;
	sk->sndbuf = net->core.wmem_default;
	sk->rcvlowat = 1;
	sk->max_pacing_rate = UINT64_MAX;
	sk->state_change = wake_socket;
	sk->data_ready = wake_socket;
	sk->write_space = wake_socket;
	sk->error_report = wake_socket;
	list_add_tail(&sk->list, &net->socks->all);
	return sk;
}

/**
 * sock_hold() - take a reference
 * @sk: sock
 */
void sock_hold(struct sock *sk)
{
	sk->refs++;
}

/**
 * sock_put() - give a reference back; the last one ends the sock
 * @sk: sock; dead afterwards when this was the last reference
 */
void sock_put(struct sock *sk)
{
	BUG_ON(sk->refs == 0);
	if (--sk->refs)
		return;
	if (sk->prot->destroy)
		sk->prot->destroy(sk);
	skb_queue_purge(&sk->receive_queue);
	skb_queue_purge(&sk->error_queue);
	sk_filter_free(sk);
	BUG_ON(sk->wmem_alloc != 0);
	list_del(&sk->list);
	free(sk);
}

/**
 * sock_orphan() - cut the tie between a sock and its program
 * @sk: sock; gets SOCK_DEAD and wakes nobody from now on
 */
void sock_orphan(struct sock *sk)
{
	sock_set_flag(sk, SOCK_DEAD);
	if (sk->socket)
		sk->socket->sk = NULL;
	sk->socket = NULL;
}

/**
 * sock_next() - walk all socks of a net in order of creation
 * @net: net
 * @sk:  the one before; NULL starts
 *
 * Return: the next or NULL
 */
struct sock *sock_next(struct net *net, const struct sock *sk)
{
	const struct list_head *n = sk ? sk->list.next : net->socks->all.next;

	if (n == &net->socks->all)
		return NULL;
	return list_entry((struct list_head *)(uintptr_t)n, struct sock, list);
}

static void uncharge_receive(struct sk_buff *skb)
{
	skb->sk->rmem_alloc -= skb->truesize;
}

static void uncharge_send(struct sk_buff *skb)
{
	struct sock *sk = skb->sk;

	sk->wmem_alloc -= skb->truesize;
	if (!sock_flag(sk, SOCK_DEAD))
		sk->write_space(sk);
	sock_put(sk);
}

/**
 * skb_orphan() - run a packet's destructor now and forget its owner
 * @skb: packet
 */
void skb_orphan(struct sk_buff *skb)
{
	void (*destructor)(struct sk_buff *) = skb->destructor;

	skb->destructor = NULL;
	if (destructor)
		destructor(skb);
	skb->sk = NULL;
}

/**
 * skb_set_owner_r() - charge a received packet to a sock's receive memory until it is freed
 * @skb: packet; an earlier owner is released
 * @sk:  receiver, must outlive the packet: it sits in one of the sock's queues
 */
void skb_set_owner_r(struct sk_buff *skb, struct sock *sk)
{
	skb_orphan(skb);
	skb->sk = sk;
	skb->destructor = uncharge_receive;
	sk->rmem_alloc += skb->truesize;
}

/**
 * skb_set_owner_w() - charge a packet to be sent to a sock's send memory until it is freed
 * @skb: packet; an earlier owner is released
 * @sk:  sender, held by the packet
 */
void skb_set_owner_w(struct sk_buff *skb, struct sock *sk)
{
	skb_orphan(skb);
	sock_hold(sk);
	skb->sk = sk;
	skb->destructor = uncharge_send;
	sk->wmem_alloc += skb->truesize;
}

/**
 * sock_queue_rcv_skb() - put a received packet into a sock's receive queue and tell its reader
 * @sk:  receiver
 * @skb: packet; NOT consumed on error
 *
 * Return: 0; -ENOBUFS when the receive buffer is full
 */
int sock_queue_rcv_skb(struct sock *sk, struct sk_buff *skb)
{
	if (sk->rmem_alloc >= sk->rcvbuf)
		return -ENOBUFS;
	skb_set_owner_r(skb, sk);
	if (!skb->tstamp)
		skb->tstamp = sk->net->now;
	sk->stamp = skb->tstamp;
	skb_append(&sk->receive_queue, skb);
	if (!sock_flag(sk, SOCK_DEAD))
		sk->data_ready(sk);
	return 0;
}

/**
 * sock_check_send() - may a datagram be sent now?
 * @sk: sender
 *
 * Order as in Linux: the pending error first, then shutdown, then memory.
 *
 * Return: 0; the pending error (cleared); -EPIPE; -EAGAIN
 */
int sock_check_send(struct sock *sk)
{
	int err = sock_error(sk);

	if (err)
		return err;
	if (sk->shutdown & SEND_SHUTDOWN)
		return -EPIPE;
	return sk->wmem_alloc < sk->sndbuf ? 0 : -EAGAIN;
}

/**
 * sock_error() - report the pending error once
 * @sk: sock
 *
 * Return: 0 or negative errno
 */
int sock_error(struct sock *sk)
{
	int err = sk->err;

	sk->err = 0;
	return -err;
}

/**
 * sk_set_err() - set the pending error and tell the program
 * @sk:  sock
 * @err: positive errno
 */
void sk_set_err(struct sock *sk, int err)
{
	sk->err = err;
	sk->error_report(sk);
}

/**
 * sock_describe() - one line on a sock and its owner, for captures and reports
 * @sk:  sock
 * @buf: where to; always terminated
 * @len: bytes of @buf, > 0
 */
void sock_describe(const struct sock *sk, char *buf, size_t len)
{
	size_t used = 0;

	buf[0] = '\0';
	if (sk->owner.pid > 0) {
		int n = snprintf(buf, len, "pid %d (%s) ", sk->owner.pid, sk->owner.comm);

		used = n > 0 ? MIN((size_t)n, len - 1) : 0;
	}
	if (sk->prot->describe)
		sk->prot->describe(sk, buf + used, len - used);
	else
		snprintf(buf + used, len - used, "%s", sk->prot->name);
}

/* --- options -------------------------------------------------------------------------------- */

/**
 * sockopt_get_int() - read an int option value as Linux does
 * @val: value as passed by the program, may be unaligned
 * @len: its length
 * @out: result
 *
 * Return: 0; -EINVAL when shorter than an int
 */
int sockopt_get_int(const void *val, socklen_t len, int *out)
{
	if (len < sizeof(int))
		return -EINVAL;
	memcpy(out, val, sizeof(int));
	return 0;
}

/**
 * sockopt_put_bytes() - answer getsockopt() with at most @n bytes
 * @val: where to, at least *len bytes
 * @len: in: room; out: bytes written
 * @src: answer
 * @n:   its length
 *
 * Return: 0: a short buffer gets a short answer, as on Linux
 */
int sockopt_put_bytes(void *val, socklen_t *len, const void *src, socklen_t n)
{
	if (n > *len)
		n = *len;
	memcpy(val, src, n);
	*len = n;
	return 0;
}

/**
 * sockopt_put_int() - answer getsockopt() with an int
 * @val: where to
 * @len: in: room; out: bytes written
 * @v:   answer
 *
 * Return: 0
 */
int sockopt_put_int(void *val, socklen_t *len, int v)
{
	return sockopt_put_bytes(val, len, &v, sizeof(v));
}

/* Options that are one bit. */
static const struct {
	int name;
	enum sock_flags flag;
} flag_options[] = {
	{ SO_REUSEADDR, SOCK_REUSEADDR },
	{ SO_REUSEPORT, SOCK_REUSEPORT },
	{ SO_DONTROUTE, SOCK_DONTROUTE },
	{ SO_BROADCAST, SOCK_BROADCAST },
	{ SO_KEEPALIVE, SOCK_KEEPOPEN },
	{ SO_OOBINLINE, SOCK_URGINLINE },
	{ OPT_NO_CHECK, SOCK_NO_CHECK },
};

static void put_flag(struct sock *sk, enum sock_flags flag, bool on)
{
	if (on)
		sock_set_flag(sk, flag);
	else
		sock_reset_flag(sk, flag);
}

/* -ENOENT when @name is not one of the bits. */
static int set_flag_option(struct sock *sk, int name, bool on)
{
	for (size_t i = 0; i < ARRAY_SIZE(flag_options); i++) {
		if (flag_options[i].name != name)
			continue;
		if (name == SO_KEEPALIVE && sk->prot->keepalive)
			sk->prot->keepalive(sk, on);
		put_flag(sk, flag_options[i].flag, on);
		return 0;
	}
	return -ENOENT;
}

/* The kernel doubles what is asked, to pay for its own overhead (man 7 socket). */
static int doubled(int v, int least)
{
	if (v > INT_MAX / 2)
		v = INT_MAX / 2;
	return MAX(v * 2, least);
}

static int set_buffer_option(struct sock *sk, int name, int v)
{
	bool force = name == OPT_SNDBUFFORCE || name == OPT_RCVBUFFORCE;
	int max = name == SO_SNDBUF ? sk->net->core.wmem_max : sk->net->core.rmem_max;

	/* A negative size counts as a huge one without force, and as none with it. */
	if (force)
		v = MAX(v, 0);
	else if (v < 0 || v > max)
		v = max;
	if (name == SO_SNDBUF || name == OPT_SNDBUFFORCE) {
		sock_set_flag(sk, SOCK_SNDBUF_LOCK);
		sk->sndbuf = doubled(v, SOCK_MIN_SNDBUF);
		sk->write_space(sk);
	} else {
		sock_set_flag(sk, SOCK_RCVBUF_LOCK);
		sk->rcvbuf = doubled(v, SOCK_MIN_RCVBUF);
	}
	return 0;
}

static int set_linger(struct sock *sk, const void *val, socklen_t len)
{
	struct linger l;

	if (len < sizeof(l))
		return -EINVAL;
	memcpy(&l, val, sizeof(l));
	put_flag(sk, SOCK_LINGER, l.l_onoff != 0);
	if (l.l_onoff)
		sk->linger_s = l.l_linger;
	return 0;
}

static int set_timeout(int64_t *timeout_us, const void *val, socklen_t len)
{
	struct timeval tv;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, val, sizeof(tv));
	if (tv.tv_usec < 0 || tv.tv_usec >= (long)USEC_PER_SEC)
		return -EDOM;
	if (tv.tv_sec < 0)
		*timeout_us = 0;
	else if (tv.tv_sec > (INT64_MAX / (int64_t)USEC_PER_SEC) - 1)
		*timeout_us = 0; /* beyond what can be waited for: no timeout, as Linux */
	else
		*timeout_us = (int64_t)tv.tv_sec * (int64_t)USEC_PER_SEC + tv.tv_usec;
	return 0;
}

static int set_timestamp(struct sock *sk, int name, bool on)
{
	bool ns = name == OPT_TIMESTAMPNS_OLD || name == OPT_TIMESTAMPNS_NEW;
	bool is_new = name == OPT_TIMESTAMP_NEW || name == OPT_TIMESTAMPNS_NEW;

	put_flag(sk, SOCK_RCVTSTAMP, on);
	put_flag(sk, SOCK_RCVTSTAMPNS, on && ns);
	put_flag(sk, SOCK_TSTAMP_NEW, on && is_new);
	return 0;
}

/* An unsigned int, of which the largest means none, or all of 64 bits, as on Linux. */
static int set_max_pacing_rate(struct sock *sk, const void *val, socklen_t len)
{
	uint64_t rate;
	uint32_t v;

	if (!sk->prot->paces)
		return -ENOPROTOOPT;
	if (len >= sizeof(rate)) {
		memcpy(&rate, val, sizeof(rate));
	} else {
		memcpy(&v, val, sizeof(v));
		rate = v == UINT32_MAX ? UINT64_MAX : v;
	}
	sk->max_pacing_rate = rate;
	return 0;
}

static int get_max_pacing_rate(const struct sock *sk, void *val, socklen_t *len)
{
	uint32_t v = (uint32_t)MIN(sk->max_pacing_rate, (uint64_t)UINT32_MAX);

	if (!sk->prot->paces)
		return -ENOPROTOOPT;
	if (*len >= sizeof(sk->max_pacing_rate))
		return sockopt_put_bytes(val, len, &sk->max_pacing_rate, sizeof(sk->max_pacing_rate));
	return sockopt_put_bytes(val, len, &v, sizeof(v));
}

static int bind_to_device(struct sock *sk, const void *val, socklen_t len)
{
	char name[IFNAMSIZ] = "";
	const struct net_device *dev;

	memcpy(name, val, MIN(len, (socklen_t)IFNAMSIZ - 1));
	if (!name[0]) {
		sk->bound_dev_if = 0;
		return 0;
	}
	dev = dev_get_by_name(sk->net, name);
	if (!dev)
		return -ENODEV;
	sk->bound_dev_if = dev->ifindex;
	return 0;
}

static int bind_to_ifindex(struct sock *sk, int ifindex)
{
	if (ifindex < 0)
		return -EINVAL;
	sk->bound_dev_if = ifindex;
	return 0;
}

/* Options whose value is more than an int. -ENOENT: not one of them. */
static int set_struct_option(struct sock *sk, int name, const void *val, socklen_t len)
{
	switch (name) {
	case SO_LINGER:
		return set_linger(sk, val, len);
	case OPT_RCVTIMEO_OLD:
	case OPT_RCVTIMEO_NEW:
		return set_timeout(&sk->rcvtimeo_us, val, len);
	case OPT_SNDTIMEO_OLD:
	case OPT_SNDTIMEO_NEW:
		return set_timeout(&sk->sndtimeo_us, val, len);
	default:
		return -ENOENT;
	}
}

static int set_filter_option(struct sock *sk, int name, const void *val, socklen_t len)
{
	int v, err;

	if (!sk->prot->filters)
		return -ENOPROTOOPT;
	if (name == SO_ATTACH_FILTER)
		return sk_attach_filter(sk, val, len);
	err = sockopt_get_int(val, len, &v);
	if (err)
		return err;
	if (name == SO_DETACH_FILTER)
		return sk_detach_filter(sk);
	if (sk->filter_locked && !v)
		return -EPERM;
	sk->filter_locked = v != 0;
	return 0;
}

/**
 * sock_common_setsockopt() - SOL_SOCKET for every transport
 * @sk:   sock
 * @name: SO_*
 * @val:  value as passed; SO_ATTACH_FILTER: the instructions
 * @len:  its length
 *
 * Source:  man 7 socket; numbers and errors as Linux's sk_setsockopt()
 * Return:  0; -EINVAL, -EDOM, -ENODEV, -EPERM, -ENOPROTOOPT
 */
int sock_common_setsockopt(struct sock *sk, int name, const void *val, socklen_t len)
{
	int v, err;

	if (len > INT_MAX)
		return -EINVAL;
	if (name == SO_BINDTODEVICE)
		return bind_to_device(sk, val, len);
	if (name == SO_ATTACH_FILTER || name == SO_DETACH_FILTER || name == SO_LOCK_FILTER)
		return set_filter_option(sk, name, val, len);
	err = sockopt_get_int(val, len, &v);
	if (err)
		return err;
	err = set_struct_option(sk, name, val, len);
	if (err != -ENOENT)
		return err;
	err = set_flag_option(sk, name, v != 0);
	if (err != -ENOENT)
		return err;
	switch (name) {
	case SO_SNDBUF:
	case SO_RCVBUF:
	case OPT_SNDBUFFORCE:
	case OPT_RCVBUFFORCE:
		return set_buffer_option(sk, name, v);
	case SO_PRIORITY:
		/* Above 6 needs CAP_NET_ADMIN, which no program has in our net. */
		if (v < 0 || v > 6)
			return -EPERM;
		sk->priority = (uint32_t)v;
		return 0;
	case SO_MARK:
		sk->mark = (uint32_t)v;
		return 0;
	case SO_MAX_PACING_RATE:
		return set_max_pacing_rate(sk, val, len);
	case SO_RCVLOWAT:
		sk->rcvlowat = v < 0 ? INT_MAX : MAX(v, 1);
		return 0;
	case OPT_TIMESTAMP_OLD:
	case OPT_TIMESTAMP_NEW:
	case OPT_TIMESTAMPNS_OLD:
	case OPT_TIMESTAMPNS_NEW:
		return set_timestamp(sk, name, v != 0);
	case OPT_BINDTOIFINDEX:
		return bind_to_ifindex(sk, v);
	default: /* also SO_TYPE, SO_ERROR, SO_SNDLOWAT ..., which cannot be set */
		return -ENOPROTOOPT;
	}
}

static int get_timeout(int64_t timeout_us, void *val, socklen_t *len)
{
	struct timeval tv = {
		.tv_sec = timeout_us / (int64_t)USEC_PER_SEC,
		.tv_usec = timeout_us % (int64_t)USEC_PER_SEC,
	};

	return sockopt_put_bytes(val, len, &tv, sizeof(tv));
}

static int get_bound_device(const struct sock *sk, void *val, socklen_t *len)
{
	const struct net_device *dev;

	if (!sk->bound_dev_if) {
		*len = 0;
		return 0;
	}
	if (*len < IFNAMSIZ)
		return -EINVAL;
	dev = dev_get_by_index(sk->net, sk->bound_dev_if);
	if (!dev)
		return -ENODEV;
	return sockopt_put_bytes(val, len, dev->name, (socklen_t)strlen(dev->name) + 1);
}

/* SO_ERROR: the pending error, else the last soft one; both are cleared by being read. */
static int take_error(struct sock *sk)
{
	int err = -sock_error(sk);

	if (!err) {
		err = sk->err_soft;
		sk->err_soft = 0;
	}
	return err;
}

static int timestamp_is(const struct sock *sk, int name)
{
	bool ns = name == OPT_TIMESTAMPNS_OLD || name == OPT_TIMESTAMPNS_NEW;
	bool is_new = name == OPT_TIMESTAMP_NEW || name == OPT_TIMESTAMPNS_NEW;

	return sock_flag(sk, SOCK_RCVTSTAMP) && sock_flag(sk, SOCK_RCVTSTAMPNS) == ns &&
	       sock_flag(sk, SOCK_TSTAMP_NEW) == is_new;
}

/* -ENOENT: not one of the options that are an int. */
static int get_int_option(struct sock *sk, int name, int *v)
{
	for (size_t i = 0; i < ARRAY_SIZE(flag_options); i++) {
		if (flag_options[i].name == name) {
			*v = sock_flag(sk, flag_options[i].flag);
			return 0;
		}
	}
	if (sk->prot->filters && name == SO_LOCK_FILTER) {
		*v = sk->filter_locked;
		return 0;
	}
	if (sk->prot->filters && name == OPT_BPF_EXTENSIONS) {
		*v = BPF_EXTENSIONS;
		return 0;
	}
	switch (name) {
	case SO_TYPE: *v = sk->type; return 0;
	case SO_DOMAIN: *v = sk->family; return 0;
	case SO_PROTOCOL: *v = sk->protocol; return 0;
	case SO_ERROR: *v = take_error(sk); return 0;
	case SO_ACCEPTCONN: *v = sk->state == TCP_LISTEN; return 0;
	case SO_SNDBUF: *v = sk->sndbuf; return 0;
	case SO_RCVBUF: *v = sk->rcvbuf; return 0;
	case SO_PRIORITY: *v = (int)sk->priority; return 0;
	case SO_MARK: *v = (int)sk->mark; return 0;
	case SO_RCVLOWAT: *v = sk->rcvlowat; return 0;
	case SO_SNDLOWAT: *v = 1; return 0;
	case OPT_BINDTOIFINDEX: *v = sk->bound_dev_if; return 0;
	case OPT_TIMESTAMP_OLD:
	case OPT_TIMESTAMP_NEW:
	case OPT_TIMESTAMPNS_OLD:
	case OPT_TIMESTAMPNS_NEW:
		*v = timestamp_is(sk, name);
		return 0;
	default:
		return -ENOENT;
	}
}

/**
 * sock_common_getsockopt() - SOL_SOCKET for every transport
 * @sk:   sock; SO_ERROR clears the error
 * @name: SO_*
 * @val:  answer
 * @len:  in: room; out: length of the answer
 *
 * Return: 0; -EINVAL, -ENODEV, -ENOPROTOOPT
 */
int sock_common_getsockopt(struct sock *sk, int name, void *val, socklen_t *len)
{
	struct linger l;
	int v;

	if (*len > INT_MAX)
		return -EINVAL;
	if (get_int_option(sk, name, &v) == 0)
		return sockopt_put_int(val, len, v);
	switch (name) {
	case SO_LINGER:
		l.l_onoff = sock_flag(sk, SOCK_LINGER);
		l.l_linger = sk->linger_s;
		return sockopt_put_bytes(val, len, &l, sizeof(l));
	case OPT_RCVTIMEO_OLD:
	case OPT_RCVTIMEO_NEW:
		return get_timeout(sk->rcvtimeo_us, val, len);
	case OPT_SNDTIMEO_OLD:
	case OPT_SNDTIMEO_NEW:
		return get_timeout(sk->sndtimeo_us, val, len);
	case SO_BINDTODEVICE:
		return get_bound_device(sk, val, len);
	case SO_MAX_PACING_RATE:
		return get_max_pacing_rate(sk, val, len);
	case OPT_COOKIE:
		if (*len < sizeof(sk->cookie))
			return -EINVAL;
		return sockopt_put_bytes(val, len, &sk->cookie, sizeof(sk->cookie));
	default:
		return -ENOPROTOOPT;
	}
}
