#include "core/kernels/compiler.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/base/arguments.hpp"
#include "core/base/scratch_directory.hpp"
#include "core/base/unique_fd.hpp"

namespace muster {
namespace {

// Absolute, "" when there is no such program. The current directory is never searched.
std::string located(const std::string& program) {
  if (program.find('/') != std::string::npos) {
    return program.front() == '/' && access(program.c_str(), X_OK) == 0 ? program : "";
  }
  const char* const path = secure_getenv("PATH");
  std::istringstream places(path == nullptr ? "/usr/bin:/bin" : path);
  for (std::string place; std::getline(places, place, ':');) {
    const std::string candidate = place + "/" + program;
    if (!place.empty() && place.front() == '/' && access(candidate.c_str(), X_OK) == 0)
      return candidate;
  }
  return {};
}

std::string stamp_of(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return path + " missing";
  return fmt::format("{} {} {}.{:09}", path, status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

Result<Compiler> as_compiler(std::vector<std::string> command, const std::string& asked_by) {
  const std::string path = command.empty() ? "" : located(command.front());
  if (path.empty()) {
    return Status(
        MUSTER_NOT_FOUND,
        fmt::format("the compiler '{}' of {} was not found", fmt::join(command, " "), asked_by),
        "install it, or set [kernels] compiler");
  }
  command.front() = path;
  return Compiler{std::move(command), stamp_of(path)};
}

}  // namespace

Result<Compiler> find_compiler(const Config& config) {
  if (const std::string& chosen = config.kernels_compiler.value; !chosen.empty())
    return as_compiler({chosen}, config.kernels_compiler.source.text());
  if (const char* const cxx = secure_getenv("CXX"); cxx != nullptr && *cxx != '\0')
    return as_compiler(words_of(cxx), "CXX");
  for (const char* const name : {"c++", "g++", "clang++"}) {
    if (Result<Compiler> found = as_compiler({name}, "PATH"); found.ok()) return found;
  }
  return Status(MUSTER_NOT_FOUND, "no C++ compiler was found (c++, g++ or clang++ in PATH)",
                "install g++, or set [kernels] compiler; the kernels that muster came with serve");
}

Status run_into_file(const std::vector<std::string>& command, const std::string& output) {
  const UniqueFd file(
      open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) {
    return Status(MUSTER_UNAVAILABLE,
                  fmt::format("{} cannot be written: {}", output, std::strerror(errno)));
  }
  const std::vector<char*> arguments = pointers_to(command);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, file.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, file.get(), 2);
  pid_t child = 0;
  const int error = posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return Status(MUSTER_NOT_FOUND,
                  fmt::format("{} cannot be started: {}", command[0], std::strerror(error)));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return Status(MUSTER_INTERNAL,
                WIFSIGNALED(status)
                    ? fmt::format("{} ended by signal {}", command[0], WTERMSIG(status))
                    : fmt::format("{} failed with {}", command[0], WEXITSTATUS(status)));
}

Result<std::string> describe_compiler(const Compiler& compiler, const std::string& march) {
  const ScratchDirectory scratch("compiler");
  MUSTER_TRY(scratch.status());
  const std::string name = scratch.path() + "/said";
  std::string text;
  const auto ask = [&](std::initializer_list<std::string> arguments) {
    std::vector<std::string> command = compiler.command;
    command.insert(command.end(), arguments);
    const Status status = run_into_file(command, name);
    std::ifstream stream(name);
    std::ostringstream said;
    said << stream.rdbuf();
    text += said.str();
    return status.ok();
  };
  const bool answered = ask({"--version"});
  // gcc names every option of the target; clang says what it would hand to itself.
  if (answered && !ask({"-march=" + march, "-Q", "--help=target"}))
    ask({"-march=" + march, "-###", "-x", "c++", "-c", "/dev/null", "-o", "/dev/null"});
  if (!answered) {
    return Status(MUSTER_UNAVAILABLE,
                  fmt::format("the compiler {} does not say its version", compiler.command[0]),
                  "set [kernels] compiler to one that works");
  }
  return text;
}

}  // namespace muster
