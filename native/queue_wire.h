// The messages of an NFQUEUE as bytes (linux/netfilter/nfnetlink_queue.h). No sockets here.
#pragma once

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace shardwall {

// Words that describe one packet:
//   0 packet id   1 ethertype   2 mark   3 ifindex in   4 offset of the packet in `bytes`
//   5 captured length   6 full length   7 hook
constexpr int kStride = 8;

// Bytes of one verdict, with its mark.
constexpr size_t kVerdictSize =
    NLMSG_LENGTH(sizeof(nfgenmsg)) + NLA_HDRLEN + sizeof(nfqnl_msg_verdict_hdr) + NLA_HDRLEN + 4;
static_assert(kVerdictSize % NLMSG_ALIGNTO == 0, "verdicts are laid end to end");

// A configuration request of one or two attributes, built on the stack. Its nlmsg_len is set by
// whoever sends it.
struct Request {
  uint8_t bytes[128] = {};
  size_t length = NLMSG_LENGTH(sizeof(nfgenmsg));

  explicit Request(uint16_t queue);

  template <typename T>
  Request& Add(uint16_t type, T value) {
    auto* attribute = reinterpret_cast<nlattr*>(bytes + length);
    attribute->nla_type = type;
    attribute->nla_len = static_cast<uint16_t>(NLA_HDRLEN + sizeof value);
    memcpy(bytes + length + NLA_HDRLEN, &value, sizeof value);
    length += NLA_ALIGN(attribute->nla_len);
    return *this;
  }
};

enum class Message {
  kPacket,     // it can be answered
  kRefusal,    // the kernel did not take a verdict
  kMalformed,  // without a packet id, so it cannot be answered
  kOther,
};

// Says what the message in `slot` is; of a packet it fills the kStride words at `out`.
// `slot_offset` is where the slot begins in the array that the descriptor's offset counts from.
Message Describe(const uint8_t* slot, size_t length, size_t slot_offset, int32_t* out);

// Writes kVerdictSize bytes: the verdict (0 drop, 1 accept) and the mark of packet `id`; with
// `up_to` also those of all packets before it that have no verdict yet.
void WriteVerdict(uint16_t queue, bool up_to, int32_t id, int32_t verdict, int32_t mark,
                  uint8_t* out);

}  // namespace shardwall
