#include "plugins/backends/mpi/types.hpp"

#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <utility>

#include "plugins/backends/mpi/process.hpp"

namespace muster::mpi {
namespace {

constexpr uint32_t kCells = MUSTER_DTYPE_END * MUSTER_REDOP_END;
constexpr uint32_t cell(muster_dtype dtype, muster_redop redop) {
  return dtype * MUSTER_REDOP_END + redop;
}

std::array<std::atomic<muster_host_reduce>, kCells> kernels{};

// MPI hands a user function no context, so there is one function per cell of the table.
template <uint32_t Cell>
void combine(void* in, void* inout, int* count, MPI_Datatype*) {
  const void* sources[2] = {in, inout};
  kernels[Cell].load(std::memory_order_relaxed)(inout, sources, 2, static_cast<uint64_t>(*count),
                                                nullptr, 0);
}

template <uint32_t... Cell>
constexpr std::array<MPI_User_function*, kCells> combine_table(
    std::integer_sequence<uint32_t, Cell...>) {
  return {combine<Cell>...};
}
constexpr auto kCombine = combine_table(std::make_integer_sequence<uint32_t, kCells>());

constexpr bool is_float(muster_dtype dtype) { return dtype == MUSTER_F32 || dtype == MUSTER_F64; }
constexpr bool is_small_integer(muster_dtype dtype) {
  return dtype >= MUSTER_I8 && dtype <= MUSTER_U16;
}
constexpr bool is_carrier(muster_dtype dtype) {
  return (dtype >= MUSTER_I8 && dtype <= MUSTER_U64) || is_float(dtype);
}
constexpr bool defined(muster_dtype dtype, muster_redop redop) {
  return redop != MUSTER_REDOP_NONE && redop < MUSTER_REDOP_END && is_carrier(dtype) &&
         (!is_float(dtype) || redop <= MUSTER_AVG);
}
constexpr bool user_defined(muster_dtype dtype, muster_redop redop) {
  return is_small_integer(dtype) ||
         (is_float(dtype) && (redop == MUSTER_MIN || redop == MUSTER_MAX));
}

MPI_Op predefined(muster_redop redop) {
  switch (redop) {
    case MUSTER_SUM:
      return MPI_SUM;
    case MUSTER_PROD:
      return MPI_PROD;
    case MUSTER_MIN:
      return MPI_MIN;
    case MUSTER_MAX:
      return MPI_MAX;
    case MUSTER_BAND:
      return MPI_BAND;
    case MUSTER_BOR:
      return MPI_BOR;
    case MUSTER_BXOR:
      return MPI_BXOR;
    case MUSTER_LAND:
      return MPI_LAND;
    case MUSTER_LOR:
      return MPI_LOR;
    case MUSTER_LXOR:
      return MPI_LXOR;
    default:
      return MPI_OP_NULL;
  }
}

}  // namespace

muster_dtype carrier(muster_dtype dtype) {
  if (dtype == MUSTER_F16 || dtype == MUSTER_BF16) return MUSTER_F32;
  return dtype == MUSTER_BOOL ? static_cast<muster_dtype>(MUSTER_U8) : dtype;
}

MPI_Datatype datatype(muster_dtype carrier) {
  switch (carrier) {
    case MUSTER_I8:
      return MPI_INT8_T;
    case MUSTER_U8:
      return MPI_UINT8_T;
    case MUSTER_I16:
      return MPI_INT16_T;
    case MUSTER_U16:
      return MPI_UINT16_T;
    case MUSTER_I32:
      return MPI_INT32_T;
    case MUSTER_U32:
      return MPI_UINT32_T;
    case MUSTER_I64:
      return MPI_INT64_T;
    case MUSTER_U64:
      return MPI_UINT64_T;
    case MUSTER_F32:
      return MPI_FLOAT;
    case MUSTER_F64:
      return MPI_DOUBLE;
    default:
      return MPI_DATATYPE_NULL;
  }
}

MPI_Op operation(muster_dtype carrier, muster_redop redop) {
  if (redop == MUSTER_AVG) redop = MUSTER_SUM;
  if (!defined(carrier, redop)) return MPI_OP_NULL;
  if (!user_defined(carrier, redop)) return predefined(redop);
  // Made once per process and never freed: MPI ends them with itself.
  static std::array<MPI_Op, kCells> made = [] {
    std::array<MPI_Op, kCells> ops{};
    Serial serial;
    for (muster_dtype dtype = 0; dtype < MUSTER_DTYPE_END; ++dtype) {
      for (muster_redop r = 0; r < MUSTER_REDOP_END; ++r) {
        ops[cell(dtype, r)] = MPI_OP_NULL;
        if (!defined(dtype, r) || !user_defined(dtype, r)) continue;
        check(library.Op_create(kCombine[cell(dtype, r)], 1, &ops[cell(dtype, r)]),
              "MPI_Op_create");
      }
    }
    return ops;
  }();
  return made[cell(carrier, redop)];
}

void resolve_kernels(const plugin::Host& host) {
  for (muster_dtype dtype = 0; dtype < MUSTER_DTYPE_END; ++dtype) {
    for (muster_redop redop = 0; redop < MUSTER_REDOP_END; ++redop) {
      if (!defined(dtype, redop)) continue;
      if (!user_defined(dtype, redop) && redop != MUSTER_SUM && redop != MUSTER_AVG) continue;
      const auto found = host.kernel<muster_host_reduce>(MUSTER_FAMILY_HOST_REDUCE, dtype, redop);
      if (found == nullptr) {
        plugin::fail(MUSTER_UNAVAILABLE, "the runtime has no host_reduce/1 kernel for dtype " +
                                             std::to_string(dtype) + ", reduce operation " +
                                             std::to_string(redop));
      }
      kernels[cell(dtype, redop)].store(found, std::memory_order_relaxed);
    }
  }
}

muster_host_reduce kernel(muster_dtype carrier, muster_redop redop) {
  return kernels[cell(carrier, redop)].load(std::memory_order_relaxed);
}

}  // namespace muster::mpi
