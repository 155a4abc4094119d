// alignTable(bytes): prepares memory for a table that is read all over the place.
#include <sys/mman.h>

#include "classes.h"
#include "guard.h"

namespace shardwall {

namespace {

// Of a huge page, on every machine where one is a hint away (x86-64, arm64 with 4 KiB pages).
constexpr size_t kHugePage = 2 << 20;

// alignTable(bytes): the offset of the first byte on a border of huge pages; from there on the
// kernel is asked for huge pages (madvise(2)), each of which spares 511 entries of the processor's
// address cache. It may refuse, and nothing but time is lost. Memory is to be untouched still.
napi_value AlignTable(napi_env env, napi_callback_info info) {
  Call call(env, info);
  Bytes bytes;
  if (!call.Uint8Array(0, "bytes", kHugePage, &bytes)) return nullptr;
  size_t beyond = reinterpret_cast<uintptr_t>(bytes.data) % kHugePage;
  size_t offset = beyond == 0 ? 0 : kHugePage - beyond;
  madvise(bytes.data + offset, (bytes.length - offset) & ~(kHugePage - 1), MADV_HUGEPAGE);
  return Number(env, static_cast<double>(offset));
}

}  // namespace

bool DefineMemory(napi_env env, napi_value exports) {
  const napi_property_descriptor functions[] = {Method("alignTable", AlignTable)};
  return napi_define_properties(env, exports, 1, functions) == napi_ok;
}

}  // namespace shardwall
