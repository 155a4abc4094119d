// BpfProgram and BpfLink: a program that the kernel has verified, and its place. The instructions,
// and what they mean, come from TypeScript.
#include "bpf.h"

#include <cerrno>

#include "classes.h"

namespace shardwall {

namespace {

struct Program : Descriptor {
  static constexpr napi_type_tag kTag = {0xba88435c49332c17, 0x68b0530c499f6e4a};
};
struct Link : Descriptor {
  static constexpr napi_type_tag kTag = {0xb8b41a466834939b, 0x65638994d19e9241};
};

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
// what it returned, the nanoseconds that a run took on average, and the packet's mark behind it.
napi_value Run(napi_env env, napi_callback_info info) {
  Call call(env, info);
  auto* program = Unwrap<Program>(call);
  Bytes packet;
  int64_t repeat;
  Words result;
  if (program == nullptr || !call.Uint8Array(0, "packet", 14, &packet) ||
      !call.Int(1, "repeat", 1, 1 << 30, &repeat) ||
      !call.Int32Array(2, "result", 3, &result)) {
    return nullptr;
  }
  __sk_buff context = {};
  bpf_attr attr = {};
  attr.test.ctx_out = Pointer(&context);
  attr.test.ctx_size_out = sizeof(context);
  attr.test.prog_fd = static_cast<uint32_t>(program->fd);
  attr.test.data_in = Pointer(packet.data);
  attr.test.data_size_in = static_cast<uint32_t>(packet.length);
  attr.test.repeat = static_cast<uint32_t>(repeat);
  if (Bpf(BPF_PROG_TEST_RUN, &attr) != 0) return Fail(env, "bpf(BPF_PROG_TEST_RUN)", errno);
  result.data[0] = static_cast<int32_t>(attr.test.retval);
  result.data[1] = static_cast<int32_t>(attr.test.duration);
  result.data[2] = static_cast<int32_t>(context.mark);
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

}  // namespace

bool DefineBpf(napi_env env, napi_value exports) {
  const napi_property_descriptor program[] = {Method("run", Run),
                                              Method("close", CloseDescriptor<Program>),
                                              Getter("fd", DescriptorFd<Program>)};
  const napi_property_descriptor link[] = {Method("close", CloseDescriptor<Link>)};
  return DefineClass(env, exports, "BpfProgram", ConstructProgram, program, 3) &&
         DefineClass(env, exports, "BpfLink", ConstructLink, link, 1);
}

}  // namespace shardwall
