#include "core/base/log.hpp"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>

namespace muster {
namespace {

// Hands lines to the function that the program gave; without one they go to stderr.
class ProgramSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  ProgramSink() { stderr_.set_pattern("muster %l: %v"); }

  void set(LogSink sink, void* context) {
    const std::lock_guard<std::mutex> lock(mutex_);
    to_stderr_ = false;
    sink_ = sink;
    context_ = context;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (to_stderr_) {
      stderr_.log(message);
      return;
    }
    if (sink_ == nullptr) return;
    const std::string line(message.payload.data(), message.payload.size());
    sink_(context_, static_cast<muster_log_level>(message.level), line.c_str());
  }
  void flush_() override {}

 private:
  spdlog::sinks::stderr_sink_st stderr_;
  bool to_stderr_ = true;
  LogSink sink_ = nullptr;
  void* context_ = nullptr;
};

spdlog::level::level_enum to_spdlog(muster_log_level level) {
  switch (level) {
    case MUSTER_LOG_TRACE:
      return spdlog::level::trace;
    case MUSTER_LOG_DEBUG:
      return spdlog::level::debug;
    case MUSTER_LOG_INFO:
      return spdlog::level::info;
    case MUSTER_LOG_WARN:
      return spdlog::level::warn;
    case MUSTER_LOG_ERROR:
      return spdlog::level::err;
    default:
      return spdlog::level::off;
  }
}

struct Log {
  std::shared_ptr<ProgramSink> sink = std::make_shared<ProgramSink>();
  spdlog::logger logger{"muster", sink};

  Log() {
    logger.set_level(spdlog::level::warn);
    if (const char* level = std::getenv("MUSTER_LOG"))
      logger.set_level(spdlog::level::from_str(level));
  }
};

// Private to muster (spdlog's registry is not touched), and never destroyed: plugins may log while
// the process exits.
Log& the_log() {
  static Log* const log = new Log;
  return *log;
}

}  // namespace

void log_line(muster_log_level level, std::string_view line) {
  the_log().logger.log(to_spdlog(level), "{}", spdlog::string_view_t(line.data(), line.size()));
}

bool log_enabled(muster_log_level level) { return the_log().logger.should_log(to_spdlog(level)); }

void set_log_level(muster_log_level level) { the_log().logger.set_level(to_spdlog(level)); }

void set_log_sink(LogSink sink, void* context) { the_log().sink->set(sink, context); }

}  // namespace muster
