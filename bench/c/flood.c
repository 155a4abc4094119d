/*
 * Sends UDP datagrams or TCP SYNs as fast as it can, or at a rate:
 *     flood ADDRESS PORT COUNT SECONDS FLOWS [PER_SECOND [udp|syn]]
 * FLOWS is a number of source ports, or a list SOURCE:PORT,SOURCE:PORT,... whose members take turns.
 * Bounded by COUNT and SECONDS, whichever ends first. Prints how many were sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define FLOWS_MAX 256
#define PAYLOAD_BYTES 18
#define FIRST_PORT 20000

struct flow { int fd; struct sockaddr_in from; struct iovec part; struct tcphdr syn; };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int open_socket(const struct flow *flow, const struct sockaddr_in *to, int syn) {
  struct sockaddr_in from = flow->from;
  if (syn) from.sin_port = 0;
  int fd = socket(AF_INET, syn ? SOCK_RAW : SOCK_DGRAM, syn ? IPPROTO_TCP : 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) < 0 ||
      connect(fd, (const struct sockaddr *)to, sizeof *to) < 0) {
    perror("flood");
    exit(1);
  }
  return fd;
}

/* The Internet checksum over a pseudo header (RFC 9293 3.1) and a header without options. */
static uint16_t checksum(const struct sockaddr_in *from, const struct sockaddr_in *to,
                         const struct tcphdr *tcp) {
  uint16_t words[16] = {0};
  memcpy(words, &from->sin_addr, 4);
  memcpy(words + 2, &to->sin_addr, 4);
  words[4] = htons(IPPROTO_TCP);
  words[5] = htons(sizeof *tcp);
  memcpy(words + 6, tcp, sizeof *tcp);
  uint32_t sum = 0;
  for (int i = 0; i < 16; i++) sum += words[i];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

static void prepare(struct flow *flow, const struct sockaddr_in *to, int syn) {
  static char payload[PAYLOAD_BYTES] = "shardwall bench";
  flow->fd = open_socket(flow, to, syn);
  flow->part = (struct iovec){payload, sizeof payload};
  if (!syn) return;
  flow->syn = (struct tcphdr){.syn = 1, .doff = 5, .window = htons(1024)};
  flow->syn.source = flow->from.sin_port;
  flow->syn.dest = to->sin_port;
  flow->syn.check = checksum(&flow->from, to, &flow->syn);
  flow->part = (struct iovec){&flow->syn, sizeof flow->syn};
}

/* Returns how many flows the text names, 0 if it is wrong. */
static int read_flows(char *text, struct flow *flows) {
  int count = 0;
  if (strchr(text, ':') == NULL) {
    int ports = atoi(text);
    for (; ports <= FLOWS_MAX && count < ports; count++)
      flows[count].from =
          (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(FIRST_PORT + count)};
    return count;
  }
  for (char *each = strtok(text, ","); each != NULL; each = strtok(NULL, ",")) {
    char *port = strchr(each, ':');
    if (port == NULL || count == FLOWS_MAX) return 0;
    *port = 0;
    struct sockaddr_in *from = &flows[count++].from;
    *from = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(port + 1))};
    if (inet_pton(AF_INET, each, &from->sin_addr) != 1) return 0;
  }
  return count;
}

int main(int argc, char **argv) {
  static struct flow flows[FLOWS_MAX];
  if (argc < 6) {
    fprintf(stderr, "usage: flood ADDRESS PORT COUNT SECONDS FLOWS [PER_SECOND [udp|syn]]\n");
    return 2;
  }
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  long count = atol(argv[3]);
  double seconds = atof(argv[4]);
  double rate = argc > 6 ? atof(argv[6]) : 0;
  int syn = argc > 7 && strcmp(argv[7], "syn") == 0;
  int many = read_flows(argv[5], flows);
  if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || many < 1) return 2;
  for (int i = 0; i < many; i++) prepare(&flows[i], &to, syn);

  struct mmsghdr batch[BATCH];
  memset(batch, 0, sizeof batch);
  long sent = 0;
  double start = now(), end = start + seconds;
  for (int at = 0; sent < count && now() < end; at = (at + 1) % many) {
    for (int i = 0; i < BATCH; i++) {
      batch[i].msg_hdr.msg_iov = &flows[at].part;
      batch[i].msg_hdr.msg_iovlen = 1;
    }
    long left = count - sent;
    int done = sendmmsg(flows[at].fd, batch, left < BATCH ? left : BATCH, 0);
    if (done > 0) sent += done;
    while (rate > 0 && sent > (now() - start) * rate && now() < end) usleep(100);
  }
  printf("%ld\n", sent);
  return 0;
}
