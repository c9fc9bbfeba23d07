// Where a process was when it ended by an abort or a bad access: the addresses of its calls, to be
// read with addr2line and the file that was not stripped.
//
// [setup-thread]; once per process, before it has threads.
#ifndef MUSTER_TESTS_GPU_PEER_LAST_WORDS_HPP
#define MUSTER_TESTS_GPU_PEER_LAST_WORDS_HPP

namespace muster::peer_test {

void say_last_words();

}  // namespace muster::peer_test

#endif
