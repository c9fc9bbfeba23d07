// fused_all_reduce_rmsnorm of bf16 on two ranks that are threads, in the three ways in which a
// program can have it: by shm itself, composed by the runtime, and as all_reduce followed by a call
// of the norm kernel. The ways take turns, so that whatever else the machine does meets all three;
// the fastest turn of each is shown, since others' work only ever adds.
//
//   build/tests/bench_fused [--quantised] [--repeat N] [--most-tokens N]
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <barrier>
#include <chrono>
#include <thread>
#include <vector>

#include "core/kernels/registry.hpp"
#include "muster/muster.hpp"
#include "muster/narrow_float.hpp"

extern "C" const muster_entry muster_plugin_entry;

namespace {

using namespace muster;

constexpr uint32_t kRanks = 2;
constexpr uint32_t kQuantGroup = 128;
constexpr double kEpsilon = 1e-6;
constexpr const char* kConfig =
    "[plugins]\ninstalled = false\nprobe = \"in-process\"\n"
    "[[rule]]\ngroup = \"composed\"\nop = \"fused_all_reduce_rmsnorm\"\nforbid = [\"shm\"]\n";

enum Way : size_t { kNative, kComposed, kSeparate, kWays };

struct Arguments {
  bool quantised = false;
  uint32_t repeat = 50;
  uint64_t most_tokens = 512;
};

// One rank's buffers of one size.
struct Buffers {
  std::vector<uint16_t> send, sum, recv, residual, weight;
  std::vector<uint8_t> quantised;
  std::vector<float> scales;
  muster_fused_rmsnorm fused{};

  Buffers(uint64_t tokens, uint64_t hidden, bool is_quantised)
      : send(tokens * hidden, f32_to_bf16(0.5f)),
        sum(send.size()),
        recv(send.size()),
        residual(send.size()),
        weight(hidden, f32_to_bf16(1.0f)),
        quantised(send.size()),
        scales(send.size() / kQuantGroup) {
    fused.struct_size = MUSTER_FUSED_RMSNORM_SIZE;
    fused.hidden = hidden;
    fused.residual = fused.residual_out = residual.data();
    fused.weight = weight.data();
    fused.epsilon = kEpsilon;
    if (!is_quantised) return;
    fused.quant_group = kQuantGroup;
    fused.scale_out = scales.data();
  }

  void call(Way way, api::Group& group) {
    const uint64_t count = send.size();
    const bool is_quantised = fused.quant_group != 0;
    if (way != kSeparate) {
      void* const out = is_quantised ? static_cast<void*>(quantised.data()) : recv.data();
      group.fused_all_reduce_rmsnorm(send.data(), out, count, MUSTER_BF16, fused);
      return;
    }
    group.all_reduce(send.data(), sum.data(), count, MUSTER_BF16, MUSTER_SUM);
    const uint64_t rows = count / fused.hidden;
    if (is_quantised) {
      host_rmsnorm_quant(MUSTER_BF16)(quantised.data(), scales.data(), residual.data(), sum.data(),
                                      residual.data(), weight.data(), rows, fused.hidden,
                                      kQuantGroup, kEpsilon);
    } else {
      host_rmsnorm(MUSTER_BF16)(recv.data(), residual.data(), sum.data(), residual.data(),
                                weight.data(), rows, fused.hidden, kEpsilon);
    }
  }
};

struct Size {
  uint64_t hidden;
  uint64_t tokens;
};

std::vector<Size> sizes(uint64_t most_tokens) {
  std::vector<Size> all;
  for (const uint64_t hidden : {4096, 8192}) {
    for (uint64_t tokens = 1; tokens <= most_tokens; tokens *= tokens < 16 ? 4 : 2)
      all.push_back({hidden, tokens});
  }
  return all;
}

void run_rank(const api::Threads& threads, uint32_t rank, const Arguments& arguments,
              std::barrier<>& together) {
  api::RuntimeOptions options;
  const muster_entry* const entry = &muster_plugin_entry;
  options.builtin = &entry;
  options.builtin_count = 1;
  options.threads = threads.get();
  options.thread_rank = rank;
  options.config_text = kConfig;
  api::Runtime runtime = api::Runtime::init(options);
  api::GroupOptions native_options;
  native_options.name = "native";
  api::GroupOptions composed_options;
  composed_options.name = "composed";
  api::Group native(runtime, native_options);
  api::Group composed(runtime, composed_options);
  const auto group_of = [&](Way way) -> api::Group& {
    return way == kComposed ? composed : native;
  };
  if (rank == 0) {
    fmt::print(
        "| hidden | tokens | bytes | shm us | composed us | separate us | separate / shm |\n"
        "|---|---|---|---|---|---|---|\n");
  }
  for (const Size& size : sizes(arguments.most_tokens)) {
    Buffers buffers(size.tokens, size.hidden, arguments.quantised);
    const uint64_t bytes = size.tokens * size.hidden * 2;
    const uint64_t calls = std::max<uint64_t>(2, (uint64_t{1} << 18) / bytes);
    std::array<double, kWays> us = {};
    for (uint32_t turn = 0; turn <= arguments.repeat; ++turn) {  // the first one warms up
      for (const Way way : {kNative, kComposed, kSeparate}) {
        std::fill(buffers.residual.begin(), buffers.residual.end(), uint16_t{0});
        together.arrive_and_wait();
        const auto begin = std::chrono::steady_clock::now();
        for (uint64_t i = 0; i < calls; ++i) buffers.call(way, group_of(way));
        const std::chrono::duration<double, std::micro> taken =
            std::chrono::steady_clock::now() - begin;
        const double mean = taken.count() / static_cast<double>(calls);
        if (turn == 1 || (turn > 1 && mean < us[way])) us[way] = mean;
      }
    }
    if (rank != 0) continue;
    fmt::print("| {} | {} | {} | {:.1f} | {:.1f} | {:.1f} | {:.2f} |\n", size.hidden, size.tokens,
               bytes, us[kNative], us[kComposed], us[kSeparate], us[kSeparate] / us[kNative]);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("fused_all_reduce_rmsnorm in three ways; the fastest turns");
  app.add_flag("--quantised", arguments.quantised, "with f8e4m3 output, a scale per 128 elements");
  app.add_option("--repeat", arguments.repeat, "turns of each way")->check(CLI::Range(1, 1000));
  app.add_option("--most-tokens", arguments.most_tokens, "the largest number of rows");
  CLI11_PARSE(app, argc, argv);
  const api::Threads threads(kRanks);
  std::barrier<> together(kRanks);
  std::thread other([&] { run_rank(threads, 1, arguments, together); });
  run_rank(threads, 0, arguments, together);
  other.join();
  return 0;
}
