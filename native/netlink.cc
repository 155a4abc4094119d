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
  int fd = -1;
  ~Netlink() { Close(); }
  void Close() {
    if (fd >= 0) close(fd);
    fd = -1;
  }
};

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
  int size = static_cast<int>(buffer);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
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
  if (from.nl_pid != 0) return Number(env, 0);  // not from the kernel: another process may not answer
  return Number(env, static_cast<double>(length));
}

napi_value Close(napi_env env, napi_callback_info info) {
  auto* netlink = Unwrap<Netlink>(Call(env, info));
  if (netlink == nullptr) return nullptr;
  netlink->Close();
  return Undefined(env);
}

}  // namespace

bool DefineNetlink(napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {Method("send", Send), Method("receive", Receive),
                                                 Method("close", Close)};
  return DefineClass(env, exports, "Netlink", Construct, properties, 3);
}

}  // namespace shardwall
