/* SPDX-License-Identifier: MIT */
/*
 * The greatest value of a window of time, from three values and not from all of them (after Kathleen
 * Nichols).
 *
 *   s[0]  the greatest of the window
 *   s[1]  the greatest of what came behind it
 *   s[2]  the greatest of what came behind that
 *
 * A new value takes the place of all that it exceeds. When s[0] has left the window the others move up.
 * So that they are not of one moment, s[1] is taken anew when a quarter of the window has passed since
 * s[0], and s[2] when half of it has since s[1]. The answer is a value of the window, most often the
 * greatest; it is never less than the greatest of the window's last quarter. The least value is the
 * complement of the greatest complement.
 */
#include "stack/core/win_filter.h"

#include <stdbool.h>

/* From s[@i] on all are this value. */
static void fill_from(struct win_filter *f, int i, uint64_t t, uint64_t v)
{
	for (; i < 3; i++) {
		f->s[i].v = v;
		f->s[i].t = t;
	}
}

/* What has left the window makes room, in the end for the newest value. */
static void move_up(struct win_filter *f, uint64_t win, uint64_t t, uint64_t v)
{
	for (int moves = 0; moves < 2 && t - f->s[0].t > win; moves++) {
		f->s[0] = f->s[1];
		f->s[1] = f->s[2];
		fill_from(f, 2, t, v);
	}
}

/**
 * win_filter_max() - take in a value
 * @f:    filter
 * @win:  length of the window, in the unit of @t
 * @t:    time of the value, not less than that of the last
 * @v:    value
 *
 * Return:  the greatest value of the window that ends at @t
 */
uint64_t win_filter_max(struct win_filter *f, uint64_t win, uint64_t t, uint64_t v)
{
	if (v >= f->s[0].v || t - f->s[2].t > win)
		fill_from(f, 0, t, v);
	else if (v >= f->s[1].v)
		fill_from(f, 1, t, v);
	else if (v >= f->s[2].v)
		fill_from(f, 2, t, v);

	if (t - f->s[0].t > win)
		move_up(f, win, t, v);
	else if (f->s[1].t == f->s[0].t && t - f->s[0].t > win / 4)
		fill_from(f, 1, t, v);
	else if (f->s[2].t == f->s[1].t && t - f->s[1].t > win / 2)
		fill_from(f, 2, t, v);
	return f->s[0].v;
}

/**
 * win_filter_min() - take in a value
 * @f:    filter
 * @win:  length of the window, in the unit of @t
 * @t:    time of the value, not less than that of the last
 * @v:    value
 *
 * Return:  the least value of the window that ends at @t
 */
uint64_t win_filter_min(struct win_filter *f, uint64_t win, uint64_t t, uint64_t v)
{
	return ~win_filter_max(f, win, t, ~v);
}
