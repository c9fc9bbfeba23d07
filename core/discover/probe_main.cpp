// muster-probe: opens one plugin file and asks its backend what it finds on this machine. Started
// by the runtime (probe_child.cpp), never by people.
//
//   muster-probe FILE
//
// With --build-kernels it is the helper of background builds instead (core/query).
//
// Writes to descriptor 3 one character before each step, then one line of JSON. Ends without
// running the destructors of what it loaded.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "core/discover/judgement.hpp"
#include "core/discover/probe_child.hpp"
#include "core/discover/probe_host.hpp"
#include "core/query/background_build.hpp"

namespace {

void write_all(const char* data, size_t bytes) {
  while (bytes > 0) {
    const ssize_t n = write(muster::kProbeDescriptor, data, bytes);
    if (n <= 0) _exit(1);
    data += n;
    bytes -= static_cast<size_t>(n);
  }
}

void say_step(muster::ProbeStep step) {
  const char letter = static_cast<char>(step);
  write_all(&letter, 1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == muster::kBackgroundBuild)
    return muster::background_build_main(argc, argv);
  if (argc != 2 || fcntl(muster::kProbeDescriptor, F_SETFD, FD_CLOEXEC) != 0) {
    std::fputs("muster-probe is started by muster to look at one plugin file\n", stderr);
    return 2;
  }
  // A crash here is an answer, not an accident: no core file, and no handler of a tool that would
  // turn the signal into an exit.
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  for (const int fatal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) signal(fatal, SIG_DFL);
  say_step(muster::ProbeStep::kStart);

  // The runtime has judged trust, versions and configuration; here only the record is read again.
  const muster::Config defaults;
  muster::TrustPolicy anyone;
  muster::Judged judged = muster::judge_plugin_file(argv[1], true, nullptr, defaults, anyone);
  judged.found.path = argv[1];
  const std::string line =
      muster::write_report(muster::open_and_probe(judged.found, say_step)) + "\n";
  write_all(line.data(), line.size());
  _exit(0);
}
