/*
 * isupgw: one end of an ISUP trunk, on libss7.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Copyright (C) 2026 the Viaduct authors.
 *
 * This program is free software; you can redistribute it and/or modify it under the terms of the GNU General Public License
 * as published by the Free Software Foundation; either version 2 of the License, or (at your option) any later version.
 * This program is distributed in the hope that it will be useful, but WITHOUT ANY WARRANTY; without even the implied
 * warranty of MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE. See the GNU General Public License for more details:
 * <https://www.gnu.org/licenses/>.
 *
 * It is a program for tests. It is never linked into the product, nor is the product into it: they speak over pipes.
 *
 * Usage: isupgw ansi|itu OPC DPC FD [PCAP]
 *
 * FD is an inherited, connected datagram socket: the signalling timeslot. Each datagram is one MTP2 signal unit with its
 * two octets of check bits, and leaves when its last bit would have left at 64 kbit/s. PCAP receives every message signal
 * unit in both directions, without check bits, as link type 140 (MTP2).
 *
 * Commands come on stdin, events go to stdout, one a line. ISUP messages have the same form in both:
 *
 *   IAM cic=N called=DIGITS/NAI [calling=DIGITS/NAI pres=N screen=N] [orig_called=DIGITS/NAI]
 *       [redirecting=DIGITS/NAI] [reason=N counter=N] [jip=DIGITS] [gap=DIGITS/NAI] [charge=DIGITS/NAI]
 *   ACM cic=N      ANM cic=N      REL cic=N cause=N      RLC cic=N
 *
 * DIGITS are 1 to 24 of 0123456789ABCD*#; as an event, # is the end of pulsing (ST), which ITU networks append. NAI is the
 * nature of address indicator: 1 subscriber, 3 national, 4 international. reason and counter are those of the redirection
 * information. gap is the generic address of type 0xC0, the ported number; with it, the forward call indicators say that
 * the number has been translated. jip, gap and charge exist in ANSI networks alone. Any field may be left out but cic and called.
 *
 *   UP        the link is in service: calls may come and go. Commands before it are refused.
 *   DOWN      the link has failed: every call is over, and so is the program.
 *   RSC cic=N the other side has reset the circuit: its call is over, without REL and RLC.
 *   ERR TEXT  a command was refused. Nothing was sent.
 *
 * Nothing is answered by itself: whoever drives this end decides about ringing, answer and release. Circuits are 1 to 30.
 * An end may seize the odd ones if its point code is the lower, else the even ones, so that no two calls meet on a circuit
 * (Q.764, 2.9.1.4). The program ends with stdin.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <libss7.h>

enum {
	CIRCUITS = 30,
	DIGITS_MAX = 24,
	LINE_MAX_OCTETS = 512,
	UNIT_MAX = 512,       /* octets of a signal unit; MTP2 allows 279 */
	CHECK_OCTETS = 2,     /* of each signal unit */
	GAP_PORTED = 0xc0,    /* type of address: ported number */
	NUMBER_TRANSLATED = 0x10, /* bit M of the forward call indicators */
	NATURE_MAX = 0x7f,
	LINKTYPE_MTP2 = 140,
	TIMESLOT = 64000,     /* bit/s */
};

/* circuit is one speech timeslot. call belongs to libss7, which frees it when a message cannot be sent. */
struct circuit {
	struct isup_call *call;
	bool incoming, sent_release, got_release;
};

static struct ss7 *ss7;
static unsigned opc, dpc;
static bool itu, up;
static struct circuit circuits[CIRCUITS + 1];
static FILE *capture;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void fail(const char *what)
{
	fprintf(stderr, "isupgw: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- fields of a command --- */

struct number {
	char digits[DIGITS_MAX + 1]; /* empty if the field is absent */
	unsigned char nature;
};

struct fields {
	int cic, cause, pres, screen, reason, counter; /* -1 if absent */
	struct number called, calling, orig_called, redirecting, gap, charge, jip;
};

static bool read_int(const char *text, int max, int *value)
{
	char *end;
	errno = 0;
	long n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < 0 || n > max)
		return false;
	*value = (int)n;
	return true;
}

static bool read_digits(const char *text, size_t length, char *digits)
{
	if (length < 1 || length > DIGITS_MAX || strspn(text, "0123456789ABCD*#") < length)
		return false;
	memcpy(digits, text, length);
	digits[length] = 0;
	return true;
}

static bool read_number(const char *text, struct number *number)
{
	const char *slash = strchr(text, '/');
	int nature;
	if (!slash || !read_int(slash + 1, NATURE_MAX, &nature) || !read_digits(text, (size_t)(slash - text), number->digits))
		return false;
	number->nature = (unsigned char)nature;
	return true;
}

/* read_field takes one name=value; false if it is not understood. */
static bool read_field(char *text, struct fields *f)
{
	char *value = strchr(text, '=');
	if (!value)
		return false;
	*value++ = 0;
	struct { const char *name; int *value; int max; } ints[] = {
		{"cic", &f->cic, CIRCUITS}, {"cause", &f->cause, 127}, {"pres", &f->pres, 3}, {"screen", &f->screen, 3},
		{"reason", &f->reason, 15}, {"counter", &f->counter, 7},
	};
	for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
		if (!strcmp(text, ints[i].name))
			return read_int(value, ints[i].max, ints[i].value);
	struct { const char *name; struct number *value; } numbers[] = {
		{"called", &f->called}, {"calling", &f->calling}, {"orig_called", &f->orig_called},
		{"redirecting", &f->redirecting}, {"gap", &f->gap}, {"charge", &f->charge},
	};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (!strcmp(text, numbers[i].name))
			return read_number(value, numbers[i].value);
	return !strcmp(text, "jip") && read_digits(value, strlen(value), f->jip.digits);
}

/* --- commands --- */

static void forget(struct circuit *circuit)
{
	memset(circuit, 0, sizeof *circuit);
}

/* sent says what became of a message. libss7 has freed a call whose message it could not send. */
static void sent(struct circuit *circuit, int result)
{
	if (result >= 0)
		return;
	forget(circuit);
	say("ERR not sent");
}

static void send_iam(const struct fields *f)
{
	struct circuit *circuit = &circuits[f->cic];
	bool odd = f->cic % 2;
	if (circuit->call || odd != (opc < dpc)) {
		say(circuit->call ? "ERR the circuit is busy" : "ERR the circuit is the other side's to seize");
		return;
	}
	if (!f->called.digits[0]) {
		say("ERR no called number");
		return;
	}
	if (itu && (f->jip.digits[0] || f->gap.digits[0] || f->charge.digits[0])) {
		say("ERR no such field in ITU networks");
		return;
	}
	struct isup_call *call = isup_new_call(ss7, f->cic, dpc, 1);
	if (!call)
		fail("isup_new_call");
	circuit->call = call;
	isup_set_tmr(call, SS7_TMR_3K1_AUDIO);
	isup_set_called(call, f->called.digits, f->called.nature, ss7);
	if (f->calling.digits[0])
		isup_set_calling(call, f->calling.digits, f->calling.nature, (unsigned char)(f->pres < 0 ? 0 : f->pres),
			(unsigned char)(f->screen < 0 ? 0 : f->screen));
	isup_set_orig_called_num(call, f->orig_called.digits, f->orig_called.nature, SS7_PRESENTATION_ALLOWED, 0);
	isup_set_redirecting_number(call, f->redirecting.digits, f->redirecting.nature, SS7_PRESENTATION_ALLOWED, 0);
	if (f->counter > 0) /* 3: call diverted; the original reason is for national use, and not set */
		isup_set_redirection_info(call, 3, 0, (unsigned char)f->counter, (unsigned char)(f->reason < 0 ? 0 : f->reason));
	isup_set_jip_digits(call, f->jip.digits);
	isup_set_charge(call, f->charge.digits, f->charge.nature, 1);
	if (f->gap.digits[0]) {
		isup_set_gen_address(call, f->gap.digits, f->gap.nature, SS7_PRESENTATION_ALLOWED, 1, GAP_PORTED);
		isup_set_forward_indicator_pmbits(call, NUMBER_TRANSLATED);
	}
	sent(circuit, isup_iam(ss7, call));
}

static void send_release(struct circuit *circuit, int cause)
{
	if (cause < 0) {
		say("ERR no cause");
		return;
	}
	circuit->sent_release = true;
	sent(circuit, isup_rel(ss7, circuit->call, cause));
}

static void send_release_complete(struct circuit *circuit)
{
	struct isup_call *call = circuit->call;
	int result = isup_rlc(ss7, call);
	circuit->got_release = false;
	if (result >= 0 && !circuit->sent_release) {
		forget(circuit);
		isup_free_call(ss7, call);
		return;
	}
	sent(circuit, result);
}

static void command(char *line)
{
	struct fields f = {.cic = -1, .cause = -1, .pres = -1, .screen = -1, .reason = -1, .counter = -1};
	char *rest = NULL, *name = strtok_r(line, " ", &rest);
	for (char *word; (word = strtok_r(NULL, " ", &rest));)
		if (!read_field(word, &f)) {
			say("ERR field not understood");
			return;
		}
	if (!name || f.cic < 1) {
		say("ERR no cic");
		return;
	}
	if (!up) {
		say("ERR the link is not in service");
		return;
	}
	struct circuit *circuit = &circuits[f.cic];
	bool held = circuit->call && !circuit->sent_release && !circuit->got_release;
	if (!strcmp(name, "IAM"))
		send_iam(&f);
	else if (!strcmp(name, "ACM") && held && circuit->incoming)
		sent(circuit, isup_acm(ss7, circuit->call));
	else if (!strcmp(name, "ANM") && held && circuit->incoming)
		sent(circuit, isup_anm(ss7, circuit->call));
	else if (!strcmp(name, "REL") && held)
		send_release(circuit, f.cause);
	else if (!strcmp(name, "RLC") && circuit->call && circuit->got_release)
		send_release_complete(circuit);
	else
		say("ERR no such command for this circuit now");
}

/* read_commands takes what stdin has; false at its end. */
static bool read_commands(void)
{
	static char line[LINE_MAX_OCTETS];
	static size_t length;
	static bool overlong;
	char octets[LINE_MAX_OCTETS];
	ssize_t n = read(STDIN_FILENO, octets, sizeof octets);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	for (ssize_t i = 0; i < n; i++) {
		if (octets[i] == '\n') {
			line[length] = 0;
			if (overlong)
				say("ERR overlong line");
			else
				command(line);
			length = 0;
			overlong = false;
		} else if (octets[i] == 0 || length == sizeof line - 1) {
			overlong = true;
		} else if (!overlong) {
			line[length++] = octets[i];
		}
	}
	return n > 0;
}

/* --- events --- */

static void print_number(const char *name, const char *digits, int nature)
{
	if (digits[0])
		printf(" %s=%s/%d", name, digits, nature);
}

static void got_iam(const ss7_event_iam *iam)
{
	if (iam->cic < 1 || iam->cic > CIRCUITS || circuits[iam->cic].call) { /* no peer of this program sends that */
		if (iam->cic < 1 || iam->cic > CIRCUITS || circuits[iam->cic].call != iam->call)
			isup_free_call(ss7, iam->call);
		return;
	}
	circuits[iam->cic] = (struct circuit){.call = iam->call, .incoming = true};
	printf("IAM cic=%d", iam->cic);
	print_number("called", iam->called_party_num, iam->called_nai);
	print_number("calling", iam->calling_party_num, iam->calling_nai);
	if (iam->calling_party_num[0])
		printf(" pres=%d screen=%d", iam->presentation_ind, iam->screening_ind);
	print_number("orig_called", iam->orig_called_num, iam->orig_called_nai);
	print_number("redirecting", iam->redirecting_num, iam->redirecting_num_nai);
	if (iam->redirect_info)
		printf(" reason=%d counter=%d", iam->redirect_info_reas, iam->redirect_info_counter);
	if (iam->jip_number[0])
		printf(" jip=%s", iam->jip_number);
	if (iam->gen_add_type == GAP_PORTED)
		print_number("gap", iam->gen_add_number, iam->gen_add_nai);
	print_number("charge", iam->charge_number, iam->charge_nai);
	putchar('\n');
}

/* ours is the circuit of a call that libss7 tells of, or NULL if we do not hold it. */
static struct circuit *ours(int cic, const struct isup_call *call)
{
	return cic >= 1 && cic <= CIRCUITS && call && circuits[cic].call == call ? &circuits[cic] : NULL;
}

static void got_release_complete(const ss7_event_cic *rlc)
{
	struct circuit *circuit = ours(rlc->cic, rlc->call);
	if (circuit && circuit->got_release) { /* both have released, and ours to complete is still to come */
		circuit->sent_release = false;
	} else {
		if (circuit)
			forget(circuit);
		isup_free_call(ss7, rlc->call);
	}
	say("RLC cic=%d", rlc->cic);
}

static void got_reset(const ss7_event_rsc *rsc)
{
	struct circuit *circuit = ours(rsc->cic, rsc->call);
	if (circuit)
		forget(circuit);
	if (isup_rlc(ss7, rsc->call) >= 0)
		isup_free_call(ss7, rsc->call);
	say("RSC cic=%d", rsc->cic);
}

static void handle(ss7_event *e)
{
	struct circuit *circuit;
	switch (e->e) {
	case SS7_EVENT_UP:
		up = true;
		say("UP");
		break;
	case SS7_EVENT_DOWN:
	case MTP2_LINK_DOWN:
		say("DOWN");
		exit(0);
	case ISUP_EVENT_IAM:
		got_iam(&e->iam);
		break;
	case ISUP_EVENT_ACM:
		say("ACM cic=%d", e->acm.cic);
		break;
	case ISUP_EVENT_ANM:
		say("ANM cic=%d", e->anm.cic);
		break;
	case ISUP_EVENT_REL:
		circuit = ours(e->rel.cic, e->rel.call);
		if (circuit) {
			circuit->got_release = true;
			say("REL cic=%d cause=%d", e->rel.cic, e->rel.cause);
		} else if (isup_rlc(ss7, e->rel.call) >= 0) { /* Q.764, 2.9.6: a release of an idle circuit is completed */
			isup_free_call(ss7, e->rel.call);
		}
		break;
	case ISUP_EVENT_RLC:
		got_release_complete(&e->rlc);
		break;
	case ISUP_EVENT_RSC:
		got_reset(&e->rsc);
		break;
	}
}

/* handle_events is called after each signal unit: a call that one ends must be freed before the next, or libss7 takes it for
   the call that the next begins. */
static void handle_events(void)
{
	for (ss7_event *e; (e = ss7_check_event(ss7));)
		handle(e);
}

/* --- what libss7 asks for --- */

static void message(struct ss7 *s, char *text)
{
	(void)s;
	fputs(text, stderr);
}

static void not_in_service(struct ss7 *s, int cic, unsigned peer)
{
	(void)s, (void)cic, (void)peer;
}

/* hangup is called for messages that fit no call: libss7 is to free what it made for them. */
static int hangup(struct ss7 *s, int cic, unsigned peer, int cause, int what)
{
	(void)s, (void)peer, (void)cause, (void)what;
	return cic >= 1 && cic <= CIRCUITS && circuits[cic].call ? SS7_CIC_USED : SS7_CIC_NOT_EXISTS;
}

/* call_gone is called before libss7 frees a call by itself. */
static void call_gone(struct ss7 *s, struct isup_call *call, int lock)
{
	(void)s, (void)lock;
	for (int cic = 1; cic <= CIRCUITS; cic++)
		if (circuits[cic].call == call)
			forget(&circuits[cic]);
}

static void start_ss7(int link)
{
	ss7 = ss7_new(itu ? SS7_ITU : SS7_ANSI);
	if (!ss7)
		fail("ss7_new");
	ss7_set_message(message);
	ss7_set_error(message);
	ss7_set_notinservice(not_in_service);
	ss7_set_hangup(hangup);
	ss7_set_call_null(call_gone);
	ss7_set_network_ind(ss7, SS7_NI_NAT);
	ss7_set_pc(ss7, opc);
	/* Q.764, table A.1. Without them, libss7 resets a circuit on which a message and a release have crossed. */
	ss7_set_isup_timer(ss7, "t1", 15000);
	ss7_set_isup_timer(ss7, "t5", 300000);
	ss7_set_isup_timer(ss7, "t16", 15000);
	ss7_set_isup_timer(ss7, "t17", 300000);
	if (ss7_add_link(ss7, SS7_TRANSPORT_DAHDIDCHAN, link, 0, dpc))
		fail("ss7_add_link");
	ss7_start(ss7);
}

/* --- the timeslot --- */

static void start_capture(const char *name)
{
	capture = fopen(name, "wb");
	if (!capture)
		fail(name);
	const uint32_t header[] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, LINKTYPE_MTP2};
	fwrite(header, sizeof header, 1, capture);
	fflush(capture);
}

/* record writes a message signal unit; others are told by their length indicator. */
static void record(const unsigned char *unit, size_t length)
{
	if (!capture || length < 4 + CHECK_OCTETS || (unit[2] & 0x3f) <= 2)
		return;
	length -= CHECK_OCTETS;
	struct timeval now;
	gettimeofday(&now, NULL);
	const uint32_t header[] = {(uint32_t)now.tv_sec, (uint32_t)now.tv_usec, (uint32_t)length, (uint32_t)length};
	fwrite(header, sizeof header, 1, capture);
	fwrite(unit, length, 1, capture);
	fflush(capture);
}

static int64_t nanoseconds(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* lost ends the program when the far end of the timeslot is gone. */
static void lost(ssize_t result)
{
	if (result >= 0 || errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
		return;
	say("DOWN");
	exit(0);
}

/* run carries signal units between libss7, at the far end of tap, and the timeslot, until stdin ends. */
static void run(int slot, int tap, int link)
{
	unsigned char sending[UNIT_MAX], received[UNIT_MAX];
	ssize_t length = 0; /* of the unit being sent */
	int64_t sent_at = 0;
	for (;;) {
		int64_t now = nanoseconds(CLOCK_MONOTONIC);
		if (now >= sent_at) {
			if (length > 0) {
				record(sending, (size_t)length);
				lost(send(slot, sending, (size_t)length, 0));
			}
			ss7_write(ss7, link);
			length = recv(tap, sending, sizeof sending, 0);
			sent_at = now + (length > 0 ? (length + 1) * 8 * INT64_C(1000000000) / TIMESLOT : 1000000);
		}
		struct timespec wait = {.tv_nsec = sent_at - now};
		if (wait.tv_nsec < 0 || wait.tv_nsec > 999999999)
			wait.tv_nsec = 0;
		struct pollfd polled[] = {{.fd = slot, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
		if (ppoll(polled, 2, &wait, NULL) > 0) {
			ssize_t n;
			while ((n = recv(slot, received, sizeof received, 0)) > 0) {
				record(received, (size_t)n);
				lost(send(tap, received, (size_t)n, 0));
				ss7_read(ss7, link);
				handle_events();
			}
			lost(n);
			if (polled[1].revents && !read_commands())
				return;
		}
		const struct timeval *due = ss7_schedule_next(ss7);
		if (due && (int64_t)due->tv_sec * 1000000000 + (int64_t)due->tv_usec * 1000 <= nanoseconds(CLOCK_REALTIME))
			ss7_schedule_run(ss7);
		handle_events();
	}
}

int main(int argc, char **argv)
{
	int values[3];
	if (argc < 5 || argc > 6 || (strcmp(argv[1], "ansi") && strcmp(argv[1], "itu")) || !read_int(argv[2], 16383, &values[0]) ||
		!read_int(argv[3], 16383, &values[1]) || values[0] == values[1] || !read_int(argv[4], 1023, &values[2])) {
		fputs("usage: isupgw ansi|itu OPC DPC FD [PCAP]\n", stderr);
		return 1;
	}
	itu = !strcmp(argv[1], "itu");
	opc = (unsigned)values[0];
	dpc = (unsigned)values[1];
	int slot = values[2], pair[2];
	if (argc == 6)
		start_capture(argv[5]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		fail("socketpair");
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) || fcntl(slot, F_SETFL, O_NONBLOCK))
		fail("fcntl");
	start_ss7(pair[1]);
	run(slot, pair[0], pair[1]);
	ss7_destroy(ss7);
	if (capture)
		fclose(capture);
	return 0;
}
