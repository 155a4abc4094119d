/*
 * The least that a program does with an NFQUEUE, as the floor to compare with: accept everything,
 * look at nothing. queue_loop NUMBER BATCH: BATCH 1 = one packet a call, else recvmmsg and one
 * verdict message for each packet, sent together. Ends with its standard input.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define SLOT_BYTES 512
#define BATCH_MAX 256
#define QUEUE_LENGTH 4096
#define SOCKET_BYTES (8 << 20)
#define COPY_BYTES 128

struct attribute {
  struct nlattr head;
  unsigned char value[12];
};

struct request {
  struct nlmsghdr head;
  struct nfgenmsg family;
  struct attribute attribute;
};

static int sock;

static void configure(int number, int type, const void *value, int bytes) {
  struct request request = {
      .head = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg)) + NLA_HDRLEN + NLA_ALIGN(bytes),
               .nlmsg_type = (NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_CONFIG,
               .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
      .family = {.nfgen_family = AF_UNSPEC, .res_id = htons(number)},
      .attribute = {.head = {.nla_len = NLA_HDRLEN + bytes, .nla_type = type}},
  };
  memcpy(request.attribute.value, value, bytes);
  char answer[SLOT_BYTES];
  if (send(sock, &request, request.head.nlmsg_len, 0) < 0 ||
      recv(sock, answer, sizeof answer, 0) < 0 ||
      ((struct nlmsgerr *)NLMSG_DATA((struct nlmsghdr *)answer))->error != 0) {
    fprintf(stderr, "queue_loop: cannot configure queue %d\n", number);
    exit(1);
  }
}

static void open_queue(int number) {
  sock = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
  int bytes = SOCKET_BYTES;
  setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
  struct nfqnl_msg_config_cmd bind = {.command = NFQNL_CFG_CMD_BIND};
  struct nfqnl_msg_config_params params = {htonl(COPY_BYTES), NFQNL_COPY_PACKET};
  unsigned length = htonl(QUEUE_LENGTH);
  configure(number, NFQA_CFG_CMD, &bind, sizeof bind);
  configure(number, NFQA_CFG_PARAMS, &params, 5);
  configure(number, NFQA_CFG_QUEUE_MAXLEN, &length, sizeof length);
}

/* The packet id is in the first attribute (net/netfilter/nfnetlink_queue.c). */
static unsigned packet_id(const char *message) {
  const char *at = message + NLMSG_LENGTH(sizeof(struct nfgenmsg));
  return ((struct nfqnl_msg_packet_hdr *)(at + NLA_HDRLEN))->packet_id;
}

static int write_verdict(struct request *verdict, int number, unsigned id) {
  struct nfqnl_msg_verdict_hdr value = {htonl(NF_ACCEPT), id};
  memset(verdict, 0, sizeof *verdict);
  verdict->head.nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg)) + NLA_HDRLEN + sizeof value;
  verdict->head.nlmsg_type = (NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_VERDICT;
  verdict->head.nlmsg_flags = NLM_F_REQUEST;
  verdict->family.res_id = htons(number);
  verdict->attribute.head.nla_len = NLA_HDRLEN + sizeof value;
  verdict->attribute.head.nla_type = NFQA_VERDICT_HDR;
  memcpy(verdict->attribute.value, &value, sizeof value);
  return verdict->head.nlmsg_len;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int number = atoi(argv[1]), most = atoi(argv[2]);
  if (most < 1 || most > BATCH_MAX) return 2;
  open_queue(number);
  static char slots[BATCH_MAX][SLOT_BYTES];
  static struct request verdicts[BATCH_MAX];
  struct iovec in[BATCH_MAX], out[BATCH_MAX];
  struct mmsghdr batch[BATCH_MAX];
  memset(batch, 0, sizeof batch);
  for (int i = 0; i < most; i++) {
    in[i] = (struct iovec){slots[i], SLOT_BYTES};
    batch[i].msg_hdr.msg_iov = &in[i];
    batch[i].msg_hdr.msg_iovlen = 1;
  }
  struct pollfd wait[2] = {{sock, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  printf("ready\n");
  fflush(stdout);
  while (poll(wait, 2, -1) >= 0 && wait[1].revents == 0) {
    int count = recvmmsg(sock, batch, most, MSG_DONTWAIT, NULL);
    if (count < 0 && errno != ENOBUFS && errno != EAGAIN) break;
    for (int i = 0; i < count; i++) {
      out[i].iov_base = &verdicts[i];
      out[i].iov_len = write_verdict(&verdicts[i], number, packet_id(slots[i]));
    }
    struct msghdr send = {.msg_iov = out, .msg_iovlen = count < 0 ? 0 : count};
    if (count > 0) sendmsg(sock, &send, 0);
  }
  return 0;
}
