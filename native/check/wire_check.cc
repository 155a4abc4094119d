// wire_check [SEED [COUNT]]: hostile queue messages against Describe, each at the end of a block of
// its own length and at any alignment, so that the sanitizers see a read outside of it. What is
// called a packet must lie within its message. Exit code 1 with the message in hex where not.
#include "queue_wire.h"

#include <arpa/inet.h>

#include <cstdio>
#include <cstdlib>

using namespace shardwall;

namespace {

constexpr size_t kMessageMax = 400;
constexpr size_t kSlotOffset = 4096;

// xorshift64* (Vigna 2016, public domain).
struct Random {
  uint64_t state;
  uint32_t Below(uint32_t bound) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    uint64_t word = (state * 2685821657736338717ULL) >> 32;
    return static_cast<uint32_t>((word * bound) >> 32);
  }
};

size_t Attribute(uint8_t* at, uint16_t type, const void* value, size_t length) {
  nlattr attribute = {static_cast<uint16_t>(NLA_HDRLEN + length), type};
  memcpy(at, &attribute, sizeof attribute);
  memcpy(at + NLA_HDRLEN, value, length);
  return NLA_ALIGN(NLA_HDRLEN + length);
}

// A packet as the kernel tells it, with every attribute that is read.
size_t WellFormed(uint8_t* message, Random& random) {
  memset(message, 0, kMessageMax);
  nlmsghdr header = {};
  header.nlmsg_type = (NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_PACKET;
  size_t at = NLMSG_LENGTH(sizeof(nfgenmsg));
  const uint8_t packet_header[7] = {0, 0, 0, 9, 8, 0, 3};
  uint8_t payload[128];
  memset(payload, 0x45, sizeof payload);
  uint32_t word = htonl(7);
  at += Attribute(message + at, NFQA_PACKET_HDR, packet_header, sizeof packet_header);
  at += Attribute(message + at, NFQA_MARK, &word, sizeof word);
  at += Attribute(message + at, NFQA_IFINDEX_INDEV, &word, sizeof word);
  at += Attribute(message + at, NFQA_CAP_LEN, &word, sizeof word);
  at += Attribute(message + at, NFQA_PAYLOAD, payload, 1 + random.Below(sizeof payload));
  header.nlmsg_len = static_cast<uint32_t>(at);
  memcpy(message, &header, sizeof header);
  return at;
}

// Flips, edges and cuts; returns the new length.
size_t Mutate(uint8_t* message, size_t length, Random& random) {
  static const uint8_t kEdges[] = {0, 1, 3, 4, 5, 7, 8, 0x7f, 0x80, 0xfe, 0xff};
  for (uint32_t left = random.Below(4); left > 0; left--) {
    uint8_t& byte = message[random.Below(static_cast<uint32_t>(length))];
    byte = random.Below(2) == 0 ? kEdges[random.Below(sizeof kEdges)]
                                : static_cast<uint8_t>(byte ^ (1u << random.Below(8)));
  }
  if (random.Below(2) == 0) return length;
  return random.Below(static_cast<uint32_t>(length) + 1);
}

bool LiesWithin(const int32_t* words, size_t length) {
  int64_t from = words[4] - static_cast<int64_t>(kSlotOffset);
  int64_t captured = words[5];
  bool has_payload = words[4] != 0 || words[5] != 0;
  return !has_payload ||
         (from >= 0 && captured >= 0 && from + captured <= static_cast<int64_t>(length));
}

// One message in a block of exactly its length.
bool Try(const uint8_t* message, size_t length, size_t misalignment) {
  auto* block = static_cast<uint8_t*>(malloc(length + misalignment));
  if (block == nullptr) return false;
  memcpy(block + misalignment, message, length);
  int32_t words[kStride] = {};
  Message kind = Describe(block + misalignment, length, kSlotOffset, words);
  free(block);
  return kind != Message::kPacket || LiesWithin(words, length);
}

}  // namespace

int main(int count, char** arguments) {
  Random random = {count > 1 ? strtoull(arguments[1], nullptr, 10) | 1 : 1};
  uint64_t tries = count > 2 ? strtoull(arguments[2], nullptr, 10) : 1000000;
  uint8_t message[kMessageMax];
  for (uint64_t done = 0; done < tries; done++) {
    size_t length = Mutate(message, WellFormed(message, random), random);
    if (Try(message, length, random.Below(4))) continue;
    fprintf(stderr, "message %llu:", static_cast<unsigned long long>(done));
    for (size_t at = 0; at < length; at++) fprintf(stderr, " %02x", message[at]);
    fprintf(stderr, "\n");
    return 1;
  }
  printf("%llu messages\n", static_cast<unsigned long long>(tries));
  return 0;
}
