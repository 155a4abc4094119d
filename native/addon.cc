// Registration, and the checks of guard.h. There is no state here: an environment (a thread) owns
// its objects.
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "classes.h"
#include "guard.h"

namespace shardwall {

namespace {

// The names that users and manual pages use for the errors our calls can give.
const char* ErrnoName(int error) {
  switch (error) {
    case EACCES: return "EACCES";
    case E2BIG: return "E2BIG";
    case EADDRINUSE: return "EADDRINUSE";
    case EADDRNOTAVAIL: return "EADDRNOTAVAIL";
    case EAFNOSUPPORT: return "EAFNOSUPPORT";
    case EAGAIN: return "EAGAIN";
    case EBADF: return "EBADF";
    case EBUSY: return "EBUSY";
    case EEXIST: return "EEXIST";
    case EINTR: return "EINTR";
    case EINVAL: return "EINVAL";
    case EMFILE: return "EMFILE";
    case EMSGSIZE: return "EMSGSIZE";
    case ENETDOWN: return "ENETDOWN";
    case ENFILE: return "ENFILE";
    case ENOBUFS: return "ENOBUFS";
    case ENODEV: return "ENODEV";
    case ENOENT: return "ENOENT";
    case ENOMEM: return "ENOMEM";
    case ENOSPC: return "ENOSPC";
    case ENOSYS: return "ENOSYS";
    case ENXIO: return "ENXIO";
    case EOPNOTSUPP: return "EOPNOTSUPP";
    case EPERM: return "EPERM";
    case EPROTONOSUPPORT: return "EPROTONOSUPPORT";
    case ESRCH: return "ESRCH";
    case ETIMEDOUT: return "ETIMEDOUT";
    default: return nullptr;
  }
}

bool TypedArray(const Call& call, size_t index, napi_typedarray_type wanted, void** data,
                size_t* length) {
  bool is_typed_array = false;
  napi_typedarray_type type;
  if (index >= call.count ||
      napi_is_typedarray(call.env, call.argument[index], &is_typed_array) != napi_ok ||
      !is_typed_array ||
      napi_get_typedarray_info(call.env, call.argument[index], &type, length, data, nullptr,
                               nullptr) != napi_ok) {
    return false;
  }
  return type == wanted;
}

bool RefuseArgument(napi_env env, const char* name, const char* wanted) {
  char text[160];
  snprintf(text, sizeof text, "%s: %s", name, wanted);
  Refuse(env, text);
  return false;
}

}  // namespace

Call::Call(napi_env environment, napi_callback_info info) : env(environment) {
  if (napi_get_cb_info(env, info, &count, argument, &self, nullptr) != napi_ok) count = 0;
  if (count > kArgumentsMax) count = kArgumentsMax;
}

bool Call::Int(size_t index, const char* name, int64_t min, int64_t max, int64_t* out) const {
  double value = 0;
  if (index < count && napi_get_value_double(env, argument[index], &value) == napi_ok &&
      value >= static_cast<double>(min) && value <= static_cast<double>(max) &&
      value == static_cast<double>(static_cast<int64_t>(value))) {
    *out = static_cast<int64_t>(value);
    return true;
  }
  char wanted[96];
  snprintf(wanted, sizeof wanted, "must be a whole number from %lld to %lld",
           static_cast<long long>(min), static_cast<long long>(max));
  return RefuseArgument(env, name, wanted);
}

bool Call::Uint8Array(size_t index, const char* name, size_t length_min, Bytes* out) const {
  void* data = nullptr;
  size_t length = 0;
  if (!TypedArray(*this, index, napi_uint8_array, &data, &length) || length < length_min) {
    return RefuseArgument(env, name, "must be a Uint8Array that is large enough");
  }
  *out = {static_cast<uint8_t*>(data), length};
  return true;
}

bool Call::Int32Array(size_t index, const char* name, size_t length_min, Words* out) const {
  void* data = nullptr;
  size_t length = 0;
  if (!TypedArray(*this, index, napi_int32_array, &data, &length) || length < length_min) {
    return RefuseArgument(env, name, "must be an Int32Array that is large enough");
  }
  *out = {static_cast<int32_t*>(data), length};
  return true;
}

bool Call::String(size_t index, const char* name, char* out, size_t capacity) const {
  size_t length = 0;
  // Asked for its length first: what does not fit would be cut between two characters, silently.
  if (index < count &&
      napi_get_value_string_utf8(env, argument[index], nullptr, 0, &length) == napi_ok &&
      length < capacity &&
      napi_get_value_string_utf8(env, argument[index], out, capacity, &length) == napi_ok) {
    return true;
  }
  return RefuseArgument(env, name, "must be a short string");
}

napi_value Refuse(napi_env env, const char* text) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_VALUE", text);
  return nullptr;
}

napi_value Fail(napi_env env, const char* syscall, int error) {
  char fallback[24];
  snprintf(fallback, sizeof fallback, "E%d", error);
  const char* code = ErrnoName(error) != nullptr ? ErrnoName(error) : fallback;
  char text[200];
  snprintf(text, sizeof text, "%s: %s (%s)", syscall, strerror(error), code);
  napi_value code_value, text_value, syscall_value, object;
  if (napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &code_value) == napi_ok &&
      napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &text_value) == napi_ok &&
      napi_create_string_utf8(env, syscall, NAPI_AUTO_LENGTH, &syscall_value) == napi_ok &&
      napi_create_error(env, code_value, text_value, &object) == napi_ok &&
      napi_set_named_property(env, object, "syscall", syscall_value) == napi_ok &&
      napi_set_named_property(env, object, "errno", Number(env, error)) == napi_ok) {
    napi_throw(env, object);
  }
  return nullptr;
}

napi_value Number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

napi_value Undefined(napi_env env) {
  napi_value result = nullptr;
  napi_get_undefined(env, &result);
  return result;
}

bool DefineClass(napi_env env, napi_value exports, const char* name, napi_callback construct,
                 const napi_property_descriptor* properties, size_t count) {
  napi_value constructor;
  return napi_define_class(env, name, NAPI_AUTO_LENGTH, construct, nullptr, count, properties,
                           &constructor) == napi_ok &&
         napi_set_named_property(env, exports, name, constructor) == napi_ok;
}

}  // namespace shardwall

NAPI_MODULE_INIT() {
  using namespace shardwall;
  bool defined = DefineBpf(env, exports) && DefineBpfMap(env, exports) &&
                 DefineClock(env, exports) && DefineEventFd(env, exports) &&
                 DefineLinkGroup(env, exports) && DefineMemory(env, exports) &&
                 DefineNetlink(env, exports) && DefinePeer(env, exports) &&
                 DefineQueue(env, exports) && DefineWatch(env, exports);
  if (!defined) napi_throw_error(env, nullptr, "shardwall addon: registration failed");
  return exports;
}
