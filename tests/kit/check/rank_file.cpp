#include "tests/kit/check/rank_file.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace muster::check {
namespace {

std::string file_of(const std::string& directory, uint32_t rank) {
  return fmt::format("{}/rank{}.json", directory, rank);
}

}  // namespace

void write_verdict(const Scene& scene, uint32_t rank, const Verdict& verdict) {
  const nlohmann::json json = {{"outcome", static_cast<int>(verdict.outcome)},
                               {"detail", verdict.detail},
                               {"digest", verdict.digest}};
  const std::string file = file_of(scene.directory, rank);
  std::ofstream(file + ".new") << json.dump(-1, ' ', false,
                                            nlohmann::json::error_handler_t::replace);
  std::filesystem::rename(file + ".new", file);
}

std::optional<Verdict> read_verdict(const std::string& directory, uint32_t rank) {
  std::ifstream file(file_of(directory, rank));
  if (!file) return std::nullopt;
  const nlohmann::json json = nlohmann::json::parse(file);
  return Verdict{static_cast<Outcome>(json.at("outcome").get<int>()), json.at("detail"),
                 json.at("digest")};
}

uint32_t launched_rank() {
  for (const char* const name : {"MUSTER_LOCAL_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK"}) {
    if (const char* const text = std::getenv(name)) {
      return static_cast<uint32_t>(std::strtoul(text, nullptr, 10));
    }
  }
  return 0;
}

Verdict run_here(const Case& c, const Scene& scene) {
  try {
    return {Outcome::kOk, {}, c.run(scene)};
  } catch (const NotOffered& reason) {
    return {Outcome::kNotOffered, reason.what(), {}};
  } catch (const std::exception& error) {
    return {Outcome::kFailed, error.what(), {}};
  } catch (...) {
    return {Outcome::kFailed, "an exception of an unknown type crossed the boundary", {}};
  }
}

}  // namespace muster::check
