/* libFuzzer: whatever comes from either side of the wire, the core stays in its memory and keeps its promises.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Icommon host_tests/fuzz.c common/<every>.c -o fuzz && ./fuzz
 */
#include <stdlib.h>
#include <string.h>

#include "eh_board.h"
#include "eh_tag.h"

#define RING_BYTES 2500u /* little more than the longest frame: it wraps and drops all the time */
#define RECORD 300u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

/* A sound frame, encoded again, says the same. */
static void decode(const uint8_t *data, size_t size)
{
    static uint8_t again[EH_WIRE_ROOM(EH_MAX_PAYLOAD)];
    uint8_t *coded = malloc(size + 1); /* as long as the input, so that a read beyond it is seen */
    EhWireMessage first, second;
    require(coded != NULL);
    memcpy(coded, data, size);
    if (eh_wire_decode(coded, size, &first) == EH_WIRE_SOUND && first.n <= EH_MAX_PAYLOAD) {
        const size_t n = eh_wire_encode(first.kind, first.payload, first.n, again, sizeof again);
        require(n >= 2 && again[0] == 0 && again[n - 1] == 0 && memchr(again + 1, 0, n - 2) == NULL);
        require(eh_wire_decode(again + 1, n - 2, &second) == EH_WIRE_SOUND);
        require(second.kind == first.kind && second.n == first.n);
        require(memcmp(second.payload, first.payload, first.n) == 0);
    }
    free(coded);
}

/* Any payload that is not too long survives the way there and back. */
static void encode(const uint8_t *data, size_t size)
{
    uint8_t *out = malloc(EH_WIRE_ROOM(size)); /* exactly what was promised to suffice */
    EhWireMessage message;
    require(out != NULL);
    const size_t n = eh_wire_encode(9, data, size, out, EH_WIRE_ROOM(size));
    require((n > 0) == (size <= EH_MAX_PAYLOAD));
    if (n > 0) {
        require(eh_wire_decode(out + 1, n - 2, &message) == EH_WIRE_SOUND);
        require(message.n == size && (size == 0 || memcmp(message.payload, data, size) == 0));
    }
    free(out);
}

/* Records come out whole, in order, and with the dropped ones they are all that went in. */
static void queue(const uint8_t *data, size_t size)
{
    static uint8_t memory[700], record[RECORD], out[RECORD];
    EhRing ring;
    uint32_t pushed = 0, popped = 0;
    eh_ring_init(&ring, memory, sizeof memory);
    for (size_t i = 0; i + 1 < size; i += 2) {
        if (data[i] & 1) {
            const size_t n = 4u + data[i + 1];
            memset(record, data[i + 1], n);
            eh_put_u32(record, pushed);
            require(eh_ring_push(&ring, record, 4, record + 4, n - 4));
            pushed++;
        } else {
            const size_t n = eh_ring_pop(&ring, out, sizeof out);
            require((n == 0) == (popped + ring.dropped == pushed && ring.count == 0));
            if (n > 0) {
                require(eh_get_u32(out) == popped + ring.dropped && (n == 4 || out[n - 1] == (uint8_t)(n - 4)));
                popped++;
            }
        }
        require(pushed == popped + ring.dropped + ring.count && ring.used <= ring.size);
    }
}

static size_t link_room;

static size_t link_write(void *context, const uint8_t *bytes, size_t n)
{
    (void)context;
    (void)bytes;
    const size_t taken = n < link_room ? n : link_room;
    link_room -= taken;
    return taken;
}

static EhReplyStatus apply(void *context, const EhCommand *command)
{
    (void)context;
    require(command->name < EH_COMMAND_ACCEL || command->name == EH_COMMAND_REBOOT);
    require(command->word < 3);
    return EH_REPLY_DONE;
}

/* A board whose radio, host and link do as they please. */
static void board_life(const uint8_t *data, size_t size)
{
    static EhBoard board;
    static uint8_t ring[RING_BYTES];
    static const uint8_t key[EH_KEY_BYTES];
    static const EhPort port = {.write = link_write, .apply = apply};
    const EhWireHello identity = {.boot = 1, .chip = "esp32s3", .csi = 1, .flags = EH_BOARD_RUNNING};
    uint64_t now_us = 0;
    require(eh_board_init(&board, &identity, key, &port, ring, sizeof ring));
    while (size > 0) {
        const size_t n = data[0] < size - 1 ? data[0] : size - 1;
        const uint8_t *piece = data + 1;
        EhWireCsi frame = {.secondary = 2};
        static uint8_t values[384];
        memcpy(values, piece, n);
        eh_board_csi(&board, &frame, key, values, n & 1 ? 384 : 128);
        eh_board_receive(&board, piece, n);
        link_room = 3u * n;
        now_us += 1000u * n;
        eh_board_poll(&board, now_us);
        data += 1 + n;
        size -= 1 + n;
    }
    require(board.rx_seq >= board.csi.count + board.csi.dropped);
}

static size_t tag_room;    /* payload that was promised */
static uint32_t tag_seq;   /* of the next sample that may arrive */
static uint32_t tag_arrived;
static uint8_t tag_answers; /* what the link says next, two bits each; in the end it is busy, or the tag never rests */

/* What is sent fits, is whole, and no sample comes twice or late. */
static EhTagSent tag_send(void *context, uint8_t kind, const uint8_t *payload, size_t n)
{
    EhTag *tag = context;
    require(n <= tag_room && n <= EH_MAX_PAYLOAD);
    static const EhTagSent answers[4] = {EH_TAG_BUSY, EH_TAG_SENT, EH_TAG_UNHEARD, EH_TAG_SENT};
    const EhTagSent said = answers[tag_answers & 3u];
    tag_answers >>= 2;
    if (kind == EH_KIND_IMU) {
        static const int16_t x[2][EH_SAMPLE_CHANNELS];
        const EhSampleBatch batch = {.period_ns = 1, .lost = tag_answers & 1u, .accel_range_g = 2};
        EhWireImu head;
        eh_get_imu(payload, &head);
        require(head.samples > 0 && n == EH_IMU_BYTES + 2u * head.samples * head.channels);
        require(head.seq >= tag_seq);
        if (said == EH_TAG_SENT) {
            tag_seq = head.seq + head.samples;
            tag_arrived += head.samples;
        }
        eh_tag_samples(tag, &batch, x, 2); /* the sensor's task is not stopped meanwhile */
    }
    return said;
}

static EhReplyStatus tag_apply(void *context, const EhCommand *command, EhTagSettings *settings)
{
    (void)context;
    require(command->name != EH_COMMAND_CHANNEL && command->name != EH_COMMAND_GAIN && command->number <= 2000);
    if (command->name == EH_COMMAND_GYRO) {
        settings->gyro_range_dps = command->number == 125 ? 0 : command->number;
    }
    return command->number & 1 ? EH_REPLY_FAILED : EH_REPLY_DONE;
}

/* A tag whose sensor, host and link do as they please. */
static void tag_life(const uint8_t *data, size_t size)
{
    static EhTag tag;
    static EhSample samples[9];
    static const EhTagPort port = {.context = &tag, .send = tag_send, .apply = tag_apply};
    const EhWireImuHello identity = {.boot = 1, .rate_hz = 100, .gyro_range_dps = 250, .flags = EH_BOARD_RUNNING};
    uint64_t now_us = 0;
    tag_seq = tag_arrived = 0;
    require(size == 0 || eh_tag_init(&tag, &identity, &port, samples, 1u + data[0] % 9u));
    while (size > 0) {
        const size_t n = data[0] < size - 1 ? data[0] : size - 1;
        const uint8_t *piece = data + 1;
        static int16_t x[42][EH_SAMPLE_CHANNELS];
        const EhSampleBatch batch = {
            .t_us = now_us, .period_ns = 1000u * (uint32_t)n, .lost = n & 3u, .gyro_range_dps = n & 4u ? 250 : 0};
        memcpy(x, piece, n);
        eh_tag_samples(&tag, &batch, (const int16_t(*)[EH_SAMPLE_CHANNELS])x, n / sizeof x[0]);
        if (n & 8u) {
            eh_tag_write(&tag, piece, n);
        } else {
            eh_tag_receive(&tag, piece, n);
        }
        tag_room = n & 16u ? 5u * n : EH_TAG_ROOM_CABLE;
        eh_tag_link(&tag, tag_room);
        tag_answers = (uint8_t)(n > 0 ? piece[n - 1] : 0);
        now_us += 1000u * n;
        eh_tag_poll(&tag, now_us);
        data += 1 + n;
        size -= 1 + n;
        const EhSampleMark mark = eh_sample_queue_mark(&tag.samples);
        require(mark.next_seq == tag_arrived + mark.dropped_queue + mark.dropped_sensor);
        require(tag.samples.count <= tag.samples.size && tag.samples.packed == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    void (*const parts[])(const uint8_t *, size_t) = {decode, encode, queue, board_life, tag_life};
    parts[data[0] % (sizeof parts / sizeof parts[0])](data + 1, size - 1);
    return 0;
}
