/*
 * Datagrams of a multicast group as they arrive, one line each: arrivals GROUP PORT INTERFACE_ADDRESS
 * Nanoseconds by the kernel's clock at arrival, then the bytes in hex; "ready" before.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define DATAGRAM_MAX 65536
#define ROOM_BYTES (8 << 20)

static int joined(const char *group, int port, const char *address) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct ip_mreqn member = {0};
  int one = 1, room = ROOM_BYTES, fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (inet_pton(AF_INET, group, &here.sin_addr) != 1) return -1;
  member.imr_multiaddr = here.sin_addr;
  if (fd < 0 || inet_pton(AF_INET, address, &member.imr_address) != 1) return -1;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one) < 0 ||
      bind(fd, (struct sockaddr *)&here, sizeof here) < 0 ||
      setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &member, sizeof member) < 0) return -1;
  return fd;
}

int main(int argc, char **argv) {
  static unsigned char bytes[DATAGRAM_MAX];
  int fd = argc == 4 ? joined(argv[1], atoi(argv[2]), argv[3]) : -1;
  if (fd < 0) {
    perror("arrivals GROUP PORT INTERFACE_ADDRESS");
    return 1;
  }
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    char control[256];
    struct iovec part = {bytes, sizeof bytes};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got = recvmsg(fd, &message, 0);
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    if (got < 0 || first == NULL || first->cmsg_type != SCM_TIMESTAMPNS) continue;
    struct timespec at;
    memcpy(&at, CMSG_DATA(first), sizeof at);
    printf("%lld%09ld ", (long long)at.tv_sec, at.tv_nsec);
    for (ssize_t i = 0; i < got; i++) printf("%02x", bytes[i]);
    printf("\n");
    fflush(stdout);
  }
}
