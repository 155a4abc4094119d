// What the classes of bpf(2) have in common.
#pragma once

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "guard.h"

namespace shardwall {

struct Descriptor {
  int fd = -1;
  ~Descriptor() { Close(); }
  void Close() {
    if (fd >= 0) close(fd);
    fd = -1;
  }
};

inline int Bpf(int command, bpf_attr* attr) {
  return static_cast<int>(syscall(__NR_bpf, command, attr, sizeof *attr));
}

inline uint64_t Pointer(const void* address) { return reinterpret_cast<uintptr_t>(address); }

template <typename T>
napi_value DescriptorFd(napi_env env, napi_callback_info info) {
  auto* object = Unwrap<T>(Call(env, info));
  return object == nullptr ? nullptr : Number(env, object->fd);
}

template <typename T>
napi_value CloseDescriptor(napi_env env, napi_callback_info info) {
  auto* object = Unwrap<T>(Call(env, info));
  if (object == nullptr) return nullptr;
  object->Close();
  return Undefined(env);
}

}  // namespace shardwall
