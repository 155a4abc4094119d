// Opening an NFQUEUE: see queue_open.h.
#include "queue_open.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "queue_wire.h"

namespace shardwall {

namespace {

// Sends a configuration request and waits for its answer; returns 0 or an errno. Packets cannot be
// in the way: nothing is queued to us before the bind is answered, and the later requests skip over
// them.
int Configure(int fd, Request& request) {
  reinterpret_cast<nlmsghdr*>(request.bytes)->nlmsg_len = static_cast<uint32_t>(request.length);
  if (send(fd, request.bytes, request.length, 0) < 0) return errno;
  alignas(nlmsghdr) uint8_t answer[1024];
  for (int skipped = 0; skipped < 10000; skipped++) {
    pollfd wait = {fd, POLLIN, 0};
    if (poll(&wait, 1, 1000) <= 0) return ETIMEDOUT;
    ssize_t length = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
    if (length < 0 && (errno == ENOBUFS || errno == EAGAIN)) continue;
    if (length < 0) return errno;
    auto* header = reinterpret_cast<nlmsghdr*>(answer);
    if (length < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(nlmsgerr)))) continue;
    if (header->nlmsg_type != NLMSG_ERROR) continue;
    return -reinterpret_cast<nlmsgerr*>(answer + NLMSG_HDRLEN)->error;
  }
  return ETIMEDOUT;
}

}  // namespace

const char* OpenQueue(const QueueSettings& settings, int* out, int* error) {
  auto number = static_cast<uint16_t>(settings.number);
  int fd = *out = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  *error = errno;
  if (fd < 0) return "socket(NETLINK_NETFILTER)";
  int size = static_cast<int>(settings.socket_buffer);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  *error = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) ? errno : 0;
  if (*error != 0) return "bind(NETLINK_NETFILTER)";

  nfqnl_msg_config_cmd command = {NFQNL_CFG_CMD_BIND, 0, htons(AF_UNSPEC)};
  Request take(number);
  *error = Configure(fd, take.Add(NFQA_CFG_CMD, command));
  if (*error != 0) return "bind to the NFQUEUE";

  Request limit(number);
  uint32_t length = htonl(static_cast<uint32_t>(settings.length));
  *error = Configure(fd, limit.Add(NFQA_CFG_QUEUE_MAXLEN, length));
  if (*error != 0) return "set the NFQUEUE length";

  // Fail-open is cleared on purpose: a full queue must never let a packet pass unseen.
  uint32_t flags = settings.gso != 0 ? NFQA_CFG_F_GSO : 0;
  Request flag(number);
  flag.Add(NFQA_CFG_FLAGS, htonl(flags));
  flag.Add(NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN));
  *error = Configure(fd, flag);
  if (*error != 0) return "set the NFQUEUE flags";

  nfqnl_msg_config_params params = {htonl(static_cast<uint32_t>(settings.copy_range)),
                                    NFQNL_COPY_PACKET};
  Request copy(number);
  *error = Configure(fd, copy.Add(NFQA_CFG_PARAMS, params));
  return *error != 0 ? "set the NFQUEUE copy range" : nullptr;
}

}  // namespace shardwall
