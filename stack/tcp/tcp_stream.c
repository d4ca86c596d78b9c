/* SPDX-License-Identifier: MIT */
/*
 * Text from the program and to the program: SEND and RECEIVE of RFC 9293 3.10.2, 3.10.3.
 *
 * Sending copies once, into the buffer at the end of the write queue. A buffer holds as much as one
 * transmission takes (tcp_size_goal()), so that a bulk sender's transmissions are whole buffers; a
 * program that writes little at a time gets small ones. wmem_queued counts their memory against sndbuf;
 * the last buffer may overshoot it, as on Linux.
 *
 * Receiving copies out of the receive queue, or with tcp_read_sock() lends the bytes to an actor that
 * moves them on. Both stop in front of an urgent byte that is not in line, and step over it.
 */
#include "stack/tcp/tcp.h"

/* ---- SEND ------------------------------------------------------------------------------------ */

#define SMALL_BLOCK 4096U

/* Errors that end a write before the first byte. */
static int check_sendable(struct sock *sk)
{
	if (sk->err)
		return sock_error(sk);
	if (sk->shutdown & SEND_SHUTDOWN)
		return -EPIPE;
	switch (sk->state) {
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
		return 0;
	case TCP_SYN_SENT:
	case TCP_SYN_RECV:
		return sock_flag(sk, SOCK_EARLY) ? 0 : -EAGAIN;
	default:
		return -EPIPE;
	}
}

/*
 * Size for a new buffer: a whole transmission for those who write much or wait behind unsent text,
 * a few segments for those who write little; never most of a small send buffer.
 */
static uint32_t block_size(const struct tcp_sock *tp, size_t left, bool more)
{
	uint32_t goal = TCP_GSO_MAX_PAYLOAD - IPV4_HLEN - TCP_MAX_HLEN, mss = tcp_current_mss(tp);
	uint32_t limit = MAX((uint32_t)MAX(tp->inet.sk.sndbuf, 0) / 2, SMALL_BLOCK);

	if (left < goal && !more && !tp->cork && tcp_unsent(tp) == 0)
		goal = MAX((uint32_t)left, SMALL_BLOCK);
	goal = MIN(goal, limit);
	return goal > mss ? goal - goal % mss : mss;
}

/* Text may join the last buffer unless that would tear full transmissions apart. */
static bool can_append(const struct tcp_sock *tp, const struct sk_buff *tail)
{
	if (!tail || skb_tailroom(tail) == 0)
		return false;
	return after(tcp_cb(tail)->end_seq, tp->snd_nxt) || tail->block->size <= SMALL_BLOCK;
}

static void append_to_queue(struct tcp_sock *tp, struct sk_buff *skb)
{
	*tcp_cb(skb) = (struct tcp_skb_cb){ .seq = tp->write_seq,
					    .end_seq = tp->write_seq + skb->len };
	tp->write_seq += skb->len;
	tp->inet.sk.wmem_queued += skb->truesize;
	skb_append(&tp->write_queue, skb);
}

static struct sk_buff *new_tail(struct tcp_sock *tp, size_t left, bool more)
{
	struct sk_buff *skb = alloc_skb(tcp_net(tp), block_size(tp, left, more));

	if (skb)
		append_to_queue(tp, skb);
	return skb;
}

static bool has_room(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet.sk;

	return sk->wmem_queued < sk->sndbuf && tcp_wmem_allows(tp) &&
	       tcp_below_lowat(tp);
}

/* Copies as much of @src as the send buffer takes; bytes taken, or -ENOMEM. */
static ssize_t queue_text(struct tcp_sock *tp, const uint8_t *src, size_t len, bool more)
{
	size_t done = 0;

	while (done < len) {
		struct sk_buff *tail = skb_peek_tail(&tp->write_queue);
		size_t n;

		if (!can_append(tp, tail)) {
			if (!has_room(tp))
				break;
			tail = new_tail(tp, len - done, more);
			if (!tail)
				return done ? (ssize_t)done : -ENOMEM;
		}
		n = MIN(len - done, skb_tailroom(tail));
		memcpy(skb_put(tail, (uint32_t)n), src + done, n);
		tcp_cb(tail)->end_seq += (uint32_t)n;
		tp->write_seq += (uint32_t)n;
		done += n;
	}
	return (ssize_t)done;
}

/* RFC 9293 3.8.5, RFC 6093: the last byte written is the urgent one. */
static void mark_urgent(struct tcp_sock *tp)
{
	tp->snd_up = tp->write_seq;
	tp->urg_pending = true;
}

/* MSG_FASTOPEN: connect() and the first write in one. 0: text may be queued. */
static int connect_early(struct tcp_sock *tp, const struct stack_msg *msg)
{
	struct sock *sk = tcp_to_sk(tp);
	bool was = tp->fastopen_connect;
	int err;

	if (!(sk->net->tcp->sysctl.fastopen & TFO_CLIENT_ENABLE) ||
	    (msg->name && msg->namelen >= sizeof(sa_family_t) && msg->name->ss_family == AF_UNSPEC))
		return -EOPNOTSUPP;
	if (sk->state == TCP_SYN_SENT && sock_flag(sk, SOCK_EARLY))
		return 0;
	tp->fastopen_connect = true;
	err = sk->socket->ops->connect(sk->socket, (const struct sockaddr *)msg->name, msg->namelen);
	tp->fastopen_connect = was;
	return err;
}

static void push_text(struct tcp_sock *tp, bool more)
{
	if (tp->inet.sk.state == TCP_SYN_SENT)
		tcp_open_early(tp);
	else
		tcp_push_pending(tp, more);
}

/**
 * tcp_sendmsg() - queue text and send what may be sent
 * @sk:   connection
 * @msg:  MSG_OOB, MSG_MORE, MSG_FASTOPEN count
 *
 * Return:  bytes taken; -EAGAIN when the send buffer is full or the connection not yet there; -EPIPE;
 *          the pending error
 */
ssize_t tcp_sendmsg(struct sock *sk, struct stack_msg *msg)
{
	struct tcp_sock *tp = tcp_sk(sk);
	ssize_t total = 0, n = 0;
	bool more = msg->flags & MSG_MORE;
	int err;

	err = (msg->flags & MSG_FASTOPEN) ? connect_early(tp, msg) : 0;
	if (!err)
		err = check_sendable(sk);
	if (err)
		return err;
	tcp_rate_check_app_limited(tp);
	for (size_t i = 0; i < msg->iovcnt; i++) {
		n = queue_text(tp, msg->iov[i].iov_base, msg->iov[i].iov_len,
			       more || i + 1 < msg->iovcnt);
		if (n > 0)
			total += n;
		if (n < (ssize_t)msg->iov[i].iov_len)
			break;
	}
	if (total == 0) {
		bool wanted = n < 0;

		for (size_t i = 0; i < msg->iovcnt; i++)
			wanted = wanted || msg->iov[i].iov_len;
		if (sk->state == TCP_SYN_SENT && !more)
			tcp_open_early(tp);
		if (!wanted)
			return 0;
		tcp_output(tp);
		return n < 0 ? n : -EAGAIN;
	}
	if (msg->flags & MSG_OOB)
		mark_urgent(tp);
	if (!more)
		tcp_cb(skb_peek_tail(&tp->write_queue))->flags |= TCPHDR_PSH;
	push_text(tp, more);
	return total;
}

/* ---- SEND without a copy ------------------------------------------------------------------- */

typedef ssize_t (*text_filler)(void *arg, uint8_t *buf, size_t len);

/* Little text does not keep a large buffer: sndbuf counts memory. NULL: without memory it stays. */
static struct sk_buff *shrink(struct sk_buff *skb)
{
	uint32_t size = MAX(skb->len, SMALL_BLOCK);
	struct sk_buff *small;

	if (skb->block->size < 2 * size)
		return skb;
	small = alloc_skb(skb->net, size);
	if (!small)
		return skb;
	memcpy(skb_put(small, skb->len), skb->data, skb->len);
	skb_consume(skb);
	return small;
}

/* One call of @filler for a new buffer; *offered is what it could have filled. */
static ssize_t fill_new(struct tcp_sock *tp, text_filler filler, void *arg, size_t *offered)
{
	uint32_t size = block_size(tp, SIZE_MAX, false);
	struct sk_buff *skb = alloc_skb(tcp_net(tp), size);
	ssize_t n;

	if (!skb)
		return -ENOMEM;
	*offered = size;
	n = filler(arg, skb->data, size);
	if (n <= 0) {
		skb_consume(skb);
		return n;
	}
	skb_put(skb, (uint32_t)n);
	append_to_queue(tp, shrink(skb));
	return n;
}

static ssize_t fill_tail(struct tcp_sock *tp, struct sk_buff *tail, text_filler filler, void *arg)
{
	ssize_t n = filler(arg, tail->tail, skb_tailroom(tail));

	if (n <= 0)
		return n;
	skb_put(tail, (uint32_t)n);
	tcp_cb(tail)->end_seq += (uint32_t)n;
	tp->write_seq += (uint32_t)n;
	return n;
}

/**
 * tcp_fill_sock() - let a filler write text straight into the send buffer, and send it
 * @sk:      connection
 * @filler:  gets room, returns how many bytes it wrote there; fewer than it could ends the walk
 * @arg:     its argument
 *
 * Return:  bytes queued; with none: what @filler said last, -EAGAIN when there is no room, or an error as
 *          tcp_sendmsg() has them
 */
ssize_t tcp_fill_sock(struct sock *sk, ssize_t (*filler)(void *arg, uint8_t *buf, size_t len),
		      void *arg)
{
	struct tcp_sock *tp = tcp_sk(sk);
	ssize_t n = check_sendable(sk), total = 0;
	size_t offered = 0;

	if (n)
		return n;
	n = -EAGAIN;
	tcp_rate_check_app_limited(tp);
	while (has_room(tp)) {
		struct sk_buff *tail = skb_peek_tail(&tp->write_queue);

		if (can_append(tp, tail) && skb_tailroom(tail) >= SMALL_BLOCK / 2) {
			offered = skb_tailroom(tail);
			n = fill_tail(tp, tail, filler, arg);
		} else {
			n = fill_new(tp, filler, arg, &offered);
		}
		if (n > 0)
			total += n;
		if (n < (ssize_t)offered)
			break;
	}
	if (total == 0)
		return n;
	tcp_cb(skb_peek_tail(&tp->write_queue))->flags |= TCPHDR_PSH;
	push_text(tp, false);
	return total;
}

/**
 * tcp_write_space() - send-buffer space may have become free: tell the writer
 * @tp:  connection
 */
void tcp_write_space(struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sk(tp);

	if (!sock_flag(sk, SOCK_DEAD) && tcp_stream_writeable(tp))
		sk->write_space(sk);
}

/* ---- RECEIVE --------------------------------------------------------------------------------- */

/* The buffer at the front of the queue that still has text at @seq; frees what is behind us. */
static struct sk_buff *find_unread(struct tcp_sock *tp, uint32_t seq, bool peek)
{
	struct sock *sk = tcp_to_sk(tp);
	struct sk_buff *skb = skb_peek(&sk->receive_queue), *next;

	while (skb && after_eq(seq, tcp_cb(skb)->end_seq)) {
		next = skb_peek_next(&sk->receive_queue, skb);
		if (!peek) {
			skb_unlink(&sk->receive_queue, skb);
			skb_consume(skb);
		}
		skb = next;
	}
	return skb;
}

/*
 * Bytes of @avail at @seq up to the urgent byte. At that byte itself: *skip = 1 when it is not in line
 * (or has been read), and reading goes on behind it.
 */
static uint32_t up_to_urgent(const struct tcp_sock *tp, uint32_t seq, uint32_t avail, size_t done,
			     uint32_t *skip)
{
	uint32_t offset = tp->rcv_up - seq;

	*skip = 0;
	if (tp->urg_state == URG_NONE || offset >= avail)
		return avail;
	if (offset)
		return offset;
	if (sock_flag(&tp->inet.sk, SOCK_URGINLINE))
		return done ? 0 : avail; /* a read stops at the mark, and starts there anew */
	*skip = 1;
	return 0;
}

/* What a read without a byte to show returns. */
static ssize_t nothing_to_read(struct sock *sk)
{
	if (sock_flag(sk, SOCK_DONE))
		return 0;
	if (sk->err)
		return sock_error(sk);
	if (sk->shutdown & RCV_SHUTDOWN)
		return 0;
	if (sk->state == TCP_CLOSE)
		return -ENOTCONN;
	return -EAGAIN;
}

static void passed_urgent(struct tcp_sock *tp)
{
	if (tp->urg_state && after(tp->copied_seq, tp->rcv_up))
		tp->urg_state = URG_NONE;
}

typedef size_t (*text_actor)(void *arg, const uint8_t *data, size_t len);

/* Gives text to @actor, at most @max bytes, from copied_seq on; moves it unless @peek. */
static size_t walk_text(struct tcp_sock *tp, text_actor actor, void *arg, size_t max, bool peek)
{
	uint32_t seq = tp->copied_seq, n, skip;
	struct sk_buff *skb;
	size_t done = 0, taken;

	while (done < max && (skb = find_unread(tp, seq, peek))) {
		uint32_t offset = seq - tcp_cb(skb)->seq;

		n = up_to_urgent(tp, seq, tcp_cb(skb)->end_seq - seq, done, &skip);
		if (n == 0 && skip == 0)
			break;
		taken = 0;
		if (n) {
			n = (uint32_t)MIN(n, max - done);
			taken = actor(arg, skb->data + offset, n);
		}
		done += taken;
		seq += (uint32_t)taken + skip;
		if (!peek) {
			tp->copied_seq = seq;
			passed_urgent(tp);
		}
		if (taken < n)
			break;
		/* Where text ends at the urgent byte the read ends as well. */
		if (n && tp->urg_state && seq == tp->rcv_up)
			break;
	}
	if (!peek)
		find_unread(tp, tp->copied_seq, false);
	return done;
}

struct iov_cursor {
	const struct iovec *iov;
	size_t count, offset;
	bool discard;
};

static size_t copy_to_iov(void *arg, const uint8_t *data, size_t len)
{
	struct iov_cursor *c = arg;
	size_t done = 0, n;

	if (c->discard)
		return len;
	while (done < len && c->count) {
		n = MIN(len - done, c->iov->iov_len - c->offset);
		if (n)
			memcpy((uint8_t *)c->iov->iov_base + c->offset, data + done, n);
		done += n;
		c->offset += n;
		if (c->offset == c->iov->iov_len) {
			c->iov++;
			c->count--;
			c->offset = 0;
		}
	}
	return done;
}

/* MSG_OOB: the urgent byte by itself. RFC 6093 3.4; errors as Linux. */
static ssize_t recv_urgent(struct tcp_sock *tp, struct stack_msg *msg)
{
	struct sock *sk = tcp_to_sk(tp);
	struct iov_cursor c = { .iov = msg->iov, .count = msg->iovcnt };

	if (sock_flag(sk, SOCK_URGINLINE) || tp->urg_state == URG_NONE || tp->urg_state == URG_READ)
		return -EINVAL;
	if (sk->state == TCP_CLOSE && !sock_flag(sk, SOCK_DONE))
		return -ENOTCONN;
	if (tp->urg_state == URG_NOTYET)
		return -EAGAIN;
	if (!(msg->flags & MSG_PEEK))
		tp->urg_state = URG_READ;
	msg->out_flags |= MSG_OOB;
	if (copy_to_iov(&c, &tp->urg_byte, 1) == 1)
		return 1;
	msg->out_flags |= MSG_TRUNC;
	return 0;
}

/**
 * tcp_recvmsg() - copy text to the program
 * @sk:   connection
 * @msg:  MSG_PEEK, MSG_OOB, MSG_TRUNC (throw away) and MSG_ERRQUEUE count
 *
 * Return:  bytes; 0 at the end of the stream; -EAGAIN, -ENOTCONN, -EINVAL, the pending error
 */
ssize_t tcp_recvmsg(struct sock *sk, struct stack_msg *msg)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct iov_cursor c = { .iov = msg->iov, .count = msg->iovcnt,
				.discard = msg->flags & MSG_TRUNC };
	bool peek = msg->flags & MSG_PEEK;
	size_t max = 0, done;

	msg->namelen = 0; /* a stream has no message to name a sender for */
	msg->controllen = 0;
	if (msg->flags & MSG_ERRQUEUE)
		return ip_recv_error(sk, msg);
	if (sk->state == TCP_LISTEN)
		return -ENOTCONN;
	if (msg->flags & MSG_OOB)
		return recv_urgent(tp, msg);
	for (size_t i = 0; i < msg->iovcnt; i++)
		max += msg->iov[i].iov_len;

	done = walk_text(tp, copy_to_iov, &c, max, peek);
	if (done == 0 && (max || tcp_inq(tp) == 0))
		return nothing_to_read(sk);
	if (!peek) {
		tcp_rcv_space_adjust(tp);
		tcp_cleanup_rbuf(tp, done);
	}
	if (tp->inq_cmsg) {
		int inq = (int)tcp_inq(tp);

		put_cmsg(msg, IPPROTO_TCP, TCP_CMSG_INQ, &inq, sizeof(inq));
	}
	return (ssize_t)done;
}

/**
 * tcp_read_sock() - lend text to an actor
 * @sk:     connection
 * @actor:  takes as much as it says; fewer than offered ends the walk
 * @arg:    its argument
 *
 * Return:  bytes taken; 0 at the end of the stream; -EAGAIN when there is nothing to take or @actor takes
 *          none; -ENOTCONN, the pending error
 */
ssize_t tcp_read_sock(struct sock *sk, size_t (*actor)(void *arg, const uint8_t *data, size_t len),
		      void *arg)
{
	struct tcp_sock *tp = tcp_sk(sk);
	size_t done;

	if (sk->state == TCP_LISTEN)
		return -ENOTCONN;
	done = walk_text(tp, actor, arg, SIZE_MAX, false);
	if (done == 0)
		return tcp_inq(tp) ? -EAGAIN : nothing_to_read(sk);
	tcp_rcv_space_adjust(tp);
	tcp_cleanup_rbuf(tp, done);
	return (ssize_t)done;
}

/**
 * tcp_cleanup_rbuf() - the program has read: announce the window it made, or a pending ACK
 * @tp:      connection
 * @copied:  bytes read
 *
 * Small segments are acknowledged when the program has taken the last of them, unless it is known to answer,
 * and two of them in any case: their sender may have nothing more to say, or wait by Nagle's algorithm.
 *
 * Source:  RFC 9293 3.8.6.2.2; a window that has at least doubled is news for the sender, as Linux
 */
void tcp_cleanup_rbuf(struct tcp_sock *tp, size_t copied)
{
	struct sock *sk = tcp_to_sk(tp);
	uint32_t now, fresh;

	if (sk->state == TCP_CLOSE || sk->state == TCP_LISTEN || sk->state == TCP_SYN_SENT)
		return;
	if (tp->ack.scheduled &&
	    (tp->rcv_nxt - tp->rcv_wup > tp->ack.rcv_mss ||
	     (copied && tcp_inq(tp) == 0 && tp->ack.pushed > tp->ack.pingpong))) {
		tcp_send_ack(tp);
		return;
	}
	if (copied == 0 || (sk->shutdown & RCV_SHUTDOWN))
		return;
	now = tcp_receive_window(tp);
	if (2 * (uint64_t)now > (uint64_t)MAX(sk->rcvbuf, 0) / 2)
		return;
	fresh = tcp_free_window(tp);
	if (fresh && fresh >= 2 * now)
		tcp_send_ack(tp);
}
