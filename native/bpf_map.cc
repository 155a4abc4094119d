// BpfMap: a table in the kernel that programs and processes share.
#include <fcntl.h>

#include <cerrno>
#include <cstdio>

#include "bpf.h"
#include "classes.h"

namespace shardwall {

namespace {

struct Map : Descriptor {
  static constexpr napi_type_tag kTag = {0xd7d2d07d27bf83eb, 0x75ca7964d1e83dbb};
  size_t key_bytes = 0;
  size_t value_bytes = 0;
  size_t lookup_bytes = 0;  // that a look-up writes
};

// Processors that the machine may ever have, the last one of "0-3" or "0,2-5" and one more; 0: not
// known.
size_t Processors() {
  FILE* file = fopen("/sys/devices/system/cpu/possible", "re");
  if (file == nullptr) return 0;
  size_t last = 0;
  char separator;
  bool is_known = fscanf(file, "%zu", &last) == 1;
  while (is_known && fscanf(file, "%c%zu", &separator, &last) == 2) continue;
  fclose(file);
  return is_known ? last + 1 : 0;
}

bool HasValuePerProcessor(uint32_t type) {
  return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH ||
         type == BPF_MAP_TYPE_LRU_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

// Takes `fd` over as the map of `call.self`. Its sizes are what the kernel says, not what a caller
// does: system calls read and write by them.
napi_value Adopt(const Call& call, int fd) {
  bpf_map_info info = {};
  bpf_attr attr = {};
  attr.info.bpf_fd = static_cast<uint32_t>(fd);
  attr.info.info_len = sizeof info;
  attr.info.info = Pointer(&info);
  bool failed = Bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) != 0;
  int error = errno;
  size_t processors = Processors();
  if (failed || processors == 0) {
    close(fd);
    return Fail(call.env, "bpf(BPF_OBJ_GET_INFO_BY_FD)", failed ? error : ENOENT);
  }
  auto* map = new Map;
  map->fd = fd;
  map->key_bytes = info.key_size;
  map->value_bytes = info.value_size;
  map->lookup_bytes = HasValuePerProcessor(info.type) ? (info.value_size + 7) / 8 * 8 * processors
                                                      : info.value_size;
  return Wrap(call.env, call.self, map) ? call.self : nullptr;
}

// new BpfMap(type, keyBytes, valueBytes, entries, name)
napi_value ConstructMap(napi_env env, napi_callback_info info) {
  Call call(env, info);
  int64_t type, key, value, entries;
  bpf_attr attr = {};
  if (!call.Int(0, "type", 0, INT32_MAX, &type) || !call.Int(1, "keyBytes", 1, 512, &key) ||
      !call.Int(2, "valueBytes", 1, 1 << 20, &value) ||
      !call.Int(3, "entries", 1, 1 << 20, &entries) ||
      !call.String(4, "name", attr.map_name, sizeof attr.map_name)) {
    return nullptr;
  }
  attr.map_type = static_cast<uint32_t>(type);
  attr.key_size = static_cast<uint32_t>(key);
  attr.value_size = static_cast<uint32_t>(value);
  attr.max_entries = static_cast<uint32_t>(entries);
  int fd = Bpf(BPF_MAP_CREATE, &attr);
  return fd < 0 ? Fail(env, "bpf(BPF_MAP_CREATE)", errno) : Adopt(call, fd);
}

// new BpfMapView(fd): a map that another thread of this process made.
napi_value ConstructView(napi_env env, napi_callback_info info) {
  Call call(env, info);
  int64_t fd;
  if (!call.Int(0, "fd", 0, INT32_MAX, &fd)) return nullptr;
  int own = fcntl(static_cast<int>(fd), F_DUPFD_CLOEXEC, 3);
  return own < 0 ? Fail(env, "fcntl(F_DUPFD_CLOEXEC)", errno) : Adopt(call, own);
}

// update(key, value)
napi_value Update(napi_env env, napi_callback_info info) {
  Call call(env, info);
  auto* map = Unwrap<Map>(call);
  Bytes key, value;
  if (map == nullptr || !call.Uint8Array(0, "key", map->key_bytes, &key) ||
      !call.Uint8Array(1, "value", map->value_bytes, &value)) {
    return nullptr;
  }
  bpf_attr attr = {};
  attr.map_fd = static_cast<uint32_t>(map->fd);
  attr.key = Pointer(key.data);
  attr.value = Pointer(value.data);
  attr.flags = BPF_ANY;
  bool failed = Bpf(BPF_MAP_UPDATE_ELEM, &attr) != 0;
  return failed ? Fail(env, "bpf(BPF_MAP_UPDATE_ELEM)", errno) : Undefined(env);
}

// lookup(key, values): a map with a value for each processor fills one after the other, each padded
// to eight bytes; `values` must have room for all processors that the machine may have.
napi_value Lookup(napi_env env, napi_callback_info info) {
  Call call(env, info);
  auto* map = Unwrap<Map>(call);
  Bytes key, values;
  if (map == nullptr || !call.Uint8Array(0, "key", map->key_bytes, &key) ||
      !call.Uint8Array(1, "values", map->lookup_bytes, &values)) {
    return nullptr;
  }
  bpf_attr attr = {};
  attr.map_fd = static_cast<uint32_t>(map->fd);
  attr.key = Pointer(key.data);
  attr.value = Pointer(values.data);
  bool failed = Bpf(BPF_MAP_LOOKUP_ELEM, &attr) != 0;
  return failed ? Fail(env, "bpf(BPF_MAP_LOOKUP_ELEM)", errno) : Undefined(env);
}

}  // namespace

bool DefineBpfMap(napi_env env, napi_value exports) {
  const napi_property_descriptor map[] = {
      Method("update", Update), Method("lookup", Lookup), Method("close", CloseDescriptor<Map>),
      Getter("fd", DescriptorFd<Map>)};
  return DefineClass(env, exports, "BpfMap", ConstructMap, map, 4) &&
         DefineClass(env, exports, "BpfMapView", ConstructView, map, 3);
}

}  // namespace shardwall
