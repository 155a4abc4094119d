/*
 * HTTP hits, each over a connection of its own, from many client addresses:
 *     hits ADDRESS PORT WARM_MS MS CONNECTIONS HOLD_MS FIRST_SOURCE SOURCES
 * Keeps CONNECTIONS going, warms up, prints "begin", counts for MS, prints what it counted as JSON.
 * With HOLD_MS a connection stays open for so long after its answer; without, the server closes it.
 * An error is a failure, a reset or no answer within TIMEOUT_MS. `slow` counts hits that took as
 * long as a repeated SYN does.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 8000
#define EVENTS 256
#define TIMEOUT_MS 3000
#define SLOW_MS 900
#define SWEEP_MS 5

enum { FREE, ASKING, HELD };
struct connection { int fd, state; double since; };

static struct connection *connections;
static struct sockaddr_in server, source;
static int loop, sources, hold_ms;
static long hits, errors, slow;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void finish(struct connection *c) {
  close(c->fd);
  c->state = FREE;
}

static void fail(struct connection *c) {
  errors++;
  finish(c);
}

static void begin(struct connection *c) {
  static unsigned next;
  int one = 1;
  struct sockaddr_in from = source;
  from.sin_addr.s_addr = htonl(ntohl(source.sin_addr.s_addr) + next++ % sources);
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  c->since = now_ms();
  c->state = ASKING;
  if (c->fd < 0) {
    perror("hits: socket");
    exit(1);
  }
  setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (bind(c->fd, (struct sockaddr *)&from, sizeof from) < 0 ||
      (connect(c->fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS)) {
    perror("hits: connect");
    exit(1);
  }
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
  epoll_ctl(loop, EPOLL_CTL_ADD, c->fd, &event);
}

static void ask(struct connection *c) {
  static const char once[] = "GET / HTTP/1.0\r\n\r\n";
  static const char kept[] = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";
  const char *text = hold_ms ? kept : once;
  if (send(c->fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text)) {
    fail(c);
    return;
  }
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(loop, EPOLL_CTL_MOD, c->fd, &event);
}

/* The answer is far shorter than the buffer and comes in one piece; one without it is an error. */
static void answer(struct connection *c) {
  char bytes[2048];
  ssize_t got = recv(c->fd, bytes, sizeof bytes, 0);
  if (c->state == HELD || got <= 0 || memcmp(bytes, "HTTP/1.", 7) || memcmp(bytes + 9, "200", 3)) {
    fail(c);
    return;
  }
  double now = now_ms();
  hits++;
  if (now - c->since > SLOW_MS) slow++;
  if (hold_ms) {
    c->state = HELD;
    c->since = now;
  } else {
    finish(c);
  }
}

static void handle(const struct epoll_event *event) {
  struct connection *c = event->data.ptr;
  if (c->state == FREE) return;
  if (event->events & EPOLLIN) answer(c);
  else if (event->events & (EPOLLERR | EPOLLHUP)) fail(c);
  else ask(c);
}

/* Ends what has been held or waited for long enough; begins what is free. */
static void sweep(int count, double now) {
  for (struct connection *c = connections; c < connections + count; c++) {
    if (c->state == HELD && now - c->since >= hold_ms) finish(c);
    else if (c->state == ASKING && now - c->since >= TIMEOUT_MS) fail(c);
  }
}

static void run_until(int count, double end) {
  struct epoll_event events[EVENTS];
  double swept = 0, now;
  while ((now = now_ms()) < end) {
    if (now - swept >= SWEEP_MS) {
      sweep(count, now);
      swept = now;
      for (int i = 0; i < count; i++)
        if (connections[i].state == FREE) begin(&connections[i]);
    }
    int ready = epoll_wait(loop, events, EVENTS, SWEEP_MS);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      handle(&events[i]);
      if (c->state == FREE && !hold_ms) begin(c);
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 9) {
    fprintf(stderr, "usage: hits ADDRESS PORT WARM_MS MS CONNECTIONS HOLD_MS FIRST_SOURCE SOURCES\n");
    return 2;
  }
  server.sin_family = source.sin_family = AF_INET;
  server.sin_port = htons(atoi(argv[2]));
  double warm = atof(argv[3]), ms = atof(argv[4]);
  int count = atoi(argv[5]);
  hold_ms = atoi(argv[6]);
  sources = atoi(argv[8]);
  if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1 || sources < 1 || count < 1 ||
      inet_pton(AF_INET, argv[7], &source.sin_addr) != 1 || count > CONNECTIONS_MAX) return 2;
  struct rlimit files = {CONNECTIONS_MAX + 64, CONNECTIONS_MAX + 64};
  setrlimit(RLIMIT_NOFILE, &files);
  connections = calloc(count, sizeof *connections);
  loop = epoll_create1(0);

  double start = now_ms();
  /* Held connections begin evenly, so that they end evenly. */
  for (int i = 0; hold_ms && i < count; i += 16) {
    for (int k = i; k < i + 16 && k < count; k++) begin(&connections[k]);
    run_until(i, start + (double)hold_ms * i / count);
  }
  run_until(count, now_ms() + warm);
  hits = errors = slow = 0;
  printf("begin\n");
  fflush(stdout);
  start = now_ms();
  run_until(count, start + ms);
  printf("{\"ms\":%.1f,\"hits\":%ld,\"errors\":%ld,\"slow\":%ld}\n", now_ms() - start, hits, errors,
         slow);
  return 0;
}
