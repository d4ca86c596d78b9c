/* SPDX-License-Identifier: MIT */
/*
 * How a host comes up and goes.
 *
 * In this order, so that nothing half-started is left behind: the lock on the address; the checks
 * that need nothing; the stack and its loopback; the packet socket (privilege, interface); the
 * capture; the address, probed for (RFC 5227) and refused when another host answers; the default
 * route; names; at last the listeners, so that a program which connects finds everything ready.
 * Every error is one line that says what to do.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdarg.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "netif/impair.h"
#include "shim/host/host.h"
#include "stack/inet/arp.h"
#include "stack/inet/devinet.h"
#include "stack/inet/route.h"

enum { ACD_WAIT_MS = 5000 };

static int say(char *err, int ret, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int say(char *err, int ret, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(err, CONFIG_ERR_SIZE, fmt, args);
	va_end(args);
	return ret;
}

/* --- checks on the kernel's side ---------------------------------------------------------------- */

static void ifreq_name(struct ifreq *ifr, const char *dev)
{
	memset(ifr, 0, sizeof(*ifr));
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", dev);
}

static int check_interface(int fd, const char *dev, char *err)
{
	struct ifreq ifr;

	ifreq_name(&ifr, dev);
	if (sys_ioctl(fd, SIOCGIFFLAGS, &ifr))
		return say(err, -ENODEV, "--dev: there is no interface '%s' in this network namespace ('ip link' "
			   "lists them)", dev);
	if (!(ifr.ifr_flags & IFF_UP))
		return say(err, -ENETDOWN, "--dev: '%s' is down: bring it up with 'ip link set %s up'", dev, dev);
	return 0;
}

/* The kernel would answer the peers of an address that it holds as well, with resets. */
static int check_kernel_address(int fd, const struct host_config *cfg, char *err)
{
	char buf[32768], ip[INET_ADDRSTRLEN];
	struct ifconf ifc = { .ifc_len = sizeof(buf), .ifc_buf = buf };
	char *p;

	if (sys_ioctl(fd, SIOCGIFCONF, &ifc))
		return 0;
	for (p = buf; p + sizeof(struct ifreq) <= buf + ifc.ifc_len; p += sizeof(struct ifreq)) {
		struct sockaddr_in sin;
		struct ifreq ifr;

		memcpy(&ifr, p, sizeof(ifr));
		memcpy(&sin, &ifr.ifr_addr, sizeof(sin));
		if (sin.sin_addr.s_addr != cfg->addr.s_addr)
			continue;
		inet_ntop(AF_INET, &cfg->addr, ip, sizeof(ip));
		return say(err, -EADDRINUSE, "--addr: %s belongs to the kernel, on %s: choose a free address of "
			   "the network, or give it up with 'ip addr del %s dev %s'", ip, ifr.ifr_name,
			   cfg->text[OPT_ADDR], ifr.ifr_name);
	}
	return 0;
}

static int check_kernel(const struct host_config *cfg, char *err)
{
	int fd, ret;

	if (!cfg->text[OPT_DEV])
		return 0;
	fd = sys_socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return say(err, fd, "cannot ask the kernel for its interfaces: %s", strerror(-fd));
	ret = check_interface(fd, cfg->text[OPT_DEV], err);
	if (ret == 0)
		ret = check_kernel_address(fd, cfg, err);
	sys_close(fd);
	return ret;
}

/* --- devices ------------------------------------------------------------------------------------ */

static void dev_ready(struct host *h, struct watch *w, uint32_t events)
{
	(void)w;
	if (events & EPOLLOUT)
		af_packet_writable(h->dev);
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		af_packet_input(h->dev);
}

static void link_ready(struct host *h, struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	af_packet_link_input(h->dev);
	if (af_packet_gone(h->dev) && !h->dev_gone_logged) {
		h->dev_gone_logged = true;
		host_log(h, LOG_LEVEL_ERR, "interface %s has gone", h->cfg.text[OPT_DEV]);
	}
}

static int start_loopback(struct host *h)
{
	struct inet_addr addr = inet_addr_v4(htonl(INADDR_LOOPBACK));
	int ret = loopback_create(h->net, &h->lo);

	if (ret == 0)
		ret = dev_open(h->lo);
	if (ret == 0)
		ret = inet_addr_add(h->net, h->lo, &addr, 8, ACD_NONE);
	return ret;
}

static int start_device(struct host *h, char *err)
{
	struct af_packet_config cfg = { .ifname = h->cfg.text[OPT_DEV], .mtu = h->cfg.mtu, .addr = h->cfg.addr.s_addr,
					.mac = h->cfg.text[OPT_MAC] ? h->cfg.mac : NULL };
	char why[CONFIG_ERR_SIZE - 64] = "";
	int ret;

	if (!cfg.ifname)
		return 0;
	ret = af_packet_create(h->net, &cfg, &h->dev, why, sizeof(why));
	if (ret == -EPERM)
		return say(err, ret, "no right to send frames on %s: run as root, or once 'sudo setcap "
			   "cap_net_raw+ep' on this program, or in a network of your own ('unshare -rn')",
			   cfg.ifname);
	if (ret)
		return say(err, ret, "%s", why[0] ? why : strerror(-ret));
	ret = dev_open(h->dev);
	if (ret == 0)
		ret = watch_add(h, &h->dev_watch, af_packet_fd(h->dev), EPOLLIN, dev_ready);
	if (ret == 0)
		ret = watch_add(h, &h->link_watch, af_packet_link_fd(h->dev), EPOLLIN, link_ready);
	return ret ? say(err, ret, "cannot use %s: %s", cfg.ifname, strerror(-ret)) : 0;
}

static void capture_failed(void *arg, int error)
{
	struct host *h = arg;

	host_log(h, LOG_LEVEL_ERR, "capture %s stopped: %s", h->cfg.text[OPT_CAPTURE], strerror(-error));
}

static int start_capture(struct host *h, char *err)
{
	struct utsname os;
	char system[140];
	struct capture_config cfg = { .path = h->cfg.text[OPT_CAPTURE], .fd = -1,
				      .filter = h->cfg.text[OPT_CAPTURE_FILTER],
				      .snaplen = h->cfg.snaplen,
				      .application = "wireshim " WIRESHIM_VERSION,
				      .failed = capture_failed, .failed_arg = h };
	char why[CONFIG_ERR_SIZE - 64] = "";
	int ret;

	if (!cfg.path)
		return 0;
	if (uname(&os) == 0) {
		snprintf(system, sizeof(system), "%.63s %.63s", os.sysname, os.release);
		cfg.os = system;
		cfg.hardware = os.machine;
	}
	cfg.realtime_offset_ns = (int64_t)h->net->wall_offset_ns;
	ret = capture_open(h->net, &cfg, &h->capture, why, sizeof(why));
	return ret ? say(err, ret, "--capture: %s", why[0] ? why : strerror(-ret)) : 0;
}

/* --- the address -------------------------------------------------------------------------------- */

static void acd_event(void *arg, struct in_ifaddr *ifa, bool conflict, const uint8_t *peer)
{
	struct host *h = arg;
	bool waiting = h->acd == 0;

	(void)ifa;
	h->acd = conflict ? -1 : 1;
	if (!conflict)
		return;
	if (peer)
		memcpy(h->acd_peer, peer, sizeof(h->acd_peer));
	if (!waiting)
		host_log(h, LOG_LEVEL_ERR, "%s is used by another host as well, "
			 "%02x:%02x:%02x:%02x:%02x:%02x", h->cfg.text[OPT_ADDR], h->acd_peer[0],
			 h->acd_peer[1], h->acd_peer[2], h->acd_peer[3], h->acd_peer[4], h->acd_peer[5]);
}

/* Probes for the address and waits until it is ours. */
static int start_address(struct host *h, char *err)
{
	struct inet_addr addr = inet_addr_v4(h->cfg.addr.s_addr);
	uint64_t deadline = h->now + ACD_WAIT_MS * NSEC_PER_MSEC;
	const uint8_t *m = h->acd_peer;
	be32 filter = h->cfg.addr.s_addr;
	int ret;

	if (!h->dev)
		return 0;
	arp_acd_set_listener(h->net, acd_event, h);
	ret = af_packet_set_filter(h->dev, &filter, 1);
	if (ret == 0)
		ret = inet_addr_add(h->net, h->dev, &addr, h->cfg.prefix_len, ACD_FAST);
	if (ret)
		return say(err, ret, "--addr: cannot set %s: %s", h->cfg.text[OPT_ADDR], strerror(-ret));
	while (h->acd == 0 && !h->stopping && h->now < deadline)
		host_turn(h, (int64_t)(deadline - h->now));
	if (h->acd < 0)
		return say(err, -EADDRINUSE, "--addr: %s is taken: %02x:%02x:%02x:%02x:%02x:%02x on %s answers "
			   "for it; choose a free address", h->cfg.text[OPT_ADDR], m[0], m[1], m[2], m[3], m[4],
			   m[5], h->cfg.text[OPT_DEV]);
	if (h->acd == 0)
		return say(err, -ETIMEDOUT, "--addr: %s could not be probed for on %s", h->cfg.text[OPT_ADDR],
			   h->cfg.text[OPT_DEV]);
	return 0;
}

static int start_route(struct host *h, char *err)
{
	struct route r;
	int ret;

	if (!h->dev || !h->cfg.gateway.s_addr)
		return 0;
	memset(&r, 0, sizeof(r));
	r.dst = inet_addr_v4(0);
	r.type = RTN_T_UNICAST;
	r.scope = RT_SCOPE_T_UNIVERSE;
	r.gateway = inet_addr_v4(h->cfg.gateway.s_addr);
	r.dev = h->dev;
	ret = route_add(h->net, &r);
	if (ret == -ENETUNREACH)
		return say(err, ret, "--gateway: %s is not in the network of %s", h->cfg.text[OPT_GATEWAY],
			   h->cfg.text[OPT_ADDR]);
	return ret ? say(err, ret, "--gateway: %s", strerror(-ret)) : 0;
}

/* The address was probed for on the plain wire; from here on it is as bad as was asked for. */
static int start_impairment(struct host *h, char *err)
{
	int ret = 0;

	if (!h->cfg.plan)
		return 0;
	h->impair_seed = h->cfg.seed;
	if (!h->cfg.text[OPT_SEED])
		h->impair_seed = random_u32(&h->net->random);
	if (h->dev)
		ret = impair_attach(h->dev, h->cfg.plan, true, h->impair_seed);
	if (ret == 0)
		ret = impair_attach(h->lo, h->cfg.plan, !h->dev, h->impair_seed);
	return ret ? say(err, ret, "--impair: %s", strerror(-ret)) : 0;
}

static int check_gateway(const struct host_config *cfg, char *err)
{
	uint32_t mask = cfg->prefix_len ? ~(uint32_t)0 << (32 - cfg->prefix_len) : 0;

	if (!cfg->gateway.s_addr)
		return 0;
	if (cfg->gateway.s_addr == cfg->addr.s_addr)
		return say(err, -EINVAL, "--gateway: %s is this host's own address", cfg->text[OPT_GATEWAY]);
	if ((ntohl(cfg->gateway.s_addr) & mask) != (ntohl(cfg->addr.s_addr) & mask))
		return say(err, -EINVAL, "--gateway: %s is not in the network of %s", cfg->text[OPT_GATEWAY],
			   cfg->text[OPT_ADDR]);
	return 0;
}

/* --- the whole ---------------------------------------------------------------------------------- */

static void signal_ready(struct host *h, struct watch *w, uint32_t events)
{
	struct signalfd_siginfo si;

	(void)events;
	if (sys_read(w->fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	host_log(h, LOG_LEVEL_INFO, "signal %u, ends", si.ssi_signo);
	h->stopping = true;
}

static int start_signals(struct host *h)
{
	sigset_t set;
	int fd;

	if (h->thread)
		return 0;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : watch_add(h, &h->signal_watch, fd, EPOLLIN, signal_ready);
}

static int start_loop(struct host *h)
{
	struct rlimit limit;

	if (!h->thread && getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	h->epfd = sys_epoll_create();
	if (h->epfd < 0)
		return h->epfd;
	h->reserve_fd = sys_open("/dev/null", O_RDONLY | O_CLOEXEC, 0);
	h->scratch = malloc(SCRATCH_BYTES + sizeof(struct dgram_hdr));
	h->ctl_buf = malloc(sizeof(struct ctl_msg) + CTL_DATA_MAX + 1);
	if (!h->scratch || !h->ctl_buf)
		return -ENOMEM;
	return start_signals(h);
}

/* From the stack's clock to the wall's, for captures and SO_TIMESTAMP. */
static uint64_t wall_offset_ns(void)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	return (uint64_t)wall.tv_sec * NSEC_PER_SEC + (uint64_t)wall.tv_nsec - host_clock();
}

static int start_stack(struct host *h)
{
	uint8_t seed[32];
	ssize_t n;
	int ret;

	do
		n = getrandom(seed, sizeof(seed), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(seed) || getrandom(&h->token, sizeof(h->token), 0) != sizeof(h->token))
		return -EIO;
	h->token |= 1; /* 0 means "none" */
	h->now = host_clock();
	ret = stack_create(seed, h->now, &h->net);
	if (ret)
		return ret;
	h->net->wall_offset_ns = wall_offset_ns();
	rings_provide(h);
	return 0;
}

static void init_fields(struct host *h)
{
	struct watch *const watches[] = { &h->listen_stream, &h->listen_packet, &h->listen_lock, &h->dev_watch,
					  &h->link_watch, &h->signal_watch, &h->stop_watch };
	struct list_head *const lists[] = { &h->anchors, &h->dirty, &h->controls, &h->ctl_pending, &h->lingers,
					    &h->lifelines, &h->limbo };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(watches); i++)
		watches[i]->fd = -1;
	for (i = 0; i < ARRAY_SIZE(lists); i++)
		list_init(lists[i]);
	h->epfd = -1;
	h->reserve_fd = -1;
	h->log_fd = STDERR_FILENO;
	h->log_level = h->cfg.log;
}

static int start(struct host *h, char *err)
{
	int ret = start_loop(h);

	if (ret == 0)
		ret = diag_create(&h->diag);
	if (ret)
		return say(err, ret, "cannot start: %s", strerror(-ret));
	ret = lock_open(h, err);
	if (ret == 0)
		ret = check_kernel(&h->cfg, err);
	if (ret == 0)
		ret = check_gateway(&h->cfg, err);
	if (ret)
		return ret;
	ret = start_stack(h);
	if (ret == 0) {
		ret = config_apply_sysctl(&h->cfg, h->net, err);
		if (ret)
			return ret;
		ret = start_loopback(h);
	}
	if (ret == 0)
		ret = resolver_create(h, &h->resolver);
	if (ret)
		return say(err, ret, "cannot start the stack: %s", strerror(-ret));
	ret = start_device(h, err);
	if (ret == 0)
		ret = start_capture(h, err);
	if (ret == 0)
		ret = start_address(h, err);
	if (ret == 0)
		ret = start_route(h, err);
	if (ret == 0)
		ret = start_impairment(h, err);
	if (ret == 0)
		ret = listeners_open(h, err);
	return ret;
}

/**
 * host_create() - brings a host up; its address is usable on return
 * @cfg:    taken over, always
 * @thread: lives in a program: touches neither signals nor limits
 * @err:    CONFIG_ERR_SIZE bytes; one line, or "busy WHERE" when another host has the place
 *
 * Return: 0; negative errno with @err filled in, and nothing left behind
 */
int host_create(struct host_config *cfg, bool thread, struct host **out, char *err)
{
	struct host *h = calloc(1, sizeof(*h));
	int ret;

	if (!h) {
		config_free(cfg);
		return say(err, -ENOMEM, "out of memory");
	}
	h->cfg = *cfg;
	config_init(cfg);
	h->thread = thread;
	init_fields(h);
	config_key(&h->cfg, h->key);
	err[0] = 0;
	ret = start(h, err);
	if (ret) {
		host_destroy(h);
		return ret;
	}
	host_log(h, LOG_LEVEL_INFO, "up");
	if (h->cfg.plan)
		host_log(h, LOG_LEVEL_INFO, "impairment with --seed %llu", (unsigned long long)h->impair_seed);
	*out = h;
	return 0;
}

static void destroy_programs(struct host *h)
{
	while (!list_empty(&h->anchors))
		anchor_destroy(list_first_entry(&h->anchors, struct anchor, all));
	while (!list_empty(&h->controls))
		control_destroy(list_first_entry(&h->controls, struct control, all));
	lifelines_clear(h);
}

/** host_destroy() - ends everything at once; what is open is reset by the stack */
void host_destroy(struct host *h)
{
	listeners_close(h);
	if (h->net)
		destroy_programs(h);
	resolver_destroy(h->resolver);
	if (h->net && h->cfg.plan)
		report_impairment(h);
	/* These descriptors are the device's. */
	h->dev_watch.fd = -1;
	h->link_watch.fd = -1;
	if (h->capture)
		capture_close(h->capture);
	if (h->net)
		net_destroy(h->net);
	while (h->graves) {
		struct watch *w = h->graves;

		h->graves = w->next_grave;
		free(w);
	}
	watch_close(h, &h->listen_lock);
	watch_close(h, &h->signal_watch);
	watch_close(h, &h->stop_watch);
	diag_destroy(h->diag);
	if (h->reserve_fd >= 0)
		sys_close(h->reserve_fd);
	if (h->epfd >= 0)
		sys_close(h->epfd);
	reasons_clear(h);
	free(h->scratch);
	free(h->ctl_buf);
	config_free(&h->cfg);
	free(h);
}
