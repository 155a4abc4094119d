// Encoding of requests and verdicts, decoding of packet messages: see queue_wire.h.
#include "queue_wire.h"

#include <arpa/inet.h>

namespace shardwall {

namespace {

// Copied out, since the caller's array need not be aligned.
template <typename T>
T Load(const uint8_t* from) {
  T value;
  memcpy(&value, from, sizeof value);
  return value;
}

// One attribute, whose value of `value_length` bytes starts `value_at` bytes into the slot.
void ReadAttribute(uint16_t type, const uint8_t* slot, size_t value_at, size_t value_length,
                   size_t slot_offset, int32_t* out) {
  const uint8_t* value = slot + value_at;
  uint32_t word = value_length >= 4 ? Load<uint32_t>(value) : 0;
  switch (type & NLA_TYPE_MASK) {
    case NFQA_PACKET_HDR:
      if (value_length < 7) return;
      out[0] = static_cast<int32_t>(ntohl(word));
      out[1] = (value[4] << 8) | value[5];
      out[7] = value[6];
      return;
    case NFQA_MARK:
      out[2] = static_cast<int32_t>(ntohl(word));
      return;
    case NFQA_IFINDEX_INDEV:
      out[3] = static_cast<int32_t>(ntohl(word));
      return;
    case NFQA_CAP_LEN:
      out[6] = static_cast<int32_t>(ntohl(word));
      return;
    case NFQA_PAYLOAD:
      out[4] = static_cast<int32_t>(slot_offset + value_at);
      out[5] = static_cast<int32_t>(value_length);
      return;
    default:
      return;
  }
}

}  // namespace

Request::Request(uint16_t queue) {
  auto* header = reinterpret_cast<nlmsghdr*>(bytes);
  header->nlmsg_type = (NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_CONFIG;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  auto* family = reinterpret_cast<nfgenmsg*>(bytes + NLMSG_HDRLEN);
  family->version = NFNETLINK_V0;
  family->res_id = htons(queue);
}

Message Describe(const uint8_t* slot, size_t length, size_t slot_offset, int32_t* out) {
  constexpr size_t kFixed = NLMSG_LENGTH(sizeof(nfgenmsg));
  if (length < kFixed) return Message::kMalformed;
  auto header = Load<nlmsghdr>(slot);
  if (header.nlmsg_type == NLMSG_ERROR) return Message::kRefusal;
  if (header.nlmsg_type != ((NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_PACKET)) return Message::kOther;
  memset(out, 0, kStride * sizeof *out);
  out[7] = -1;
  for (size_t at = kFixed; at + NLA_HDRLEN <= length;) {
    auto attribute = Load<nlattr>(slot + at);
    size_t attribute_length = attribute.nla_len;
    if (attribute_length < NLA_HDRLEN) break;
    if (attribute_length > length - at) attribute_length = length - at;
    ReadAttribute(attribute.nla_type, slot, at + NLA_HDRLEN, attribute_length - NLA_HDRLEN,
                  slot_offset, out);
    at += NLA_ALIGN(attribute_length);
  }
  if (out[6] == 0) out[6] = out[5];
  return out[7] >= 0 ? Message::kPacket : Message::kMalformed;
}

void WriteVerdict(uint16_t queue, bool up_to, int32_t id, int32_t verdict, int32_t mark,
                  uint8_t* out) {
  auto* header = reinterpret_cast<nlmsghdr*>(out);
  *header = {};
  header->nlmsg_len = kVerdictSize;
  int type = up_to ? NFQNL_MSG_VERDICT_BATCH : NFQNL_MSG_VERDICT;
  header->nlmsg_type = static_cast<uint16_t>((NFNL_SUBSYS_QUEUE << 8) | type);
  header->nlmsg_flags = NLM_F_REQUEST;
  auto* family = reinterpret_cast<nfgenmsg*>(out + NLMSG_HDRLEN);
  *family = {};
  family->res_id = htons(queue);
  uint8_t* at = out + NLMSG_LENGTH(sizeof(nfgenmsg));
  nlattr attribute = {NLA_HDRLEN + sizeof(nfqnl_msg_verdict_hdr), NFQA_VERDICT_HDR};
  nfqnl_msg_verdict_hdr value = {htonl(static_cast<uint32_t>(verdict)),
                                 htonl(static_cast<uint32_t>(id))};
  memcpy(at, &attribute, sizeof attribute);
  memcpy(at + NLA_HDRLEN, &value, sizeof value);
  at += NLA_HDRLEN + sizeof value;
  nlattr mark_attribute = {NLA_HDRLEN + 4, NFQA_MARK};
  uint32_t mark_value = htonl(static_cast<uint32_t>(mark));
  memcpy(at, &mark_attribute, sizeof mark_attribute);
  memcpy(at + NLA_HDRLEN, &mark_value, 4);
}

}  // namespace shardwall
