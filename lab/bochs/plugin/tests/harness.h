/* SPDX-License-Identifier: MIT */
/*
 * A world for the models: memory in an array, interrupts in a list, the trace in another. And the
 * few lines that make a C++ file a list of tests.
 * From: -      To: test_vtd_dma.cc, test_vtd_queue.cc, test_vtd_intr.cc, test_device.cc
 */
#pragma once
#include "../host.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                                 \
            ++failures;                                                                            \
        }                                                                                          \
    } while (0)

#define TEST(name)                                                                                 \
    static void name();                                                                            \
    static Registered registered_##name(#name, name);                                              \
    static void name()

inline int failures = 0;

struct Case {
    const char *name;
    void (*run)();
};
inline std::vector<Case> &cases()
{
    static std::vector<Case> list;
    return list;
}
struct Registered {
    Registered(const char *name, void (*run)()) { cases().push_back({name, run}); }
};

struct World : lab::Host {
    std::vector<uint8_t> memory = std::vector<uint8_t>(8 << 20);
    std::vector<lab::Message> messages;
    std::vector<std::string> lines;
    uint64_t clock = 0;
    bool wants_detail = false;

    bool read(uint64_t hpa, void *to, size_t n) override
    {
        if (hpa + n > memory.size())
            return false;
        memcpy(to, &memory[hpa], n);
        return true;
    }
    bool write(uint64_t hpa, const void *from, size_t n) override
    {
        if (hpa + n > memory.size())
            return false;
        memcpy(&memory[hpa], from, n);
        return true;
    }
    uint64_t ram_end() override { return memory.size(); }
    void deliver(const lab::Message &message) override { messages.push_back(message); }
    uint64_t now() override { return clock; }
    void trace(const std::string &line) override { lines.push_back(line); }
    bool detail() override { return wants_detail; }

    void set64(uint64_t hpa, uint64_t value) { write(hpa, &value, 8); }
    uint64_t get64(uint64_t hpa)
    {
        uint64_t value = 0;
        read(hpa, &value, 8);
        return value;
    }
    unsigned traced(const char *words) const
    {
        unsigned n = 0;
        for (const std::string &line : lines)
            n += line.find(words) != std::string::npos;
        return n;
    }
};
