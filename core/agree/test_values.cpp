#include "core/agree/test_values.hpp"

#include <cstring>

#include "core/base/names.hpp"
#include "muster/narrow_float.hpp"

namespace muster {
namespace {

template <typename T>
void store(void* base, uint64_t index, T value) {
  std::memcpy(static_cast<char*>(base) + index * sizeof(T), &value, sizeof(T));
}

template <typename T>
T load(const void* base, uint64_t index) {
  T value;
  std::memcpy(&value, static_cast<const char*>(base) + index * sizeof(T), sizeof(T));
  return value;
}

}  // namespace

void store_value(muster_dtype dtype, void* base, uint64_t index, int64_t value) {
  switch (dtype) {
    case MUSTER_BOOL:
      return store<uint8_t>(base, index, value != 0 ? 1 : 0);
    case MUSTER_F16:
      return store<uint16_t>(base, index, f32_to_f16(static_cast<float>(value)));
    case MUSTER_BF16:
      return store<uint16_t>(base, index, f32_to_bf16(static_cast<float>(value)));
    case MUSTER_F32:
      return store<float>(base, index, static_cast<float>(value));
    case MUSTER_F64:
      return store<double>(base, index, static_cast<double>(value));
    default:
      break;
  }
  switch (dtype_size(dtype)) {
    case 1:
      return store<uint8_t>(base, index, static_cast<uint8_t>(value));
    case 2:
      return store<uint16_t>(base, index, static_cast<uint16_t>(value));
    case 4:
      return store<uint32_t>(base, index, static_cast<uint32_t>(value));
    default:
      return store<uint64_t>(base, index, static_cast<uint64_t>(value));
  }
}

double load_value(muster_dtype dtype, const void* base, uint64_t index) {
  switch (dtype) {
    case MUSTER_I8:
      return load<int8_t>(base, index);
    case MUSTER_I16:
      return load<int16_t>(base, index);
    case MUSTER_U16:
      return load<uint16_t>(base, index);
    case MUSTER_I32:
      return load<int32_t>(base, index);
    case MUSTER_U32:
      return load<uint32_t>(base, index);
    case MUSTER_I64:
      return static_cast<double>(load<int64_t>(base, index));
    case MUSTER_U64:
      return static_cast<double>(load<uint64_t>(base, index));
    case MUSTER_F16:
      return f16_to_f32(load<uint16_t>(base, index));
    case MUSTER_BF16:
      return bf16_to_f32(load<uint16_t>(base, index));
    case MUSTER_F32:
      return load<float>(base, index);
    case MUSTER_F64:
      return load<double>(base, index);
    default:
      return load<uint8_t>(base, index);  // u8, bool, fp8
  }
}

double combine_values(muster_dtype dtype, muster_redop redop, const int64_t* values,
                      uint32_t count) {
  const auto held = [&](int64_t value) {
    return dtype == MUSTER_BOOL && value != 0 ? int64_t{1} : value;
  };
  int64_t result = held(values[0]);
  if (redop == MUSTER_LAND || redop == MUSTER_LOR || redop == MUSTER_LXOR)
    result = values[0] != 0 ? 1 : 0;
  for (uint32_t i = 1; i < count; ++i) {
    const int64_t value = held(values[i]);
    switch (redop) {
      case MUSTER_SUM:
      case MUSTER_AVG:
        result += value;
        break;
      case MUSTER_PROD:
        result *= value;
        break;
      case MUSTER_MIN:
        result = value < result ? value : result;
        break;
      case MUSTER_MAX:
        result = value > result ? value : result;
        break;
      case MUSTER_BAND:
        result &= value;
        break;
      case MUSTER_BOR:
        result |= value;
        break;
      case MUSTER_BXOR:
        result ^= value;
        break;
      case MUSTER_LAND:
        result = result != 0 && value != 0 ? 1 : 0;
        break;
      case MUSTER_LOR:
        result = result != 0 || value != 0 ? 1 : 0;
        break;
      default:
        result = (result != 0) != (value != 0) ? 1 : 0;
        break;
    }
  }
  if (redop == MUSTER_AVG && !is_integer(dtype)) return static_cast<double>(result) / count;
  // As the dtype would hold it: wrapped at its width, then divided.
  unsigned char element[8];
  store_value(dtype, element, 0, result);
  const double wrapped = load_value(dtype, element, 0);
  return redop == MUSTER_AVG ? static_cast<double>(static_cast<int64_t>(wrapped) / count) : wrapped;
}

}  // namespace muster
