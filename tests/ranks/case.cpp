#include "tests/ranks/case.hpp"

#include <fmt/format.h>

#include <array>
#include <sstream>

#include "muster/muster.h"

namespace muster::ranks {
namespace {

constexpr std::array<const char*, static_cast<size_t>(Mode::kEnd)> kModes = {
    "function", "execute", "wait", "test", "plan", "batch"};
constexpr std::array<const char*, static_cast<size_t>(Place::kEnd)> kPlaces = {
    "ordinary", "shared", "send", "recv", "mixed"};

template <typename Name>
uint32_t number_of(const std::string& text, uint32_t end, Name&& name) {
  for (uint32_t i = 0; i < end; ++i) {
    if (text == name(i)) return i;
  }
  return end;
}

bool set(Case& c, const std::string& key, const std::string& value) {
  const auto number = [&] { return std::stoull(value); };
  if (key == "op") c.op = number_of(value, MUSTER_OP_END, muster_op_name);
  if (key == "dtype") c.dtype = number_of(value, MUSTER_DTYPE_END, muster_dtype_name);
  if (key == "redop") c.redop = number_of(value, MUSTER_REDOP_END, muster_redop_name);
  if (key == "count") c.count = number();
  if (key == "root") c.root = static_cast<uint32_t>(number());
  if (key == "in_place") c.in_place = number() != 0;
  if (key == "gaps") c.gaps = number() != 0;
  if (key == "special") c.special = number() != 0;
  if (key == "scalar") c.scalar = number() != 0;
  if (key == "quantised") c.quantised = number() != 0;
  if (key == "stepwise") c.stepwise = number() != 0;
  if (key == "seed") c.seed = number();
  if (key == "mode") {
    c.mode =
        static_cast<Mode>(number_of(value, kModes.size(), [](uint32_t i) { return kModes[i]; }));
  }
  if (key == "place") {
    c.place =
        static_cast<Place>(number_of(value, kPlaces.size(), [](uint32_t i) { return kPlaces[i]; }));
  }
  return c.op < MUSTER_OP_END && c.dtype < MUSTER_DTYPE_END && c.redop < MUSTER_REDOP_END &&
         c.mode < Mode::kEnd && c.place < Place::kEnd;
}

}  // namespace

const char* mode_name(Mode mode) { return kModes[static_cast<size_t>(mode)]; }
const char* place_name(Place place) { return kPlaces[static_cast<size_t>(place)]; }

uint64_t Case::elements() const {
  return op == MUSTER_FUSED_ALL_REDUCE_RMSNORM ? count * kHidden : count;
}

bool op_reduces(muster_op op) {
  return op >= MUSTER_ALL_REDUCE && op <= MUSTER_FUSED_ALL_REDUCE_RMSNORM;
}
bool op_has_root(muster_op op) {
  return op == MUSTER_REDUCE || op == MUSTER_BROADCAST ||
         (op >= MUSTER_GATHER && op <= MUSTER_SCATTERV);
}
bool op_has_vectors(muster_op op) {
  return op == MUSTER_REDUCE_SCATTERV || op == MUSTER_ALL_GATHERV || op == MUSTER_GATHERV ||
         op == MUSTER_SCATTERV || op == MUSTER_ALL_TO_ALLV;
}
bool op_is_message(muster_op op) { return op >= MUSTER_SEND && op <= MUSTER_SEND_RECV; }

std::string text_of(const Case& c) {
  std::string text =
      fmt::format("op={},mode={},count={}", muster_op_name(c.op), mode_name(c.mode), c.count);
  if (c.dtype != MUSTER_DTYPE_NONE) text += fmt::format(",dtype={}", muster_dtype_name(c.dtype));
  if (c.redop != MUSTER_REDOP_NONE) text += fmt::format(",redop={}", muster_redop_name(c.redop));
  if (op_has_root(c.op) || op_is_message(c.op)) text += fmt::format(",root={}", c.root);
  if (c.in_place) text += ",in_place=1";
  if (c.gaps) text += ",gaps=1";
  if (c.special) text += ",special=1";
  if (c.scalar) text += ",scalar=1";
  if (c.quantised) text += ",quantised=1";
  if (c.stepwise) text += ",stepwise=1";
  if (c.place != Place::kOrdinary) text += fmt::format(",place={}", place_name(c.place));
  return text + fmt::format(",seed={}", c.seed);
}

std::optional<Case> case_of(const std::string& text) {
  Case c;
  c.dtype = MUSTER_DTYPE_NONE;
  std::istringstream items(text);
  for (std::string item; std::getline(items, item, ',');) {
    const size_t equals = item.find('=');
    if (equals == std::string::npos) return std::nullopt;
    if (!set(c, item.substr(0, equals), item.substr(equals + 1))) return std::nullopt;
  }
  return c;
}

}  // namespace muster::ranks
