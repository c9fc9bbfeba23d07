// The launcher's end of the local bootstrap: the key-value space of one world, served over one
// stream socket per rank.
//
// Owned and driven by one thread, which polls epoll_fd() and calls serve(). Nothing blocks: answers
// that a rank does not read yet are kept. Equivalent to the PMI server of mpirun.
#ifndef MUSTER_CORE_BOOTSTRAP_LOCAL_SERVER_HPP
#define MUSTER_CORE_BOOTSTRAP_LOCAL_SERVER_HPP

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/status.hpp"
#include "core/base/unique_fd.hpp"
#include "core/bootstrap/key_store.hpp"
#include "core/bootstrap/local_frame.hpp"

namespace muster {

class LocalServer {
 public:
  static Result<std::unique_ptr<LocalServer>> create(uint32_t size);
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  // A rank's end of its socket, close-on-exec, once per rank.
  Result<UniqueFd> connect_rank(uint32_t rank);
  // Readable when there is something to serve.
  int epoll_fd() const { return epoll_.get(); }
  void serve();
  // The rank's process has ended: "its process was killed by signal 9". What it still said is
  // served first.
  void lose(uint32_t rank, const std::string& cause);
  // How many values are held for the ranks.
  size_t held() const { return store_.held(); }

 private:
  struct Peer {
    UniqueFd fd;
    LocalFrameReader reader;
    std::string unsent;
    bool wants_writable = false;
    std::vector<LocalFrame> waiting;  // gets that nothing answers yet
  };

  explicit LocalServer(uint32_t size) : store_(size), peers_(size) {}
  // Reads all that is there; why the rank is gone, or nothing.
  std::string receive(uint32_t rank);
  std::string receive_frames(uint32_t rank);
  void handle(uint32_t rank, LocalFrame request);
  // False when it has to wait.
  bool answer_get(uint32_t rank, const LocalFrame& request);
  void answer_waiting();
  void reply(uint32_t rank, const LocalFrame& request, Status status, std::string value = {});
  void flush(uint32_t rank);
  void drop(uint32_t rank, const std::string& cause);

  KeyStore store_;
  UniqueFd epoll_;
  std::vector<Peer> peers_;
};

}  // namespace muster

#endif
