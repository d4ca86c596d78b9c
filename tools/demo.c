/* SPDX-License-Identifier: MIT */
/*
 * wireshim demo: the main job, without set-up and without root.
 *
 * In namespaces of its own (user and network) two machines stand on a cable (veth): the far one has
 * the kernel's stack and a real HTTP server; here, an unmodified curl fetches a page and 100 MB from
 * it over our stack, with a capture. Then: what was fetched, and how our stack saw the connections.
 * Everything is gone afterwards except for the capture. Any difference makes the exit status 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/wireshim.h"

enum { FILE_BYTES = 100 * 1000 * 1000, SERVER_WAIT_S = 20 };

#define HERE_DEV "wshim0"
#define HERE_ADDR "10.77.0.2/24"
#define FAR_ADDR "10.77.0.1"
#define FAR_PREFIX "10.77.0.1/24"
#define PAGE "<html><body>Hello from the far side of the wire.</body></html>\n"

struct demo {
	char dir[64];          /* temporary */
	char capture[PATH_MAX];
	char self[PATH_MAX];
	pid_t far;             /* holds the far namespace, then serves */
	struct client host;    /* kept open: the host stays until we are through with it */
};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Runs a command and waits; its exit status, 127 when it could not be run. */
static int command(const char *const argv[])
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		complain("cannot run '%s': %s", argv[0], strerror(errno));
		_exit(127);
	}
	if (pid < 0)
		return 127;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 127;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define COMMAND(...) command((const char *const[]){ __VA_ARGS__, NULL })

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* Root of namespaces of our own. */
static int enter_namespaces(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (uid == 0 && unshare(CLONE_NEWNET) == 0)
		return 0;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return complain("demo: no namespaces for users here (%s): run it as root, or allow them ('sysctl "
				"kernel.unprivileged_userns_clone=1', 'sysctl kernel.apparmor_restrict_unprivileged_userns=0')",
				strerror(errno));
	(void)write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1\n", uid);
	if (write_file("/proc/self/uid_map", map))
		return complain("demo: cannot become root of a user namespace");
	snprintf(map, sizeof(map), "0 %u 1\n", gid);
	(void)write_file("/proc/self/gid_map", map);
	return 0;
}

static int have(const char *program, const char *package)
{
	char path[PATH_MAX];
	const char *dirs = getenv("PATH"), *p;

	for (p = dirs ? dirs : "/bin:/usr/bin"; *p; p += strcspn(p, ":"), p += *p == ':') {
		snprintf(path, sizeof(path), "%.*s/%s", (int)strcspn(p, ":"), p, program);
		if (access(path, X_OK) == 0)
			return 0;
	}
	return complain("demo: needs '%s': install the package %s", program, package);
}

/* The page, and a file whose bytes do not repeat (xorshift64). */
static int make_content(const char *dir)
{
	static uint64_t block[8192];
	char path[128];
	uint64_t x = 88172645463325252ULL;
	size_t left = FILE_BYTES, i;
	FILE *f;

	snprintf(path, sizeof(path), "%s/www/index.html", dir);
	f = fopen(path, "we");
	if (!f || fputs(PAGE, f) < 0 || fclose(f))
		return complain("demo: %s: %s", path, strerror(errno));
	snprintf(path, sizeof(path), "%s/www/file", dir);
	f = fopen(path, "we");
	while (f && left) {
		for (i = 0; i < sizeof(block) / sizeof(block[0]); i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			block[i] = x;
		}
		i = left < sizeof(block) ? left : sizeof(block);
		if (fwrite(block, 1, i, f) != i)
			break;
		left -= i;
	}
	if (!f || left || fclose(f))
		return complain("demo: %s: %s", path, strerror(errno));
	return 0;
}

/* The far machine: a network namespace, an address of the kernel's, an HTTP server. */
static void far_side(const struct demo *d, int ready, int go)
{
	char www[96], log[96], byte = 0;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET) || write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
		_exit(1);
	if (COMMAND("ip", "link", "set", "far0", "up") ||
	    COMMAND("ip", "addr", "add", FAR_PREFIX, "dev", "far0"))
		_exit(1);
	snprintf(www, sizeof(www), "%s/www", d->dir);
	snprintf(log, sizeof(log), "%s/server.log", d->dir);
	fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	execlp("python3", "python3", "-m", "http.server", "80", "--bind", FAR_ADDR, "--directory", www,
	       (char *)NULL);
	_exit(127);
}

static int start_far_side(struct demo *d)
{
	int ready[2], go[2];
	char pid[16], byte;

	if (pipe2(ready, O_CLOEXEC) || pipe2(go, O_CLOEXEC))
		return complain("demo: %s", strerror(errno));
	d->far = fork();
	if (d->far == 0)
		far_side(d, ready[1], go[0]);
	close(ready[1]);
	close(go[0]);
	if (d->far < 0 || read(ready[0], &byte, 1) != 1)
		return complain("demo: cannot make a second network namespace");
	snprintf(pid, sizeof(pid), "%d", (int)d->far);
	if (COMMAND("ip", "link", "add", "dev",
		    HERE_DEV, "type", "veth", "peer",
		    "name", "far0", "netns", pid) ||
	    COMMAND("ip", "link", "set", HERE_DEV, "up") ||
	    COMMAND("ip", "link", "set", "lo", "up"))
		return complain("demo: cannot make a veth pair (is the kernel's module there?)");
	if (write(go[1], &byte, 1) != 1)
		return complain("demo: the far side has died");
	close(ready[0]);
	close(go[1]);
	return 0;
}

/* A listening socket on port 80 (state 0A) in the far namespace. */
static bool server_listens(pid_t far)
{
	char path[64], line[256];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/net/tcp", (int)far);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, ":0050 00000000:0000 0A") != NULL;
	if (f)
		fclose(f);
	return found;
}

static int wait_for_server(const struct demo *d)
{
	const struct timespec pause = { 0, 20 * 1000000 };
	double deadline = now_s() + SERVER_WAIT_S;

	while (now_s() < deadline) {
		if (server_listens(d->far))
			return 0;
		if (waitpid(d->far, NULL, WNOHANG) == d->far)
			return complain("demo: the HTTP server on the far side has died");
		nanosleep(&pause, NULL);
	}
	return complain("demo: the HTTP server on the far side does not come up");
}

/* The host that all of curl's runs share. */
static int start_host(struct demo *d)
{
	const char *const given[OPT_MAX] = { [OPT_DEV] = HERE_DEV, [OPT_ADDR] = HERE_ADDR, [OPT_GATEWAY] = FAR_ADDR,
					     [OPT_CAPTURE] = d->capture, [OPT_CAPTURE_SNAPLEN] = "160" };
	char err[CONFIG_ERR_SIZE];
	struct host_config cfg;
	int i, ret = 0;

	config_init(&cfg);
	for (i = 0; i < OPT_MAX && ret == 0; i++)
		if (given[i] && config_set(&cfg, (enum config_option)i, given[i], err))
			ret = complain("demo: %s", err);
	if (ret == 0)
		ret = launch_host(&cfg, &d->host);
	config_free(&cfg);
	return ret;
}

static int fetch(const struct demo *d, const char *url, const char *to)
{
	return COMMAND(d->self, "run", "--dev", HERE_DEV, "--addr", HERE_ADDR, "curl", "--silent", "--show-error",
		       "--fail", "--noproxy", "*", "--output", to, url);
}

/* FNV-1a over words of 64 bits, to have something to show; the bytes themselves are compared. */
static uint64_t digest(const unsigned char *p, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325ULL, word;
	size_t i;

	for (i = 0; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, p + i, sizeof(word));
		hash = (hash ^ word) * 0x100000001b3ULL;
	}
	for (; i < len; i++)
		hash = (hash ^ p[i]) * 0x100000001b3ULL;
	return hash;
}

/* Maps a whole file; NULL when it is not there or empty. */
static const unsigned char *map_file(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p = MAP_FAILED;

	*len = 0;
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
		*len = (size_t)st.st_size;
		p = mmap(NULL, *len, PROT_READ, MAP_PRIVATE, fd, 0);
	}
	if (fd >= 0)
		close(fd);
	return p == MAP_FAILED ? NULL : p;
}

static int compare_files(const char *sent, const char *got, double took)
{
	size_t a_len, b_len;
	const unsigned char *a = map_file(sent, &a_len), *b = map_file(got, &b_len);

	if (!a || !b || a_len != b_len || memcmp(a, b, a_len) != 0) {
		printf("  DIFFERENT: %zu bytes came of %zu\n", b_len, a_len);
		return 1;
	}
	printf("  %zu bytes, identical (checksum %016llx on both sides), %.2f s, %.0f Mbit/s\n", b_len,
	       (unsigned long long)digest(b, b_len), took, (double)b_len * 8 / took / 1e6);
	return 0;
}

static int fetch_both(struct demo *d)
{
	char page[96], file[96], source[96];
	const char *text;
	size_t len;
	double start;
	int ret;

	snprintf(page, sizeof(page), "%s/page", d->dir);
	snprintf(file, sizeof(file), "%s/got", d->dir);
	printf("\n$ curl http://%s/\n", FAR_ADDR);
	fflush(stdout);
	ret = fetch(d, "http://" FAR_ADDR "/", page);
	text = (const char *)map_file(page, &len);
	if (ret || !text || len != strlen(PAGE) || memcmp(text, PAGE, len) != 0) {
		printf("  the page did not come (curl: exit status %d)\n", ret);
		return 1;
	}
	printf("  %.*s\n$ curl http://%s/file\n", (int)len, text, FAR_ADDR);
	fflush(stdout);
	start = now_s();
	ret = fetch(d, "http://" FAR_ADDR "/file", file);
	if (ret) {
		printf("  the file did not come (curl: exit status %d)\n", ret);
		return 1;
	}
	snprintf(source, sizeof(source), "%s/www/file", d->dir);
	return compare_files(source, file, now_s() - start);
}

/* One connection of the host's report, ", "-separated: broken into lines of a screen's width. */
static void show_connection(char *line)
{
	char *save = NULL, *part = strtok_r(line, ",", &save);
	size_t column = 0;

	for (; part; part = strtok_r(NULL, ",", &save)) {
		if (column == 0 || column + strlen(part) > 96) {
			printf("%s   ", column ? ",\n  " : "");
			column = 4;
			part += strspn(part, " ");
			printf(" %s", part);
		} else {
			printf(",%s", part);
		}
		column += strlen(part) + 1;
	}
	printf("\n");
}

/* What the host says, as far as it belongs on one screen. */
static int show_summary(struct demo *d)
{
	static const char *const counters[] = { "  TcpActiveOpens ", "  TcpInSegs ", "  TcpOutSegs ",
						"  TcpRetransSegs ", "  TcpInErrs ", "  IpInReceives " };
	char *text = malloc(CTL_DATA_MAX + 1), *save = NULL, *line;
	bool ended = false, device = false;
	int ret = -ENOMEM;
	size_t i;

	if (text)
		ret = client_call(&d->host, CTL_STATS, NULL, 0, text, CTL_DATA_MAX + 1, NULL);
	if (ret) {
		free(text);
		return complain("demo: the host does not answer: %s", strerror(-ret));
	}
	printf("\nAs our stack saw it:\n");
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (line[0] != ' ') {
			ended = strncmp(line, "ended", 5) == 0;
			device = strncmp(line, "device " HERE_DEV, 7 + strlen(HERE_DEV)) == 0;
		} else if (ended) {
			show_connection(line + 2);
		} else if (device && (strncmp(line, "  rx", 4) == 0 || strncmp(line, "  tx", 4) == 0)) {
			printf("    %s:%s\n", HERE_DEV, line + 1);
		}
		for (i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
			if (strncmp(line, counters[i], strlen(counters[i])) == 0)
				printf("    %s\n", line + 2);
	}
	printf("\nCapture: %s (open it with Wireshark, or 'tcpdump -r')\n", d->capture);
	free(text);
	return 0;
}

static void stop_host(struct demo *d)
{
	(void)client_call(&d->host, CTL_STOP, NULL, 0, NULL, 0, NULL);
	(void)client_call(&d->host, CTL_STATS, NULL, 0, NULL, 0, NULL); /* returns when it has ended */
	client_close(&d->host);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	return remove(path);
}

static int prepare(struct demo *d)
{
	ssize_t n = readlink("/proc/self/exe", d->self, sizeof(d->self) - 1);
	const char *tmp = getenv("TMPDIR");
	char cwd[PATH_MAX - 32], www[96];

	d->self[n > 0 ? n : 0] = 0;
	snprintf(d->dir, sizeof(d->dir), "%.40s/wireshim-demo.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(d->dir)) {
		d->dir[0] = 0;
		return complain("demo: cannot make a temporary directory: %s", strerror(errno));
	}
	snprintf(www, sizeof(www), "%s/www", d->dir);
	if (mkdir(www, 0755))
		return complain("demo: %s: %s", www, strerror(errno));
	if (getcwd(cwd, sizeof(cwd)) && access(cwd, W_OK) == 0)
		snprintf(d->capture, sizeof(d->capture), "%s/wireshim-demo.pcapng", cwd);
	else
		snprintf(d->capture, sizeof(d->capture), "/tmp/wireshim-demo.%u.pcapng", geteuid());
	return make_content(d->dir);
}

/* Settings that were meant for other runs must not change this one. */
static void clean_environment(void)
{
	int i;

	for (i = 0; i < OPT_MAX; i++)
		unsetenv(config_env_name((enum config_option)i));
	unsetenv("WIRESHIM_SOCKET");
	unsetenv("WIRESHIM_TOKEN");
}

static int show(struct demo *d)
{
	int ret = enter_namespaces();

	if (ret == 0)
		ret = start_far_side(d);
	if (ret == 0)
		ret = wait_for_server(d);
	if (ret)
		return ret;
	printf("Two machines on a cable (veth), in namespaces of their own:\n"
	       "  here  10.77.0.2 on " HERE_DEV ": our stack, in user space, through AF_PACKET\n"
	       "  there 10.77.0.1 on far0:   the kernel's stack, python3 -m http.server\n");
	fflush(stdout);
	ret = start_host(d);
	if (ret)
		return ret;
	ret = fetch_both(d);
	if (show_summary(d))
		ret = 1;
	stop_host(d);
	printf("%s\n", ret ? "\nSomething went wrong, see above." : "");
	return ret;
}

/** verb_demo() - wireshim demo */
int verb_demo(int argc, char **argv)
{
	struct demo d = { .far = -1 };
	int ret;

	if (argc > 1)
		return complain("demo takes no arguments, not even '%.60s'", argv[1]);
	clean_environment();
	ret = have("ip", "iproute2");
	if (ret == 0)
		ret = have("curl", "curl");
	if (ret == 0)
		ret = have("python3", "python3");
	if (ret == 0)
		ret = prepare(&d);
	if (ret == 0)
		ret = show(&d);
	if (d.far > 0) {
		kill(d.far, SIGKILL);
		waitpid(d.far, NULL, 0);
	}
	if (d.dir[0])
		nftw(d.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return ret;
}
