#include "core/kernels/image_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "core/base/digest.hpp"
#include "core/base/private_directory.hpp"
#include "core/base/replace_file.hpp"
#include "core/base/unique_fd.hpp"
#include "core/kernels/kept_files.hpp"

namespace muster {
namespace {

constexpr const char* kFormat = "muster-image 1";
constexpr const char* kEnding = ".image";
constexpr std::chrono::minutes kLongestBuild{5};
constexpr std::chrono::milliseconds kPause{5};

struct Content {
  ImageKey key;
  std::string image;
};

std::string heading(const ImageKey& key, const std::string& image) {
  return fmt::format("{} {} {} {} {}", kFormat, key.name, key.source, key.toolchain,
                     digest_of(image).text());
}

// Nothing when the file is missing, damaged or of another format.
std::optional<Content> read_image(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string line;
  if (!std::getline(stream, line) || !line.starts_with(kFormat)) return std::nullopt;
  Content content;
  std::istringstream words(line.substr(std::string_view(kFormat).size()));
  words >> content.key.name >> content.key.source >> content.key.toolchain;
  std::ostringstream rest;
  rest << stream.rdbuf();
  content.image = std::move(rest).str();
  if (content.image.empty() || line != heading(content.key, content.image)) return std::nullopt;
  return content;
}

// Not for ever: whoever holds it may have been stopped. Then this process builds for itself.
void await_lock(const UniqueFd& file) {
  const auto until = std::chrono::steady_clock::now() + kLongestBuild;
  while (file.valid() && flock(file.get(), LOCK_EX | LOCK_NB) != 0 &&
         std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(kPause);
  }
}

bool usable(const std::string& directory) {
  return !directory.empty() && fault_of_private_directory(directory).empty();
}

bool serves(const ImageKey& have, const ImageKey& want) {
  return have.name == want.name && have.source == want.source &&
         (want.toolchain.empty() || have.toolchain == want.toolchain);
}

}  // namespace

std::string ImageStore::file_of(const ImageKey& key) const {
  const std::string digest = digest_of(key.source + " " + key.toolchain).short_text();
  return fmt::format("{}/{}.{}{}", directory_, key.name, digest, kEnding);
}

std::vector<std::string> ImageStore::files_of(const std::string& name) const {
  std::vector<std::string> files;
  for (const std::string& file : names_in(directory_)) {
    if (file.starts_with(name + ".") && file.ends_with(kEnding))
      files.push_back(directory_ + "/" + file);
  }
  return files;
}

std::optional<std::string> ImageStore::find(const ImageKey& key) const {
  if (!usable(directory_)) return std::nullopt;
  const std::vector<std::string> files =
      key.toolchain.empty() ? files_of(key.name) : std::vector<std::string>{file_of(key)};
  for (const std::string& file : files) {
    std::optional<Content> content = read_image(file);
    if (content && serves(content->key, key)) return std::move(content->image);
  }
  return std::nullopt;
}

bool ImageStore::keep(const ImageKey& key, const std::string& image) const {
  return replace_file(file_of(key), heading(key, image) + "\n" + image);
}

KeptImage ImageStore::get(const ImageKey& key, const std::function<MadeImage()>& make) const {
  using State = KeptImage::State;
  const auto ready = [&]() -> std::optional<KeptImage> {
    std::optional<std::string> image = find(key);
    if (!image) return std::nullopt;
    return KeptImage{State::kReady, std::move(*image), file_of(key)};
  };
  if (std::optional<KeptImage> found = ready()) return std::move(*found);
  const bool keeps = !directory_.empty() && make_private_directory(directory_) &&
                     usable(directory_) && access(directory_.c_str(), W_OK) == 0;
  UniqueFd lock;
  if (keeps) {
    // Dropped by the system when this process ends, in whatever way.
    lock.reset(
        open((file_of(key) + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    await_lock(lock);
    if (std::optional<KeptImage> found = ready()) return std::move(*found);
  }
  MadeImage made = make();
  const std::string log = file_of(key) + ".log";
  if (made.image.empty()) {
    const bool logged = keeps && replace_file(log, made.log + "\n");
    const std::string cause = made.log.substr(0, made.log.find('\n'));
    return {State::kFailed, "", logged ? fmt::format("{}; the log is {}", cause, log) : made.log};
  }
  const bool kept = keeps && keep(key, made.image);
  if (keeps) unlink(log.c_str());
  return {State::kBuilt, std::move(made.image),
          kept ? file_of(key) : fmt::format("not kept: {} cannot be written", directory_)};
}

bool ImageStore::failed_before(const ImageKey& key) const {
  return access((file_of(key) + ".log").c_str(), F_OK) == 0;
}

std::string ImageStore::stale_file(const ImageKey& key) const {
  if (!usable(directory_)) return {};
  for (const std::string& file : files_of(key.name)) {
    const std::optional<Content> content = read_image(file);
    if (!content || !serves(content->key, key)) return file;
  }
  return {};
}

std::vector<std::string> ImageStore::clean(const std::vector<ImageKey>& keys) const {
  std::vector<std::string> removed;
  if (!usable(directory_)) return removed;
  for (const std::string& file : names_in(directory_)) {
    const std::string path = directory_ + "/" + file;
    const std::string image = path.substr(0, path.rfind(kEnding) + std::string(kEnding).size());
    if (path.rfind(kEnding) == std::string::npos) continue;
    if (image == path) {
      const std::optional<Content> content = read_image(path);
      const auto named = [&](const ImageKey& key) { return content->key.name == key.name; };
      const auto wanted = [&](const ImageKey& key) { return serves(content->key, key); };
      if (content && (std::none_of(keys.begin(), keys.end(), named) ||
                      std::any_of(keys.begin(), keys.end(), wanted))) {
        continue;
      }
    }
    // A build that is under way has its lock.
    if (is_locked(image + ".lock")) continue;
    if (unlink(path.c_str()) == 0) removed.push_back(file);
  }
  return removed;
}

}  // namespace muster
