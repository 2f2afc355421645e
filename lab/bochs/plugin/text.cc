/* SPDX-License-Identifier: MIT */
/*
 * Words for the trace.
 * From: lab/bochs/plugin/host.h      To: every model
 */
#include "host.h"
#include <cstdarg>
#include <cstdio>

namespace lab
{

std::string text(const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    return line;
}

std::string bdf_text(uint16_t sid)
{
    return text("%02x:%02x.%x", sid >> 8, (sid >> 3) & 31, sid & 7);
}

} /* namespace lab */
