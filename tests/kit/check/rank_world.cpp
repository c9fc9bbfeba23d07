#include "tests/kit/check/rank_world.hpp"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "tests/ranks/selection.hpp"
#include "tests/ranks/values.hpp"

namespace muster::check {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

// Waits that never end on their own end before the case does.
std::string config_of(const Setup& setup, const std::string& more, bool from_file) {
  const uint64_t timeout = setup.limit_ms * 2 / 3;
  std::string text = fmt::format(
      "fallback.policy = \"silent\"\ncheck.known_answer = false\nlog.level = \"off\"\n"
      "bootstrap.timeout_ms = {}\n",
      timeout);
  if (more.find("group.timeout_ms") == std::string::npos) {
    text += fmt::format("group.timeout_ms = {}\n", timeout);
  }
  text += more;
  text += fmt::format("[plugins]\ninstalled = false\nprobe = \"in-process\"\npath = [{}]\n",
                      from_file ? quoted(setup.plugin_directory()) : "");
  if (setup.options.empty()) return text;
  text += fmt::format("[backend.{}.options]\n", setup.id);
  for (const auto& [name, value] : setup.options) {
    const bool plain = value == "true" || value == "false" ||
                       (!value.empty() && value.find_first_not_of("-0123456789") == value.npos);
    text += fmt::format("{} = {}\n", name, plain ? value : quoted(value));
  }
  return text;
}

// A call of the case as this rank would make it; the data is not looked at.
muster_call call_of(const ranks::Case& c, uint32_t rank, uint32_t size, ranks::CallData& data) {
  if (!ranks::op_is_message(c.op)) {
    data.prepare(c, rank, size);
    return data.call();
  }
  static unsigned char some[8];
  muster_call call = muster_call_init(c.op, c.dtype);
  call.peer = (rank + 1) % size;
  call.recv_peer = (rank + size - 1) % size;
  call.count = call.recv_count = c.count;
  call.send = some;
  call.recv = some;
  return call;
}

}  // namespace

void need(const ranks::Said& said, const std::string& what) {
  if (!said.ok()) {
    throw Failed(fmt::format("{}: {}", what, said.message));
  }
}

RankWorld::RankWorld(const Scene& scene, const std::string& config, const muster_entry* builtin)
    : scene_(scene) {
  const std::string text = config_of(scene.setup, config, builtin == nullptr);
  muster_runtime_options options = {};
  options.struct_size = MUSTER_RUNTIME_OPTIONS_SIZE;
  options.config_text = text.c_str();
  if (!scene.setup.config.empty()) options.config_file = scene.setup.config.c_str();
  options.builtin = &builtin;
  options.builtin_count = builtin == nullptr ? 0 : 1;
  options.threads = scene.threads;
  options.thread_rank = scene.thread_rank;
  need(muster_init(&options, &runtime_), "muster_init");
}

RankWorld::~RankWorld() { muster_finalize(runtime_); }

RankGroup::RankGroup(RankWorld& world, muster_determinism determinism) : world_(world) {
  muster_group_options options = {};
  options.struct_size = MUSTER_GROUP_OPTIONS_SIZE;
  options.determinism = determinism;
  options.name = "check";
  need(muster_group_create(world.get(), &options, nullptr, 0, &group_), "muster_group_create");
}

RankGroup::~RankGroup() {
  if (group_ == nullptr) return;
  if (std::uncaught_exceptions() > 0) muster_group_abort(group_);
  ranks::Said(muster_group_destroy(group_));
}

void RankGroup::destroy() {
  muster_group* const group = std::exchange(group_, nullptr);
  need(muster_group_destroy(group), "muster_group_destroy");
}

bool RankGroup::serves(const ranks::Case& c) const {
  ranks::CallData data;
  const muster_call call = call_of(c, world_.rank(), world_.size(), data);
  const char* name = "";
  const ranks::Said said = muster_group_backend(group_, &call, &name);
  return said.ok() && name == world_.id();
}

ranks::Case RankGroup::meeting() const {
  for (const muster_op op : {MUSTER_ALL_REDUCE, MUSTER_ALL_GATHER, MUSTER_BARRIER,
                             MUSTER_ALL_TO_ALL, MUSTER_REDUCE_SCATTER, MUSTER_SEND_RECV}) {
    for (const muster_dtype dtype : ranks::dtypes_of(op)) {
      for (const muster_redop redop : ranks::redops_of(op, dtype)) {
        ranks::Case c;
        c.op = op;
        c.dtype = dtype;
        c.redop = redop;
        c.count = op == MUSTER_BARRIER ? 0 : 256;
        c.root = 1;
        c.seed = world_.scene().setup.seed;
        if (serves(c)) return c;
      }
    }
  }
  throw NotOffered("it offers no call here in which every rank waits for the others");
}

namespace {

// A batch goes together with messages, which the plugin need not serve.
ranks::Case as_served(const RankGroup& group, ranks::Case c) {
  if (c.mode != ranks::Mode::kBatch) return c;
  ranks::Case message;
  message.dtype = c.dtype == MUSTER_DTYPE_NONE ? muster_dtype{MUSTER_U8} : c.dtype;
  message.count = 400;
  for (const muster_op op : {MUSTER_SEND, MUSTER_RECV}) {
    message.op = op;
    if (!group.serves(message)) c.mode = ranks::Mode::kExecute;
  }
  return c;
}

}  // namespace

uint64_t run_cases(RankGroup& group, const std::vector<ranks::Case>& cases,
                   ranks::SharedMemory* shared) {
  ranks::Runner runner(group.get(), shared);
  uint64_t served = 0;
  uint64_t wrong = 0;
  std::string first;
  for (const ranks::Case& asked : cases) {
    if (!group.serves(asked)) continue;
    ++served;
    const ranks::Case c = as_served(group, asked);
    const ranks::Outcome outcome = runner.run(c);
    if (!outcome.failure.empty()) {
      throw Failed(
          fmt::format("call {}: {}; the case is {}", served, outcome.failure, ranks::text_of(c)));
    }
    if (outcome.wrong.count == 0) continue;
    if (++wrong == 1) {
      first = fmt::format("{} wrong: {}; the case is {}", outcome.wrong.count, outcome.wrong.first,
                          ranks::text_of(c));
    }
  }
  if (wrong != 0) {
    throw Failed(fmt::format("{} of {} calls gave wrong data, the first {}", wrong, served, first));
  }
  if (served == 0) throw NotOffered("no such call is offered to this group");
  return served;
}

}  // namespace muster::check
