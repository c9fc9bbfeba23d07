// Words of a rank's heap that its host writes and its kernels read.
//
// [group-serial]; the context is current in every function, the constructor and the destructor. A
// write is done when it returns, whatever the program's streams do meanwhile.
#ifndef MUSTER_PLUGINS_CUDA_PEER_HEAP_WORDS_HPP
#define MUSTER_PLUGINS_CUDA_PEER_HEAP_WORDS_HPP

#include <vector>

#include "plugins/backends/cuda_peer/device/contract.h"
#include "plugins/backends/cuda_peer/driver.hpp"

namespace muster::cuda_peer {

class HeapWords {
 public:
  explicit HeapWords(cu::DevicePointer heap) : heap_(heap) {
    cu::driver().check(cu::driver().stream_create(&stream_, cu::kStreamNonBlocking),
                       "cuStreamCreate");
  }
  ~HeapWords() { cu::driver().stream_destroy(stream_); }
  HeapWords(const HeapWords&) = delete;
  HeapWords& operator=(const HeapWords&) = delete;

  // offset: from the heap's begin.
  void write(Word offset, const std::vector<Word>& words) const {
    const cu::Driver& cuda = cu::driver();
    cuda.check(cuda.copy_async(heap_ + offset, cu::device_pointer(words.data()),
                               words.size() * sizeof(Word), stream_),
               "cuMemcpyAsync");
    cuda.check(cuda.stream_synchronize(stream_), "cuStreamSynchronize");
  }
  const Word* on_device(Word offset) const {
    return static_cast<const Word*>(cu::host_pointer(heap_ + offset));
  }

 private:
  cu::DevicePointer heap_;
  cu::Stream stream_ = nullptr;
};

}  // namespace muster::cuda_peer

#endif
