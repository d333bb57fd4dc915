#include "cases.h"

#include "eh_axes.h"
#include "eh_board.h"
#include "eh_csi_layout.h"
#include "script.h"

enum { ENCODE = 1, DECODE = 2, HASH = 3, LAYOUT = 4, COMMAND = 5, BOARD = 6, TAG = 7, PACKET = 8, TURN = 9 };

#define RING_BYTES 8192u

static uint8_t bytes[EH_LONGEST + 1u];
static uint8_t ring[RING_BYTES];
static EhBoard board;
static size_t link_room; /* bytes that the link takes before it is full */

#define THROUGH_STRUCT(kind, name, Struct)        \
    case kind: {                                  \
        Struct m;                                 \
        eh_get_##name(payload, &m);               \
        for (size_t i = 0; i < head_bytes; i++) { \
            payload[i] = 0xEE;                    \
        }                                         \
        eh_put_##name(payload, &m);               \
        break;                                    \
    }

/* The head into its struct and back. */
static void through_struct(uint8_t kind, uint8_t *payload, size_t head_bytes)
{
    switch (kind) {
        THROUGH_STRUCT(EH_KIND_HELLO, hello, EhWireHello)
        THROUGH_STRUCT(EH_KIND_HEARTBEAT, heartbeat, EhWireHeartbeat)
        THROUGH_STRUCT(EH_KIND_CSI, csi, EhWireCsi)
        THROUGH_STRUCT(EH_KIND_IMU, imu, EhWireImu)
        THROUGH_STRUCT(EH_KIND_LOG, log, EhWireLog)
        THROUGH_STRUCT(EH_KIND_DECISION, decision, EhWireDecision)
        THROUGH_STRUCT(EH_KIND_REPLY, reply, EhWireReply)
        THROUGH_STRUCT(EH_KIND_MODEL, model, EhWireModel)
        THROUGH_STRUCT(EH_KIND_IMU_HELLO, imu_hello, EhWireImuHello)
        THROUGH_STRUCT(EH_KIND_IMU_HEARTBEAT, imu_heartbeat, EhWireImuHeartbeat)
    default:
        break;
    }
}

static void encode(void)
{
    static uint8_t out[EH_WIRE_ROOM(EH_MAX_PAYLOAD)];
    const uint8_t kind = eh_take_u8();
    const size_t head_bytes = eh_take_u16(), n = eh_take_bytes(bytes);
    if (head_bytes > 0) {
        through_struct(kind, bytes, head_bytes);
    }
    eh_answer(out, eh_wire_encode(kind, bytes, n, out, sizeof out));
}

static void packet(void)
{
    static uint8_t out[EH_PACKET_HEAD + EH_MAX_PAYLOAD];
    const uint8_t kind = eh_take_u8();
    const size_t n = eh_take_bytes(bytes);
    eh_answer(out, eh_packet_encode(kind, bytes, n, out, sizeof out));
}

/* A vector by a row of [axes]. */
static void turn(void)
{
    const uint8_t row = eh_take_u8();
    int16_t v[3];
    uint8_t out[6];
    for (size_t i = 0; i < 3; i++) {
        v[i] = (int16_t)eh_take_u16();
    }
    eh_axes_turn(row, v);
    for (size_t i = 0; i < 3; i++) {
        eh_put_u16(out + 2 * i, (uint16_t)v[i]);
    }
    eh_answer(out, sizeof out);
}

static void decode(void)
{
    EhWireMessage message = {.kind = 0, .payload = bytes, .n = 0};
    const size_t n = eh_take_bytes(bytes);
    uint8_t head[2];
    head[0] = (uint8_t)eh_wire_decode(bytes, n, &message);
    head[1] = message.kind;
    eh_answer(head, sizeof head);
    eh_answer(message.payload, message.n);
}

static void hash(void)
{
    uint8_t key[EH_KEY_BYTES], out[8];
    eh_take(key, sizeof key);
    eh_put_u64(out, eh_siphash24(key, bytes, eh_take_bytes(bytes)));
    eh_answer(out, sizeof out);
}

static void layout(void)
{
    char chip[13] = {0};
    EhWireCsi frame = {.boot = 0};
    eh_take((uint8_t *)chip, 12);
    frame.secondary = eh_take_u8();
    frame.sig_mode = eh_take_u8();
    frame.bandwidth = eh_take_u8();
    frame.stbc = eh_take_u8();
    const uint8_t id = eh_csi_layout(eh_chips(chip), &frame, eh_take_u16());
    eh_answer(&id, 1);
}

static void commands(void)
{
    EhCommandLine line;
    const EhDevice device = (EhDevice)eh_take_u8();
    const size_t n = eh_take_bytes(bytes);
    eh_command_line_init(&line);
    for (size_t i = 0; i < n; i++) {
        EhCommand command;
        uint8_t out[7];
        if (eh_command_line_push(&line, bytes[i])) {
            out[0] = (uint8_t)eh_command_parse(&line, device, &command);
            out[1] = (uint8_t)command.name;
            eh_put_u16(out + 2, command.id);
            eh_put_u16(out + 4, command.number);
            out[6] = command.word;
            eh_answer(out, sizeof out);
        }
    }
    eh_answer(bytes, 0);
}

static size_t link_write(void *context, const uint8_t *raw, size_t n)
{
    (void)context;
    const size_t taken = n < link_room ? n : link_room;
    link_room -= taken;
    if (taken > 0) {
        eh_answer(raw, taken);
    }
    return taken;
}

static EhReplyStatus apply(void *context, const EhCommand *command)
{
    (void)context;
    return command->name == EH_COMMAND_REBOOT ? EH_REPLY_FAILED : EH_REPLY_DONE;
}

static void board_csi(void)
{
    uint8_t head[EH_CSI_BYTES], mac[EH_MAC_BYTES];
    EhWireCsi frame;
    eh_take(head, sizeof head);
    eh_take(mac, sizeof mac);
    eh_get_csi(head, &frame);
    eh_board_csi(&board, &frame, mac, bytes, eh_take_bytes(bytes));
}

/* A board's life: identity, key, size of the queue, then steps up to 'E'; the answers are what it wrote. */
static void board_life(void)
{
    static const EhPort port = {.write = link_write, .apply = apply};
    uint8_t head[EH_HELLO_BYTES], key[EH_KEY_BYTES];
    EhWireHello identity;
    eh_take(head, sizeof head);
    eh_take(key, sizeof key);
    eh_get_hello(head, &identity);
    const size_t ring_bytes = eh_take_u16();
    if (!eh_board_init(&board, &identity, key, &port, ring, ring_bytes < RING_BYTES ? ring_bytes : RING_BYTES)) {
        eh_answer((const uint8_t *)"refused", 7);
    }
    for (uint8_t step = eh_take_u8(); step != 'E' && step != 0; step = eh_take_u8()) {
        if (step == 'C') {
            board_csi();
        } else if (step == 'P') {
            const uint64_t now_us = eh_take_u64();
            link_room = eh_take_u16();
            eh_board_poll(&board, now_us);
        } else if (step == 'R') {
            const size_t n = eh_take_bytes(bytes);
            eh_board_receive(&board, bytes, n);
        } else if (step == 'L') {
            const uint8_t level = eh_take_u8();
            bytes[eh_take_bytes(bytes)] = '\0';
            eh_board_log(&board, level, (const char *)bytes);
        } else if (step == 'D') {
            EhWireDecision decision;
            float logits[16];
            eh_take(head, EH_DECISION_BYTES);
            eh_get_decision(head, &decision);
            const size_t n = eh_take_bytes(bytes) / sizeof(float);
            eh_copy(logits, bytes, n <= 16 ? n * sizeof(float) : 0);
            eh_board_decision(&board, &decision, logits, n);
        } else if (step == 'M') {
            EhWireModel model;
            eh_take(head, EH_MODEL_BYTES);
            eh_get_model(head, &model);
            eh_board_model(&board, &model);
        } else if (step == 'F') {
            eh_board_filtered(&board);
        } else if (step == 'T') {
            eh_board_transmitted(&board);
        }
    }
    eh_answer(bytes, 0);
}

int eh_run_cases(void)
{
    uint8_t operation;
    while (eh_take(&operation, 1)) {
        switch (operation) {
        case ENCODE:
            encode();
            break;
        case DECODE:
            decode();
            break;
        case HASH:
            hash();
            break;
        case LAYOUT:
            layout();
            break;
        case COMMAND:
            commands();
            break;
        case BOARD:
            board_life();
            break;
        case TAG:
            eh_tag_case();
            break;
        case PACKET:
            packet();
            break;
        case TURN:
            turn();
            break;
        default:
            return operation;
        }
    }
    return 0;
}
