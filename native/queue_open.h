// The socket of an NFQUEUE, bound and configured.
#pragma once

#include <cstdint>

namespace shardwall {

struct QueueSettings {
  int64_t number, copy_range, length, socket_buffer, gso;
};

// Opens and configures; returns the failed step and its errno, or nullptr. Whoever calls closes the
// socket, also after a failure. The length of the queue and its flags are set before the copy mode,
// since packets arrive from that moment on.
const char* OpenQueue(const QueueSettings& settings, int* fd, int* error);

}  // namespace shardwall
