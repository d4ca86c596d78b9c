/* SPDX-License-Identifier: MIT */
/*
 * route.c - where a packet goes: longest-prefix match, source-address selection, path MTU
 *
 * There are two tables per family, as in Linux: "local" (own addresses, their broadcasts, 127/8),
 * which is asked first, and "main". A table is one list per prefix length; the lists in use are
 * bits of a map, walked from the longest. Addresses are inet_addr, so nothing here but a few special
 * addresses knows the family.
 *
 * A route stays when its device goes down, and is skipped until the device is up again; it goes
 * when the device is unregistered. An own address goes by the loopback device and may be reached
 * while its device is down (Linux, and the weak model of RFC 1122 3.3.4.2).
 *
 * Answers are copied into struct dst. Every change of tables, devices or path MTU raises the
 * generation, by which a cached answer is known to be stale. Learned path MTUs: route_pmtu.c.
 *
 * Read first: RFC 1122 3.3.1, 3.3.4.
 */
#include "stack/inet/route.h"

#include "stack/inet/devinet.h"
#include "stack/inet/route_pmtu.h"

#define PREFIX_LENGTHS 129
#define IP_MAX_PACKET 65535U

enum { TABLE_MAIN, TABLE_LOCAL, TABLES };

struct rt_table {
	struct list_head routes[PREFIX_LENGTHS]; /* by prefix length; lowest metric first */
	uint64_t used[3];                        /* bit n: routes[n] is not empty */
};

struct netns_route {
	struct net *net;
	struct rt_table tables[2][TABLES];       /* IPv4, IPv6 */
	uint32_t gen;
	struct pmtu_table *pmtu;
	struct notifier_block netdev_nb;
};

/* --- tables --------------------------------------------------------------------------------- */

static struct rt_table *find_table(struct netns_route *nr, uint16_t family, int id)
{
	return &nr->tables[family == AF_INET6][id];
}

static int table_of_type(uint8_t type)
{
	return type == RTN_T_LOCAL || type == RTN_T_BROADCAST ? TABLE_LOCAL : TABLE_MAIN;
}

static unsigned int address_bits(const struct inet_addr *a)
{
	return a->family == AF_INET6 ? 128 : 32;
}

static void raise_generation(struct netns_route *nr)
{
	if (++nr->gen == 0) /* 0 = never looked up */
		nr->gen = 1;
}

/**
 * inet_prefix_match() - whether two addresses agree in their first bits
 * @a, @b:  addresses
 * @len:    bits
 *
 * Return:  false also for different families
 */
bool inet_prefix_match(const struct inet_addr *a, const struct inet_addr *b, unsigned int len)
{
	const unsigned int whole = len / 8, rest = len % 8;

	if (a->family != b->family || memcmp(a->bytes, b->bytes, whole) != 0)
		return false;
	return rest == 0 || ((a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest)) == 0;
}

/**
 * inet_addr_multicast() - whether an address is a multicast one
 * @a:  address of any family
 */
bool inet_addr_multicast(const struct inet_addr *a)
{
	if (a->family == AF_INET6)
		return a->v6[0] == 0xff;
	return a->family == AF_INET && ipv4_is_multicast(a->v4);
}

static bool is_lbcast(const struct inet_addr *a)
{
	return a->family == AF_INET && ipv4_is_lbcast(a->v4);
}

static bool is_loopback_addr(const struct inet_addr *a)
{
	return a->family == AF_INET && ipv4_is_loopback(a->v4);
}

/* Whether @r can carry what @fl asks for now; @fl NULL = any route. */
static bool usable(const struct route *r, const struct flowi *fl)
{
	if (r->type == RTN_T_UNREACHABLE || !fl)
		return true;
	if (fl->oif && r->dev->ifindex != fl->oif)
		return false;
	if (fl->dont_route && r->gateway.family != AF_UNSPEC)
		return false;
	return r->type == RTN_T_LOCAL || netif_running(r->dev);
}

static const struct route *match_list(const struct list_head *routes, const struct inet_addr *addr,
				      const struct flowi *fl)
{
	const struct route *r;

	list_for_each_entry(r, routes, list)
		if (inet_prefix_match(&r->dst, addr, r->prefix_len) && usable(r, fl))
			return r;
	return NULL;
}

static const struct route *longest_match(const struct rt_table *t, const struct inet_addr *addr,
					 const struct flowi *fl)
{
	int word;

	for (word = 2; word >= 0; word--) {
		uint64_t left = t->used[word];

		while (left) {
			const int bit = 63 - __builtin_clzll(left);
			const struct route *r = match_list(&t->routes[word * 64 + bit], addr, fl);

			if (r)
				return r;
			left &= ~(1ULL << bit);
		}
	}
	return NULL;
}

/**
 * inet_addr_type() - what an address is to this namespace
 * @net:   namespace
 * @addr:  address
 *
 * Return:  RTN_T_UNICAST for everything that is not special here
 */
enum route_type inet_addr_type(struct net *net, const struct inet_addr *addr)
{
	const struct route *r;

	if (inet_addr_multicast(addr))
		return RTN_T_MULTICAST;
	if (addr->family == AF_INET && (ipv4_is_lbcast(addr->v4) || ipv4_is_zeronet(addr->v4)))
		return RTN_T_BROADCAST;
	r = longest_match(find_table(net->route, addr->family, TABLE_LOCAL), addr, NULL);
	return r ? (enum route_type)r->type : RTN_T_UNICAST;
}

/* --- lookup --------------------------------------------------------------------------------- */

static struct net_device *find_loopback(struct net *net)
{
	struct net_device *dev;

	for (dev = dev_next(net, NULL); dev; dev = dev_next(net, dev))
		if (dev->flags & IFF_LOOPBACK)
			return dev;
	return NULL;
}

static uint32_t mtu_of(const struct net_device *dev, uint32_t route_mtu)
{
	uint32_t mtu = MIN(dev->mtu, IP_MAX_PACKET);

	return route_mtu ? MIN(mtu, route_mtu) : mtu;
}

/* A source that the caller insists on must be an address of ours that is in use. */
static int check_given_source(struct net *net, const struct flowi *fl)
{
	if (inet_addr_any(&fl->saddr))
		return 0;
	return inet_addr_type(net, &fl->saddr) == RTN_T_LOCAL ? 0 : -EINVAL;
}

static void start_answer(struct net *net, const struct flowi *fl, struct dst *out)
{
	memset(out, 0, sizeof(*out));
	out->gen = net->route->gen;
	out->daddr = fl->daddr;
	out->nexthop = fl->daddr;
	out->saddr = fl->saddr;
}

/* An address of ours: by loopback, from itself unless the route says otherwise (127/8). */
static int answer_local(struct net *net, const struct route *r, struct dst *out)
{
	struct net_device *lo = find_loopback(net);

	if (!lo || !netif_running(lo))
		return -ENETUNREACH;
	out->type = RTN_T_LOCAL;
	out->dev = lo;
	out->mtu = mtu_of(lo, 0);
	if (inet_addr_any(&out->saddr))
		out->saddr = r->prefsrc.family != AF_UNSPEC ? r->prefsrc : out->daddr;
	return 0;
}

/* RFC 1122 3.3.4.3: the source is an address of the device, best one of the next hop's subnet. */
static void choose_source(struct net *net, uint8_t scope, struct dst *out)
{
	if (!inet_addr_any(&out->saddr))
		return;
	if (inet_select_addr(net, out->dev, &out->nexthop, scope, &out->saddr)) {
		memset(&out->saddr, 0, sizeof(out->saddr));
		out->saddr.family = out->daddr.family; /* any: nothing to send from yet */
	}
}

static int answer_device(struct net *net, struct net_device *dev, uint8_t type, uint32_t route_mtu,
			 struct dst *out)
{
	/* RFC 1122 3.2.1.3 (g): 127/8 never leaves the host. */
	if (!(dev->flags & IFF_LOOPBACK) &&
	    (is_loopback_addr(&out->daddr) || is_loopback_addr(&out->saddr)))
		return -EINVAL;
	out->type = type;
	out->dev = dev;
	out->mtu = mtu_of(dev, route_mtu);
	choose_source(net, RT_SCOPE_T_LINK, out);
	/* The device maps broadcasts without knowing the subnets. */
	if (type == RTN_T_BROADCAST && out->daddr.family == AF_INET)
		out->nexthop = inet_addr_v4(0xffffffffU);
	if (type == RTN_T_UNICAST)
		pmtu_apply(net->route->pmtu, out);
	return 0;
}

static int answer_route(struct net *net, const struct route *r, struct dst *out)
{
	uint8_t type = r->type;

	if (type == RTN_T_UNREACHABLE)
		return -EHOSTUNREACH;
	if (type == RTN_T_LOCAL)
		return answer_local(net, r, out);
	if (is_lbcast(&out->daddr))
		type = RTN_T_BROADCAST;
	else if (inet_addr_multicast(&out->daddr))
		type = RTN_T_MULTICAST;
	if (type == RTN_T_UNICAST && r->gateway.family != AF_UNSPEC)
		out->nexthop = r->gateway;
	if (inet_addr_any(&out->saddr) && r->prefsrc.family != AF_UNSPEC)
		out->saddr = r->prefsrc;
	return answer_device(net, r->dev, type, r->mtu, out);
}

static struct net_device *device_of_source(struct net *net, const struct inet_addr *saddr)
{
	const struct in_ifaddr *ifa = inet_addr_any(saddr) ? NULL : inet_ifa_find(net, saddr);

	return ifa ? ifa->dev : NULL;
}

/*
 * No route says it: a broadcast or multicast goes out where the caller's device or source address
 * is; with a device given, any destination is taken to be on its link (Linux does both).
 */
static int answer_without_route(struct net *net, const struct flowi *fl, struct dst *out)
{
	const bool mcast = inet_addr_multicast(&fl->daddr), lbcast = is_lbcast(&fl->daddr);
	struct net_device *dev = NULL;

	if (fl->oif)
		dev = dev_get_by_index(net, fl->oif);
	else if (mcast || lbcast)
		dev = device_of_source(net, &fl->saddr);
	if (!dev || !netif_running(dev))
		return -ENETUNREACH;
	return answer_device(net, dev, lbcast ? RTN_T_BROADCAST : mcast ? RTN_T_MULTICAST : RTN_T_UNICAST,
			     0, out);
}

/* 0.0.0.0 as a destination is this host (Linux). */
static int answer_any(struct net *net, const struct flowi *fl, struct dst *out)
{
	static const struct route self = { .type = RTN_T_LOCAL };

	out->daddr = fl->saddr;
	if (inet_addr_any(&fl->saddr)) {
		if (fl->daddr.family != AF_INET)
			return -ENETUNREACH;
		out->daddr = inet_addr_v4(cpu_to_be32(INADDR_LOOPBACK));
	}
	out->nexthop = out->daddr;
	return answer_local(net, &self, out);
}

/**
 * route_lookup() - the way of a packet
 * @net:  namespace
 * @fl:   destination and what the caller insists on
 * @out:  set only on success
 *
 * Source:  RFC 1122 3.3.1, 3.3.4.3
 * Return:  0; -ENETUNREACH (no route), -EHOSTUNREACH (an unreachable route), -EINVAL (source not
 *          ours, or 127/8 would leave the host), -ENODEV (no such device)
 */
int route_lookup(struct net *net, const struct flowi *fl, struct dst *out)
{
	struct netns_route *nr = net->route;
	const struct route *r;
	struct dst answer;
	int err = check_given_source(net, fl);

	if (err)
		return err;
	if (fl->oif && !dev_get_by_index(net, fl->oif))
		return -ENODEV;
	start_answer(net, fl, &answer);
	if (inet_addr_any(&fl->daddr)) {
		err = answer_any(net, fl, &answer);
	} else {
		const bool group = inet_addr_multicast(&fl->daddr) || is_lbcast(&fl->daddr);
		const bool fixed = group && (fl->oif || !inet_addr_any(&fl->saddr));

		r = fixed ? NULL : longest_match(find_table(nr, fl->daddr.family, TABLE_LOCAL), &fl->daddr, fl);
		if (!r && !fixed)
			r = longest_match(find_table(nr, fl->daddr.family, TABLE_MAIN), &fl->daddr, fl);
		err = r ? answer_route(net, r, &answer) : answer_without_route(net, fl, &answer);
	}
	if (!err)
		*out = answer;
	return err;
}

/**
 * dst_check() - whether a cached answer still holds
 * @net:  namespace
 * @dst:  from route_lookup(), or zeroed
 */
bool dst_check(const struct net *net, const struct dst *dst)
{
	return dst->gen == net->route->gen && (dst->mtu_expires == 0 || net->now < dst->mtu_expires);
}

/* --- changes -------------------------------------------------------------------------------- */

static void mask_to_prefix(struct inet_addr *a, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < sizeof(a->bytes); i++) {
		if (i * 8 >= len)
			a->bytes[i] = 0;
		else if (len - i * 8 < 8)
			a->bytes[i] &= (uint8_t)(0xff << (8 - (len - i * 8)));
	}
}

static bool same_hop(const struct route *a, const struct route *b)
{
	return a->type == b->type && a->dev == b->dev && inet_addr_equal(&a->gateway, &b->gateway);
}

static bool same_prefix(const struct route *a, const struct route *b)
{
	return a->prefix_len == b->prefix_len && inet_addr_equal(&a->dst, &b->dst);
}

/* RFC 1122 3.3.1.6: a gateway is a neighbour; what is reached through another gateway is none. */
static int resolve_gateway(struct net *net, struct route *r)
{
	const struct route *via = NULL, *at;

	if (inet_addr_any(&r->gateway) || r->gateway.family != r->dst.family ||
	    inet_addr_type(net, &r->gateway) != RTN_T_UNICAST)
		return -EINVAL;
	for (at = route_next(net, NULL); at; at = route_next(net, at)) {
		if (at->type != RTN_T_UNICAST || (r->dev && at->dev != r->dev))
			continue;
		if (inet_prefix_match(&at->dst, &r->gateway, at->prefix_len) &&
		    (!via || at->prefix_len > via->prefix_len))
			via = at;
	}
	if (!via || via->gateway.family != AF_UNSPEC)
		return -ENETUNREACH;
	r->dev = via->dev;
	return 0;
}

static int check_template(struct net *net, struct route *r)
{
	if (r->dst.family != AF_INET && r->dst.family != AF_INET6)
		return -EAFNOSUPPORT;
	if (r->type < RTN_T_UNICAST || r->type > RTN_T_UNREACHABLE || r->prefix_len > address_bits(&r->dst))
		return -EINVAL;
	mask_to_prefix(&r->dst, r->prefix_len);
	if (r->prefsrc.family != AF_UNSPEC && r->type == RTN_T_UNICAST &&
	    inet_addr_type(net, &r->prefsrc) != RTN_T_LOCAL && !inet_ifa_find(net, &r->prefsrc))
		return -EINVAL;
	if (r->gateway.family != AF_UNSPEC)
		return resolve_gateway(net, r);
	if (r->type == RTN_T_UNREACHABLE)
		r->dev = NULL;
	else if (!r->dev)
		return -ENODEV;
	return 0;
}

/**
 * route_add() - add a route
 * @net:       namespace
 * @template:  copied; bits of dst beyond the prefix are cleared, dev is found from the gateway
 *
 * Return:  0; -EEXIST (same prefix, metric and next hop), -ENETUNREACH (gateway not on a link of
 *          ours), -EINVAL (prefix length, type, gateway or preferred source make no sense),
 *          -ENODEV, -EAFNOSUPPORT, -ENOMEM
 */
int route_add(struct net *net, const struct route *template)
{
	struct netns_route *nr = net->route;
	struct route *r = malloc(sizeof(*r)), *at;
	struct list_head *before;
	struct rt_table *t;
	int err;

	if (!r)
		return -ENOMEM;
	*r = *template;
	err = check_template(net, r);
	if (err)
		goto free;
	t = find_table(nr, r->dst.family, table_of_type(r->type));
	before = &t->routes[r->prefix_len];
	list_for_each_entry(at, &t->routes[r->prefix_len], list) {
		err = -EEXIST;
		if (same_prefix(at, r) && at->metric == r->metric && same_hop(at, r))
			goto free;
		if (at->metric > r->metric) {
			before = &at->list;
			break;
		}
	}
	list_add_tail(&r->list, before);
	t->used[r->prefix_len / 64] |= 1ULL << r->prefix_len % 64;
	raise_generation(nr);
	return 0;
free:
	free(r);
	return err;
}

static void remove_route(struct netns_route *nr, struct rt_table *t, struct route *r)
{
	const unsigned int len = r->prefix_len;

	list_del(&r->list);
	free(r);
	if (list_empty(&t->routes[len]))
		t->used[len / 64] &= ~(1ULL << len % 64);
	raise_generation(nr);
}

static bool fits_template(const struct route *r, const struct route *template)
{
	return same_prefix(r, template) && (!template->type || r->type == template->type) &&
	       (!template->metric || r->metric == template->metric) &&
	       (!template->dev || r->dev == template->dev) &&
	       (template->gateway.family == AF_UNSPEC || inet_addr_equal(&r->gateway, &template->gateway));
}

/**
 * route_del() - remove the first route that fits
 * @net:       namespace
 * @template:  dst and prefix_len must fit; type, metric, dev, gateway only if set (not 0)
 *
 * Return:  0; -ESRCH when there is none
 */
int route_del(struct net *net, const struct route *template)
{
	struct route want = *template, *r;
	int id;

	if (want.prefix_len > address_bits(&want.dst))
		return -ESRCH;
	mask_to_prefix(&want.dst, want.prefix_len);
	for (id = 0; id < TABLES; id++) {
		struct rt_table *t = find_table(net->route, want.dst.family, id);

		list_for_each_entry(r, &t->routes[want.prefix_len], list) {
			if (fits_template(r, &want)) {
				remove_route(net->route, t, r);
				return 0;
			}
		}
	}
	return -ESRCH;
}

/* The place of a list in the walk: families, then main before local, then prefix lengths. */
static struct list_head *nth_list(struct netns_route *nr, unsigned int n)
{
	struct rt_table *t = &nr->tables[n / (TABLES * PREFIX_LENGTHS)][n / PREFIX_LENGTHS % TABLES];

	return &t->routes[n % PREFIX_LENGTHS];
}

/**
 * route_next() - walk all routes
 * @net:  namespace
 * @r:    the one before, NULL for the first
 *
 * Return:  NULL at the end; the tables must not change between the calls
 */
const struct route *route_next(struct net *net, const struct route *r)
{
	struct netns_route *nr = net->route;
	unsigned int n = 0;

	if (r) {
		const int family = r->dst.family == AF_INET6;

		n = (unsigned int)((family * TABLES + table_of_type(r->type)) * PREFIX_LENGTHS) + r->prefix_len;
		if (r->list.next != nth_list(nr, n))
			return list_entry(r->list.next, struct route, list);
		n++;
	}
	for (; n < 2 * TABLES * PREFIX_LENGTHS; n++)
		if (!list_empty(nth_list(nr, n)))
			return list_first_entry(nth_list(nr, n), struct route, list);
	return NULL;
}

static void flush_table(struct netns_route *nr, struct rt_table *t, const struct net_device *dev,
			const struct inet_addr *prefsrc)
{
	struct route *r, *tmp;
	int word;

	for (word = 0; word < 3; word++) {
		uint64_t left = t->used[word];

		for (; left; left &= left - 1)
			list_for_each_entry_safe(r, tmp, &t->routes[word * 64 + __builtin_ctzll(left)], list)
				if ((!dev || r->dev == dev) &&
				    (!prefsrc || inet_addr_equal(&r->prefsrc, prefsrc)))
					remove_route(nr, t, r);
	}
}

/* Removes the routes of @dev (NULL = any) that prefer @prefsrc (NULL = any). */
static void flush_routes(struct netns_route *nr, const struct net_device *dev,
			 const struct inet_addr *prefsrc)
{
	int n;

	for (n = 0; n < 2 * TABLES; n++)
		flush_table(nr, &nr->tables[n / TABLES][n % TABLES], dev, prefsrc);
}

/**
 * route_flush_prefsrc() - an own address is gone: drop the routes that prefer it as source
 * @net:   namespace
 * @addr:  the address
 */
void route_flush_prefsrc(struct net *net, const struct inet_addr *addr)
{
	flush_routes(net->route, NULL, addr);
	raise_generation(net->route);
}

/**
 * route_update_pmtu() - a router says how much fits through on the way to a destination
 * @net:    namespace
 * @daddr:  destination of the packet that did not fit
 * @mtu:    bytes of IP packet
 *
 * Source:  RFC 1191 3 (never raised by such a message), 6.3 (ages after 10 minutes)
 */
void route_update_pmtu(struct net *net, const struct inet_addr *daddr, uint32_t mtu)
{
	const struct flowi fl = { .daddr = *daddr };
	struct dst dst;

	if (route_lookup(net, &fl, &dst) || dst.type != RTN_T_UNICAST)
		return;
	if (pmtu_learn(net->route->pmtu, &dst, mtu))
		raise_generation(net->route);
}

/* --- life ----------------------------------------------------------------------------------- */

static void device_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct netns_route *nr = container_of(nb, struct netns_route, netdev_nb);

	if (event == NETDEV_UNREGISTER)
		flush_routes(nr, data, NULL);
	raise_generation(nr);
}

static int route_init(struct net *net)
{
	struct netns_route *nr = calloc(1, sizeof(*nr));
	unsigned int n;

	if (!nr)
		return -ENOMEM;
	nr->net = net;
	nr->gen = 1;
	for (n = 0; n < 2 * TABLES * PREFIX_LENGTHS; n++)
		list_init(nth_list(nr, n));
	nr->pmtu = pmtu_table_create(net);
	if (!nr->pmtu) {
		free(nr);
		return -ENOMEM;
	}
	nr->netdev_nb.call = device_event;
	notifier_chain_register(&net->netdev_chain, &nr->netdev_nb);
	net->route = nr;
	return 0;
}

static void route_exit(struct net *net)
{
	struct netns_route *nr = net->route;

	notifier_chain_unregister(&net->netdev_chain, &nr->netdev_nb);
	flush_routes(nr, NULL, NULL);
	pmtu_table_destroy(nr->pmtu);
	free(nr);
	net->route = NULL;
}

const struct pernet_operations route_pernet_ops = { "route", route_init, route_exit };
