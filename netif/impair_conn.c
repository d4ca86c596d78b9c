/* SPDX-License-Identifier: MIT */
/*
 * impair_conn.c - the connections that went over a link, for rules that speak of them
 *
 * A connection begins with a SYN and is numbered by it, from 1: the same pair of addresses and ports
 * with another initial sequence number is the next connection. Of each direction the highest sequence
 * number is kept, below which everything repeats, and where the first segments with text began, so
 * that a repetition carries the number of what it repeats. The table is bounded: the connection that
 * was quiet the longest makes room, and is unknown from then on.
 */
#include "netif/impair_link.h"

enum { BUCKETS = 1024 };

struct impair_side {
	bool known;                /* a SYN was seen */
	uint32_t isn, next;        /* of the SYN; behind the highest seen */
	uint32_t starts[IMPAIR_SEGMENTS];
	uint32_t segments;         /* numbered in @starts */
};

struct impair_conn {
	struct list_head hash, used; /* used: the longest quiet first */
	be32 addr[2];              /* [0]: who sent the SYN */
	uint16_t port[2];
	uint32_t number;
	bool cut;
	struct impair_side side[2];
};

struct impair_conns {
	struct list_head buckets[BUCKETS], used;
	unsigned int count;
	uint32_t last_number;
};

int impair_conns_create(struct impair_conns **out)
{
	struct impair_conns *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&c->buckets[i]);
	list_init(&c->used);
	*out = c;
	return 0;
}

static void forget(struct impair_conns *c, struct impair_conn *conn)
{
	list_del(&conn->hash);
	list_del(&conn->used);
	free(conn);
	c->count--;
}

void impair_conns_free(struct impair_conns *c)
{
	while (c && !list_empty(&c->used))
		forget(c, list_first_entry(&c->used, struct impair_conn, used));
	free(c);
}

/* The same for both directions. */
static struct list_head *bucket(struct impair_conns *c, const struct impair_packet *pkt)
{
	uint32_t h = pkt->saddr ^ pkt->daddr ^ (uint32_t)(pkt->sport ^ pkt->dport) * 2654435761U;

	return &c->buckets[(h ^ h >> 16) % BUCKETS];
}

static bool goes(const struct impair_conn *conn, const struct impair_packet *pkt, unsigned int side)
{
	return conn->addr[side] == pkt->saddr && conn->addr[!side] == pkt->daddr &&
	       conn->port[side] == pkt->sport && conn->port[!side] == pkt->dport;
}

static struct impair_conn *find(struct impair_conns *c, struct impair_packet *pkt)
{
	struct impair_conn *conn;

	list_for_each_entry(conn, bucket(c, pkt), hash) {
		for (pkt->side = 0; pkt->side < 2; pkt->side++)
			if (goes(conn, pkt, pkt->side))
				return conn;
	}
	pkt->side = 0;
	return NULL;
}

static struct impair_conn *make(struct impair_conns *c, const struct impair_packet *pkt)
{
	struct impair_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	if (c->count == IMPAIR_CONNS)
		forget(c, list_first_entry(&c->used, struct impair_conn, used));
	conn->addr[0] = pkt->saddr;
	conn->addr[1] = pkt->daddr;
	conn->port[0] = pkt->sport;
	conn->port[1] = pkt->dport;
	conn->number = ++c->last_number;
	c->count++;
	list_add_tail(&conn->hash, bucket(c, pkt));
	list_add_tail(&conn->used, &c->used);
	return conn;
}

/* Sequence numbers modulo 2^32 (RFC 9293 3.4). */
static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* Numbers the segment, or finds the number of what it repeats. */
static void number_segment(struct impair_side *s, struct impair_packet *pkt)
{
	if (!pkt->retransmission) {
		if (s->segments < IMPAIR_SEGMENTS) {
			s->starts[s->segments++] = pkt->seq;
			pkt->segment = s->segments;
		}
		return;
	}
	/* A repetition may begin in the middle of the original, or hold several. */
	for (uint32_t i = s->segments; i > 0; i--) {
		if (!before(pkt->seq, s->starts[i - 1])) {
			bool numbered = i < s->segments || s->segments < IMPAIR_SEGMENTS ||
					pkt->seq == s->starts[i - 1];

			pkt->segment = numbered ? i : 0;
			return;
		}
	}
}

static void follow(struct impair_side *s, struct impair_packet *pkt)
{
	uint32_t len = pkt->text + !!(pkt->flags & TH_SYN) + !!(pkt->flags & TH_FIN);

	if (pkt->flags & TH_SYN && !s->known) {
		s->known = true;
		s->isn = pkt->seq;
		s->next = pkt->seq;
	}
	if (!s->known || len == 0)
		return;
	pkt->retransmission = before(pkt->seq, s->next);
	if (pkt->text)
		number_segment(s, pkt);
	if (before(s->next, pkt->seq + len))
		s->next = pkt->seq + len;
}

/**
 * impair_conns_see() - a TCP packet enters the link: whose is it?
 * @c:    the link's connections
 * @pkt:  gets conn, side, retransmission and segment
 */
void impair_conns_see(struct impair_conns *c, struct impair_packet *pkt)
{
	bool opens = (pkt->flags & (TH_SYN | TH_ACK | TH_RST)) == TH_SYN;
	struct impair_conn *conn;

	if (!pkt->tcp)
		return;
	conn = find(c, pkt);
	/* A SYN from the other side is the second of a simultaneous open. */
	if (conn && opens && conn->side[pkt->side].known && conn->side[pkt->side].isn != pkt->seq) {
		forget(c, conn);
		conn = NULL;
		pkt->side = 0;
	}
	if (!conn && opens)
		conn = make(c, pkt);
	if (!conn)
		return;
	list_del(&conn->used);
	list_add_tail(&conn->used, &c->used);
	pkt->conn = conn;
	follow(&conn->side[pkt->side], pkt);
}

uint32_t impair_conn_number(const struct impair_conn *conn)
{
	return conn->number;
}

bool impair_conn_relative(const struct impair_packet *pkt, uint32_t *rel)
{
	if (!pkt->conn || !pkt->conn->side[pkt->side].known)
		return false;
	*rel = pkt->seq - pkt->conn->side[pkt->side].isn;
	return true;
}

bool impair_conn_is_cut(const struct impair_conn *conn)
{
	return conn->cut;
}

void impair_conn_cut(struct impair_conn *conn)
{
	conn->cut = true;
}
