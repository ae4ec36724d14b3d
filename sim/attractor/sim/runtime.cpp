// Verilator's run time, changed to suit a library: it prints messages and ends the process when an assertion fails, and
// a library must do neither. It is the same for every design, so it is compiled once.

#include <cstdarg>
#include <cstdio>
#include <stdexcept>
#include <string>

// What the design printed, to be cleared by the caller.
thread_local std::string design_messages;

static void keep_message(const char* format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    design_messages += text;
}

#define VL_PRINTF keep_message
#define VL_USER_FINISH
#define VL_USER_STOP
#define VL_USER_FATAL
#include "verilated.cpp"
#include "verilated_threads.cpp"

static void stop(const char* file, int line, const char* reason) {
    // A failed assertion has said where it stands before it stops.
    if (!design_messages.empty()) throw std::runtime_error(design_messages);
    throw std::runtime_error(std::string(reason) + " in line " + std::to_string(line) + " of " + file);
}

void vl_finish(const char* file, int line, const char*) { stop(file, line, "$finish"); }
void vl_stop(const char* file, int line, const char*) { stop(file, line, "$stop"); }
void vl_fatal(const char* file, int line, const char*, const char* reason) { stop(file, line, reason); }
