// LinkGroup: makes an interface receive frames sent to one MAC address more. The kernel ends
// the membership with the socket, so even a killed process leaves nothing behind (packet(7)).
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "classes.h"
#include "guard.h"

namespace shardwall {

namespace {

struct LinkGroup {
  static constexpr napi_type_tag kTag = {0x647cb9928de407f7, 0xbdd8c817a5f02573};
  int fd = -1;
  int ifindex = 0;
  ~LinkGroup() { Close(); }
  void Close() {
    if (fd >= 0) close(fd);
    fd = -1;
  }
};

// new LinkGroup(ifindex, mac: Uint8Array(6))
napi_value Construct(napi_env env, napi_callback_info info) {
  Call call(env, info);
  int64_t ifindex;
  Bytes mac;
  if (!call.Int(0, "ifindex", 1, INT32_MAX, &ifindex)) return nullptr;
  if (!call.Uint8Array(1, "mac", ETH_ALEN, &mac)) return nullptr;
  // Protocol 0: the socket joins, but no frame is ever queued on it.
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) return Fail(env, "socket(AF_PACKET)", errno);
  auto* group = new LinkGroup;
  group->fd = fd;
  group->ifindex = static_cast<int>(ifindex);
  packet_mreq request = {};
  request.mr_ifindex = static_cast<int>(ifindex);
  // The group bit decides which of the interface's two filters the address belongs to.
  request.mr_type = (mac.data[0] & 1) != 0 ? PACKET_MR_MULTICAST : PACKET_MR_UNICAST;
  request.mr_alen = ETH_ALEN;
  memcpy(request.mr_address, mac.data, ETH_ALEN);
  if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) != 0) {
    int error = errno;
    delete group;
    return Fail(env, "setsockopt(PACKET_ADD_MEMBERSHIP)", error);
  }
  return Wrap(env, call.self, group) ? call.self : nullptr;
}

// send(frame): one Ethernet frame, header included, out of the interface.
napi_value Send(napi_env env, napi_callback_info info) {
  Call call(env, info);
  auto* group = Unwrap<LinkGroup>(call);
  Bytes frame;
  if (group == nullptr || !call.Uint8Array(0, "frame", ETH_HLEN, &frame)) return nullptr;
  sockaddr_ll to = {};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = group->ifindex;
  ssize_t sent = sendto(group->fd, frame.data, frame.length, MSG_DONTWAIT,
                        reinterpret_cast<sockaddr*>(&to), sizeof to);
  return sent < 0 ? Fail(env, "sendto(AF_PACKET)", errno) : Undefined(env);
}

napi_value Close(napi_env env, napi_callback_info info) {
  auto* group = Unwrap<LinkGroup>(Call(env, info));
  if (group == nullptr) return nullptr;
  group->Close();
  return Undefined(env);
}

}  // namespace

bool DefineLinkGroup(napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {Method("send", Send), Method("close", Close)};
  return DefineClass(env, exports, "LinkGroup", Construct, properties, 2);
}

}  // namespace shardwall
