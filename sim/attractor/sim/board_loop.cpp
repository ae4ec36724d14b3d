// A simulated board: a design with ports clk, rst, rx, tx and busy, and the far end of its serial line.
//
// It is compiled together with what Verilator makes of the design (class Vboard) into one shared library, and the
// loop over clock cycles stays in here: a call from Python for each cycle would be a hundred times slower.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>

#include "Vboard.h"

// What the design printed, kept by runtime.cpp; it throws std::runtime_error when the design stops.
extern thread_local std::string design_messages;

namespace {

constexpr int RESET_CYCLES = 8;
// A reader is woken for this many bytes even if more are coming.
constexpr size_t BURST_BYTES = 1024;
// Start bit, eight data bits, one stop bit: nothing between the bytes, as from a real serial port.
constexpr int FRAME_BITS = 10;

// Sends bytes to the design, lowest bit first.
class Transmitter {
  public:
    explicit Transmitter(int clocks_per_bit) : clocks_per_bit_{clocks_per_bit} {}

    std::deque<uint8_t> queue;

    bool active() const { return bits_ || !queue.empty(); }
    size_t pending() const { return queue.size() + (bits_ ? 1 : 0); }

    bool next_level() {
        if (!bits_) {
            if (queue.empty()) return true;
            shift_ = queue.front() << 1 | 1 << (FRAME_BITS - 1);
            queue.pop_front();
            bits_ = FRAME_BITS;
            clock_ = 0;
        }
        const bool level = shift_ & 1;
        if (++clock_ == clocks_per_bit_) {
            clock_ = 0;
            shift_ >>= 1;
            --bits_;
        }
        return level;
    }

    void change_rate(int clocks_per_bit) { clocks_per_bit_ = clocks_per_bit; }

  private:
    int clocks_per_bit_;
    uint32_t shift_ = 0;
    int bits_ = 0, clock_ = 0;
};

// Takes bytes from the design, each bit in its middle.
class Receiver {
  public:
    explicit Receiver(int clocks_per_bit) : clocks_per_bit_{clocks_per_bit} {}

    std::deque<uint8_t> queue;
    uint64_t framing_errors = 0;

    bool active() const { return state_ != IDLE; }

    void sample(bool level) {
        if (state_ == BROKEN) {
            if (level) state_ = IDLE;
        } else if (state_ == IDLE) {
            if (!level) {
                state_ = BITS;
                bits_ = 0;
                clock_ = clocks_per_bit_ + (clocks_per_bit_ - 1) / 2;
            }
        } else if (--clock_ == 0) {
            if (bits_ < 8) {
                shift_ = shift_ >> 1 | level << 7;
                ++bits_;
                clock_ = clocks_per_bit_;
            } else if (level) {
                queue.push_back(shift_);
                state_ = IDLE;
            } else {
                ++framing_errors;
                state_ = BROKEN;
            }
        }
    }

    void change_rate(int clocks_per_bit) { clocks_per_bit_ = clocks_per_bit; }

  private:
    enum { IDLE, BITS, BROKEN } state_ = IDLE;
    int clocks_per_bit_;
    uint8_t shift_ = 0;
    int bits_ = 0, clock_ = 0;
};

class Board {
  public:
    // What the design does not initialise starts as zero without a seed and at random with one.
    Board(int clocks_per_bit, int64_t seed) : clocks_per_bit_{clocks_per_bit}, to_{clocks_per_bit}, from_{clocks_per_bit} {
        context_.randReset(seed < 0 ? 0 : 2);
        context_.randSeed(seed < 0 ? 0 : static_cast<int>(seed));
        context_.assertOn(false);
        top_ = std::make_unique<Vboard>(&context_, "board");
        top_->rx = 1;
        top_->rst = 1;
        for (int cycle = 0; cycle < RESET_CYCLES; ++cycle) clock();
        top_->rst = 0;
        context_.assertOn(true);
    }
    ~Board() { top_->final(); }

    Transmitter& to() { return to_; }
    Receiver& from() { return from_; }
    uint64_t cycles() const { return cycles_; }
    uint64_t quiet() const { return to_.active() ? 0 : quiet_; }
    std::string error;

    // For both directions; bytes that are on the line are not understood.
    void change_rate(int clocks_per_bit) {
        clocks_per_bit_ = clocks_per_bit;
        to_.change_rate(clocks_per_bit);
        from_.change_rate(clocks_per_bit);
    }

    // Clocks at most `limit` cycles; ends early when output has paused or a burst of it waits, and after
    // `quiet_limit` cycles without any activity.
    void step(uint64_t limit, uint64_t quiet_limit) {
        while (limit-- && quiet() < quiet_limit) {
            top_->rx = to_.next_level();
            clock();
            ++cycles_;
            from_.sample(top_->tx);
            gap_ = from_.active() ? 0 : gap_ + 1;
            quiet_ = to_.active() || from_.active() || top_->busy ? 0 : quiet_ + 1;
            // The last half of a stop bit and one bit more: no start bit follows at once.
            if (!from_.queue.empty() && (gap_ > 2 * clocks_per_bit_ || from_.queue.size() >= BURST_BYTES)) return;
        }
    }

  private:
    void clock() {
        top_->clk = 0;
        top_->eval();
        top_->clk = 1;
        top_->eval();
    }

    int clocks_per_bit_;
    Transmitter to_;
    Receiver from_;
    VerilatedContext context_;
    std::unique_ptr<Vboard> top_;
    uint64_t cycles_ = 0, quiet_ = 0;
    int gap_ = 0;
};

// What went wrong where there is no board to ask; a board keeps its own.
thread_local std::string creation_error;

}  // namespace

#ifdef _WIN32
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

// Returns null on failure.
EXPORT Board* board_new(int clocks_per_bit, int64_t seed) {
    design_messages.clear();
    try {
        return new Board{clocks_per_bit, seed};
    } catch (const std::exception& error) {
        creation_error = error.what();
        return nullptr;
    }
}

EXPORT void board_delete(Board* board) { delete board; }

EXPORT void board_change_rate(Board* board, int clocks_per_bit) { board->change_rate(clocks_per_bit); }

EXPORT void board_write(Board* board, const uint8_t* data, size_t count) {
    board->to().queue.insert(board->to().queue.end(), data, data + count);
}

EXPORT size_t board_read(Board* board, uint8_t* data, size_t limit) {
    auto& queue = board->from().queue;
    const size_t count = std::min(limit, queue.size());
    std::copy_n(queue.begin(), count, data);
    queue.erase(queue.begin(), queue.begin() + count);
    return count;
}

// Returns the number of bytes that wait to be read, or -1 when the design stopped, for good.
EXPORT int64_t board_step(Board* board, uint64_t limit, uint64_t quiet_limit) {
    if (!board->error.empty()) return -1;
    design_messages.clear();
    try {
        board->step(limit, quiet_limit);
    } catch (const std::exception& error) {
        board->error = error.what();
        return -1;
    }
    return static_cast<int64_t>(board->from().queue.size());
}

EXPORT size_t board_pending(Board* board) { return board->to().pending(); }
EXPORT size_t board_waiting(Board* board) { return board->from().queue.size(); }
EXPORT uint64_t board_cycles(Board* board) { return board->cycles(); }
EXPORT uint64_t board_quiet(Board* board) { return board->quiet(); }
EXPORT uint64_t board_framing_errors(Board* board) { return board->from().framing_errors; }
EXPORT const char* board_error(Board* board) { return board ? board->error.c_str() : creation_error.c_str(); }
