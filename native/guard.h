// The border between JavaScript and C++: every argument is checked here, once, before a system
// call. A failed check leaves a pending JavaScript exception and returns false or nullptr; callers
// return.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>

namespace shardwall {

struct Bytes {
  uint8_t* data = nullptr;
  size_t length = 0;  // bytes
};

struct Words {
  int32_t* data = nullptr;
  size_t length = 0;  // 32-bit words
};

constexpr size_t kArgumentsMax = 6;

// The receiver and the arguments of one call.
struct Call {
  napi_env env;
  napi_value self = nullptr;
  napi_value argument[kArgumentsMax] = {};
  size_t count = kArgumentsMax;

  Call(napi_env environment, napi_callback_info info);

  bool Int(size_t index, const char* name, int64_t min, int64_t max, int64_t* out) const;
  bool Uint8Array(size_t index, const char* name, size_t length_min, Bytes* out) const;
  bool Int32Array(size_t index, const char* name, size_t length_min, Words* out) const;
  bool String(size_t index, const char* name, char* out, size_t capacity) const;
};

// Throws a TypeError with the text; always returns nullptr, so that callers can `return
// Refuse(...)`.
napi_value Refuse(napi_env env, const char* text);

// Throws an Error with `code` (such as "EPERM"), `errno` and `syscall`; always returns nullptr.
napi_value Fail(napi_env env, const char* syscall, int error);

napi_value Number(napi_env env, double value);
napi_value Undefined(napi_env env);

// Ties a C++ object to `self`: it is deleted when the JavaScript object is collected or its
// environment (a worker thread, say) ends, terminated in the middle or not. `T::kTag` is random and
// names the class, since a getter may be called on an object of any other.
template <typename T>
bool Wrap(napi_env env, napi_value self, T* object) {
  napi_status status = napi_wrap(
      env, self, object, [](napi_env, void* data, void*) { delete static_cast<T*>(data); },
      nullptr, nullptr);
  if (status != napi_ok) {
    delete object;
  } else if (napi_type_tag_object(env, self, &T::kTag) == napi_ok) {
    return true;
  }
  Refuse(env, "cannot construct: call it with new, once");
  return false;
}

template <typename T>
T* Unwrap(const Call& call) {
  void* data = nullptr;
  bool is_ours = false;
  if (napi_check_object_type_tag(call.env, call.self, &T::kTag, &is_ours) == napi_ok && is_ours &&
      napi_unwrap(call.env, call.self, &data) == napi_ok && data != nullptr) {
    return static_cast<T*>(data);
  }
  Refuse(call.env, "method called on a wrong receiver");
  return nullptr;
}

inline napi_property_descriptor Method(const char* name, napi_callback callback) {
  return {name, nullptr, callback, nullptr, nullptr, nullptr, napi_default_method, nullptr};
}

inline napi_property_descriptor Getter(const char* name, napi_callback callback) {
  return {name, nullptr, nullptr, callback, nullptr, nullptr, napi_default, nullptr};
}

bool DefineClass(napi_env env, napi_value exports, const char* name, napi_callback construct,
                 const napi_property_descriptor* properties, size_t count);

}  // namespace shardwall
