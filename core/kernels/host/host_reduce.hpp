// The kernels of the families host_reduce/1 and host_reduce_pair/1: one template per (element,
// reduce operation, algorithm). Private to the host kernels.
//
// Up to most_at_once() sources are combined in registers, in rank order at every position, and
// rounded once. More are combined in passes over a block of accumulators that stays in the nearest
// cache. What is written at a place has been read from it before, in every source, so dst may be
// one of them.
#ifndef MUSTER_CORE_KERNELS_HOST_HOST_REDUCE_HPP
#define MUSTER_CORE_KERNELS_HOST_HOST_REDUCE_HPP

#include <utility>

#include "muster/kernels.h"
#include "selection.hpp"
#include "steps.hpp"
#include "streaming.hpp"

namespace muster::kernels {

// How many sources are combined at once. Fewer for the operations that are rarely asked for: each
// count is a loop of its own to compile.
constexpr uint32_t most_at_once(muster_redop redop) {
  return redop == MUSTER_SUM || redop == MUSTER_AVG ? 8 : 4;
}
inline constexpr uint64_t kBlockBytes = 4096;
inline constexpr uint64_t kAheadBytes = 2048;  // 1 and 4 KiB are slower

// A part of a reduction: `dst` is where the part begins, the sources are taken from element `from`.
struct Part {
  unsigned char* dst;
  unsigned char* also;  // of a pair: the second place of the results
  const void* const* sources;
  uint64_t n;  // of them; as wide as the rest, for what lies between is stored across it
  uint64_t from;
  uint64_t count;
  const void* scalar;
  uint64_t divisor;
};

template <typename Step>
const unsigned char* source_at(const Part& part, uint32_t source) {
  constexpr uint64_t kBytes = sizeof(typename Step::Element::Stored);
  return static_cast<const unsigned char*>(part.sources[source]) + part.from * kBytes;
}

// Whether a result is computed rather than chosen among the elements (of more than one source).
constexpr bool computes(muster_redop redop) { return redop != MUSTER_MIN && redop != MUSTER_MAX; }

// A logical result is 0 or 1 also when there is nothing to combine with.
template <typename Step, muster_redop kRedop>
typename Step::Sum first_value(typename Step::Sum value) {
  if constexpr (kRedop >= MUSTER_LAND) {
    return Step::truth(value);
  } else {
    return value;
  }
}

// `steps` steps over sizeof...(kSource) sources. A function of its own for each number of sources:
// two of them need none of the room that eight do.
template <typename Step, muster_redop kRedop, bool kTwice, uint32_t... kSource>
[[gnu::noinline]] void in_registers(const Part& part, uint64_t steps,
                                    std::integer_sequence<uint32_t, kSource...>) {
  constexpr uint64_t kBytes = Step::kElements * sizeof(typename Step::Element::Stored);
  const unsigned char* const first = source_at<Step>(part, 0);
  [[maybe_unused]] const unsigned char* const sources[] = {first,
                                                           source_at<Step>(part, kSource + 1)...};
  unsigned char* const dst = part.dst;
  [[maybe_unused]] unsigned char* const also = part.also;
  [[maybe_unused]] const uint64_t divisor = part.divisor;
  const auto store = [](unsigned char* to, typename Step::Sum sum) __attribute__((always_inline)) {
    if constexpr (sizeof...(kSource) != 0 && computes(kRedop)) {
      Step::store_rounded(to, sum);
    } else {
      Step::store_chosen(to, sum);
    }
  };
  const auto step = [&](uint64_t i) __attribute__((always_inline)) {
    typename Step::Sum sum = first_value<Step, kRedop>(Step::load(first + i * kBytes));
    ((sum = Step::template combine<kRedop>(sum, Step::load(sources[kSource + 1] + i * kBytes))),
     ...);
    if constexpr (kRedop == MUSTER_AVG) sum = Step::divide(sum, divisor);
    store(dst + i * kBytes, sum);
    if constexpr (kTwice) store(also + i * kBytes, sum);
  };
  uint64_t done = 0;
  // Arithmetic on 16-bit floats fills the processor's window before it reaches the lines of another
  // core that come next: they are asked for ahead of it, and never those behind the end, which may
  // be another rank's to write.
  if constexpr (Step::kElements > 1 && sizeof...(kSource) != 0) {
    constexpr uint64_t kRound = 2 * kLine;  // one line takes 4 % longer, four as long
    for (; (done + kRound / kBytes) * kBytes + kAheadBytes <= steps * kBytes;
         done += kRound / kBytes) {
      for (uint64_t line = 0; line < kRound; line += kLine) {
        const uint64_t ahead = done * kBytes + line + kAheadBytes;
        if constexpr (kTwice) {  // where one source is another core's, dst is that source
          __builtin_prefetch(dst + ahead);
        } else {
          __builtin_prefetch(first + ahead);
          ((__builtin_prefetch(sources[kSource + 1] + ahead)), ...);
        }
      }
      for (uint64_t i = 0; i < kRound / kBytes; ++i) step(done + i);
    }
  }
  MUSTER_INDEPENDENT
  for (uint64_t i = done; i < steps; ++i) step(i);
}

// Combines kSources sources from number `source` on into the block; the first of all begins it.
template <typename Step, muster_redop kRedop, bool kBegin, bool kScaled, uint32_t... kSource>
void into_block(const Part& part, typename Step::Sum* block, uint64_t steps, uint32_t source,
                typename Step::Sum factor, std::integer_sequence<uint32_t, kSource...>) {
  constexpr uint64_t kBytes = Step::kElements * sizeof(typename Step::Element::Stored);
  const unsigned char* const sources[] = {source_at<Step>(part, source + kSource)...};
  const auto load = [&](uint32_t s, uint64_t i) {
    const typename Step::Sum value = Step::load(sources[s] + i * kBytes);
    return kScaled ? Step::multiply(value, factor) : value;
  };
  MUSTER_INDEPENDENT
  for (uint64_t i = 0; i < steps; ++i) {
    typename Step::Sum sum = kBegin ? first_value<Step, kRedop>(load(0, i))
                                    : Step::template combine<kRedop>(block[i], load(0, i));
    ((sum = kSource == 0 ? sum : Step::template combine<kRedop>(sum, load(kSource, i))), ...);
    block[i] = sum;
  }
}

// Any number of sources, and a scalar that each of them is multiplied by first.
template <typename Step, muster_redop kRedop, bool kScaled>
void in_passes(Part part, uint64_t steps) {
  using Sum = typename Step::Sum;
  using Stored = typename Step::Element::Stored;
  constexpr uint64_t kBytes = Step::kElements * sizeof(Stored);
  constexpr uint64_t kBlock = kBlockBytes / sizeof(Sum);
  constexpr auto kOne = std::make_integer_sequence<uint32_t, 1>();
  constexpr auto kFour = std::make_integer_sequence<uint32_t, 4>();
  Sum factor{};
  if constexpr (kScaled) factor = Step::same(Step::Element::load(load_at<Stored>(part.scalar, 0)));
  Sum block[kBlock];
  while (steps != 0) {
    const uint64_t length = steps < kBlock ? steps : kBlock;
    uint32_t s = 1;
    into_block<Step, kRedop, true, kScaled>(part, block, length, 0, factor, kOne);
    if constexpr (!kScaled) {
      for (; s + 4 <= part.n; s += 4)
        into_block<Step, kRedop, false, false>(part, block, length, s, factor, kFour);
    }
    for (; s < part.n; ++s)
      into_block<Step, kRedop, false, kScaled>(part, block, length, s, factor, kOne);
    for (uint64_t i = 0; i < length; ++i) {
      Sum sum = block[i];
      if constexpr (kRedop == MUSTER_AVG) sum = Step::divide(sum, part.divisor);
      if constexpr (computes(kRedop)) {
        Step::store_rounded(part.dst + i * kBytes, sum);
      } else {
        Step::store_chosen(part.dst + i * kBytes, sum);
      }
    }
    part.dst += length * kBytes;
    part.from += length * Step::kElements;
    steps -= length;
  }
}

template <typename Step, muster_redop kRedop, uint32_t kN = 1>
void unscaled(const Part& part, uint64_t steps) {
  if constexpr (kN <= most_at_once(kRedop)) {
    if (part.n == kN)
      return in_registers<Step, kRedop, false>(part, steps,
                                               std::make_integer_sequence<uint32_t, kN - 1>());
    return unscaled<Step, kRedop, kN + 1>(part, steps);
  } else {
    return in_passes<Step, kRedop, false>(part, steps);
  }
}

template <typename Step, muster_redop kRedop, bool kTwice>
void reduce_steps(Part& part) {
  using Stored = typename Step::Element::Stored;
  const uint64_t steps = part.count / Step::kElements;
  const uint64_t elements = steps * Step::kElements;
  if (steps == 0) return;
  if constexpr (kTwice) {
    in_registers<Step, kRedop, true>(part, steps, std::make_integer_sequence<uint32_t, 1>());
    part.also += elements * sizeof(Stored);
  } else if (kRedop == MUSTER_SUM && part.scalar != nullptr) {
    in_passes<Step, MUSTER_SUM, true>(part, steps);
  } else {
    unscaled<Step, kRedop>(part, steps);
  }
  part.dst += elements * sizeof(Stored);
  part.from += elements;
  part.count -= elements;
}

// One piece of code for both algorithms: inlined, it is compiled twice. `part` is left empty. It is
// not passed by value: the copy is made of stores that the processor cannot yet load from, and
// takes longer than the sum of a few elements.
template <typename Element, muster_redop kRedop, bool kTwice = false>
[[gnu::noinline]] void reduce_part(Part& part) {
  if (kRedop == MUSTER_AVG && part.divisor < 2)
    return reduce_part<Element, MUSTER_SUM, kTwice>(part);
  using Wide = typename WideStep<Element, kRedop>::Type;
  if constexpr (std::is_same_v<Wide, BoolRegister> && kRedop == MUSTER_AVG) {
    if (part.divisor <= Wide::kLargestDivisor) reduce_steps<Wide, kRedop, kTwice>(part);
  } else if constexpr (Wide::kElements > 1) {
    reduce_steps<Wide, kRedop, kTwice>(part);
  }
  reduce_steps<OneElement<Element>, kRedop, kTwice>(part);
}

template <typename Element, muster_redop kRedop>
void host_reduce(void* dst, const void* const* sources, uint32_t n, uint64_t count,
                 const void* scalar, uint64_t divisor) {
  Part part{static_cast<unsigned char*>(dst), nullptr, sources, n, 0, count, scalar, divisor};
  reduce_part<Element, kRedop>(part);
}

template <typename Element, muster_redop kRedop>
void host_reduce_pair(void* dst, void* also, const void* first, const void* second, uint64_t count,
                      uint64_t divisor) {
  const void* const sources[] = {first, second};
  Part part{static_cast<unsigned char*>(dst),
            static_cast<unsigned char*>(also),
            sources,
            2,
            0,
            count,
            nullptr,
            divisor};
  reduce_part<Element, kRedop, true>(part);
}

// By blocks that are reduced in the nearest cache and streamed out from there.
template <typename Element, muster_redop kRedop>
void host_reduce_streaming(void* dst, const void* const* sources, uint32_t n, uint64_t count,
                           const void* scalar, uint64_t divisor) {
  constexpr uint64_t kBytes = sizeof(typename Element::Stored);
  alignas(kLine) unsigned char block[kBlockBytes];
  auto* to = static_cast<unsigned char*>(dst);
  // The first block ends where a line does, if elements ever end there.
  uint64_t length = bytes_to_line(to) / kBytes;
  if (length == 0) length = kBlockBytes / kBytes;
  for (uint64_t from = 0; from < count; from += length, length = kBlockBytes / kBytes) {
    if (length > count - from) length = count - from;
    Part part{block, nullptr, sources, n, from, length, scalar, divisor};
    reduce_part<Element, kRedop>(part);
    stream(to, block, length * kBytes);
    to += length * kBytes;
  }
  finish_streaming();
}

// Whether the bits of a result depend on whether the integers have a sign.
constexpr bool sign_matters(muster_redop redop) {
  return redop == MUSTER_MIN || redop == MUSTER_MAX || redop == MUSTER_AVG;
}

// The kinds of kernels: what is asked for by a key, and the function of an element and operation.
struct Cached {
  using Function = muster_host_reduce;
  static constexpr const char* kFamily = MUSTER_FAMILY_HOST_REDUCE;
  static constexpr Algorithm kAlgorithm = Algorithm::kCached;
  template <typename Element, muster_redop kRedop>
  static constexpr Function kFunction = &host_reduce<Element, kRedop>;
};
struct Streaming {
  using Function = muster_host_reduce;
  static constexpr const char* kFamily = MUSTER_FAMILY_HOST_REDUCE;
  static constexpr Algorithm kAlgorithm = Algorithm::kStreaming;
  template <typename Element, muster_redop kRedop>
  static constexpr Function kFunction = &host_reduce_streaming<Element, kRedop>;
};
struct Pair {
  using Function = muster_host_reduce_pair;
  static constexpr const char* kFamily = MUSTER_FAMILY_HOST_REDUCE_PAIR;
  static constexpr Algorithm kAlgorithm = Algorithm::kCached;
  template <typename Element, muster_redop kRedop>
  static constexpr Function kFunction = &host_reduce_pair<Element, kRedop>;
};

template <typename Kind, typename Element, muster_redop kRedop>
typename Kind::Function host_reduce_for() {
  using Used = std::conditional_t<sign_matters(kRedop), Element, typename Element::Unsigned>;
  return Kind::template kFunction<Used, kRedop>;
}

template <typename Kind, typename Element>
typename Kind::Function host_reduce_by(muster_redop redop) {
  switch (redop) {
    case MUSTER_SUM:
      return host_reduce_for<Kind, Element, MUSTER_SUM>();
    case MUSTER_PROD:
      return host_reduce_for<Kind, Element, MUSTER_PROD>();
    case MUSTER_MIN:
      return host_reduce_for<Kind, Element, MUSTER_MIN>();
    case MUSTER_MAX:
      return host_reduce_for<Kind, Element, MUSTER_MAX>();
    case MUSTER_AVG:
      return host_reduce_for<Kind, Element, MUSTER_AVG>();
    default:
      break;
  }
  if constexpr (std::is_integral_v<typename Element::Value>) {
    switch (redop) {
      case MUSTER_BAND:
        return host_reduce_for<Kind, Element, MUSTER_BAND>();
      case MUSTER_BOR:
        return host_reduce_for<Kind, Element, MUSTER_BOR>();
      case MUSTER_BXOR:
        return host_reduce_for<Kind, Element, MUSTER_BXOR>();
      case MUSTER_LAND:
        return host_reduce_for<Kind, Element, MUSTER_LAND>();
      case MUSTER_LOR:
        return host_reduce_for<Kind, Element, MUSTER_LOR>();
      case MUSTER_LXOR:
        return host_reduce_for<Kind, Element, MUSTER_LXOR>();
      default:
        break;
    }
  }
  return nullptr;
}

// The kernel of one dtype for a reduce operation, NULL where it is not defined or not selected.
template <typename Kind, muster_dtype kDtype, typename Element>
typename Kind::Function host_reduce_of([[maybe_unused]] muster_redop redop) {
  if constexpr (selected(Kind::kFamily, Kind::kAlgorithm, kDtype)) {
    return host_reduce_by<Kind, Element>(redop);
  } else {
    return nullptr;
  }
}

}  // namespace muster::kernels

#endif
