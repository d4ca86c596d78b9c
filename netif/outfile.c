/* SPDX-License-Identifier: MIT */
/*
 * outfile.c - buffered writing to a file or a pipe
 *
 * The caller asks for room, writes a whole record into it and commits; flushing writes what has been
 * committed. A pipe whose reader is slow (EAGAIN) is no error: the bytes stay, and when the buffer is
 * full there is no room, so that whole records are lost and never parts of one. Any other error is
 * final and kept.
 */
#include "netif/outfile.h"

#include "netif/sys.h"

/**
 * outfile_init() - begin
 * @f:     file
 * @fd:    descriptor, non-blocking if it is a pipe; taken over on success
 * @size:  bytes buffered, the largest record
 *
 * Return:  0; -ENOMEM
 */
int outfile_init(struct outfile *f, int fd, size_t size)
{
	memset(f, 0, sizeof(*f));
	f->buf = malloc(size);
	if (!f->buf)
		return -ENOMEM;
	f->fd = fd;
	f->size = size;
	return 0;
}

/**
 * outfile_flush() - write what has been committed
 * @f:  file
 *
 * Return:  0; the error that ended the writing
 */
int outfile_flush(struct outfile *f)
{
	size_t done = 0;

	while (!f->error && done < f->used) {
		ssize_t n = sys_write(f->fd, f->buf + done, f->used - done);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			break;
		if (n <= 0)
			f->error = n < 0 ? (int)n : -EIO;
		else
			done += (size_t)n;
	}
	f->written += done;
	f->used -= done;
	memmove(f->buf, f->buf + done, f->used);
	return f->error;
}

/**
 * outfile_room() - memory for one more record
 * @f:    file
 * @len:  bytes
 *
 * Return:  where to write it; NULL when writing has failed or there is no room now
 */
uint8_t *outfile_room(struct outfile *f, size_t len)
{
	if (f->error || len > f->size)
		return NULL;
	if (len > f->size - f->used && (outfile_flush(f) < 0 || len > f->size - f->used))
		return NULL;
	return f->buf + f->used;
}

/**
 * outfile_close() - flush, close and free
 * @f:  file
 *
 * Return:  0; the error that ended the writing; -EAGAIN when the reader of a pipe left bytes unread
 */
int outfile_close(struct outfile *f)
{
	int err = outfile_flush(f), closed;

	if (err == 0 && f->used)
		err = -EAGAIN;
	closed = sys_close(f->fd);
	free(f->buf);
	f->buf = NULL;
	f->fd = -1;
	return err < 0 ? err : closed;
}
