/* SPDX-License-Identifier: MIT */
/*
 * Local ports: which sockets hold them, who may join, and how a free one is chosen.
 *
 * Each port in use has a bucket per protocol with the sockets bound to it. A socket that wants in is
 * compared with every holder whose address and device meet its own; the rules for SO_REUSEADDR and
 * SO_REUSEPORT are Linux's, which differ between TCP and UDP. (Linux also asks that members of a
 * reuse-port group have one user; a net here serves one user.)
 *
 * bind(0) and datagram autobind try the ephemeral range in a random order (RFC 6056 3.3.2: a random
 * start, here with a random stride too). An outgoing connection takes its port by the double hash of
 * RFC 6056 3.3.4, so that ports to one server follow each other late and tell nothing of the others.
 */
#include <stdlib.h>

#include "stack/inet/inet_port.h"
#include "stack/inet/ip.h"

#define PORT_BUCKETS 1024U   /* power of two */
#define PERTURB_SIZE 256U    /* RFC 6056 3.3.4: TABLE_LENGTH */

enum { PORTS_TCP, PORTS_UDP, PORTS_PING, PORTS_COUNT };

struct bind_bucket {
	struct list_head list;
	struct list_head owners; /* struct inet_sock.bind_node; never empty */
	struct net *net;
	uint16_t port;
	bool by_connect;         /* all owners came through inet_hash_connect() */
};

struct netns_port {
	uint64_t key_offset[2], key_index[2];
	uint16_t perturb[PERTURB_SIZE];
	struct list_head bucket[PORTS_COUNT][PORT_BUCKETS];
};

static int port_net_init(struct net *net)
{
	struct netns_port *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	random_bytes(&net->random, p->key_offset, sizeof(p->key_offset));
	random_bytes(&net->random, p->key_index, sizeof(p->key_index));
	random_bytes(&net->random, p->perturb, sizeof(p->perturb));
	for (size_t i = 0; i < PORTS_COUNT; i++) {
		for (size_t j = 0; j < PORT_BUCKETS; j++)
			list_init(&p->bucket[i][j]);
	}
	net->ports = p;
	return 0;
}

static void port_net_exit(struct net *net)
{
	free(net->ports);
	net->ports = NULL;
}

const struct pernet_operations inet_port_pernet_ops = {
	.name = "inet_port",
	.init = port_net_init,
	.exit = port_net_exit,
};

static struct list_head *bucket_list(struct net *net, uint8_t protocol, uint16_t port)
{
	size_t i = protocol == IPPROTO_TCP ? PORTS_TCP : protocol == IPPROTO_UDP ? PORTS_UDP : PORTS_PING;

	return &net->ports->bucket[i][port & (PORT_BUCKETS - 1)];
}

static struct bind_bucket *find_bucket(struct net *net, uint8_t protocol, uint16_t port)
{
	struct list_head *head = bucket_list(net, protocol, port);
	struct bind_bucket *b;

	list_for_each_entry(b, head, list) {
		if (b->port == port)
			return b;
	}
	return NULL;
}

/* Gives @port to @inet, with a bucket of its own if there is none yet. */
static int join_port(struct inet_sock *inet, uint16_t port, bool by_connect)
{
	struct net *net = inet->sk.net;
	struct bind_bucket *b = find_bucket(net, inet->sk.protocol, port);

	if (!b) {
		b = malloc(sizeof(*b));
		if (!b)
			return -ENOMEM;
		list_init(&b->owners);
		b->net = net;
		b->port = port;
		b->by_connect = by_connect;
		list_add(&b->list, bucket_list(net, inet->sk.protocol, port));
	}
	b->by_connect = b->by_connect && by_connect;
	list_add_tail(&inet->bind_node, &b->owners);
	inet->bind_bucket = b;
	inet->num = port;
	return 0;
}

/* --- conflicts -------------------------------------------------------------------------------- */

static bool addresses_meet(const struct inet_sock *a, const struct inet_sock *b)
{
	return inet_addr_any(&a->rcv_saddr) || inet_addr_any(&b->rcv_saddr) ||
	       inet_addr_equal(&a->rcv_saddr, &b->rcv_saddr);
}

static bool devices_meet(const struct sock *a, const struct sock *b)
{
	return !a->bound_dev_if || !b->bound_dev_if || a->bound_dev_if == b->bound_dev_if;
}

static bool both_have(const struct sock *a, const struct sock *b, enum sock_flags flag)
{
	return sock_flag(a, flag) && sock_flag(b, flag);
}

/*
 * TCP: SO_REUSEADDR on both lets in, unless the holder listens; SO_REUSEPORT on both lets in
 * always. When the port is to be chosen (@chosen) neither counts: a fresh port is what is wanted.
 */
static bool tcp_conflict(const struct sock *sk, const struct sock *holder, bool chosen)
{
	if (chosen)
		return true;
	if (both_have(sk, holder, SOCK_REUSEADDR) && holder->state != TCP_LISTEN)
		return false;
	return !both_have(sk, holder, SOCK_REUSEPORT);
}

/* Datagrams: either flag on both sides lets in, also when the port is to be chosen (as Linux). */
static bool dgram_conflict(const struct sock *sk, const struct sock *holder)
{
	return !both_have(sk, holder, SOCK_REUSEADDR) && !both_have(sk, holder, SOCK_REUSEPORT);
}

/* ICMP echo: identifiers are the host's, whatever the address. */
static bool ping_conflict(const struct sock *sk, const struct sock *holder)
{
	return !both_have(sk, holder, SOCK_REUSEADDR);
}

static bool port_conflict(const struct inet_sock *inet, uint16_t port, bool chosen)
{
	const struct sock *sk = &inet->sk;
	const struct bind_bucket *b = find_bucket(sk->net, sk->protocol, port);
	const struct inet_sock *holder;

	if (!b)
		return false;
	list_for_each_entry(holder, &b->owners, bind_node) {
		if (holder == inet)
			continue;
		if (sk->protocol == IPPROTO_ICMP) {
			if (ping_conflict(sk, &holder->sk))
				return true;
			continue;
		}
		if (!devices_meet(sk, &holder->sk) || !addresses_meet(inet, holder))
			continue;
		if (sk->protocol == IPPROTO_TCP ? tcp_conflict(sk, &holder->sk, chosen)
						: dgram_conflict(sk, &holder->sk))
			return true;
	}
	return false;
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t r = a % b;

		a = b;
		b = r;
	}
	return a;
}

/* net.ipv4.ip_local_port_range: its first port; how many there are. */
static uint32_t ephemeral_ports(const struct net *net, uint32_t *count)
{
	const int *range = net->inet->sysctl.ip_local_port_range;

	*count = (uint32_t)(range[1] - range[0] + 1);
	return (uint32_t)range[0];
}

/* A free ephemeral port, each equally likely; 0 when all are taken. */
static uint16_t choose_port(const struct inet_sock *inet)
{
	struct random_state *rnd = &inet->sk.net->random;
	uint32_t count, first = ephemeral_ports(inet->sk.net, &count);
	uint32_t at = random_below(rnd, count), stride;

	do {
		stride = count > 1 ? 1 + random_below(rnd, count - 1) : 1;
	} while (gcd(stride, count) != 1);
	for (uint32_t i = 0; i < count; i++) {
		uint16_t port = (uint16_t)(first + at);

		if (!port_conflict(inet, port, true))
			return port;
		at = (at + stride) % count;
	}
	return 0;
}

/**
 * inet_get_port() - bind a socket to a port
 * @sk:   TCP, UDP or ICMP echo socket; rcv_saddr and options count
 * @port: host order; 0 = choose. A socket that holds @port already is checked again: listen() turns
 *        a port shared by SO_REUSEADDR into a conflict
 *
 * Return: 0 with inet->num set; -EADDRINUSE; -ENOMEM
 */
int inet_get_port(struct sock *sk, uint16_t port)
{
	struct inet_sock *inet = inet_sk(sk);

	if (!port) {
		port = choose_port(inet);
		if (!port)
			return -EADDRINUSE;
	} else if (port_conflict(inet, port, false)) {
		return -EADDRINUSE;
	}
	if (inet->bind_bucket)
		return 0;
	return join_port(inet, port, false);
}

/**
 * inet_put_port() - give the port back; safe when none is held
 * @sk: socket; num becomes 0, sport stays for getsockname() as on Linux
 */
void inet_put_port(struct sock *sk)
{
	struct inet_sock *inet = inet_sk(sk);
	struct bind_bucket *b = inet->bind_bucket;

	if (!b)
		return;
	list_del(&inet->bind_node);
	inet->bind_bucket = NULL;
	inet->num = 0;
	if (list_empty(&b->owners)) {
		list_del(&b->list);
		free(b);
	}
}

/**
 * inet_inherit_port() - a TCP child (or TIME-WAIT entry) shares the port of its listener
 * @child:    holds no port yet
 * @listener: holder; no-op when it holds none
 */
void inet_inherit_port(struct inet_sock *child, const struct inet_sock *listener)
{
	struct bind_bucket *b = listener->bind_bucket;

	if (!b || child->bind_bucket)
		return;
	list_add_tail(&child->bind_node, &b->owners);
	child->bind_bucket = b;
	child->num = b->port;
}

/* --- outgoing connections ---------------------------------------------------------------------- */

/* What RFC 6056's F() and G() are computed over. */
struct connection_id {
	struct inet_addr local, peer;
	be16 pport;
	uint16_t zero;
};

/* May a connection be made from @port, which others may hold? Ports of bind() are left alone. */
static int try_connect_port(struct inet_sock *inet, uint16_t port,
			    int (*check)(struct inet_sock *inet, uint16_t port))
{
	const struct bind_bucket *b = find_bucket(inet->sk.net, inet->sk.protocol, port);
	int err;

	if (b && !b->by_connect)
		return -EADDRNOTAVAIL;
	/* Held before the check: a TIME-WAIT that is recycled may have been the last holder. */
	err = join_port(inet, port, true);
	if (err)
		return err;
	err = check(inet, port);
	if (err)
		inet_put_port(&inet->sk);
	return err;
}

/**
 * inet_hash_connect() - port for an outgoing connection
 * @inet:  saddr, daddr and dport set; num when bound already
 * @check: can the 4-tuple with this port be taken: 0 or -EADDRNOTAVAIL
 *
 * @check is asked about every port tried, also a free one, and may put the connection into the
 * established table when it says yes.
 *
 * Source:  RFC 6056 3.3.4 (double-hash port selection)
 * Return:  0 with the port bound; -EADDRNOTAVAIL; -ENOMEM
 */
int inet_hash_connect(struct inet_sock *inet, int (*check)(struct inet_sock *inet, uint16_t port))
{
	struct netns_port *p = inet->sk.net->ports;
	uint32_t count, first = ephemeral_ports(inet->sk.net, &count), offset, index;
	struct connection_id id;
	int err = -EADDRNOTAVAIL;

	if (inet->num)
		return check(inet, inet->num);
	memset(&id, 0, sizeof(id));
	id.local = inet->saddr;
	id.peer = inet->daddr;
	id.pport = inet->dport;
	offset = (uint32_t)siphash(&id, sizeof(id), p->key_offset) % count;
	index = (uint32_t)siphash(&id, sizeof(id), p->key_index) % PERTURB_SIZE;
	for (uint32_t i = 0; i < count && err == -EADDRNOTAVAIL; i++) {
		uint32_t at = (offset + p->perturb[index]) % count;

		p->perturb[index] = (uint16_t)((p->perturb[index] + 1U) % count);
		err = try_connect_port(inet, (uint16_t)(first + at), check);
	}
	if (err == 0)
		inet->sport = cpu_to_be16(inet->num);
	return err;
}
