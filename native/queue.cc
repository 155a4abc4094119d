// Queue: one NFQUEUE (linux/netfilter/nfnetlink_queue.h). A batch of packets comes in with one call
// and its verdicts go out with one more; crossing the border per packet would cost more than the
// decision.
//
// Each packet is described by kStride words in `descriptors`:
//   0 packet id   1 ethertype   2 mark   3 ifindex in   4 offset of the packet in `bytes`
//   5 captured length   6 full length   7 hook
#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "classes.h"
#include "guard.h"

namespace shardwall {

namespace {

constexpr int kStride = 8;
constexpr size_t kBatchMax = 256;
constexpr size_t kAttributesMax = 256;  // netlink headers and all attributes but the payload
constexpr size_t kVerdictSize =
    NLMSG_LENGTH(sizeof(nfgenmsg)) + NLA_HDRLEN + sizeof(nfqnl_msg_verdict_hdr) + NLA_HDRLEN + 4;
static_assert(kVerdictSize % NLMSG_ALIGNTO == 0, "verdicts are laid end to end");

struct Queue {
  int fd = -1;
  uint16_t number = 0;
  double overruns = 0;        // times the socket buffer overflowed
  double verdict_errors = 0;  // verdicts that the kernel refused
  double malformed = 0;       // messages without a packet id, which cannot be answered
  mmsghdr headers[kBatchMax] = {};
  iovec parts[kBatchMax] = {};
  uint8_t verdicts[kBatchMax * kVerdictSize] = {};

  ~Queue() { Close(); }
  void Close() {
    if (fd >= 0) close(fd);
    fd = -1;
  }
};

// A request of one or two attributes, built on the stack.
struct Request {
  uint8_t bytes[128] = {};
  size_t length = NLMSG_LENGTH(sizeof(nfgenmsg));

  Request(uint16_t queue, int message) {
    auto* header = reinterpret_cast<nlmsghdr*>(bytes);
    header->nlmsg_type = static_cast<uint16_t>((NFNL_SUBSYS_QUEUE << 8) | message);
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    auto* family = reinterpret_cast<nfgenmsg*>(bytes + NLMSG_HDRLEN);
    family->version = NFNETLINK_V0;
    family->res_id = htons(queue);
  }
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

// Sends a configuration request and waits for its answer; returns 0 or an errno. Packets cannot be
// in the way: nothing is queued to us before the bind is answered, and the later requests skip over
// them.
int Configure(Queue* queue, Request& request) {
  reinterpret_cast<nlmsghdr*>(request.bytes)->nlmsg_len = static_cast<uint32_t>(request.length);
  if (send(queue->fd, request.bytes, request.length, 0) < 0) return errno;
  alignas(nlmsghdr) uint8_t answer[1024];
  for (int skipped = 0; skipped < 10000; skipped++) {
    pollfd wait = {queue->fd, POLLIN, 0};
    if (poll(&wait, 1, 1000) <= 0) return ETIMEDOUT;
    ssize_t length = recv(queue->fd, answer, sizeof answer, MSG_DONTWAIT);
    if (length < 0 && (errno == ENOBUFS || errno == EAGAIN)) continue;
    if (length < 0) return errno;
    auto* header = reinterpret_cast<nlmsghdr*>(answer);
    if (length < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(nlmsgerr)))) continue;
    if (header->nlmsg_type != NLMSG_ERROR) continue;
    return -reinterpret_cast<nlmsgerr*>(answer + NLMSG_HDRLEN)->error;
  }
  return ETIMEDOUT;
}

struct Settings {
  int64_t number, copy_range, length, socket_buffer, gso;
};

// Opens and configures; returns the failed step or nullptr. The length of the queue and its flags
// are set before the copy mode, since packets arrive from that moment on.
const char* Open(Queue* queue, const Settings& settings, int* error) {
  queue->number = static_cast<uint16_t>(settings.number);
  queue->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  *error = errno;
  if (queue->fd < 0) return "socket(NETLINK_NETFILTER)";
  int size = static_cast<int>(settings.socket_buffer);
  if (setsockopt(queue->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
    setsockopt(queue->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  *error = bind(queue->fd, reinterpret_cast<sockaddr*>(&address), sizeof address) ? errno : 0;
  if (*error != 0) return "bind(NETLINK_NETFILTER)";

  nfqnl_msg_config_cmd command = {NFQNL_CFG_CMD_BIND, 0, htons(AF_UNSPEC)};
  Request take(queue->number, NFQNL_MSG_CONFIG);
  *error = Configure(queue, take.Add(NFQA_CFG_CMD, command));
  if (*error != 0) return "bind to the NFQUEUE";

  Request limit(queue->number, NFQNL_MSG_CONFIG);
  *error = Configure(queue, limit.Add(NFQA_CFG_QUEUE_MAXLEN,
                                      htonl(static_cast<uint32_t>(settings.length))));
  if (*error != 0) return "set the NFQUEUE length";

  // Fail-open is cleared on purpose: a full queue must never let a packet pass unseen.
  uint32_t flags = settings.gso != 0 ? NFQA_CFG_F_GSO : 0;
  Request flag(queue->number, NFQNL_MSG_CONFIG);
  flag.Add(NFQA_CFG_FLAGS, htonl(flags));
  flag.Add(NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN));
  *error = Configure(queue, flag);
  if (*error != 0) return "set the NFQUEUE flags";

  nfqnl_msg_config_params params = {htonl(static_cast<uint32_t>(settings.copy_range)),
                                    NFQNL_COPY_PACKET};
  Request copy(queue->number, NFQNL_MSG_CONFIG);
  *error = Configure(queue, copy.Add(NFQA_CFG_PARAMS, params));
  return *error != 0 ? "set the NFQUEUE copy range" : nullptr;
}

// new Queue(number, copyRangeBytes, lengthPackets, socketBufferBytes, gso)
napi_value Construct(napi_env env, napi_callback_info info) {
  Call call(env, info);
  Settings settings;
  if (!call.Int(0, "number", 0, 65535, &settings.number) ||
      !call.Int(1, "copyRange", 64, 65535, &settings.copy_range) ||
      !call.Int(2, "length", 1, 1 << 20, &settings.length) ||
      !call.Int(3, "socketBuffer", 4096, 1 << 30, &settings.socket_buffer) ||
      !call.Int(4, "gso", 0, 1, &settings.gso)) {
    return nullptr;
  }
  auto* queue = new (std::nothrow) Queue;
  if (queue == nullptr) return Fail(env, "new", ENOMEM);
  int error = 0;
  const char* failed = Open(queue, settings, &error);
  if (failed != nullptr) {
    delete queue;
    return Fail(env, failed, error);
  }
  return Wrap(env, call.self, queue) ? call.self : nullptr;
}

void ReadAttribute(const nlattr* attribute, const uint8_t* slot, size_t value_length,
                   size_t slot_offset, int32_t* out) {
  const auto* value = reinterpret_cast<const uint8_t*>(attribute) + NLA_HDRLEN;
  uint32_t word = 0;
  if (value_length >= 4) memcpy(&word, value, 4);
  switch (attribute->nla_type & NLA_TYPE_MASK) {
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
      out[4] = static_cast<int32_t>(slot_offset + static_cast<size_t>(value - slot));
      out[5] = static_cast<int32_t>(value_length);
      return;
    default:
      return;
  }
}

// Fills the descriptor of the message in `slot`; false if it is not a packet that can be answered.
bool Describe(Queue* queue, const uint8_t* slot, size_t length, size_t slot_offset, int32_t* out) {
  constexpr size_t kFixed = NLMSG_LENGTH(sizeof(nfgenmsg));
  const auto* header = reinterpret_cast<const nlmsghdr*>(slot);
  if (length < kFixed) {
    queue->malformed++;
    return false;
  }
  if (header->nlmsg_type == NLMSG_ERROR) {
    queue->verdict_errors++;
    return false;
  }
  if (header->nlmsg_type != ((NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_PACKET)) return false;
  memset(out, 0, kStride * sizeof *out);
  out[7] = -1;
  for (size_t at = kFixed; at + NLA_HDRLEN <= length;) {
    const auto* attribute = reinterpret_cast<const nlattr*>(slot + at);
    size_t attribute_length = attribute->nla_len;
    if (attribute_length < NLA_HDRLEN) break;
    if (attribute_length > length - at) attribute_length = length - at;
    ReadAttribute(attribute, slot, attribute_length - NLA_HDRLEN, slot_offset, out);
    at += NLA_ALIGN(attribute_length);
  }
  if (out[6] == 0) out[6] = out[5];
  if (out[7] >= 0) return true;
  queue->malformed++;
  return false;
}

// Blocks until a packet, the wake-up or the time-out. Returns an errno, and whether packets are
// there.
int Wait(Queue* queue, int wake, int timeout_ms, bool* readable) {
  pollfd wait[2] = {{queue->fd, POLLIN, 0}, {wake, POLLIN, 0}};
  int ready = poll(wait, 2, timeout_ms);
  *readable = ready > 0 && (wait[0].revents & (POLLIN | POLLERR)) != 0;
  return ready < 0 && errno != EINTR ? errno : 0;
}

// receive(bytes, descriptors, slotSize, wakeFd, timeoutMs): the number of packets, 0 on wake-up or
// time-out.
napi_value Receive(napi_env env, napi_callback_info info) {
  Call call(env, info);
  auto* queue = Unwrap<Queue>(call);
  Bytes bytes;
  Words descriptors;
  int64_t slot_size, wake, timeout;
  if (queue == nullptr || !call.Uint8Array(0, "bytes", kAttributesMax, &bytes) ||
      !call.Int32Array(1, "descriptors", kStride, &descriptors) ||
      !call.Int(2, "slotSize", kAttributesMax, 1 << 17, &slot_size) ||
      !call.Int(3, "wakeFd", -1, INT32_MAX, &wake) ||
      !call.Int(4, "timeoutMs", -1, 60000, &timeout)) {
    return nullptr;
  }
  bool readable = false;
  int error = Wait(queue, static_cast<int>(wake), static_cast<int>(timeout), &readable);
  if (error != 0) return Fail(env, "poll", error);
  if (!readable) return Number(env, 0);

  size_t slot = static_cast<size_t>(slot_size);
  size_t batch = bytes.length / slot;
  if (batch > descriptors.length / kStride) batch = descriptors.length / kStride;
  if (batch > kBatchMax) batch = kBatchMax;
  for (size_t i = 0; i < batch; i++) {
    queue->parts[i] = {bytes.data + i * slot, slot};
    queue->headers[i].msg_hdr = {};
    queue->headers[i].msg_hdr.msg_iov = &queue->parts[i];
    queue->headers[i].msg_hdr.msg_iovlen = 1;
  }
  int received = recvmmsg(queue->fd, queue->headers, static_cast<unsigned>(batch), MSG_DONTWAIT,
                          nullptr);
  if (received < 0) {
    if (errno == EAGAIN || errno == EINTR) return Number(env, 0);
    if (errno != ENOBUFS) return Fail(env, "recvmmsg(NFQUEUE)", errno);
    queue->overruns++;
    return Number(env, 0);
  }
  size_t packets = 0;
  for (size_t i = 0; i < static_cast<size_t>(received); i++) {
    int32_t* out = descriptors.data + packets * kStride;
    if (Describe(queue, bytes.data + i * slot, queue->headers[i].msg_len, i * slot, out)) packets++;
  }
  return Number(env, static_cast<double>(packets));
}

void WriteVerdict(const Queue* queue, int32_t id, int32_t verdict, int32_t mark, uint8_t* out) {
  auto* header = reinterpret_cast<nlmsghdr*>(out);
  *header = {};
  header->nlmsg_len = kVerdictSize;
  header->nlmsg_type = (NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_VERDICT;
  header->nlmsg_flags = NLM_F_REQUEST;
  auto* family = reinterpret_cast<nfgenmsg*>(out + NLMSG_HDRLEN);
  *family = {};
  family->res_id = htons(queue->number);
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

// settle(descriptors, verdicts, marks, count): a verdict and a mark for each packet of the batch.
napi_value Settle(napi_env env, napi_callback_info info) {
  Call call(env, info);
  auto* queue = Unwrap<Queue>(call);
  Words descriptors, verdicts, marks;
  int64_t count;
  if (queue == nullptr || !call.Int(3, "count", 1, kBatchMax, &count)) return nullptr;
  size_t packets = static_cast<size_t>(count);
  if (!call.Int32Array(0, "descriptors", packets * kStride, &descriptors) ||
      !call.Int32Array(1, "verdicts", packets, &verdicts) ||
      !call.Int32Array(2, "marks", packets, &marks)) {
    return nullptr;
  }
  for (size_t i = 0; i < packets; i++) {
    WriteVerdict(queue, descriptors.data[i * kStride], verdicts.data[i], marks.data[i],
                 queue->verdicts + i * kVerdictSize);
  }
  ssize_t sent = send(queue->fd, queue->verdicts, packets * kVerdictSize, 0);
  return sent < 0 ? Fail(env, "send(NFQUEUE verdicts)", errno) : Undefined(env);
}

napi_value Overruns(napi_env env, napi_callback_info info) {
  auto* queue = Unwrap<Queue>(Call(env, info));
  return queue == nullptr ? nullptr : Number(env, queue->overruns);
}

napi_value VerdictErrors(napi_env env, napi_callback_info info) {
  auto* queue = Unwrap<Queue>(Call(env, info));
  return queue == nullptr ? nullptr : Number(env, queue->verdict_errors);
}

napi_value Malformed(napi_env env, napi_callback_info info) {
  auto* queue = Unwrap<Queue>(Call(env, info));
  return queue == nullptr ? nullptr : Number(env, queue->malformed);
}

napi_value Close(napi_env env, napi_callback_info info) {
  auto* queue = Unwrap<Queue>(Call(env, info));
  if (queue == nullptr) return nullptr;
  queue->Close();
  return Undefined(env);
}

}  // namespace

bool DefineQueue(napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {
      Method("receive", Receive),   Method("settle", Settle),
      Method("close", Close),       Getter("overruns", Overruns),
      Getter("malformed", Malformed), Getter("verdictErrors", VerdictErrors)};
  return DefineClass(env, exports, "Queue", Construct, properties, 6);
}

}  // namespace shardwall
