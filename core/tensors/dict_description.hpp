// What a dictionary is, without the tensors' data, as bytes that go before it.
//
// Little-endian as all else between ranks of one group. Pure; any thread.
#ifndef MUSTER_CORE_TENSORS_DICT_DESCRIPTION_HPP
#define MUSTER_CORE_TENSORS_DICT_DESCRIPTION_HPP

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/digest.hpp"
#include "core/base/status.hpp"
#include "core/tensors/dict.hpp"

namespace muster {

// Which part of a tensor a rank sends: part `index` of `count`.
struct Slice {
  uint32_t count = 1;
  uint32_t index = 0;
};

struct DictDescription {
  Slice slice;       // the sender's
  muster_dict dict;  // values with their bytes, tensors without data
};

std::string describe_dict(const muster_dict& dict, const Slice& slice = {});
// DATA_LOSS for whatever describe_dict does not make.
Result<DictDescription> parse_description(std::string_view bytes);

// Equal for dictionaries that differ in nothing but their values' bytes.
Digest layout_digest(const muster_dict& dict);

}  // namespace muster

#endif
