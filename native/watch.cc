// Watch: says once, each time it is asked, that a descriptor has become readable. For threads that
// must not block, since they have messages to hear; a thread of its own waits for them.
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "classes.h"
#include "guard.h"

namespace shardwall {

namespace {

constexpr uint64_t kArm = 1;
constexpr uint64_t kStop = uint64_t{1} << 32;

struct Watch {
  static constexpr napi_type_tag kTag = {0x2b7f6f0d52b84c19, 0x93c1e0f4a86d375e};
  int fd = -1;       // the caller's
  int orders = -1;   // eventfd: kArm and kStop, added up
  napi_env env = nullptr;
  napi_threadsafe_function told = nullptr;
  pthread_t thread = {};
  bool is_running = false;

  ~Watch() { Stop(); }

  void Order(uint64_t order) const {
    ssize_t written = write(orders, &order, sizeof order);
    static_cast<void>(written);  // cannot fail: nobody adds up 2^64
  }

  // The thread is gone and says nothing more.
  void Stop() {
    if (is_running) {
      napi_remove_env_cleanup_hook(env, OnEnd, this);
      Order(kStop);
      pthread_join(thread, nullptr);
      napi_release_threadsafe_function(told, napi_tsfn_abort);
    }
    is_running = false;
    if (orders >= 0) close(orders);
    orders = -1;
  }

  // The environment ends, with its objects still there: the function goes before they do.
  static void OnEnd(void* data) { static_cast<Watch*>(data)->Stop(); }
};

// Waits for an order, then for the descriptor or another order.
void* Wait(void* data) {
  auto* watch = static_cast<Watch*>(data);
  pthread_setname_np(pthread_self(), "sw-watch");
  pollfd waits[2] = {{watch->orders, POLLIN, 0}, {watch->fd, POLLIN, 0}};
  bool is_armed = false;
  for (;;) {
    if (poll(waits, is_armed ? 2 : 1, -1) < 0) continue;  // EINTR
    if ((waits[0].revents & POLLIN) != 0) {
      uint64_t order = 0;
      if (read(watch->orders, &order, sizeof order) < 0) continue;
      if (order >= kStop) return nullptr;
      is_armed = true;
    } else if (is_armed && waits[1].revents != 0) {
      is_armed = false;
      napi_call_threadsafe_function(watch->told, nullptr, napi_tsfn_nonblocking);
    }
    waits[1].revents = 0;
  }
}

// new Watch(fd, onReadable)
napi_value Construct(napi_env env, napi_callback_info info) {
  Call call(env, info);
  int64_t fd;
  if (!call.Int(0, "fd", 0, INT32_MAX, &fd)) return nullptr;
  napi_valuetype type = napi_undefined;
  if (call.count < 2 || napi_typeof(env, call.argument[1], &type) != napi_ok ||
      type != napi_function) {
    return Refuse(env, "onReadable: must be a function");
  }
  auto* watch = new Watch;
  watch->fd = static_cast<int>(fd);
  watch->env = env;
  if (!Wrap(env, call.self, watch)) return nullptr;
  watch->orders = eventfd(0, EFD_CLOEXEC);
  if (watch->orders < 0) return Fail(env, "eventfd", errno);
  napi_value name;
  if (napi_create_string_utf8(env, "shardwall watch", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(env, call.argument[1], nullptr, name, 1, 1, nullptr, nullptr,
                                      nullptr, nullptr, &watch->told) != napi_ok ||
      // It keeps nobody's event loop alive.
      napi_unref_threadsafe_function(env, watch->told) != napi_ok) {
    return Refuse(env, "watch: the function cannot be called from a thread");
  }
  int error = pthread_create(&watch->thread, nullptr, Wait, watch);
  if (error != 0) {
    napi_release_threadsafe_function(watch->told, napi_tsfn_abort);
    return Fail(env, "pthread_create", error);
  }
  watch->is_running = true;
  napi_add_env_cleanup_hook(env, Watch::OnEnd, watch);
  return call.self;
}

// arm(): the next time that the descriptor is readable, now perhaps, is told.
napi_value Arm(napi_env env, napi_callback_info info) {
  auto* watch = Unwrap<Watch>(Call(env, info));
  if (watch == nullptr) return nullptr;
  if (watch->is_running) watch->Order(kArm);
  return Undefined(env);
}

napi_value Close(napi_env env, napi_callback_info info) {
  auto* watch = Unwrap<Watch>(Call(env, info));
  if (watch == nullptr) return nullptr;
  watch->Stop();
  return Undefined(env);
}

}  // namespace

bool DefineWatch(napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {Method("arm", Arm), Method("close", Close)};
  return DefineClass(env, exports, "Watch", Construct, properties, 2);
}

}  // namespace shardwall
