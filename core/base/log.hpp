// The one log of the process: lower-case lines that name the cause, to stderr or to the program's
// sink.
//
// Thread rule: any thread. Level: MUSTER_LOG (trace, debug, info, warn, error, off; default warn),
// or set_log_level.
#ifndef MUSTER_CORE_BASE_LOG_HPP
#define MUSTER_CORE_BASE_LOG_HPP

#include <string_view>

#include "muster/types.h"

namespace muster {

using LogSink = void (*)(void* context, muster_log_level level, const char* line);

void log_line(muster_log_level level, std::string_view line);
bool log_enabled(muster_log_level level);
void set_log_level(muster_log_level level);
// NULL: silence.
void set_log_sink(LogSink sink, void* context);

inline void log_debug(std::string_view line) { log_line(MUSTER_LOG_DEBUG, line); }
inline void log_info(std::string_view line) { log_line(MUSTER_LOG_INFO, line); }
inline void log_warn(std::string_view line) { log_line(MUSTER_LOG_WARN, line); }
inline void log_error(std::string_view line) { log_line(MUSTER_LOG_ERROR, line); }

}  // namespace muster

#endif
