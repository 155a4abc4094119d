// EventFd: wakes a thread that is blocked in Queue.receive. Made by one thread, its number is given
// to others.
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "classes.h"
#include "guard.h"

namespace shardwall {

namespace {

struct EventFd {
  static constexpr napi_type_tag kTag = {0xdef785627e87681f, 0x4efe4d616b88bad5};
  int fd = -1;
  ~EventFd() { Close(); }
  void Close() {
    if (fd >= 0) close(fd);
    fd = -1;
  }
};

napi_value Construct(napi_env env, napi_callback_info info) {
  Call call(env, info);
  int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) return Fail(env, "eventfd", errno);
  auto* object = new EventFd;
  object->fd = fd;
  return Wrap(env, call.self, object) ? call.self : nullptr;
}

napi_value Fd(napi_env env, napi_callback_info info) {
  auto* event = Unwrap<EventFd>(Call(env, info));
  return event == nullptr ? nullptr : Number(env, event->fd);
}

napi_value Signal(napi_env env, napi_callback_info info) {
  auto* event = Unwrap<EventFd>(Call(env, info));
  if (event == nullptr) return nullptr;
  uint64_t one = 1;
  // EAGAIN means that the counter is full, so the event is signalled already.
  if (write(event->fd, &one, sizeof one) < 0 && errno != EAGAIN) return Fail(env, "write", errno);
  return Undefined(env);
}

napi_value Clear(napi_env env, napi_callback_info info) {
  auto* event = Unwrap<EventFd>(Call(env, info));
  if (event == nullptr) return nullptr;
  uint64_t count;
  if (read(event->fd, &count, sizeof count) < 0 && errno != EAGAIN) return Fail(env, "read", errno);
  return Undefined(env);
}

napi_value Close(napi_env env, napi_callback_info info) {
  auto* event = Unwrap<EventFd>(Call(env, info));
  if (event == nullptr) return nullptr;
  event->Close();
  return Undefined(env);
}

}  // namespace

bool DefineEventFd(napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {Getter("fd", Fd), Method("signal", Signal),
                                                 Method("clear", Clear), Method("close", Close)};
  return DefineClass(env, exports, "EventFd", Construct, properties, 4);
}

}  // namespace shardwall
