#include "core/kernels/image_pack.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "config/value.hpp"
#include "core/base/arguments.hpp"
#include "core/base/replace_file.hpp"
#include "core/base/scratch_directory.hpp"
#include "core/kernels/compiler.hpp"
#include "core/kernels/native_build.hpp"

namespace muster {
namespace {

// One line of the list that image_pack/plugin.cpp includes; everything in it is a word.
std::string list_line(size_t index, const PackedImage& packed, const std::string& image_file) {
  const DeclaredVariant& v = packed.variant;
  return fmt::format("IMAGE({}, \"{}\", {}, {}, {}, \"{}\", \"{}\", \"{}\", \"{}/{}\")\n", index,
                     image_file, v.dtype, v.redop, v.world_size, v.family, v.algorithm,
                     v.architecture, v.source, v.toolchain);
}

std::string last_lines(const std::string& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  const std::string said = text.str();
  return said.size() > 600 ? said.substr(said.size() - 600) : said;
}

// See errno.
Status not_written(const std::string& file) {
  return Status(MUSTER_UNAVAILABLE,
                fmt::format("{} cannot be written: {}", file, std::strerror(errno)),
                "set TMPDIR to a directory with more room");
}

}  // namespace

Status check_pack_name(const std::string& file) {
  const std::filesystem::path path(file);
  if (path.extension() != ".so" || !is_identifier(path.stem().string())) {
    return Status(MUSTER_INVALID_ARGUMENT,
                  fmt::format("a pack cannot be called '{}'", path.filename().string()),
                  "use lower case letters, digits and _, and the ending .so");
  }
  const std::string folder = path.has_parent_path() ? path.parent_path().string() : ".";
  if (access(folder.c_str(), W_OK | X_OK) == 0) return Status();
  return Status(MUSTER_INVALID_ARGUMENT,
                fmt::format("no pack can be written to {}: {}", folder, std::strerror(errno)),
                "name a file in a directory that exists and that you may write to");
}

Status write_image_pack(const Config& config, const std::vector<PackedImage>& images,
                        const std::string& file) {
  MUSTER_TRY(check_pack_name(file));
  Result<Compiler> compiler = find_compiler(config);
  if (!compiler.ok()) return compiler.take_status();
  Result<std::string> sources = native_sources();
  if (!sources.ok()) return sources.take_status();
  const ScratchDirectory scratch("pack");
  MUSTER_TRY(scratch.status());
  std::string list;
  for (size_t i = 0; i < images.size(); ++i) {
    const std::string image_file = fmt::format("{}/{}.image", scratch.path(), i);
    if (!replace_file(image_file, images[i].image)) return not_written(image_file);
    list += list_line(i, images[i], image_file);
  }
  const std::string list_file = scratch.path() + "/images.inc";
  if (!replace_file(list_file, list)) return not_written(list_file);
  const std::string built = scratch.path() + "/pack.so";
  std::vector<std::string> command = compiler->command;
  // For the sanitizer of this runtime as well: packs of another are refused.
  for (const std::string& flag : words_of(MUSTER_HOST_KERNEL_FLAGS)) command.push_back(flag);
  for (const std::string& argument :
       {std::string("-std=c++17"), std::string("-fPIC"), std::string("-shared"),
        std::string("-fvisibility=hidden"), "-I" + *sources + "/include", "-I" + scratch.path(),
        fmt::format("-DMUSTER_VERSION=\"{}\"", MUSTER_VERSION),
        fmt::format("-DMUSTER_PACK_ID=\"{}\"", std::filesystem::path(file).stem().string()),
        "-Wl,--version-script=" + *sources + "/plugin.version", std::string("-Wl,-z,now"),
        std::string("-Wl,-z,noexecstack"), std::string("-Wl,--as-needed"),
        std::string("-Wl,--build-id"), *sources + "/image_pack.cpp", std::string("-o"), built}) {
    command.push_back(argument);
  }
  const std::string log = scratch.path() + "/log";
  if (Status status = run_into_file(command, log); !status.ok()) {
    return Status(status.code(),
                  fmt::format("the pack cannot be made: {}\n{}", status.cause(), last_lines(log)),
                  status.remedy());
  }
  // Beside its place first, so that nobody finds half of it.
  const std::string fresh = fmt::format("{}.tmp-{}", file, getpid());
  std::error_code error;
  std::filesystem::copy_file(built, fresh, error);
  if (!error) {
    chmod(fresh.c_str(), 0755);
    std::filesystem::rename(fresh, file, error);
  }
  if (!error) return Status();
  std::error_code ignored;
  std::filesystem::remove(fresh, ignored);
  return Status(MUSTER_UNAVAILABLE, fmt::format("{} cannot be written: {}", file, error.message()),
                "name a file in a directory of your own");
}

}  // namespace muster
