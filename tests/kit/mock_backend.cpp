#include "muster/testing/mock_backend.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <utility>

namespace muster::testing::detail {

// What outlives a mock: its entry and its table, which a runtime may keep for as long as the
// process. Entry functions get no context, so every slot has an open of its own.
struct MockSlot {
  std::atomic<BackendMock*> owner{nullptr};
  muster_entry entry{};
  muster_backend table{};
};

namespace {

using plugin::guard;

std::array<MockSlot, kMaxMocks> slots;
std::atomic<size_t> next_slot{0};

struct Instance {
  MockSlot* slot;
  BackendMock* mock;
  const muster_host* host;
};

struct GroupState {
  BackendMock* mock;
  const muster_host* host;
  MockGroup group;
};

Instance* instance_of(muster_instance* instance) { return reinterpret_cast<Instance*>(instance); }
GroupState* state_of(muster_backend_group* group) { return reinterpret_cast<GroupState*>(group); }

muster_status* open(MockSlot& slot, const muster_host* host, muster_instance** out) {
  return guard(host, [&] {
    BackendMock* mock = slot.owner.load();
    if (mock == nullptr) plugin::fail(MUSTER_INTERNAL, "the mock of this entry has been destroyed");
    *out = reinterpret_cast<muster_instance*>(new Instance{&slot, mock, host});
  });
}

using Open = muster_status* (*)(const muster_host*, muster_instance**);
template <size_t... kIndex>
constexpr std::array<Open, kMaxMocks> make_opens(std::index_sequence<kIndex...>) {
  return {[](const muster_host* host, muster_instance** out) {
    return open(slots[kIndex], host, out);
  }...};
}
constexpr auto kOpens = make_opens(std::make_index_sequence<kMaxMocks>());

void close(muster_instance* instance) { delete instance_of(instance); }

const void* get_interface(muster_instance* instance, const char* name) {
  const bool asked = std::strcmp(name, MUSTER_BACKEND_INTERFACE) == 0;
  return asked ? &instance_of(instance)->slot->table : nullptr;
}

// Runs a body that calls the mock of a group.
template <typename Body>
muster_status* on_group(muster_backend_group* group, Body body) {
  GroupState* state = state_of(group);
  return guard(state->host, [&] { body(*state->mock, state->group); });
}
// As on_group, for slots that cannot fail.
template <typename Body>
void on_group_or_log(muster_backend_group* group, Body body) {
  const muster_host* host = state_of(group)->host;
  muster_status* status = on_group(group, body);
  if (status == nullptr) return;
  host->log(host, MUSTER_LOG_ERROR, host->status_cause(status));
  host->status_release(status);
}

muster_backend make_table(int32_t priority, uint32_t optional) {
  muster_backend table{};
  table.struct_size = MUSTER_BACKEND_SIZE;
  table.priority = priority;
  table.probe = [](muster_instance* i, const muster_fact_sink* facts) {
    return guard(instance_of(i)->host, [&] { instance_of(i)->mock->probe(plugin::Facts(facts)); });
  };
  table.offer = [](muster_instance* i, const muster_offer_query* query) {
    return guard(instance_of(i)->host, [&] { instance_of(i)->mock->offer(plugin::Query(query)); });
  };
  table.group_prepare = [](muster_instance* i, muster_host_group* runtime_side,
                           muster_backend_group** out) {
    const Instance& instance = *instance_of(i);
    return guard(instance.host, [&] {
      std::unique_ptr<GroupState> state(new GroupState{
          instance.mock, instance.host, MockGroup(plugin::Group(instance.host, runtime_side))});
      instance.mock->prepare(state->group);
      *out = reinterpret_cast<muster_backend_group*>(state.release());
    });
  };
  table.group_connect = [](muster_backend_group* g) {
    return on_group(g, [](BackendMock& mock, MockGroup& group) {
      group.join();
      mock.connect(group);
    });
  };
  table.execute = [](muster_backend_group* g, const muster_call* call) {
    return on_group(g, [&](BackendMock& mock, MockGroup& group) {
      mock.record(group, "execute", *call);
      mock.execute(group, *call);
    });
  };
  table.group_destroy = [](muster_backend_group* g) {
    if (g == nullptr) return;
    on_group_or_log(g, [](BackendMock& mock, MockGroup& group) { mock.destroy(group); });
    delete state_of(g);
  };
  if ((optional & kMockStart) != 0) {
    table.start = [](muster_backend_group* g, const muster_call* call, muster_request** out) {
      return on_group(g, [&](BackendMock& mock, MockGroup& group) {
        mock.record(group, "start", *call);
        *out = mock.start(group, *call);
      });
    };
    table.test = [](muster_backend_group* g, muster_request* request, uint32_t* done) {
      return on_group(g, [&](BackendMock& mock, MockGroup& group) {
        *done = mock.test(group, request) ? 1 : 0;
      });
    };
  }
  if ((optional & kMockBatch) != 0) {
    table.execute_batch = [](muster_backend_group* g, const muster_call* calls, uint32_t count) {
      return on_group(g, [&](BackendMock& mock, MockGroup& group) {
        for (uint32_t i = 0; i < count; ++i)
          mock.record(group, "execute_batch", MUSTER_AT(muster_call, calls, i));
        mock.execute_batch(group, calls, count);
      });
    };
  }
  if ((optional & kMockMemory) != 0) {
    table.memory_register = [](muster_backend_group* g, void* pointer, uint64_t bytes,
                               muster_memory memory, void** out) {
      return on_group(g, [&](BackendMock& mock, MockGroup& group) {
        *out = mock.memory_register(group, pointer, bytes, memory);
      });
    };
    table.memory_deregister = [](muster_backend_group* g, void* registration) {
      on_group_or_log(g, [&](BackendMock& mock, MockGroup& group) {
        mock.memory_deregister(group, registration);
      });
    };
  }
  if ((optional & kMockCapture) != 0) {
    table.capture_begin = [](muster_backend_group* g, muster_phase phase) {
      return on_group(
          g, [&](BackendMock& mock, MockGroup& group) { mock.capture_begin(group, phase); });
    };
    table.capture_end = [](muster_backend_group* g, uint32_t ok) {
      return on_group(
          g, [&](BackendMock& mock, MockGroup& group) { mock.capture_end(group, ok != 0); });
    };
  }
  if ((optional & kMockAsyncError) != 0) {
    table.async_error = [](muster_backend_group* g) {
      return on_group(g, [](BackendMock& mock, MockGroup& group) { mock.async_error(group); });
    };
  }
  if ((optional & kMockAbort) != 0) {
    table.abort = [](muster_backend_group* g) {
      on_group_or_log(g, [](BackendMock& mock, MockGroup& group) { mock.abort(group); });
    };
  }
  return table;
}

template <size_t kSize>
void set_text(char (&field)[kSize], const std::string& text) {
  if (text.size() >= kSize) {
    throw std::length_error("mock: '" + text + "' is longer than " + std::to_string(kSize - 1));
  }
  std::memset(field, 0, kSize);
  std::memcpy(field, text.data(), text.size());
}

// Throws for texts that do not fit, while no slot has been taken yet.
muster_entry make_entry(const std::string& id, const std::string& version) {
  muster_entry entry{};
  entry.magic = MUSTER_PLUGIN_MAGIC;
  entry.struct_size = MUSTER_PLUGIN_ENTRY_SIZE;
  entry.abi_major = MUSTER_ABI_MAJOR;
  entry.abi_minor = MUSTER_ABI_MINOR;
  entry.min_host_minor = MUSTER_ABI_OLDEST_MINOR;
  set_text(entry.id, id);
  set_text(entry.version, version);
  set_text(entry.vendor, "muster::testing");
  set_text(entry.build_tag, MUSTER_BUILD_TAG);
  set_text(entry.interfaces, MUSTER_BACKEND_INTERFACE);
  entry.close = close;
  entry.get_interface = get_interface;
  return entry;
}

// Goes round the slots, so that an entry that a runtime still holds is reused as late as possible.
MockSlot* take_slot(BackendMock* owner, const muster_entry& entry) {
  for (size_t tried = 0; tried < kMaxMocks; ++tried) {
    const size_t index = next_slot.fetch_add(1) % kMaxMocks;
    BackendMock* none = nullptr;
    if (!slots[index].owner.compare_exchange_strong(none, owner)) continue;
    slots[index].entry = entry;
    slots[index].entry.open = kOpens[index];
    return &slots[index];
  }
  throw std::runtime_error("mock: " + std::to_string(kMaxMocks) + " mocks are alive already");
}

}  // namespace

BackendMock::BackendMock(const std::string& id, int32_t priority, uint32_t optional,
                         const std::string& version)
    : slot_(take_slot(this, make_entry(id, version))) {
  slot_->table = make_table(priority, optional);

  ON_CALL(*this, offer).WillByDefault([optional](plugin::Query query) {
    muster_rule rule = everything();
    if ((optional & kMockCapture) != 0) rule.phases = MUSTER_BIT(MUSTER_PHASE_END) - 1;
    query.add(rule);
  });
  ON_CALL(*this, connect).WillByDefault([](MockGroup& group) { group.connect(); });
  ON_CALL(*this, execute).WillByDefault([](MockGroup& group, const muster_call& call) {
    group.execute(call);
  });
  ON_CALL(*this, start).WillByDefault([](MockGroup& group, const muster_call& call) {
    return group.begin(call);
  });
  ON_CALL(*this, test).WillByDefault([](MockGroup& group, muster_request* request) {
    return group.finished(request);
  });
  ON_CALL(*this, execute_batch)
      .WillByDefault([](MockGroup& group, const muster_call* calls, uint32_t count) {
        group.carry_out(calls, count);
      });
  ON_CALL(*this, memory_register).WillByDefault(::testing::ReturnArg<1>());
}

BackendMock::~BackendMock() { slot_->owner.store(nullptr); }

const muster_entry* BackendMock::entry() const { return &slot_->entry; }
const muster_backend* BackendMock::table() const { return &slot_->table; }

BackendMock& BackendMock::offers(std::vector<muster_rule> rules) {
  ON_CALL(*this, offer).WillByDefault([rules = std::move(rules)](plugin::Query query) {
    for (const muster_rule& rule : rules) query.add(rule);
  });
  return *this;
}

void BackendMock::record(const MockGroup& group, const char* slot, const muster_call& call) {
  const std::lock_guard lock(mutex_);
  calls_.push_back({group.rank(), group.name(), slot, call});
}

std::vector<RecordedCall> BackendMock::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

std::vector<RecordedCall> BackendMock::calls_of(uint32_t rank) const {
  std::vector<RecordedCall> of_rank = calls();
  of_rank.erase(std::remove_if(of_rank.begin(), of_rank.end(),
                               [&](const RecordedCall& call) { return call.rank != rank; }),
                of_rank.end());
  return of_rank;
}

void BackendMock::forget_calls() {
  const std::lock_guard lock(mutex_);
  calls_.clear();
}

muster_rule BackendMock::everything() {
  // Bit 0 of each vocabulary is "none", which no rule names.
  const auto all_below = [](uint32_t end) { return MUSTER_BIT(end) - 2; };
  muster_rule rule = plugin::rule("everything", all_below(MUSTER_OP_END));
  rule.dtypes = all_below(MUSTER_DTYPE_END);
  rule.redops = all_below(MUSTER_REDOP_END);
  rule.memory = MUSTER_BIT(MUSTER_HOST);
  rule.phases = MUSTER_BIT(MUSTER_EAGER);
  rule.streams = MUSTER_BIT(MUSTER_STREAM_NONE);
  rule.place = MUSTER_PLACE_ANY;
  rule.flags = MUSTER_RULE_UNSIZED | MUSTER_RULE_QUANTISED;
  rule.determinism = MUSTER_SIZE_INVARIANT;
  return rule;
}

}  // namespace muster::testing::detail

namespace muster::testing {

IdleBackend::IdleBackend(const std::string& id, int32_t priority, uint32_t optional,
                         const std::string& version)
    : MockBackend(id, priority, optional, version) {
  ON_CALL(*this, execute).WillByDefault(::testing::Return());
  ON_CALL(*this, start).WillByDefault([this](MockGroup& group, const muster_call& call) {
    execute(group, call);
    return reinterpret_cast<muster_request*>(this);  // any pointer; there is nothing to keep
  });
  ON_CALL(*this, test).WillByDefault(::testing::Return(true));
  ON_CALL(*this, execute_batch)
      .WillByDefault([this](MockGroup& group, const muster_call* calls, uint32_t count) {
        for (uint32_t i = 0; i < count; ++i) execute(group, MUSTER_AT(muster_call, calls, i));
      });
}

}  // namespace muster::testing
