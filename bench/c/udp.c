/*
 * UDP flows, for benchmarks of tables of flows and of what takes them over.
 *     udp echo PORT                               answers each datagram; prints "ready"
 *     udp fill ADDRESS PORT <FLOWS                one datagram and its answer for each flow
 *     udp probe ADDRESS PORT EVERY_MS COUNT <FLOWS   flows in turn; the longest stall
 * FLOWS are lines "SOURCE PORT". `fill` repeats what is not answered; prints how many were.
 * `probe` prints "begin", then JSON: a stall is the time between the last datagram that was answered
 * before some that were not, and the next that was.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FLOWS_MAX 200000
#define AT_ONCE 256
#define WAIT_MS 200
#define REPEATS 10
#define COUNT_MAX 100000
#define TAIL_MS 500

struct flow { struct sockaddr_in from; int fd, done; };
static struct flow flows[FLOWS_MAX];
static int many;
static struct sockaddr_in server = {.sin_family = AF_INET};

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void die(const char *what) {
  fprintf(stderr, "udp: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int udp_socket(const struct sockaddr_in *from) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, (const struct sockaddr *)from, sizeof *from) < 0) die("socket");
  return fd;
}

static void read_flows(void) {
  char address[64];
  int port;
  while (many < FLOWS_MAX && scanf("%63s %d", address, &port) == 2) {
    struct sockaddr_in *from = &flows[many++].from;
    *from = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, address, &from->sin_addr) != 1) die("flows");
  }
}

static void open_flow(struct flow *flow) {
  flow->fd = udp_socket(&flow->from);
  if (connect(flow->fd, (struct sockaddr *)&server, sizeof server) < 0) die("connect");
}

static void echo(int port) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)}, peer;
  int fd = udp_socket(&here), room = 4 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    char bytes[2048];
    socklen_t length = sizeof peer;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (poll(&ready, 1, -1) < 0) die("poll");
    ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&peer, &length);
    if (got >= 0) sendto(fd, bytes, got, 0, (struct sockaddr *)&peer, length);
  }
}

/* One datagram and its answer for each of some flows. Returns how many are answered. */
static int fill_some(struct flow *some, int count) {
  char bytes[16] = "fill";
  struct pollfd ready[AT_ONCE];
  int answered = 0;
  for (int i = 0; i < count; i++) {
    if (!some[i].done) open_flow(&some[i]);
    ready[i] = (struct pollfd){.fd = some[i].done ? -1 : some[i].fd, .events = POLLIN};
    if (!some[i].done) send(some[i].fd, bytes, sizeof bytes, 0);
    else answered++;
  }
  for (double end = now_ms() + WAIT_MS; answered < count && now_ms() < end;) {
    poll(ready, count, WAIT_MS);
    for (int i = 0; i < count; i++) {
      if (ready[i].fd < 0 || !(ready[i].revents & POLLIN)) continue;
      some[i].done = recv(some[i].fd, bytes, sizeof bytes, 0) > 0;
      answered += some[i].done;
      if (some[i].done) ready[i].fd = -1;
    }
  }
  for (int i = 0; i < count; i++)
    if (some[i].fd > 0) {
      close(some[i].fd);
      some[i].fd = 0;
    }
  return answered;
}

static int fill(void) {
  int answered = 0;
  for (int at = 0; at < many; at += AT_ONCE) {
    int count = many - at < AT_ONCE ? many - at : AT_ONCE, done = 0;
    for (int tried = 0; tried < REPEATS && done < count; tried++) done = fill_some(flows + at, count);
    answered += done;
  }
  printf("%d\n", answered);
  return answered == many ? 0 : 1;
}

static void receive_until(int loop, double end, char *answered) {
  struct epoll_event events[64];
  for (double left; (left = end - now_ms()) > 0;) {
    struct timespec wait = {(time_t)(left / 1e3), (long)(left * 1e6) % 1000000000L};
    int ready = epoll_pwait2(loop, events, 64, &wait, NULL);
    for (int i = 0; i < ready; i++) {
      int number;
      while (recv(events[i].data.fd, &number, sizeof number, 0) == sizeof number)
        if (number >= 0 && number < COUNT_MAX) answered[number] = 1;
    }
  }
}

static int probe(double every, int count) {
  static char answered[COUNT_MAX];
  static double sent[COUNT_MAX];
  int loop = epoll_create1(0);
  for (int i = 0; i < many; i++) {
    open_flow(&flows[i]);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = flows[i].fd};
    epoll_ctl(loop, EPOLL_CTL_ADD, flows[i].fd, &event);
  }
  printf("begin\n");
  fflush(stdout);
  double start = now_ms(), longest = 0;
  for (int i = 0; i < count; i++) {
    receive_until(loop, start + i * every, answered);
    sent[i] = now_ms();
    send(flows[i % many].fd, &i, sizeof i, 0);
  }
  receive_until(loop, now_ms() + TAIL_MS, answered);
  int last = -1, total = 0;
  for (int i = 0; i < count; i++) {
    if (!answered[i]) continue;
    double gap = sent[i] - (last < 0 ? start : sent[last]);
    if (gap > longest) longest = gap;
    last = i;
    total++;
  }
  double end = last < 0 ? sent[count - 1] - start : sent[count - 1] - sent[last];
  printf("{\"sent\":%d,\"answered\":%d,\"stallMs\":%.1f,\"lastMs\":%.1f}\n", count, total, longest, end);
  return 0;
}

int main(int argc, char **argv) {
  struct rlimit files = {COUNT_MAX, COUNT_MAX};
  if (setrlimit(RLIMIT_NOFILE, &files) < 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  if (argc == 3 && strcmp(argv[1], "echo") == 0) echo(atoi(argv[2]));
  if (argc >= 4 && inet_pton(AF_INET, argv[2], &server.sin_addr) == 1) {
    server.sin_port = htons(atoi(argv[3]));
    read_flows();
    if (many > 0 && strcmp(argv[1], "fill") == 0) return fill();
    int count = argc == 6 ? atoi(argv[5]) : 0;
    if (many > 0 && strcmp(argv[1], "probe") == 0 && count > 0 && count <= COUNT_MAX)
      return probe(atof(argv[4]), count);
  }
  fprintf(stderr, "usage: udp echo PORT | fill ADDRESS PORT | probe ADDRESS PORT EVERY_MS COUNT\n");
  return 2;
}
