#include "core/kernels/image_pack.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/kernels/compiler.hpp"
#include "core/kernels/native_build.hpp"

namespace muster {
namespace {

// Removed with all that is in it.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::error_code error;
    std::string path =
        (std::filesystem::temp_directory_path(error) / "muster-pack-XXXXXX").string();
    if (!error && mkdtemp(path.data()) != nullptr) path_ = path;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

bool is_id(const std::string& text) {
  return !text.empty() && text.size() < 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

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

}  // namespace

Status check_pack_name(const std::string& file) {
  const std::filesystem::path path(file);
  if (path.extension() == ".so" && is_id(path.stem().string())) return Status();
  return Status(MUSTER_INVALID_ARGUMENT,
                fmt::format("a pack cannot be called '{}'", path.filename().string()),
                "use lower case letters, digits and _, and the ending .so");
}

Status write_image_pack(const Config& config, const std::vector<PackedImage>& images,
                        const std::string& file) {
  MUSTER_TRY(check_pack_name(file));
  Result<Compiler> compiler = find_compiler(config);
  if (!compiler.ok()) return compiler.take_status();
  Result<std::string> sources = native_sources();
  if (!sources.ok()) return sources.take_status();
  const ScratchDirectory scratch;
  if (scratch.path().empty())
    return Status(MUSTER_UNAVAILABLE, "no directory for temporary files", "set TMPDIR");
  std::string list;
  for (size_t i = 0; i < images.size(); ++i) {
    const std::string image_file = fmt::format("{}/{}.image", scratch.path(), i);
    std::ofstream(image_file, std::ios::binary) << images[i].image;
    list += list_line(i, images[i], image_file);
  }
  std::ofstream(scratch.path() + "/images.inc") << list;
  const std::string built = scratch.path() + "/pack.so";
  std::vector<std::string> command = compiler->command;
  // For the sanitizer of this runtime as well: packs of another are refused.
  std::istringstream flags(MUSTER_HOST_KERNEL_FLAGS);
  for (std::string flag; flags >> flag;) command.push_back(flag);
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
