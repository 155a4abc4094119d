// What each source file adds to the addon's exports: one class for each kernel object.
#pragma once

#include <node_api.h>

namespace shardwall {

bool DefineBpf(napi_env env, napi_value exports);        // bpf.cc: program, link
bool DefineBpfMap(napi_env env, napi_value exports);     // bpf_map.cc
bool DefineClock(napi_env env, napi_value exports);      // clock.cc: now(), thread name and nice
bool DefineEventFd(napi_env env, napi_value exports);    // eventfd.cc
bool DefineLinkGroup(napi_env env, napi_value exports);  // link_group.cc
bool DefineMemory(napi_env env, napi_value exports);     // memory.cc: alignTable()
bool DefineNetlink(napi_env env, napi_value exports);    // netlink.cc
bool DefinePeer(napi_env env, napi_value exports);       // peer.cc: peerUser()
bool DefineQueue(napi_env env, napi_value exports);      // queue.cc
bool DefineWatch(napi_env env, napi_value exports);      // watch.cc

}  // namespace shardwall
