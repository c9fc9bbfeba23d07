/* What the host and the kernels agree on: arguments and where things lie in a rank's heap. Compiled
 * by the C++ compiler and by NVRTC, so it includes nothing.
 *
 * The heap of a rank, offsets from its base, all of it zero before the first kernel:
 *
 *   counters   one set per channel: epochs of lines, steps of stages, turns of marks; at the end of
 *              their page, what kernels that wait long must know. Own kernels only.
 *   regions    per piece of registered memory and rank: where it begins in this rank's addresses
 *   told       per captured call: what it tells of its buffer, filled in when the capture ends
 *   flags      per channel and source rank, 128 bytes: how many steps that rank has shown, and what
 *              it tells of its buffer
 *   lines      per channel, 2 slots of kLinesPerSlot lines from each source rank
 *   stages     per channel, kStages stages from each source rank, twice (A and B)
 *   marks      2 slots of marked lines from each other rank; all bytes are set, not zero
 *
 * A channel belongs to one block of a launch: block b of every rank meets block b of the others,
 * and nobody else. */
#ifndef MUSTER_PLUGINS_CUDA_PEER_DEVICE_CONTRACT_H
#define MUSTER_PLUGINS_CUDA_PEER_DEVICE_CONTRACT_H

namespace muster::cuda_peer {

using Byte = unsigned char;
using Word = unsigned long long;

constexpr unsigned kMaxRanks = 8;
constexpr unsigned kLineChannels = 264;
constexpr unsigned kStageChannels = 132;

constexpr unsigned kLineBytes = 128;
constexpr unsigned kLineData = 120;  // the other 8 are the epoch
constexpr unsigned kLineSlots = 2;
constexpr unsigned kLinesPerSlot = 192;

/* Marked lines carry data only; see marks.cuh. How many bytes of them one rank may have under way
 * at another one depends on how many there are. */
constexpr unsigned kMark = 0xffffffffu; /* in the last word of a line: nothing has come */
constexpr unsigned kMarkSlots = 2;
constexpr Word kMarkBytesOfTwo = Word(32) << 20;
constexpr Word kMarkBytesOfMore = Word(2) << 20;
constexpr unsigned kMarksAhead = 1; /* in a ring: how many rounds are sent before one is taken */
constexpr unsigned kLeastRing = 2 * kMarksAhead + 3; /* rounds that a ring has room for */

constexpr unsigned kLag = 2;  // the most steps between showing a stage and reading it
constexpr unsigned kStages = 2 * kLag + 2;
constexpr unsigned kStageBytesOfAll = 32768;  // from all ranks together

/* In pinned host memory that the device sees. */
struct Control {
  Word abort;  // written by the host: every wait ends soon
  Word error;  // written by a kernel whose wait ended early: 1 << 32 | kind << 8 | peer
};
enum : unsigned { kErrorTimeout = 1, kErrorAborted = 2 };
constexpr unsigned kAnyPeer = 0xff;  // in the place of a peer

struct Counters {
  Word epoch;
  Word step;
  Word turn;  // of marks: launches so far, the same in all channels
};

constexpr Word kCountersBytes = 8192;

/* Of all waits of a rank, filled in by the host when the group connects. */
struct Waiting {
  Control* control;
  Word wait_ns; /* how long one may take */
  Word failed;  /* 1 once one has failed, written by a kernel */
};
constexpr Word kWaitingAt = kCountersBytes - sizeof(Waiting);

/* What a rank tells of a buffer that its peers may reach: the region that holds it and where it
 * begins in there. */
constexpr unsigned kRegions = 4096;
constexpr unsigned kToldOffsetBits = 48;
constexpr Word kToldNothing = 0;
constexpr Word kToldNotNeeded = ~Word(0); /* nobody reaches for a buffer of this rank */
constexpr Word told_of(unsigned region, Word offset) {
  return Word(region + 1) << kToldOffsetBits | offset;
}
constexpr Word kRegionsAt = kCountersBytes;
constexpr Word region_at(unsigned region, unsigned rank) {
  return kRegionsAt + (Word(region) * kMaxRanks + rank) * sizeof(Word);
}
constexpr unsigned kToldSlots = 16384;
constexpr Word kToldAt = region_at(kRegions, 0);

constexpr Word kFlagStride = 128;
constexpr Word kToldInFlag = 8; /* where it lies beside a flag */
constexpr Word kFlagsAt = kToldAt + kToldSlots * sizeof(Word);
static_assert(kFlagsAt % kFlagStride == 0, "a flag and what is told are one packet");

/* Two kinds of stages and flags: A carries operands, B results. */
enum : unsigned { kStageA = 0, kStageB = 1 };

struct Heap {
  unsigned ranks;
  constexpr unsigned stage_bytes() const { return kStageBytesOfAll / ranks / 128 * 128; }
  constexpr Word flag(unsigned kind, unsigned channel, unsigned source) const {
    return kFlagsAt + ((Word(kind) * kStageChannels + channel) * kMaxRanks + source) * kFlagStride;
  }
  constexpr Word lines_at() const { return flag(2, 0, 0); }
  constexpr Word slot(unsigned channel, unsigned slot, unsigned source) const {
    return lines_at() +
           ((Word(channel) * kLineSlots + slot) * ranks + source) * kLinesPerSlot * kLineBytes;
  }
  constexpr Word stages_at() const { return slot(kLineChannels, 0, 0); }
  constexpr Word stage(unsigned kind, unsigned channel, unsigned stage, unsigned source) const {
    return stages_at() +
           (((Word(kind) * kStageChannels + channel) * kStages + stage) * ranks + source) *
               stage_bytes();
  }
  constexpr Word marks_at() const { return stage(2, 0, 0, 0); }
  constexpr Word mark_bytes() const { return ranks == 2 ? kMarkBytesOfTwo : kMarkBytesOfMore; }
  /* Of the rank that is `distance` before the one whose heap it is; distance is not 0. */
  constexpr Word marks(unsigned slot, unsigned distance) const {
    return marks_at() + (Word(slot) * (ranks - 1) + distance - 1) * mark_bytes();
  }
  constexpr Word bytes() const { return marks(kMarkSlots, 1); }
};
static_assert(kStageChannels <= kLineChannels && sizeof(Counters) * kLineChannels <= kWaitingAt,
              "counters overlap what follows them");

/* One launch. `bytes` and `count` are of one rank's share as the operation counts it. */
struct Args {
  Byte* heap[kMaxRanks];  // of each rank, as this rank sees it
  const Byte* send;
  Byte* recv;
  const Byte* residual;  // fused only, may be null
  Byte* residual_out;    // fused only, may be null
  const Byte* weight;    // fused only
  float* scales;         // fused, quantised only
  Waiting* waiting;      // in this rank's heap
  const Word* told_at;   // of a captured call; null: told says it
  Word told;             // of recv when it is stored into, of send when it is pulled from
  Word bytes;            // of the buffer that is divided: one piece of gathering, all of all_reduce
  Word piece;            // bytes of a piece in two shots; bytes of a rank's share elsewhere
  Word step_bytes;       // staged only: bytes of a piece per step, a multiple of 128
  unsigned rank;
  unsigned root;
  unsigned redop;
  unsigned hidden;  // fused only
  unsigned quant_group;
  float scale;  // of every operand
  float epsilon;
  unsigned
      lag;  // staged: at most kLag; fused, in registers: rows that are sent before one is taken
  unsigned once;  // lines, marks: how many of them a thread has, which are all; 0: several rounds
};

}  // namespace muster::cuda_peer

#endif
