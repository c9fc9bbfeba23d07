#include "plugins/backends/cuda_peer/facts.hpp"

#include <cstdlib>
#include <set>
#include <vector>

#include "plugins/backends/cuda_peer/device/contract.h"
#include "plugins/backends/cuda_peer/device_sources.hpp"
#include "plugins/backends/cuda_peer/devices.hpp"
#include "plugins/backends/cuda_peer/digest.hpp"
#include "plugins/backends/cuda_peer/nvrtc.hpp"
#include "plugins/backends/cuda_peer/vocabulary.hpp"

namespace muster::cuda_peer {
namespace {

std::string indexed(const char* name, int index) {
  return std::string(name) + "." + std::to_string(index);
}

std::string sources_digest() {
  std::string all;
  for (const DeviceSource& source : device_sources()) all += source.text;
  return digest_of(all).substr(0, 16);
}

int device_count_of(const plugin::Query& query, uint32_t rank) {
  return std::atoi(query.fact(rank, "devices").c_str());
}

std::string who(const plugin::Query& query, uint32_t rank) {
  return "device " + std::to_string(query.place(rank).device) + " (rank " + std::to_string(rank) +
         ")";
}

// Why a rank alone cannot take part; "".
std::string obstacle_of(const plugin::Query& query, uint32_t rank) {
  const muster_rank_place& place = query.place(rank);
  const std::string name = "rank " + std::to_string(rank);
  if (place.node != query.place(0).node) {
    return name + " is on node " + std::to_string(place.node) + ", rank 0 on node " +
           std::to_string(query.place(0).node) + ": kernels store into memory of one machine only";
  }
  if (query.fact(rank, "devices").empty()) return name + " has no NVIDIA device for this backend";
  if (place.device < 0) return name + " is bound to no device";
  if (place.device >= device_count_of(query, rank)) {
    return name + " is bound to device " + std::to_string(place.device) + " but sees only " +
           query.fact(rank, "devices");
  }
  if (query.fact(rank, "sources") != query.fact(0, "sources")) {
    return name + " has other kernels than rank 0";
  }
  const std::string own = query.fact(rank, indexed("arch", place.device).c_str());
  const std::string first = query.fact(0, indexed("arch", query.place(0).device).c_str());
  if (own != first) return name + " has a device of " + own + ", rank 0 one of " + first;
  return {};
}

// The link that rank `from` stores over to rank `to`, '\0' when it does not see that device.
char link_of(const plugin::Query& query, uint32_t from, uint32_t to) {
  const std::string wanted = query.fact(to, indexed("uuid", query.place(to).device).c_str());
  const std::string links = query.fact(from, indexed("links", query.place(from).device).c_str());
  for (int i = 0; i < device_count_of(query, from); ++i) {
    if (query.fact(from, indexed("uuid", i).c_str()) != wanted) continue;
    return static_cast<size_t>(i) < links.size() ? links[i] : static_cast<char>(Link::kNone);
  }
  return '\0';
}

bool has_word(const std::string& words, const std::string& wanted) {
  return (" " + words + " ").find(" " + wanted + " ") != std::string::npos;
}

std::string variants_fact(const std::string& architecture, unsigned ranks) {
  return "variants." + architecture + "." + std::to_string(ranks);
}

// The programs that are ready, or will be when the group is made, on all ranks.
void judge_programs(const plugin::Query& query, Verdict& verdict) {
  const std::string fact = variants_fact(verdict.architecture, query.size());
  for (const ProgramKey& key : programs_of(query.size(), verdict.architecture)) {
    std::string lacking;
    for (uint32_t r = 0; r < query.size(); ++r) {
      const bool ready = has_word(query.fact(r, fact.c_str()), program_name(key)) ||
                         !query.fact(r, "builds").empty();
      if (!ready) lacking += (lacking.empty() ? "rank " : ", rank ") + std::to_string(r);
    }
    if (lacking.empty()) {
      (key.dtype == MUSTER_DTYPE_NONE ? verdict.movable : verdict.reducible) |=
          key.dtype == MUSTER_DTYPE_NONE ? kMovable : MUSTER_BIT(key.dtype);
      continue;
    }
    verdict.not_ready.push_back(program_name(key) + "." + std::to_string(key.ranks) + "." +
                                key.architecture + " is not ready on " + lacking +
                                ": muster precompile builds it there, or install a pack of it");
  }
}

// What is ready here, for groups of every size of one architecture.
void put_variants(const plugin::Facts& facts, const Cubins& cubins,
                  const std::string& architecture) {
  for (unsigned ranks = 2; ranks <= kMaxRanks; ++ranks) {
    std::set<std::string> ready;
    for (const ProgramKey& key : programs_of(ranks, architecture)) {
      const muster_image_state state = cubins.state(key);
      if (state == MUSTER_IMAGE_READY) ready.insert(program_name(key));
      if (state == MUSTER_IMAGE_BUILDABLE) facts.put("builds", toolchain());
    }
    std::string words;
    for (const std::string& name : ready) words += (words.empty() ? "" : " ") + name;
    if (!words.empty()) facts.put(variants_fact(architecture, ranks), words);
  }
}

}  // namespace

std::vector<std::string> architectures_here() {
  std::set<std::string> found;
  try {
    const cu::Driver& cuda = cu::Driver::initialised();
    for (uint32_t i = 0; i < cuda.count_devices(); ++i) {
      found.insert(architecture_of(cuda.handle_of(i)));
    }
  } catch (const cu::Error&) {
    // No driver, or one that sees no device.
  }
  return {found.begin(), found.end()};
}

void put_facts(const plugin::Facts& facts, const Cubins& cubins) {
  const cu::Driver& cuda = cu::ready_driver();
  int count = 0;
  cuda.check(cuda.device_count(&count), "cuDeviceGetCount");
  if (count == 0) plugin::fail(MUSTER_UNAVAILABLE, "the driver sees no device");
  std::vector<cu::DeviceHandle> devices(count);
  for (int i = 0; i < count; ++i) cuda.check(cuda.device_get(&devices[i], i), "cuDeviceGet");
  facts.put("devices", std::to_string(count));
  for (int i = 0; i < count; ++i) {
    facts.put(indexed("uuid", i), uuid_of(devices[i]));
    facts.put(indexed("arch", i), architecture_of(devices[i]));
    std::string links;
    for (int j = 0; j < count; ++j) {
      links += static_cast<char>(link_between(devices[i], devices[j]));
    }
    facts.put(indexed("links", i), links);
  }
  facts.put("sources", sources_digest());
  const Nvrtc& nvrtc = Nvrtc::get();
  if (!nvrtc.version().empty()) facts.put("nvrtc", nvrtc.version());
  for (const std::string& architecture : architectures_here()) {
    put_variants(facts, cubins, architecture);
  }
}

Verdict judge(const plugin::Query& query) {
  Verdict verdict;
  if (query.size() < 2 || query.size() > kMaxRanks) {
    verdict.obstacle = "kernels are for 2 to 8 ranks";
    return verdict;
  }
  for (uint32_t r = 0; r < query.size(); ++r) {
    verdict.obstacle = obstacle_of(query, r);
    if (!verdict.obstacle.empty()) return verdict;
  }
  verdict.architecture = query.fact(0, indexed("arch", query.place(0).device).c_str());
  for (uint32_t from = 0; from < query.size(); ++from) {
    for (uint32_t to = 0; to < query.size(); ++to) {
      if (from == to) continue;
      const char link = link_of(query, from, to);
      if (link == '\0') {
        verdict.obstacle = who(query, to) + " is not visible to rank " + std::to_string(from) +
                           ": CUDA_VISIBLE_DEVICES must name the devices of all ranks";
        return verdict;
      }
      if (link == static_cast<char>(Link::kNone)) {
        verdict.obstacle = who(query, from) + " and " + who(query, to) + " have no peer access";
        return verdict;
      }
      if (link == static_cast<char>(Link::kPeer) && verdict.no_lines.empty()) {
        verdict.no_lines = who(query, from) + " and " + who(query, to) +
                           " have peer access without NVLink: one_shot_push and two_shot_push need "
                           "it, staged does not";
      }
    }
  }
  judge_programs(query, verdict);
  return verdict;
}

}  // namespace muster::cuda_peer
