/* SPDX-License-Identifier: MIT */
/*
 * What the programs of the differential suite share.
 *
 * A program makes calls and prints one line for each: "label: outcome". It runs once on the kernel's loopback and once
 * on ours, and the lines have to be the same (tests/diff/run). So an outcome is what the program can see and nothing
 * that chance decides: ephemeral ports print as "eph", and whatever comes from the other end is waited for first.
 * Nothing sleeps for a guessed time; a condition that never comes ends at WAIT_MS and shows as a difference.
 */
#ifndef TESTS_DIFF_DIFF_H
#define TESTS_DIFF_DIFF_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 3000 };

/* Prefix of the labels from here on. */
void topic(const char *name);

/* One line. */
void say(const char *label, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "label: value" or "label: -1 ERRNO"; gives the value back and keeps errno. */
long outcome(const char *label, long value);
#define CALL(label, expression) (errno = 0, outcome(label, (long)(expression)))

/* The outcome and, where it is positive, the bytes. */
long outcome_data(const char *label, long value, const void *data);
#define DATA(label, expression, buf) (errno = 0, outcome_data(label, (long)(expression), buf))

const char *errno_name(int err);
const char *addr_text(const void *addr, socklen_t len);
const char *poll_text(unsigned int events);
void say_poll(const char *label, int fd, short events);
void say_name(const char *label, int fd, bool peer);
void say_option(const char *label, int fd, int level, int name);
void set_option(const char *label, int fd, int level, int name, int value);
int option(int fd, int level, int name);

/* Waits until poll() shows all of @events; false at the deadline. */
bool await(int fd, int events);
/* Waits until that many bytes can be read. */
bool await_bytes(int fd, int count);
uint64_t now_ms(void);
/* "in time" when @since is between @least and @most milliseconds ago. */
const char *took(uint64_t since, unsigned int least, unsigned int most);

struct sockaddr_in at(const char *ip, int port);
#define SA(addr) ((const struct sockaddr *)(addr)), (socklen_t)sizeof(*(addr))

int tcp_socket(void);
int udp_socket(void);
int tcp_listener(int port);
/* A connection to @listener: the client's end, and in *@server the accepted one. */
int tcp_connect_to(int listener, int port, int *server);
/* Both ends of a connection on @port, the listener closed. */
void tcp_pair(int port, int *client, int *server);
int udp_bound(int port);
/* @b bound to @port + 1 and @a to @port, each connected to the other. */
void udp_pair(int port, int *a, int *b);
void nonblocking(int fd, bool on);
/* A child that calls @f; its lines come out in order. Gives its exit status. */
int in_child(void (*f)(void *), void *arg);

/* The program. */
void run(void);

#endif
