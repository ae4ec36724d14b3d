/* A host for devices that speak the protocol of docs/protocol.md, version 2, in one file and without any library.

       attractor_client PORT PARAMETERS INPUTS

   PORT        a serial device, or HOST:PORT
   PARAMETERS  the bytes of all parameter windows, one after another
   INPUTS      for each call the bytes of all input windows, one after another

   It asks the device for its windows, loads the parameters, makes the calls, and prints the winner of each on a line.
   Of requests one is under way at a time, carried out exactly once, whatever the line loses. export.py writes files. */

#define _DEFAULT_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* Say what is wrong, and end. */
#define FAIL(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))

enum { IDENTIFY = 1, READ, WRITE, DIGEST, COMMIT, CALL, SYNC, COUNTERS, BAUD };
enum { OK = 0, MORE = 7, LOST = 10, VERSION = 2 };
enum { PAYLOAD = 240, FRAME = 251, CALL_HEADER = 5, TRIES = 12, FIRST_WAIT = 250 };
enum { LONGEST_WAIT = 8000, MOST_WINDOWS = 255, MOST_TEXT = 1 << 17 };

struct reply {
    uint16_t position, end;
    uint8_t command, status, payload[PAYLOAD];
    size_t size;
};

struct window {
    char name[64], region;
    unsigned words, bits, bytes;
    const char *fields;
};

/* The preset dictionary of descriptions. */
static const char dictionary[] =
    "\"neurons_0/p150x91 scale:16 bias:19s threshold:24s leak_scale:8 field_offset:12s coupling:12\",\"leak_0/p32x16 "
    "leak:16\",\"field_0/p64x21 field:21\",\"limits_0/p1x47 reset:24s limit:23\",\"weights_1.0/p150x216\","
    "\"recurrent_0.0/p54x64\",\"neurons_1/p54x97 scale:16 bias:17s threshold:16s leak_scale:8 field_offset:12s "
    "coupling:12 inverse:16\",\"leak_1/p32x16 leak:16\",\"field_1/p17x13 field:13\",\"limits_1/p1x31 reset:16s "
    "limit:15\",\"weights_2.0/p54x64\",\"neurons_0/p5x68 scale:16 bias:18s threshold:18s decay:16\",\"neurons_2/p2x56 "
    "scale:16 bias:24s decay:16\",\"ticks/i1x16 ticks:16\",\"keep/i1x1 keep:1\",\"frames/i32x16 input:1*16\","
    "\"result/o16x8 -:1 aborted:1 -:14 winner:16 ticks:32 spikes:32 cycles:32\",\"outputs/o54x24 output:24s\"],"
    "\"spec\":{\"family\":\"felif\",\"input_bits\":1,\"inputs\":54,\"lanes\":16,\"layers\":[{\"kind\":\"felif_b\","
    "\"neurons\":150,\"kind\":\"felif_a\",\"neurons\":54,\"recurrent\":true,\"reset\":\"subtract\",\"scale_bits\":16,"
    "\"scale_shift\":3,\"state_bits\":16,\"strict\":true,\"synapse\":true,\"kind\":\"lif\",\"neurons\":5,"
    "\"recurrent\":false,\"reset\":\"zero\",\"scale_bits\":16,\"scale_shift\":4,\"state_bits\":18,\"strict\":false,"
    "\"synapse\":false,\"weight_bits\":4},{\"kind\":\"readout\",\"neurons\":54,\"recurrent\":false,\"reset\":\"zero\","
    "\"scale_bits\":16,\"scale_shift\":4,\"state_bits\":24,\"strict\":false,\"synapse\":false,\"weight_bits\":4}],"
    "\"ticks\":1}}\"steps/p1x16 free:8 nudged:8\",\"up.0/p528x56\",\"down.0/p120x8\",\"sample/i14x8 threshold:16*2 "
    "learn:1 reversed:1 -:6 label:8 bit:1*64\",\"result/o18x8 settled:1 aborted:1 learnt:1 -:13 winner:16 free_steps:8 "
    "nudged_steps:8 touched:32 flips:32 cycles:32\",\"scores/o10x16 score:16\"],\"spec\":{\"classes\":10,"
    "\"counter_bits\":8,\"family\":\"eqprop\",\"lanes\":8,\"layers\":[64,48,20],\"learning\":true,\"nudge_shift\":1,"
    "\"state_high\":[4,14]}}{\"baud\":1000000,\"board\":\"ulx3s-12f\",\"board\":\"golden model\",\"clock_hz\":0,"
    "\"gateware\":\"unknown\",\"board\":\"icebreaker\",\"clock_hz\":12000000,\"gateware\":\"0.2.0\","
    "\"map\":[\"schedule/p8x64 periods:16 noise:16 max_step:8 lock:16 alternate:8\",\"settle/p1x16 settle:16\","
    "\"weights.0/p75x50\",\"weights_0.0/p75x50\",\"seed/i1x63 seed:63\",\"margin/i1x10 margin:10\",\"start/i1x1 "
    "start:1\",\"state/i75x8 phase:4 -:3 clamp:1\",\"result/o16x8 settled:1 aborted:1 -:14 winner:16 periods:32 "
    "last_change:32 cycles:32\",\"spins/o10x1 spin:1\",\"phases/o10x4 phase:4\"],\"spec\":{\"family\":\"oscillator\","
    "\"inputs\":65,\"labels\":10,\"lanes\":10,\"learning\":false,\"lock_phases\":2,\"oscillators\":75,\"phase_bits\":4,"
    "\"random_start\":true,\"reference\":64,\"schedule_entries\":8,\"weight_bits\":5}}";
static uint8_t text[MOST_TEXT];
static struct window windows[MOST_WINDOWS];
static size_t parameter_bytes, input_bytes;
static int line, window_count;
static uint16_t session, next_request, expected;

static int opened(const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    const char *colon = strrchr(port, ':');
    char host[256] = "";
    if (!colon) return open(port, O_RDWR | O_NOCTTY);
    if (colon - port < (long)sizeof host) memcpy(host, port, (size_t)(colon - port));
    if (getaddrinfo(host, colon + 1, &hints, &found)) FAIL("%s: no such host", host);
    int made = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
    int refused = made < 0 || connect(made, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return refused ? -1 : made;
}

static void open_line(const char *port) {
    struct termios settings;
    line = opened(port);
    if (line < 0) FAIL("%s cannot be opened: %s", port, strerror(errno));
    if (tcgetattr(line, &settings)) return; /* not a terminal */
    cfmakeraw(&settings);
    settings.c_cflag |= CLOCAL | CREAD;
#ifdef B1000000
    cfsetspeed(&settings, B1000000);
#endif
    if (tcsetattr(line, TCSANOW, &settings)) FAIL("%s cannot be set up: %s", port, strerror(errno));
}

static void put(const uint8_t *data, size_t size) {
    while (size) {
        ssize_t done = write(line, data, size);
        if (done < 0 && errno != EINTR) FAIL("the line broke down: %s", strerror(errno));
        if (done > 0) data += done, size -= (size_t)done;
    }
}

/* Return the next byte, or -1 if none comes for so many milliseconds. */
static int get(int wait) {
    static uint8_t buffer[4096];
    static ssize_t at, end;
    if (at == end) {
        struct pollfd waiting = {.fd = line, .events = POLLIN};
        if (poll(&waiting, 1, wait) <= 0) return -1;
        at = 0, end = read(line, buffer, sizeof buffer);
        if (end <= 0) FAIL("the line broke down");
    }
    return buffer[at++];
}

static uint32_t number(const uint8_t *data, int bytes) {
    uint32_t value = 0;
    while (bytes--) value = value << 8 | data[bytes];
    return value;
}

static void store(uint8_t *data, int bytes, uint32_t value) {
    for (; bytes--; value >>= 8) *data++ = (uint8_t)value;
}

static uint32_t crc32(const uint8_t *data, size_t size) {
    uint32_t crc = 0xffffffff;
    while (size--) {
        crc ^= *data++;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static void send_request(uint16_t sequence, int command, int window, uint32_t word, const void *payload, size_t size) {
    uint8_t frame[FRAME], coded[FRAME + 3] = {0}; /* a delimiter first ends whatever the device holds of a frame */
    size_t code = 1, end = 2;
    store(frame, 2, sequence);
    frame[2] = (uint8_t)command, frame[3] = (uint8_t)window;
    store(frame + 4, 3, word);
    if (size) memcpy(frame + 7, payload, size);
    store(frame + 7 + size, 4, crc32(frame, 7 + size));
    for (size_t i = 0; i < 11 + size; i++) {
        if (frame[i]) coded[end++] = frame[i];
        else coded[code] = (uint8_t)(end - code), code = end++;
    }
    coded[code] = (uint8_t)(end - code);
    coded[end++] = 0;
    put(coded, end);
}

/* Decode what came between two delimiters; return whether it is a reply. */
static int decoded(const uint8_t *coded, size_t size, struct reply *reply) {
    uint8_t frame[FRAME + 2];
    size_t length = 0;
    for (size_t at = 0; at < size;) {
        size_t code = coded[at];
        if (at + code > size) return 0;
        memcpy(frame + length, coded + at + 1, code - 1);
        length += code - 1, at += code;
        if (at < size) frame[length++] = 0;
    }
    if (length < 8 || length > FRAME - 3 || number(frame + length - 4, 4) != crc32(frame, length - 4)) return 0;
    reply->position = (uint16_t)number(frame, 2);
    reply->end = (uint16_t)(reply->position + size + 1);
    reply->command = frame[2] & 0x7f, reply->status = frame[length - 5];
    reply->size = length - 8;
    memcpy(reply->payload, frame + 3, reply->size);
    return frame[2] >> 7;
}

/* Return whether a reply comes before the line is silent for so many milliseconds. */
static int received(struct reply *reply, int wait) {
    static uint8_t coded[FRAME + 1];
    static size_t size;
    for (int byte; (byte = get(wait)) >= 0;) {
        size_t length = size;
        if (byte && size <= FRAME) coded[size++] = (uint8_t)byte;
        if (byte) continue;
        size = 0;
        if (length && length <= FRAME && decoded(coded, length, reply)) return 1;
    }
    return 0;
}

/* Begin a session; return the bytes of the description. */
static size_t begin(void) {
    struct reply reply;
    session = (uint16_t)(1 + ((uint32_t)time(NULL) * 40503u + (uint32_t)getpid()) % 65535u);
    next_request = (uint16_t)(session + 1);
    put((const uint8_t[8]){0}, 8); /* the attention sign */
    for (int try = 0; try < TRIES; try++) {
        send_request(session, IDENTIFY, 0, 0, NULL, 0);
        while (received(&reply, 4 * FIRST_WAIT)) {
            if (reply.command != IDENTIFY || reply.status != OK || reply.size < 18) continue;
            if (reply.payload[0] != VERSION) FAIL("the device speaks version %d", reply.payload[0]);
            if (number(reply.payload + 9, 2) != session) continue;
            expected = reply.end;
            return number(reply.payload + 15, 2);
        }
    }
    FAIL("nothing answers");
}

/* Carry out one request; return its status, and what came back, of which only as much as there is room for. */
static int ask(int command, int window, uint32_t word, const void *payload, size_t size, uint8_t *data, size_t room) {
    uint16_t sequence = next_request++;
    struct reply reply;
    send_request(sequence, command, window, word, payload, size);
    for (int tries = 0, wait = FIRST_WAIT; tries < TRIES;) {
        if (!received(&reply, wait)) {
            tries++, wait = wait < LONGEST_WAIT ? 2 * wait : wait;
            send_request(session, SYNC, 0, expected, NULL, 0);
            continue;
        }
        uint16_t ahead = (uint16_t)(reply.position - expected);
        if (reply.command == SYNC && reply.size == 4) {
            if (number(reply.payload, 2) != session) FAIL("the device was reset");
            if (reply.status == LOST && ahead && ahead < 0x8000) FAIL("replies were lost for good");
        }
        if (ahead && ahead < 0x8000) wait = FIRST_WAIT / 10; /* one is missing: its wait is over soon */
        if (ahead) continue;
        expected = reply.end;
        if (reply.command == SYNC && number(reply.payload + 2, 2) == sequence)
            send_request(sequence, command, window, word, payload, size);
        if (reply.command == SYNC || reply.command == IDENTIFY) continue;
        if (reply.command != command) FAIL("another program talks to the device");
        size_t kept = reply.size < room ? reply.size : room;
        if (kept) memcpy(data, reply.payload, kept), data += kept, room -= kept;
        if (reply.status != MORE) return reply.status;
    }
    FAIL("no answer to command %d", command);
}

/* The description: inflated (RFC 1951) behind its dictionary; there are only blocks with fixed codes */

static uint8_t packed[65536 + 4];
static size_t packed_bits;
static unsigned bits(int count) {
    unsigned value = 0;
    for (int i = 0; i < count && packed_bits < 8 * sizeof packed; i++, packed_bits++)
        value |= (packed[packed_bits / 8] >> packed_bits % 8 & 1u) << i;
    return value;
}

/* Return the value of a code, whose highest bit comes first. */
static unsigned code(int count) {
    unsigned value = 0;
    while (count--) value = value << 1 | bits(1);
    return value;
}

static unsigned literal_or_length(void) {
    unsigned value = code(7);
    if (value < 24) return 256 + value;
    value = value << 1 | bits(1);
    if (value < 192) return value - 48;
    if (value < 200) return 280 + value - 192;
    return 144 + (value << 1 | bits(1)) - 400;
}

static size_t inflate_block(size_t end) {
    for (unsigned value; (value = literal_or_length()) != 256;) {
        size_t length = 1, distance = 1;
        if (value > 256) { /* 28 lengths, four of each width from the fourth on, and as many distances by twos */
            unsigned place = value - 257, wide = place < 8 || place > 27 ? 0 : place / 4 - 1;
            length = place < 8 ? 3 + place : place > 27 ? 258 : 3 + ((4 + place % 4) << wide) + bits((int)wide);
            place = code(5), wide = place < 4 ? 0 : place / 2 - 1;
            distance = place < 4 ? 1 + place : 1 + ((size_t)(2 + place % 2) << wide) + bits((int)wide);
        }
        if (end + length >= sizeof text || distance > end) FAIL("the description is damaged");
        if (value < 256) text[end++] = (uint8_t)value;
        else for (; length--; end++) text[end] = text[end - distance];
    }
    return end;
}

static void read_description(size_t size) {
    size_t end = sizeof dictionary - 1;
    for (size_t at = 0; at < size; at += PAYLOAD) {
        uint8_t count = (uint8_t)(size - at < PAYLOAD ? size - at : PAYLOAD);
        if (ask(READ, 0, (uint32_t)at, &count, 1, packed + at, count) != OK) FAIL("no description");
    }
    memcpy(text, dictionary, end);
    packed_bits = packed[1] & 0x20 ? 48 : 16; /* behind the header, and the name of the dictionary */
    for (unsigned last = 0; !last;) {
        last = bits(1);
        if (bits(2) != 1) FAIL("the description is compressed in a way that is not known here");
        end = inflate_block(end);
    }
    text[end] = 0;
    const char *told = (char *)text + sizeof dictionary - 1, *at = strstr(told, "\"map\":[");
    fprintf(stderr, "%s\n", told);
    if (!at) FAIL("the device does not say which windows it has");
    for (at += 6; at && *at != ']' && at[1] == '"' && window_count < MOST_WINDOWS; at = strchr(at + 2, '"') + 1) {
        struct window *window = &windows[window_count++];
        int length = 0;
        sscanf(at, "%*c\"%63[^/]/%c%ux%u%n", window->name, &window->region, &window->words, &window->bits, &length);
        if (!length) FAIL("the map of windows is not understood");
        window->fields = at + length, window->bytes = (window->bits + 7) / 8;
        if (!window->bytes || window->bytes > PAYLOAD) FAIL("window %s has no words", window->name);
        if (window->region == 'p') parameter_bytes += (size_t)window->words * window->bytes;
        if (window->region == 'i') input_bytes += (size_t)window->words * window->bytes;
    }
}

/* Return the bit of the outputs at which a field begins, and how many it has. */
static unsigned find_field(const char *wanted, unsigned *width) {
    unsigned before = 0, count;
    for (int i = 0, length; i < window_count; i++) {
        char name[64];
        const char *at = windows[i].fields;
        if (windows[i].region != 'o') continue;
        unsigned place = before;
        for (; sscanf(at, " %63[^:\"]:%u%n", name, width, &length) == 2; place += *width * count) {
            if (!strcmp(name, wanted)) return place;
            at += length + (at[length] == 's');
            count = 1;
            if (sscanf(at, "*%u%n", &count, &length) == 1) at += length;
        }
        before += windows[i].words * windows[i].bits;
    }
    FAIL("the outputs have no field %s", wanted);
}

/* Write the windows of a region; those that are what they were before, if that is known, are left as they are. */
static void write_region(char region, const uint8_t *data, const uint8_t *before) {
    for (int i = 0; i < window_count; i++) {
        const struct window *window = &windows[i];
        unsigned most = PAYLOAD / window->bytes, left = window->region == region ? window->words : 0;
        size_t size = (size_t)left * window->bytes;
        if (before && !memcmp(data, before, size)) left = 0;
        for (const uint8_t *at = data; left;) {
            unsigned count = left < most ? left : most;
            int status = ask(WRITE, i + 1, window->words - left, at, count * window->bytes, NULL, 0);
            if (status != OK) FAIL("window %s cannot be written: status %d", window->name, status);
            at += count * window->bytes, left -= count;
        }
        data += size;
        if (before) before += size;
    }
}

static unsigned winner_of_call(const uint8_t *inputs) {
    uint8_t payload[PAYLOAD] = {0, 1}, outputs[PAYLOAD] = {0}; /* all bits of one word: the least that a call brings */
    unsigned width, place = find_field("winner", &width), value = 0;
    int carrier = 0;
    for (; windows[carrier].region != 'i' || windows[carrier].bytes > PAYLOAD - CALL_HEADER; carrier++) {
        if (windows[carrier].region == 'i') inputs += (size_t)windows[carrier].words * windows[carrier].bytes;
        if (carrier == window_count - 1) FAIL("no window whose word a call could bring along");
    }
    if (place + width > 8 * PAYLOAD || width > 32) FAIL("the winner is not among the first outputs");
    store(payload + 3, 2, (place + width + 7) / 8);
    memcpy(payload + CALL_HEADER, inputs, windows[carrier].bytes);
    int status = ask(CALL, carrier + 1, 0, payload, CALL_HEADER + windows[carrier].bytes, outputs, sizeof outputs);
    if (status != OK) FAIL("the call was refused: status %d", status);
    for (unsigned i = 0; i < width; i++) value |= (outputs[(place + i) / 8] >> (place + i) % 8 & 1u) << i;
    return value;
}

static uint8_t *read_file(const char *name, size_t *size) {
    FILE *file = fopen(name, "rb");
    if (!file || fseek(file, 0, SEEK_END)) FAIL("%s: %s", name, strerror(errno));
    uint8_t *data = malloc((*size = (size_t)ftell(file)) + 1);
    rewind(file);
    if (!data || fread(data, 1, *size, file) != *size) FAIL("%s cannot be read", name);
    fclose(file);
    return data;
}

int main(int count, char **arguments) {
    size_t size, all;
    uint8_t crc[4];
    if (count != 4) FAIL("usage: %s PORT PARAMETERS INPUTS", arguments[0]);
    uint8_t *parameters = read_file(arguments[2], &size), *inputs = read_file(arguments[3], &all);
    open_line(arguments[1]);
    read_description(begin());
    if (size != parameter_bytes) FAIL("%s: the parameters have %zu bytes", arguments[2], parameter_bytes);
    if (!input_bytes || all % input_bytes) FAIL("%s: inputs have %zu bytes", arguments[3], input_bytes);
    write_region('p', parameters, NULL);
    store(crc, 4, crc32(parameters, size));
    if (ask(COMMIT, 0, 0, crc, 4, NULL, 0) != OK) FAIL("the parameters did not arrive");
    for (size_t at = 0; at < all; at += input_bytes) {
        write_region('i', inputs + at, at ? inputs + at - input_bytes : NULL);
        printf("%u\n", winner_of_call(inputs + at));
    }
    free(parameters), free(inputs);
    return close(line);
}
