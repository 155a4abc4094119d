// Functions of the calling thread: the clock that also counts suspended time, its name, its nice
// value, its timers.
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "classes.h"
#include "guard.h"

namespace shardwall {

namespace {

// now(): milliseconds of CLOCK_BOOTTIME, with fraction. A machine that slept finds its lease
// expired.
napi_value Now(napi_env env, napi_callback_info) {
  timespec time;
  clock_gettime(CLOCK_BOOTTIME, &time);
  return Number(env, static_cast<double>(time.tv_sec) * 1e3 +
                         static_cast<double>(time.tv_nsec) / 1e6);
}

// nameThread(name): shown by `top -H` and /proc/PID/task/TID/comm; 15 bytes at most.
napi_value NameThread(napi_env env, napi_callback_info info) {
  Call call(env, info);
  char name[16];
  if (!call.String(0, "name", name, sizeof name)) return nullptr;
  prctl(PR_SET_NAME, name, 0, 0, 0);
  return Undefined(env);
}

// niceThread(value): scheduling weight of this thread alone, as Linux keeps it.
napi_value NiceThread(napi_env env, napi_callback_info info) {
  Call call(env, info);
  int64_t value;
  if (!call.Int(0, "value", -20, 19, &value)) return nullptr;
  id_t thread = static_cast<id_t>(syscall(SYS_gettid));
  if (setpriority(PRIO_PROCESS, thread, static_cast<int>(value)) != 0) {
    return Fail(env, "setpriority", errno);
  }
  return Undefined(env);
}

// realtimeThread(priority): round robin before all ordinary threads, 1..99 (sched(7)). Threads that
// this thread starts are ordinary again.
napi_value RealtimeThread(napi_env env, napi_callback_info info) {
  Call call(env, info);
  int64_t priority;
  if (!call.Int(0, "priority", 1, 99, &priority)) return nullptr;
  sched_param parameter = {};
  parameter.sched_priority = static_cast<int>(priority);
  if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &parameter) != 0) {
    return Fail(env, "sched_setscheduler", errno);
  }
  return Undefined(env);
}

// exactTimers(): the kernel may put this thread's timers off by a nanosecond instead of 50 us.
napi_value ExactTimers(napi_env env, napi_callback_info) {
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  return Undefined(env);
}

}  // namespace

bool DefineClock(napi_env env, napi_value exports) {
  const napi_property_descriptor functions[] = {
      Method("now", Now), Method("nameThread", NameThread), Method("niceThread", NiceThread),
      Method("realtimeThread", RealtimeThread), Method("exactTimers", ExactTimers)};
  return napi_define_properties(env, exports, 5, functions) == napi_ok;
}

}  // namespace shardwall
