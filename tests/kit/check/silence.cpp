// silence: nothing on stdout and stderr, which are the program's.
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>

#include "tests/kit/check/catalogue.hpp"
#include "tests/kit/check/plugin_file.hpp"
#include "tests/kit/check/rank_world.hpp"
#include "tests/kit/check/verdict.hpp"

namespace muster::check {
namespace {

// Takes the place of stdout and stderr from construction on.
class Listening {
 public:
  Listening() : file_(memfd_create("muster-check-output", MFD_CLOEXEC)) {
    std::fflush(stdout);
    std::fflush(stderr);
    for (int i = 0; i < 2; ++i) {
      before_[i] = dup(i + 1);
      dup2(file_, i + 1);
    }
  }
  ~Listening() {
    restore();
    close(file_);
  }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

  // Throws Failed when something was written.
  void end() {
    restore();
    const off_t bytes = lseek(file_, 0, SEEK_END);
    if (bytes == 0) return;
    std::string text(200, '\0');
    const ssize_t n = pread(file_, text.data(), text.size(), 0);
    text.resize(n < 0 ? 0 : static_cast<size_t>(n));
    throw Failed(fmt::format("{} bytes went to stdout or stderr: {}", bytes, text));
  }

 private:
  void restore() {
    std::fflush(stdout);
    std::fflush(stderr);
    for (int i = 0; i < 2; ++i) {
      if (before_[i] < 0) continue;
      dup2(before_[i], i + 1);
      close(before_[i]);
      before_[i] = -1;
    }
  }
  int file_;
  int before_[2] = {-1, -1};
};

}  // namespace

std::string silence_alone(const Scene& scene) {
  Listening listening;
  try {
    PluginFile plugin(scene.setup);
    const Facts facts = plugin.probe();
    for (uint32_t size = 1; size <= 4; ++size) {
      plugin.offer("local", std::vector<Facts>(size, facts));
    }
  } catch (const NotOffered&) {
    // What has no backend, or nothing here to serve, is silent as well.
  }
  listening.end();
  return {};
}

std::string silence_ranks(const Scene& scene) {
  if (scene.threads != nullptr) throw NotOffered("output belongs to no thread (--in-process)");
  Listening listening;
  {
    RankWorld world(scene);
    RankGroup group(world);
    const ranks::Case c = group.meeting();
    run_cases(group, {c, c});
    group.destroy();
  }
  listening.end();
  return {};
}

}  // namespace muster::check
