/* SPDX-License-Identifier: MIT */
/*
 * wireshim lab: several hosts in this process, and the programs that its file names.
 *
 * Each program is started as `wireshim run --host HOST sh -c COMMAND`, once what it waits for is
 * there, with its output in files of the run's folder. When every "run" has ended, every "serve" is
 * ended (SIGTERM, then SIGKILL). The exit status is the first that was not zero.
 *
 * `wireshim run --lab FILE --as HOST PROGRAM` adds one program to those of the file, with the terminal
 * as its input and output; the laboratory ends with it, and its exit status is the program's.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/host/lab.h"
#include "tools/wireshim.h"

enum { FILE_MAX = 1024 * 1024, KILL_S = 5, POLL_NS = 20 * 1000 * 1000 };

enum run_state { WAITING, RUNNING, ENDED };

struct run {
	enum run_state state;
	pid_t pid;
	int status;              /* as of waitpid() */
	char output[LAB_NAME + 16]; /* name of its files without ".out" */
};

struct session {
	struct lab_plan plan;
	struct lab *lab;
	struct run runs[LAB_PROGRAMS];
	char folder[PATH_MAX];
	sigset_t old_mask;
	int signal_fd;
	char **program;          /* of the command line, run last; NULL = none */
	int first_bad;           /* exit status */
	int interrupted;         /* signal that asked us to end */
	time_t ending;           /* since when; 0 = not yet */
};

static time_t seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* --- the file and the folder --------------------------------------------------------------------- */

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text;
	size_t n;

	if (!f) {
		complain("%s: %s", path, strerror(errno));
		return NULL;
	}
	text = malloc(FILE_MAX + 1);
	n = text ? fread(text, 1, FILE_MAX + 1, f) : 0;
	if (text && (ferror(f) || n > FILE_MAX || memchr(text, 0, n))) {
		complain("%s: %s", path, ferror(f) ? strerror(errno) : n > FILE_MAX ? "larger than 1 MiB"
										 : "not a text");
		free(text);
		text = NULL;
	} else if (text) {
		text[n] = 0;
	}
	fclose(f);
	return text;
}

static int load(struct session *s, const char *path)
{
	char err[LAB_ERR] = "", *text = read_file(path);
	int ret;

	if (!text)
		return EXIT_USAGE;
	ret = lab_plan_parse(text, &s->plan, err);
	free(text);
	return ret ? complain("%s: %s", path, err[0] ? err : strerror(-ret)) : 0;
}

/* The folder that was asked for, or one named after the file and the time. */
static int make_folder(struct session *s, const char *wanted, const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char name[PATH_MAX], stamp[32];
	time_t now = time(NULL);
	struct tm tm;

	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", localtime_r(&now, &tm));
	if (wanted)
		snprintf(name, sizeof(name), "%s", wanted);
	else
		snprintf(name, sizeof(name), "%.*s-%s", (int)strcspn(base, "."), base, stamp);
	if (mkdir(name, 0777) && (errno != EEXIST || !wanted))
		return complain("%s: %s", name, strerror(errno));
	if (!realpath(name, s->folder))
		return complain("%s: %s", name, strerror(errno));
	return 0;
}

static FILE *open_in(const struct session *s, const char *name, const char *suffix)
{
	char path[PATH_MAX + LAB_NAME + 32];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s%s", s->folder, name, suffix);
	f = fopen(path, "we");
	if (!f)
		complain("%s: %s", path, strerror(errno));
	return f;
}

/* --- programs ------------------------------------------------------------------------------------ */

/* NODE, or NODE-2, NODE-3 ... for further programs of it. */
static void name_outputs(struct session *s)
{
	unsigned int count[LAB_NODES] = { 0 };
	char output[LAB_NAME + 16];

	for (unsigned int i = 0; i < s->plan.program_count; i++) {
		unsigned int node = s->plan.programs[i].node;
		const char *name = s->plan.nodes[node].name;

		if (++count[node] == 1)
			snprintf(output, sizeof(output), "%s", name);
		else
			snprintf(output, sizeof(output), "%s-%u", name, count[node]);
		memcpy(s->runs[i].output, output, sizeof(output));
	}
}

static bool node_has_ended(const struct session *s, unsigned int node)
{
	for (unsigned int i = 0; i < s->plan.program_count; i++)
		if (s->plan.programs[i].node == node && !s->plan.programs[i].serve && s->runs[i].state != ENDED)
			return false;
	return true;
}

static bool may_start(const struct session *s, const struct lab_program *p)
{
	for (unsigned int i = 0; i < p->after_count; i++) {
		const struct lab_after *a = &p->after[i];

		if (a->port ? !lab_listens(s->lab, a->node, a->port) : !node_has_ended(s, a->node))
			return false;
	}
	return true;
}

/* `wireshim run --host HOST -- ARG...`; returns only when it cannot. */
static void exec_run(const char *host, char **args)
{
	char *head[] = { (char[]){ "wireshim" }, (char[]){ "run" }, (char[]){ "--host" }, (char *)(uintptr_t)host,
			 (char[]){ "--" } };
	char self[PATH_MAX], **argv;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t count = 0;

	self[n > 0 ? n : 0] = 0;
	while (args[count])
		count++;
	argv = calloc(sizeof(head) / sizeof(head[0]) + count + 1, sizeof(*argv));
	if (!argv)
		return;
	memcpy(argv, head, sizeof(head));
	memcpy(argv + sizeof(head) / sizeof(head[0]), args, count * sizeof(*args));
	execv(self, argv);
	free(argv);
}

/* A program of the file has a session of its own, so that it is ended with all that it started. */
static void detach(int out, int err)
{
	int null = open("/dev/null", O_RDONLY);

	setsid();
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
}

/* In the child. Does not return. */
static void become_program(const struct session *s, unsigned int i)
{
	const struct lab_program *p = &s->plan.programs[i];
	char *shell[] = { (char[]){ "/bin/sh" }, (char[]){ "-c" }, p->command, NULL };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigprocmask(SIG_SETMASK, &s->old_mask, NULL);
	/* Settings of this process's own environment are not meant for these hosts. */
	for (int opt = 0; opt < OPT_MAX; opt++)
		unsetenv(config_env_name((enum config_option)opt));
	exec_run(lab_host_name(s->lab, p->node), p->command ? shell : s->program);
	_exit(EXIT_NOT_EXECUTABLE);
}

static int launch(struct session *s, unsigned int i, FILE *out, FILE *err)
{
	struct run *r = &s->runs[i];

	r->pid = fork();
	if (r->pid == 0) {
		if (out)
			detach(fileno(out), fileno(err));
		become_program(s, i);
	}
	r->state = r->pid < 0 ? ENDED : RUNNING;
	return r->pid < 0 ? complain("cannot start %s: %s", r->output, strerror(errno)) : 0;
}

static int start_program(struct session *s, unsigned int i)
{
	struct run *r = &s->runs[i];
	FILE *out, *err;
	int ret;

	if (!s->plan.programs[i].command)
		return launch(s, i, NULL, NULL);
	out = open_in(s, r->output, ".out");
	err = out ? open_in(s, r->output, ".err") : NULL;
	ret = err ? launch(s, i, out, err) : EXIT_USAGE;
	if (ret)
		r->state = ENDED;
	if (out)
		fclose(out);
	if (err)
		fclose(err);
	return ret;
}

static int start_programs(struct session *s)
{
	int ret = 0;

	for (unsigned int i = 0; i < s->plan.program_count && ret == 0; i++)
		if (s->runs[i].state == WAITING && may_start(s, &s->plan.programs[i]))
			ret = start_program(s, i);
	return ret;
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void note_end(struct session *s, unsigned int i, int status)
{
	struct run *r = &s->runs[i];
	int code = exit_status(status);

	r->state = ENDED;
	r->status = status;
	/* A server that was ended by us did nothing wrong. */
	if (s->plan.programs[i].serve && s->ending)
		return;
	if (s->program) { /* the terminal is its own */
		if (!s->plan.programs[i].command)
			s->first_bad = code;
		return;
	}
	printf("%-12s exit %d: %s\n", r->output, code, s->plan.programs[i].command);
	fflush(stdout);
	if (code && !s->first_bad)
		s->first_bad = code;
}

static void reap(struct session *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned int i = 0; i < s->plan.program_count; i++)
			if (s->runs[i].pid == pid && s->runs[i].state == RUNNING)
				note_end(s, i, status);
}

static void read_signals(struct session *s)
{
	struct signalfd_siginfo si;

	while (read(s->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			reap(s);
		else
			s->interrupted = (int)si.ssi_signo;
	}
}

/* To the program and all that it started and did not move away. */
static void signal_all(const struct session *s, int sig)
{
	for (unsigned int i = 0; i < s->plan.program_count; i++)
		if (s->runs[i].state == RUNNING)
			kill(s->plan.programs[i].command ? -s->runs[i].pid : s->runs[i].pid, sig);
}

static bool any(const struct session *s, enum run_state state, bool servers)
{
	for (unsigned int i = 0; i < s->plan.program_count; i++)
		if (s->runs[i].state == state && (servers || !s->plan.programs[i].serve))
			return true;
	return false;
}

/* Some program waits, and nothing that runs or is served could ever let it go on. */
static bool stuck(const struct session *s)
{
	return any(s, WAITING, false) && !any(s, RUNNING, true);
}

/* Everything that the laboratory is there for has ended. */
static bool done(const struct session *s)
{
	if (s->program)
		return s->runs[s->plan.program_count - 1].state == ENDED;
	return !any(s, WAITING, false) && !any(s, RUNNING, false);
}

static void begin_end(struct session *s)
{
	for (unsigned int i = 0; i < s->plan.program_count; i++)
		if (s->runs[i].state == WAITING)
			s->runs[i].state = ENDED;
	s->ending = seconds_now();
	signal_all(s, SIGTERM);
}

static int run_programs(struct session *s)
{
	int ret = 0;

	while (ret == 0) {
		if (!s->ending) {
			ret = start_programs(s);
			if (ret == 0 && stuck(s))
				ret = complain("what is left waits for something that cannot come");
			if (ret || s->interrupted || done(s))
				begin_end(s);
		} else if (seconds_now() - s->ending >= KILL_S) {
			signal_all(s, SIGKILL);
		}
		if (s->ending && !any(s, RUNNING, true))
			break;
		if (lab_turn(s->lab, POLL_NS))
			read_signals(s);
	}
	while (any(s, RUNNING, true)) { /* after an error */
		signal_all(s, SIGKILL);
		if (lab_turn(s->lab, POLL_NS))
			read_signals(s);
	}
	return ret;
}

/* --- the report ---------------------------------------------------------------------------------- */

static void write_report(const struct session *s, const char *path)
{
	FILE *f = open_in(s, "lab", ".txt");

	if (!f)
		return;
	fprintf(f, "file %s\nseed %llu\n", path, (unsigned long long)s->plan.seed);
	for (unsigned int i = 0; i < s->plan.program_count; i++) {
		const char *command = s->plan.programs[i].command;
		const struct run *r = &s->runs[i];

		if (!command)
			command = s->program[0];
		if (!r->pid)
			fprintf(f, "%s not started: %s\n", r->output, command);
		else
			fprintf(f, "%s %s %d: %s\n", r->output, s->plan.programs[i].serve ? "served" : "exit",
				exit_status(r->status), command);
	}
	if (fclose(f))
		complain("%s/lab.txt: %s", s->folder, strerror(errno));
}

/* --- the whole ----------------------------------------------------------------------------------- */

static int start_signals(struct session *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &s->old_mask);
	signal(SIGPIPE, SIG_IGN);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signal_fd < 0 ? complain("signalfd: %s", strerror(errno)) : 0;
}

static int play(struct session *s, const char *path, const char *log)
{
	char name[32], err[LAB_ERR] = "";
	struct lab_config cfg = { .name = name, .folder = s->folder, .log = log };
	int ret;

	snprintf(name, sizeof(name), "lab%d", (int)getpid());
	if (!s->plan.has_seed && getrandom(&s->plan.seed, 4, 0) != 4)
		return complain("getrandom: %s", strerror(errno));
	cfg.seed = s->plan.seed;
	ret = lab_create(&s->plan, &cfg, &s->lab, err);
	if (ret)
		return complain("%s: %s", path, err);
	if (!s->program)
		printf("%u hosts, routers and switches, seed %llu, results in %s\n", s->plan.node_count,
		       (unsigned long long)s->plan.seed, s->folder);
	fflush(stdout);
	name_outputs(s);
	ret = start_signals(s);
	if (ret == 0 && lab_watch_fd(s->lab, s->signal_fd))
		ret = complain("epoll_ctl: %s", strerror(errno));
	if (ret == 0)
		ret = run_programs(s);
	lab_destroy(s->lab);
	write_report(s, path);
	return ret ? ret : s->interrupted ? 128 + s->interrupted : s->first_bad;
}

struct lab_options {
	const char *file, *as, *after, *out, *log, *seed;
};

static int read_options(int argc, char **argv, bool run, struct lab_options *o)
{
	static const struct option longopts[] = {
		{ "out", required_argument, NULL, 'o' }, { "seed", required_argument, NULL, 's' },
		{ "log", required_argument, NULL, 'l' }, { "lab", required_argument, NULL, 'f' },
		{ "as", required_argument, NULL, 'a' },  { "after", required_argument, NULL, 'w' },
		{ 0 },
	};
	const char **const values[] = { ['o'] = &o->out, ['s'] = &o->seed, ['l'] = &o->log, ['f'] = &o->file,
					['a'] = &o->as, ['w'] = &o->after };
	int c;

	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, "+:", longopts, NULL)) != -1) {
		if (c == ':')
			return complain("%s needs a value", argv[optind - 1]);
		if (c == '?' || (!run && strchr("faw", c)))
			return complain("unknown option '%.60s' with a laboratory (--out, --seed, --log%s)",
					argv[optind - 1], run ? ", --as, --after" : "");
		*values[c] = optarg;
	}
	return 0;
}

/* The program of the command line is one more of the file's. */
static int add_program(struct session *s, const struct lab_options *o, char **program)
{
	struct lab_program *p = &s->plan.programs[s->plan.program_count];
	int node = o->as ? lab_plan_find(&s->plan, o->as) : -1;
	char err[LAB_ERR];

	if (!o->as)
		return complain("--as HOST is missing");
	if (node < 0 || s->plan.nodes[node].kind != LAB_HOST)
		return complain("--as: there is no host '%.60s' in the file", o->as);
	if (s->plan.program_count == LAB_PROGRAMS)
		return complain("more than %d programs", LAB_PROGRAMS);
	p->node = (unsigned int)node;
	if (o->after && lab_plan_after(&s->plan, (char *)(uintptr_t)o->after, p, err))
		return complain("--after: %s", err);
	s->plan.program_count++;
	s->program = program;
	return 0;
}

static int open_session(struct session *s, const struct lab_options *o, char **program)
{
	int ret = load(s, o->file);
	char *end;

	if (ret == 0 && o->seed) {
		s->plan.seed = strtoull(o->seed, &end, 10);
		s->plan.has_seed = true;
		if (*end || *o->seed < '0' || *o->seed > '9')
			ret = complain("--seed: '%.60s' is not a number", o->seed);
	}
	if (ret == 0 && program)
		ret = add_program(s, o, program);
	return ret ? ret : make_folder(s, o->out, o->file);
}

static int run_session(const struct lab_options *o, char **program)
{
	struct session *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return complain("out of memory");
	ret = open_session(s, o, program);
	if (ret == 0)
		ret = play(s, o->file, o->log);
	lab_plan_free(&s->plan);
	free(s);
	return ret;
}

/** verb_lab() - wireshim lab [--out FOLDER] [--seed N] [--log LEVEL] FILE */
int verb_lab(int argc, char **argv)
{
	struct lab_options o = { 0 };
	int ret = read_options(argc, argv, false, &o);

	if (ret == 0 && optind + 1 != argc)
		ret = complain("lab needs one file: 'wireshim lab [--out FOLDER] [--seed N] FILE'");
	if (ret)
		return ret;
	o.file = argv[optind];
	return o.file ? run_session(&o, NULL) : EXIT_USAGE;
}

/**
 * lab_run_program() - wireshim run --lab FILE --as HOST [--after WHAT] [--out FOLDER] [--seed N] [--]
 * PROGRAM [ARG...]
 */
int lab_run_program(int argc, char **argv)
{
	struct lab_options o = { 0 };
	int ret = read_options(argc, argv, true, &o);

	if (ret)
		return ret;
	if (!o.file || optind >= argc)
		return complain("run what? 'wireshim run --lab FILE --as HOST PROGRAM [ARG...]'");
	return run_session(&o, argv + optind);
}
