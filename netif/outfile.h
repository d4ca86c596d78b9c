/* SPDX-License-Identifier: MIT */
/* A file that is written in large pieces and never waited for. */
#ifndef NETIF_OUTFILE_H
#define NETIF_OUTFILE_H

#include "stack/core/types.h"

struct outfile {
	int fd;
	uint8_t *buf;
	size_t used, size;
	uint64_t written;  /* bytes that reached the file */
	int error;         /* 0, or the negative errno of the first failed write: nothing more is written */
};

int outfile_init(struct outfile *f, int fd, size_t size);
/* Memory for @len more bytes, to be filled and committed; NULL: failed, or no room (f->error is 0). */
uint8_t *outfile_room(struct outfile *f, size_t len);
static inline void outfile_commit(struct outfile *f, size_t len) { f->used += len; }
/* 0, also when the reader of a pipe takes no more for now; else the error. */
int outfile_flush(struct outfile *f);
int outfile_close(struct outfile *f);

#endif
