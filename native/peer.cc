// peerUser(fd): who is at the other end of a unix socket.
#include <sys/socket.h>

#include <cerrno>

#include "classes.h"
#include "guard.h"

namespace shardwall {

namespace {

// peerUser(fd): the user id that connected, as the kernel noted it then (unix(7), SO_PEERCRED).
napi_value PeerUser(napi_env env, napi_callback_info info) {
  Call call(env, info);
  int64_t fd;
  if (!call.Int(0, "fd", 0, INT32_MAX, &fd)) return nullptr;
  ucred peer = {};
  socklen_t length = sizeof peer;
  if (getsockopt(static_cast<int>(fd), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
    return Fail(env, "getsockopt(SO_PEERCRED)", errno);
  }
  return Number(env, static_cast<double>(peer.uid));
}

}  // namespace

bool DefinePeer(napi_env env, napi_value exports) {
  const napi_property_descriptor functions[] = {Method("peerUser", PeerUser)};
  return napi_define_properties(env, exports, 1, functions) == napi_ok;
}

}  // namespace shardwall
