/*
 * Long transfers over TCP:
 *     stream serve ADDRESS PORT                       sends zeros to who connects, until it hangs up
 *     stream take ADDRESS PORT CONNECTIONS WARM_MS MS  reads from so many at once
 * `serve` prints "ready". `take` warms up, prints "begin", counts for MS, prints {"bytes","ms"}; a
 * connection that breaks ends it with an error.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define CHUNK (256 * 1024)

static char chunk[CHUNK];

static void die(const char *what) {
  fprintf(stderr, "stream: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static struct sockaddr_in address_of(const char *address, const char *port) {
  struct sockaddr_in found = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
  if (inet_pton(AF_INET, address, &found.sin_addr) != 1) die(address);
  return found;
}

static void watch(int loop, int fd, unsigned events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
}

static void serve(struct sockaddr_in own) {
  int loop = epoll_create1(0), one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&own, sizeof own) != 0) die("bind");
  if (listen(listener, CONNECTIONS_MAX) != 0) die("listen");
  watch(loop, listener, EPOLLIN);
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct epoll_event event;
    if (epoll_wait(loop, &event, 1, -1) < 1) continue;
    if (event.data.fd == listener) {
      int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
      if (fd >= 0) watch(loop, fd, EPOLLOUT);
    } else if (write(event.data.fd, chunk, CHUNK) < 0 && errno != EAGAIN) {
      close(event.data.fd);
    }
  }
}

/* Reads whatever comes until `end`. */
static long take_until(int loop, double end) {
  long bytes = 0;
  for (double left; (left = end - now_ms()) > 0;) {
    struct epoll_event event;
    if (epoll_wait(loop, &event, 1, (int)left + 1) < 1) continue;
    ssize_t got = read(event.data.fd, chunk, CHUNK);
    if (got == 0) errno = ECONNRESET;
    if (got == 0 || (got < 0 && errno != EAGAIN)) die("read");
    if (got > 0) bytes += got;
  }
  return bytes;
}

static void take(struct sockaddr_in server, int connections, int warm_ms, int ms) {
  int loop = epoll_create1(0);
  if (connections < 1 || connections > CONNECTIONS_MAX) die("connections");
  for (int i = 0; i < connections; i++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&server, sizeof server) != 0) die("connect");
    watch(loop, fd, EPOLLIN);
  }
  take_until(loop, now_ms() + warm_ms);
  puts("begin");
  fflush(stdout);
  double begin = now_ms();
  long bytes = take_until(loop, begin + ms);
  printf("{\"bytes\":%ld,\"ms\":%.1f}\n", bytes, now_ms() - begin);
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  if (argc == 4 && strcmp(argv[1], "serve") == 0) {
    serve(address_of(argv[2], argv[3]));
  } else if (argc == 7 && strcmp(argv[1], "take") == 0) {
    take(address_of(argv[2], argv[3]), atoi(argv[4]), atoi(argv[5]), atoi(argv[6]));
  } else {
    fputs("usage: see the head of stream.c\n", stderr);
    return 2;
  }
  return 0;
}
