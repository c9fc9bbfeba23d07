// NVRTC, opened at run time: CUDA C++ to a cubin.
//
// Any thread; compilations of one process run one after the other. The library stays open until the
// process ends.
#ifndef MUSTER_PLUGINS_CUDA_PEER_NVRTC_HPP
#define MUSTER_PLUGINS_CUDA_PEER_NVRTC_HPP

#include <string>
#include <vector>

namespace muster::cuda_peer {

struct DeviceSource {
  const char* name;  // as it is included
  const char* text;
};

struct Compiled {
  std::string cubin;  // "" when it failed
  std::string log;
};

class Nvrtc {
 public:
  // Opens the first one found; missing() says what was tried.
  static const Nvrtc& get();

  const std::string& missing() const { return missing_; }
  // "13.0"; "" when there is none.
  const std::string& version() const { return version_; }
  Compiled compile(const DeviceSource& program, const std::vector<DeviceSource>& headers,
                   const std::vector<std::string>& flags) const;

 private:
  Nvrtc();

  struct Functions;
  const Functions* functions_ = nullptr;
  std::string missing_;
  std::string version_;
};

}  // namespace muster::cuda_peer

#endif
