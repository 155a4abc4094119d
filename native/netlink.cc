// Netlink: one netlink socket; bytes in, bytes out. What the bytes mean is decided in TypeScript.
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "classes.h"
#include "guard.h"

namespace shardwall {

namespace {

struct Netlink {
  static constexpr napi_type_tag kTag = {0x61e1734dca6bbafa, 0xc22a27f24d2c1008};
  int fd = -1;
  ~Netlink() { Close(); }
  void Close() {
    if (fd >= 0) close(fd);
    fd = -1;
  }
};

// Beyond rmem_max only with CAP_NET_ADMIN of the initial namespace; otherwise up to it.
void SetReceiveBuffer(int fd, int size) {
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
}

// new Netlink(protocol, receiveBufferBytes)
napi_value Construct(napi_env env, napi_callback_info info) {
  Call call(env, info);
  int64_t protocol, buffer;
  if (!call.Int(0, "protocol", 0, 31, &protocol)) return nullptr;
  if (!call.Int(1, "receiveBuffer", 4096, INT32_MAX, &buffer)) return nullptr;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, static_cast<int>(protocol));
  if (fd < 0) return Fail(env, "socket(AF_NETLINK)", errno);
  auto* netlink = new Netlink;
  netlink->fd = fd;
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  SetReceiveBuffer(fd, static_cast<int>(buffer));
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    int error = errno;
    delete netlink;
    return Fail(env, "bind(AF_NETLINK)", error);
  }
  return Wrap(env, call.self, netlink) ? call.self : nullptr;
}

// send(bytes, length): one datagram to the kernel.
napi_value Send(napi_env env, napi_callback_info info) {
  Call call(env, info);
  auto* netlink = Unwrap<Netlink>(call);
  Bytes bytes;
  int64_t length;
  if (netlink == nullptr || !call.Uint8Array(0, "bytes", 1, &bytes)) return nullptr;
  if (!call.Int(1, "length", 1, static_cast<int64_t>(bytes.length), &length)) return nullptr;
  sockaddr_nl kernel = {};
  kernel.nl_family = AF_NETLINK;
  ssize_t sent = sendto(netlink->fd, bytes.data, static_cast<size_t>(length), 0,
                        reinterpret_cast<sockaddr*>(&kernel), sizeof kernel);
  return sent < 0 ? Fail(env, "sendto(AF_NETLINK)", errno) : Undefined(env);
}

// receive(bytes, timeoutMs): the length of one datagram from the kernel, or 0 when none came in
// time.
napi_value Receive(napi_env env, napi_callback_info info) {
  Call call(env, info);
  auto* netlink = Unwrap<Netlink>(call);
  Bytes bytes;
  int64_t timeout;
  if (netlink == nullptr || !call.Uint8Array(0, "bytes", 64, &bytes)) return nullptr;
  if (!call.Int(1, "timeoutMs", 0, 60000, &timeout)) return nullptr;
  pollfd wait = {netlink->fd, POLLIN, 0};
  int ready = poll(&wait, 1, static_cast<int>(timeout));
  if (ready < 0 && errno != EINTR) return Fail(env, "poll", errno);
  if (ready <= 0) return Number(env, 0);
  sockaddr_nl from = {};
  iovec part = {bytes.data, bytes.length};
  msghdr message = {};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ssize_t length = recvmsg(netlink->fd, &message, MSG_DONTWAIT);
  if (length < 0) return errno == EAGAIN ? Number(env, 0) : Fail(env, "recvmsg(AF_NETLINK)", errno);
  if ((message.msg_flags & MSG_TRUNC) != 0) return Fail(env, "recvmsg(AF_NETLINK)", EMSGSIZE);
  // Not from the kernel: another process may not answer.
  if (from.nl_pid != 0) return Number(env, 0);
  return Number(env, static_cast<double>(length));
}

constexpr size_t kBatchMax = 256;

// receiveMany(bytes, lengths, slotSize, wakeFd, timeoutMs): the number of datagrams, one a slot, 0
// on wake-up or time-out. The length of a datagram that its slot cannot hold, or that is not the
// kernel's, is 0.
napi_value ReceiveMany(napi_env env, napi_callback_info info) {
  Call call(env, info);
  auto* netlink = Unwrap<Netlink>(call);
  Bytes bytes;
  Words lengths;
  int64_t slot_size, wake, timeout;
  if (netlink == nullptr || !call.Uint8Array(0, "bytes", 64, &bytes) ||
      !call.Int32Array(1, "lengths", 1, &lengths) ||
      !call.Int(2, "slotSize", 64, static_cast<int64_t>(bytes.length), &slot_size) ||
      !call.Int(3, "wakeFd", -1, INT32_MAX, &wake) ||
      !call.Int(4, "timeoutMs", -1, 60000, &timeout)) {
    return nullptr;
  }
  pollfd wait[2] = {{netlink->fd, POLLIN, 0}, {static_cast<int>(wake), POLLIN, 0}};
  int ready = poll(wait, 2, static_cast<int>(timeout));
  if (ready < 0 && errno != EINTR) return Fail(env, "poll", errno);
  if (ready <= 0 || (wait[0].revents & (POLLIN | POLLERR)) == 0) return Number(env, 0);

  size_t slot = static_cast<size_t>(slot_size);
  size_t batch = bytes.length / slot;
  if (batch > lengths.length) batch = lengths.length;
  if (batch > kBatchMax) batch = kBatchMax;
  mmsghdr headers[kBatchMax] = {};
  iovec parts[kBatchMax];
  sockaddr_nl from[kBatchMax] = {};
  for (size_t i = 0; i < batch; i++) {
    parts[i] = {bytes.data + i * slot, slot};
    headers[i].msg_hdr.msg_iov = &parts[i];
    headers[i].msg_hdr.msg_iovlen = 1;
    headers[i].msg_hdr.msg_name = &from[i];
    headers[i].msg_hdr.msg_namelen = sizeof from[i];
  }
  int received =
      recvmmsg(netlink->fd, headers, static_cast<unsigned>(batch), MSG_DONTWAIT, nullptr);
  if (received < 0) {
    if (errno == EAGAIN || errno == EINTR) return Number(env, 0);
    return Fail(env, "recvmmsg(AF_NETLINK)", errno);
  }
  for (size_t i = 0; i < static_cast<size_t>(received); i++) {
    bool is_whole = (headers[i].msg_hdr.msg_flags & MSG_TRUNC) == 0 && from[i].nl_pid == 0;
    lengths.data[i] = is_whole ? static_cast<int32_t>(headers[i].msg_len) : 0;
  }
  return Number(env, received);
}

napi_value ChangeMembership(napi_env env, napi_callback_info info, int option, const char* name) {
  Call call(env, info);
  auto* netlink = Unwrap<Netlink>(call);
  int64_t group;
  if (netlink == nullptr || !call.Int(0, "group", 1, 255, &group)) return nullptr;
  int value = static_cast<int>(group);
  int failed = setsockopt(netlink->fd, SOL_NETLINK, option, &value, sizeof value);
  return failed != 0 ? Fail(env, name, errno) : Undefined(env);
}

// join(group): from now on the kernel's messages to this multicast group arrive here.
napi_value Join(napi_env env, napi_callback_info info) {
  const char* name = "setsockopt(NETLINK_ADD_MEMBERSHIP)";
  return ChangeMembership(env, info, NETLINK_ADD_MEMBERSHIP, name);
}

// leave(group): no further ones do; those that have arrived stay to be read.
napi_value Leave(napi_env env, napi_callback_info info) {
  const char* name = "setsockopt(NETLINK_DROP_MEMBERSHIP)";
  return ChangeMembership(env, info, NETLINK_DROP_MEMBERSHIP, name);
}

// resize(receiveBufferBytes): the size the socket has then; the kernel counts its overhead in.
napi_value Resize(napi_env env, napi_callback_info info) {
  Call call(env, info);
  auto* netlink = Unwrap<Netlink>(call);
  int64_t buffer;
  if (netlink == nullptr || !call.Int(0, "receiveBuffer", 0, INT32_MAX, &buffer)) return nullptr;
  SetReceiveBuffer(netlink->fd, static_cast<int>(buffer));
  int size = 0;
  socklen_t length = sizeof size;
  if (getsockopt(netlink->fd, SOL_SOCKET, SO_RCVBUF, &size, &length) != 0) {
    return Fail(env, "getsockopt(SO_RCVBUF)", errno);
  }
  return Number(env, size);
}

napi_value Fd(napi_env env, napi_callback_info info) {
  auto* netlink = Unwrap<Netlink>(Call(env, info));
  return netlink == nullptr ? nullptr : Number(env, netlink->fd);
}

napi_value Close(napi_env env, napi_callback_info info) {
  auto* netlink = Unwrap<Netlink>(Call(env, info));
  if (netlink == nullptr) return nullptr;
  netlink->Close();
  return Undefined(env);
}

}  // namespace

bool DefineNetlink(napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {
      Method("send", Send),     Method("receive", Receive), Method("receiveMany", ReceiveMany),
      Method("resize", Resize), Method("join", Join),       Method("leave", Leave),
      Method("close", Close),   Getter("fd", Fd)};
  return DefineClass(env, exports, "Netlink", Construct, properties, 8);
}

}  // namespace shardwall
