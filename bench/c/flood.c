/*
 * Sends UDP datagrams as fast as it can: flood ADDRESS PORT COUNT SECONDS SOURCE_PORTS [PER_SECOND]
 * Bounded by COUNT and SECONDS, whichever ends first. Prints how many were sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define SOCKETS_MAX 256
#define PAYLOAD_BYTES 18
#define FIRST_PORT 20000

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int open_socket(const struct sockaddr_in *to, int port) {
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(port)};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) < 0 ||
      connect(fd, (struct sockaddr *)to, sizeof *to) < 0) {
    perror("flood");
    exit(1);
  }
  return fd;
}

int main(int argc, char **argv) {
  if (argc < 6) {
    fprintf(stderr, "usage: flood ADDRESS PORT COUNT SECONDS SOURCE_PORTS [PER_SECOND]\n");
    return 2;
  }
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  long count = atol(argv[3]);
  double seconds = atof(argv[4]);
  int ports = atoi(argv[5]);
  double rate = argc > 6 ? atof(argv[6]) : 0;
  if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || ports < 1 || ports > SOCKETS_MAX) return 2;

  int sockets[SOCKETS_MAX];
  for (int i = 0; i < ports; i++) sockets[i] = open_socket(&to, FIRST_PORT + i);

  char payload[PAYLOAD_BYTES] = "shardwall bench";
  struct iovec part = {payload, sizeof payload};
  struct mmsghdr batch[BATCH];
  memset(batch, 0, sizeof batch);
  for (int i = 0; i < BATCH; i++) {
    batch[i].msg_hdr.msg_iov = &part;
    batch[i].msg_hdr.msg_iovlen = 1;
  }
  long sent = 0;
  double start = now(), end = start + seconds;
  for (int at = 0; sent < count && now() < end; at = (at + 1) % ports) {
    long left = count - sent;
    int done = sendmmsg(sockets[at], batch, left < BATCH ? left : BATCH, 0);
    if (done > 0) sent += done;
    while (rate > 0 && sent > (now() - start) * rate && now() < end) usleep(100);
  }
  printf("%ld\n", sent);
  return 0;
}
