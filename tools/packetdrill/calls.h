/* SPDX-License-Identifier: MIT */
/* What the files of system calls share: arguments, descriptors, and the functions by name. */
#ifndef TOOLS_PACKETDRILL_CALLS_H
#define TOOLS_PACKETDRILL_CALLS_H

#include <netinet/in.h>

#include "tools/packetdrill/run.h"

/*
 * One attempt of a call. DONE: c->result is what it returned, a negative errno included. BLOCK: it
 * would wait. BAD: the script is wrong or does not hold, which has been noted.
 */
enum attempt { CALL_DONE, CALL_BLOCK, CALL_BAD };
typedef enum attempt (*call_fn)(struct call *c);

/* ---- arguments: false after a failure, which has been noted ---- */
bool is_ellipsis(const struct expr *e);
bool expr_number(struct call *c, const struct expr *e, int64_t *out);
bool arg_number(struct call *c, unsigned int i, int64_t *out);
/* The field of a structure, by name or by place; NULL = absent. */
struct expr *expr_field(const struct expr *e, const char *name, unsigned int place);
/* "..." gives @dflt_ip:@dflt_port. */
bool expr_sockaddr(struct call *c, const struct expr *e, uint32_t dflt_ip, uint16_t dflt_port,
		   struct sockaddr_storage *ss, socklen_t *len);
/* What a call gave back is what the script says; "..." is anything. */
bool check_sockaddr(struct call *c, const struct expr *e, const struct sockaddr_storage *ss);
bool check_number(struct call *c, const char *what, const struct expr *e, int64_t got);
/* Puts a result down: DONE. */
enum attempt call_returns(struct call *c, int64_t result);
/*
 * What the stack answered: -EAGAIN makes a blocking descriptor wait, up to @timeout_us from its
 * beginning (0 = for ever).
 */
enum attempt call_may_block(struct call *c, int64_t result, bool nonblocking, int64_t timeout_us);
bool file_nonblocking(const struct file *f);

/* ---- descriptors ---- */
struct file *file_get(struct run *r, int64_t fd);
struct file *file_new(struct run *r, enum file_kind kind); /* NULL: out of memory */
/* Under the number that the script's result has. DONE, or BAD. Takes the file over. */
enum attempt file_install(struct call *c, struct file *f);
void file_put(struct run *r, struct file *f);
void file_adopt(struct file *f, struct socket *sock);

/* ---- by file ---- */
enum attempt do_socket(struct call *c);
enum attempt do_bind(struct call *c);
enum attempt do_listen(struct call *c);
enum attempt do_accept(struct call *c);
enum attempt do_connect(struct call *c);
enum attempt do_getsockname(struct call *c);
enum attempt do_shutdown(struct call *c);
enum attempt do_close(struct call *c);
enum attempt do_dup(struct call *c);
enum attempt do_fcntl(struct call *c);
enum attempt do_ioctl(struct call *c);
enum attempt do_open(struct call *c);
enum attempt do_pipe(struct call *c);

enum attempt do_read(struct call *c);
enum attempt do_readv(struct call *c);
enum attempt do_recv(struct call *c);
enum attempt do_recvfrom(struct call *c);
enum attempt do_recvmsg(struct call *c);
enum attempt do_write(struct call *c);
enum attempt do_writev(struct call *c);
enum attempt do_send(struct call *c);
enum attempt do_sendto(struct call *c);
enum attempt do_sendmsg(struct call *c);
enum attempt do_sendfile(struct call *c);
enum attempt do_splice(struct call *c);

enum attempt do_getsockopt(struct call *c);
enum attempt do_setsockopt(struct call *c);

enum attempt do_poll(struct call *c);
enum attempt do_epoll_create(struct call *c);
enum attempt do_epoll_ctl(struct call *c);
enum attempt do_epoll_wait(struct call *c);

/* Compares ancillary data with an array of {cmsg_level=, cmsg_type=, cmsg_data=}. */
bool check_cmsgs(struct call *c, const struct expr *list, void *control, size_t len);

#endif
