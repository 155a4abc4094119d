// BpfMap, BpfProgram and BpfLink: one bpf(2) object each. The instructions, and what they mean, come
// from TypeScript.
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "classes.h"
#include "guard.h"

namespace shardwall {

namespace {

struct Descriptor {
  int fd = -1;
  ~Descriptor() { Close(); }
  void Close() {
    if (fd >= 0) close(fd);
    fd = -1;
  }
};

struct Map : Descriptor {
  size_t key_bytes = 0;
  size_t value_bytes = 0;
};
struct Program : Descriptor {};
struct Link : Descriptor {};

int Bpf(int command, bpf_attr* attr) {
  return static_cast<int>(syscall(__NR_bpf, command, attr, sizeof *attr));
}

uint64_t Pointer(const void* address) { return reinterpret_cast<uintptr_t>(address); }

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
  if (fd < 0) return Fail(env, "bpf(BPF_MAP_CREATE)", errno);
  auto* map = new Map;
  map->fd = fd;
  map->key_bytes = static_cast<size_t>(key);
  map->value_bytes = static_cast<size_t>(value);
  return Wrap(env, call.self, map) ? call.self : nullptr;
}

// new BpfMapView(fd, keyBytes, valueBytes): a map that another thread of this process made.
napi_value ConstructView(napi_env env, napi_callback_info info) {
  Call call(env, info);
  int64_t fd, key, value;
  if (!call.Int(0, "fd", 0, INT32_MAX, &fd) || !call.Int(1, "keyBytes", 1, 512, &key) ||
      !call.Int(2, "valueBytes", 1, 1 << 20, &value)) {
    return nullptr;
  }
  int own = fcntl(static_cast<int>(fd), F_DUPFD_CLOEXEC, 3);
  if (own < 0) return Fail(env, "fcntl(F_DUPFD_CLOEXEC)", errno);
  auto* map = new Map;
  map->fd = own;
  map->key_bytes = static_cast<size_t>(key);
  map->value_bytes = static_cast<size_t>(value);
  return Wrap(env, call.self, map) ? call.self : nullptr;
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
      !call.Uint8Array(1, "values", map->value_bytes, &values)) {
    return nullptr;
  }
  bpf_attr attr = {};
  attr.map_fd = static_cast<uint32_t>(map->fd);
  attr.key = Pointer(key.data);
  attr.value = Pointer(values.data);
  bool failed = Bpf(BPF_MAP_LOOKUP_ELEM, &attr) != 0;
  return failed ? Fail(env, "bpf(BPF_MAP_LOOKUP_ELEM)", errno) : Undefined(env);
}

constexpr size_t kInstructionBytes = sizeof(bpf_insn);

// new BpfProgram(type, instructions, name, log): `log` receives what the verifier says; empty: it
// says nothing.
napi_value ConstructProgram(napi_env env, napi_callback_info info) {
  Call call(env, info);
  int64_t type;
  Bytes instructions, log;
  bpf_attr attr = {};
  if (!call.Int(0, "type", 0, INT32_MAX, &type) ||
      !call.Uint8Array(1, "instructions", kInstructionBytes, &instructions) ||
      !call.String(2, "name", attr.prog_name, sizeof attr.prog_name) ||
      !call.Uint8Array(3, "log", 0, &log)) {
    return nullptr;
  }
  attr.prog_type = static_cast<uint32_t>(type);
  attr.insns = Pointer(instructions.data);
  attr.insn_cnt = static_cast<uint32_t>(instructions.length / kInstructionBytes);
  // The license decides which helpers may be called; ours need none of the GPL's.
  attr.license = Pointer("MIT");
  if (log.length > 0) {
    attr.log_level = 1;
    attr.log_buf = Pointer(log.data);
    attr.log_size = static_cast<uint32_t>(log.length);
  }
  int fd = Bpf(BPF_PROG_LOAD, &attr);
  if (fd < 0) return Fail(env, "bpf(BPF_PROG_LOAD)", errno);
  auto* program = new Program;
  program->fd = fd;
  return Wrap(env, call.self, program) ? call.self : nullptr;
}

// run(packet, repeat, result): runs the program on a packet that goes nowhere. `result` receives
// what it returned and the nanoseconds that a run took on average.
napi_value Run(napi_env env, napi_callback_info info) {
  Call call(env, info);
  auto* program = Unwrap<Program>(call);
  Bytes packet;
  int64_t repeat;
  Words result;
  if (program == nullptr || !call.Uint8Array(0, "packet", 14, &packet) ||
      !call.Int(1, "repeat", 1, 1 << 30, &repeat) ||
      !call.Int32Array(2, "result", 2, &result)) {
    return nullptr;
  }
  bpf_attr attr = {};
  attr.test.prog_fd = static_cast<uint32_t>(program->fd);
  attr.test.data_in = Pointer(packet.data);
  attr.test.data_size_in = static_cast<uint32_t>(packet.length);
  attr.test.repeat = static_cast<uint32_t>(repeat);
  if (Bpf(BPF_PROG_TEST_RUN, &attr) != 0) return Fail(env, "bpf(BPF_PROG_TEST_RUN)", errno);
  result.data[0] = static_cast<int32_t>(attr.test.retval);
  result.data[1] = static_cast<int32_t>(attr.test.duration);
  return Undefined(env);
}

// new BpfLink(programFd, ifindex, attachType): ends with its descriptor, at the latest with the
// process.
napi_value ConstructLink(napi_env env, napi_callback_info info) {
  Call call(env, info);
  int64_t program, ifindex, type;
  if (!call.Int(0, "programFd", 0, INT32_MAX, &program) ||
      !call.Int(1, "ifindex", 1, INT32_MAX, &ifindex) ||
      !call.Int(2, "attachType", 0, INT32_MAX, &type)) {
    return nullptr;
  }
  bpf_attr attr = {};
  attr.link_create.prog_fd = static_cast<uint32_t>(program);
  attr.link_create.target_ifindex = static_cast<uint32_t>(ifindex);
  attr.link_create.attach_type = static_cast<uint32_t>(type);
  int fd = Bpf(BPF_LINK_CREATE, &attr);
  if (fd < 0) return Fail(env, "bpf(BPF_LINK_CREATE)", errno);
  auto* link = new Link;
  link->fd = fd;
  return Wrap(env, call.self, link) ? call.self : nullptr;
}

template <typename T>
napi_value Fd(napi_env env, napi_callback_info info) {
  auto* object = Unwrap<T>(Call(env, info));
  return object == nullptr ? nullptr : Number(env, object->fd);
}

template <typename T>
napi_value Close(napi_env env, napi_callback_info info) {
  auto* object = Unwrap<T>(Call(env, info));
  if (object == nullptr) return nullptr;
  object->Close();
  return Undefined(env);
}

}  // namespace

bool DefineBpf(napi_env env, napi_value exports) {
  const napi_property_descriptor map[] = {Method("update", Update), Method("lookup", Lookup),
                                          Method("close", Close<Map>), Getter("fd", Fd<Map>)};
  const napi_property_descriptor program[] = {Method("run", Run), Method("close", Close<Program>),
                                              Getter("fd", Fd<Program>)};
  const napi_property_descriptor link[] = {Method("close", Close<Link>)};
  return DefineClass(env, exports, "BpfMap", ConstructMap, map, 4) &&
         DefineClass(env, exports, "BpfMapView", ConstructView, map, 3) &&
         DefineClass(env, exports, "BpfProgram", ConstructProgram, program, 3) &&
         DefineClass(env, exports, "BpfLink", ConstructLink, link, 1);
}

}  // namespace shardwall
