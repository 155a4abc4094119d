// Queue: one NFQUEUE (linux/netfilter/nfnetlink_queue.h). A batch of packets comes in with one call
// and its verdicts go out with one more; crossing the border per packet would cost more than the
// decision. queue_wire.h has the words that describe a packet.
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <new>

#include "classes.h"
#include "guard.h"
#include "queue_open.h"
#include "queue_wire.h"

namespace shardwall {

namespace {

constexpr size_t kBatchMax = 256;
constexpr int64_t kPauseMaxUs = 1000;
constexpr size_t kAttributesMax = 256;  // netlink headers and all attributes but the payload

struct Queue {
  static constexpr napi_type_tag kTag = {0x4f22b7addf610b09, 0x4085a81f6f0677d7};
  int fd = -1;
  uint16_t number = 0;
  double overruns = 0;        // times the socket buffer overflowed
  double verdict_errors = 0;  // verdicts that the kernel refused
  double malformed = 0;       // messages without a packet id, which cannot be answered
  mmsghdr headers[kBatchMax] = {};
  iovec parts[kBatchMax] = {};
  uint8_t verdicts[kBatchMax * kVerdictSize] = {};

  Queue() {
    for (size_t i = 0; i < kBatchMax; i++) {
      headers[i].msg_hdr.msg_iov = &parts[i];
      headers[i].msg_hdr.msg_iovlen = 1;
    }
  }
  ~Queue() { Close(); }
  void Close() {
    if (fd >= 0) close(fd);
    fd = -1;
  }
};

// new Queue(number, copyRangeBytes, lengthPackets, socketBufferBytes, gso)
napi_value Construct(napi_env env, napi_callback_info info) {
  Call call(env, info);
  QueueSettings settings;
  if (!call.Int(0, "number", 0, 65535, &settings.number) ||
      !call.Int(1, "copyRange", 64, 65535, &settings.copy_range) ||
      !call.Int(2, "length", 1, 1 << 20, &settings.length) ||
      !call.Int(3, "socketBuffer", 4096, 1 << 30, &settings.socket_buffer) ||
      !call.Int(4, "gso", 0, 1, &settings.gso)) {
    return nullptr;
  }
  auto* queue = new (std::nothrow) Queue;
  if (queue == nullptr) return Fail(env, "new", ENOMEM);
  queue->number = static_cast<uint16_t>(settings.number);
  int error = 0;
  const char* failed = OpenQueue(settings, &queue->fd, &error);
  if (failed != nullptr) {
    delete queue;
    return Fail(env, failed, error);
  }
  return Wrap(env, call.self, queue) ? call.self : nullptr;
}

// Whether the message in `slot` is a packet, then described at `out`; anything else is counted.
bool Take(Queue* queue, const uint8_t* slot, size_t length, size_t slot_offset, int32_t* out) {
  Message message = Describe(slot, length, slot_offset, out);
  if (message == Message::kRefusal) queue->verdict_errors++;
  if (message == Message::kMalformed) queue->malformed++;
  return message == Message::kPacket;
}

// Reads what is there, without waiting. Returns the number of messages, 0 for none, or -1.
int ReadBatch(Queue* queue, size_t batch) {
  int received = recvmmsg(queue->fd, queue->headers, static_cast<unsigned>(batch), MSG_DONTWAIT,
                          nullptr);
  if (received >= 0) return received;
  if (errno == ENOBUFS) queue->overruns++;
  return errno == ENOBUFS || errno == EAGAIN || errno == EINTR ? 0 : -1;
}

// Packets gather meanwhile. A signal ends it early, which does no harm.
void Pause(int64_t microseconds) {
  timespec time = {0, static_cast<long>(microseconds * 1000)};
  nanosleep(&time, nullptr);
}

// Blocks until a packet, the wake-up or the time-out. Returns an errno, and whether packets are
// there.
int Wait(Queue* queue, int wake, int timeout_ms, bool* readable) {
  pollfd wait[2] = {{queue->fd, POLLIN, 0}, {wake, POLLIN, 0}};
  int ready = poll(wait, 2, timeout_ms);
  *readable = ready > 0 && (wait[0].revents & (POLLIN | POLLERR)) != 0;
  return ready < 0 && errno != EINTR ? errno : 0;
}

// receive(bytes, descriptors, slotSize, wakeFd, timeoutMs, pauseUs): the number of packets, 0 on
// wake-up or time-out. What came during a pause is read without asking whether it is there.
napi_value Receive(napi_env env, napi_callback_info info) {
  Call call(env, info);
  auto* queue = Unwrap<Queue>(call);
  Bytes bytes;
  Words descriptors;
  int64_t slot_size, wake, timeout, pause;
  if (queue == nullptr || !call.Uint8Array(0, "bytes", kAttributesMax, &bytes) ||
      !call.Int32Array(1, "descriptors", kStride, &descriptors) ||
      !call.Int(2, "slotSize", kAttributesMax, 1 << 17, &slot_size) ||
      !call.Int(3, "wakeFd", -1, INT32_MAX, &wake) ||
      !call.Int(4, "timeoutMs", -1, 60000, &timeout) ||
      !call.Int(5, "pauseUs", 0, kPauseMaxUs, &pause)) {
    return nullptr;
  }
  size_t slot = static_cast<size_t>(slot_size);
  size_t batch = bytes.length / slot;
  if (batch > descriptors.length / kStride) batch = descriptors.length / kStride;
  if (batch > kBatchMax) batch = kBatchMax;
  for (size_t i = 0; i < batch; i++) queue->parts[i] = {bytes.data + i * slot, slot};

  int received = 0;
  if (pause > 0) {
    Pause(pause);
    received = ReadBatch(queue, batch);
  }
  if (received == 0) {
    bool readable = false;
    int error = Wait(queue, static_cast<int>(wake), static_cast<int>(timeout), &readable);
    if (error != 0) return Fail(env, "poll", error);
    if (!readable) return Number(env, 0);
    received = ReadBatch(queue, batch);
  }
  if (received < 0) return Fail(env, "recvmmsg(NFQUEUE)", errno);
  size_t packets = 0;
  for (size_t i = 0; i < static_cast<size_t>(received); i++) {
    int32_t* out = descriptors.data + packets * kStride;
    if (Take(queue, bytes.data + i * slot, queue->headers[i].msg_len, i * slot, out)) packets++;
  }
  return Number(env, static_cast<double>(packets));
}

// settle(descriptors, verdicts, marks, count, ordered): a verdict and a mark for each packet of the
// batch. `ordered`: these are all packets received and not settled yet, in their order; then one
// message does for a run of them that fare alike, since it is for all packets up to its id. What is
// dropped needs no mark.
napi_value Settle(napi_env env, napi_callback_info info) {
  Call call(env, info);
  auto* queue = Unwrap<Queue>(call);
  Words descriptors, verdicts, marks;
  int64_t count, ordered;
  if (queue == nullptr || !call.Int(3, "count", 1, kBatchMax, &count) ||
      !call.Int(4, "ordered", 0, 1, &ordered)) {
    return nullptr;
  }
  size_t packets = static_cast<size_t>(count);
  if (!call.Int32Array(0, "descriptors", packets * kStride, &descriptors) ||
      !call.Int32Array(1, "verdicts", packets, &verdicts) ||
      !call.Int32Array(2, "marks", packets, &marks)) {
    return nullptr;
  }
  uint8_t* end = queue->verdicts;
  for (size_t i = 0; i < packets; i++) {
    size_t first = i;
    int32_t verdict = verdicts.data[i], mark = marks.data[i];
    while (ordered == 1 && i + 1 < packets && verdicts.data[i + 1] == verdict &&
           (verdict == NF_DROP || marks.data[i + 1] == mark)) {
      i++;
    }
    WriteVerdict(queue->number, i > first, descriptors.data[i * kStride], verdict, mark, end);
    end += kVerdictSize;
  }
  ssize_t sent = send(queue->fd, queue->verdicts, static_cast<size_t>(end - queue->verdicts), 0);
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
