#include "eh_board.h"

#include "eh_csi_layout.h"

#define NO_LAYOUT 0u

static void lock(EhBoard *board)
{
    if (board->port.lock) {
        board->port.lock(board->port.context);
    }
}

static void unlock(EhBoard *board)
{
    if (board->port.unlock) {
        board->port.unlock(board->port.context);
    }
}

int eh_board_init(EhBoard *board, const EhWireHello *identity, const uint8_t key[EH_KEY_BYTES], const EhPort *port,
                  uint8_t *ring, size_t ring_size)
{
    board->port = *port;
    board->hello = *identity;
    board->hello.next_seq = 0;
    board->hello.dropped_ring = 0;
    board->hello.filtered = 0;
    board->hello.unfit = 0;
    board->hello.dropped_notes = 0;
    board->hello.bad_commands = 0;
    board->hello.transmitted = 0;
    for (size_t i = 0; i < sizeof board->hello.layouts; i++) {
        board->hello.layouts[i] = NO_LAYOUT;
    }
    eh_copy(board->key, key, EH_KEY_BYTES);
    board->chips = eh_chips(identity->chip);
    eh_ring_init(&board->csi, ring, ring_size);
    eh_notes_init(&board->notes);
    board->rx_seq = 0;
    board->heartbeat_due_us = 0;
    board->hello_due_us = 0;
    eh_command_line_init(&board->line);
    eh_frame_out_init(&board->out, port->write, port->context);
    return ring_size >= EH_MIN_CSI_RING && (board->chips >= 0 || !identity->csi);
}

/* Remember a layout for hello, which has room for the first eight. */
static void saw_layout(EhBoard *board, uint8_t layout)
{
    uint8_t *seen = board->hello.layouts;
    for (size_t i = 0; i < sizeof board->hello.layouts; i++) {
        if (seen[i] == NO_LAYOUT) {
            seen[i] = layout;
        }
        if (seen[i] == layout) {
            return;
        }
    }
}

int eh_board_csi(EhBoard *board, EhWireCsi *frame, const uint8_t mac[EH_MAC_BYTES], const uint8_t *values,
                 size_t n_bytes)
{
    uint8_t head[EH_CSI_BYTES];
    int queued = 0;
    frame->boot = board->hello.boot;
    frame->mac_hash = eh_mac_hash(board->key, mac);
    frame->layout = eh_csi_layout(board->chips, frame, n_bytes);
    lock(board);
    frame->rx_seq = board->rx_seq;
    if (frame->layout == NO_LAYOUT) {
        board->hello.unfit++;
    } else if (board->hello.flags & EH_BOARD_RUNNING) {
        eh_put_csi(head, frame);
        queued = eh_ring_push(&board->csi, head, EH_CSI_BYTES, values, n_bytes);
        board->rx_seq += (uint32_t)queued;
        saw_layout(board, frame->layout);
    }
    unlock(board);
    return queued;
}

void eh_board_filtered(EhBoard *board)
{
    lock(board);
    board->hello.filtered++;
    unlock(board);
}

void eh_board_transmitted(EhBoard *board)
{
    lock(board);
    board->hello.transmitted++;
    unlock(board);
}

void eh_board_tuned(EhBoard *board, uint8_t channel, uint8_t secondary)
{
    lock(board);
    board->hello.channel = channel;
    board->hello.secondary = secondary;
    unlock(board);
}

static void set_flag(EhBoard *board, unsigned flag, int on)
{
    lock(board);
    board->hello.flags = (uint8_t)(on ? board->hello.flags | flag : board->hello.flags & ~flag);
    unlock(board);
}

void eh_board_gain_locked(EhBoard *board, int locked)
{
    set_flag(board, EH_BOARD_GAIN_LOCKED, locked);
}

void eh_board_log(EhBoard *board, uint8_t level, const char *text)
{
    lock(board);
    eh_notes_log(&board->notes, board->hello.boot, level, text);
    unlock(board);
}

void eh_board_decision(EhBoard *board, EhWireDecision *decision, const float *logits, size_t n)
{
    uint8_t head[EH_DECISION_BYTES];
    decision->boot = board->hello.boot;
    eh_put_decision(head, decision);
    lock(board);
    /* Every chip that this runs on keeps its floats as the wire does: IEEE 754, little-endian. */
    eh_notes_push(&board->notes, EH_KIND_DECISION, head, EH_DECISION_BYTES, (const uint8_t *)logits, n * sizeof *logits);
    unlock(board);
}

void eh_board_model(EhBoard *board, EhWireModel *model)
{
    uint8_t payload[EH_MODEL_BYTES];
    model->boot = board->hello.boot;
    eh_put_model(payload, model);
    lock(board);
    eh_notes_push(&board->notes, EH_KIND_MODEL, payload, 0, payload, EH_MODEL_BYTES);
    unlock(board);
}

static EhReplyStatus do_command(EhBoard *board, const EhCommand *command)
{
    if (command->name == EH_COMMAND_HELLO) {
        board->hello_due_us = 0;
        return EH_REPLY_DONE;
    }
    if (command->name == EH_COMMAND_START || command->name == EH_COMMAND_STOP) {
        set_flag(board, EH_BOARD_RUNNING, command->name == EH_COMMAND_START);
        return EH_REPLY_DONE;
    }
    const EhReplyStatus status = board->port.apply(board->port.context, command);
    if (status != EH_REPLY_DONE) {
        return status;
    }
    if (command->name == EH_COMMAND_RATE) {
        board->hello.rate_hz = command->number;
    } else if (command->name == EH_COMMAND_CHANNEL) {
        eh_board_tuned(board, (uint8_t)command->number, command->word);
    } else if (command->name == EH_COMMAND_GAIN) {
        eh_board_gain_locked(board, command->word == 0);
    }
    return EH_REPLY_DONE;
}

void eh_board_receive(EhBoard *board, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        EhCommand command;
        if (!eh_command_line_push(&board->line, bytes[i])) {
            continue;
        }
        EhReplyStatus status = eh_command_parse(&board->line, EH_DEVICE_CSI, &command);
        if (status == EH_REPLY_DONE) {
            status = do_command(board, &command);
        } else {
            board->hello.bad_commands++;
        }
        lock(board);
        eh_notes_reply(&board->notes, board->hello.boot, command.id, status, &board->line);
        unlock(board);
    }
}

/* The counters as of this place in the stream: all frames before next_seq are sent or dropped. */
static void count(EhBoard *board)
{
    lock(board);
    board->hello.next_seq = board->rx_seq - board->csi.count;
    board->hello.dropped_ring = board->csi.dropped;
    board->hello.dropped_notes = board->notes.ring.dropped;
    unlock(board);
}

static void put_hello(EhBoard *board, uint64_t now_us)
{
    count(board);
    board->hello.t_us = now_us;
    eh_put_hello(board->payload, &board->hello);
}

static void put_heartbeat(EhBoard *board, uint64_t now_us)
{
    count(board);
    const EhWireHello *state = &board->hello;
    const EhWireHeartbeat beat = {
        .boot = state->boot,
        .t_us = now_us,
        .flags = state->flags,
        .next_seq = state->next_seq,
        .dropped_ring = state->dropped_ring,
        .filtered = state->filtered,
        .unfit = state->unfit,
        .dropped_notes = state->dropped_notes,
        .bad_commands = state->bad_commands,
        .transmitted = state->transmitted,
    };
    eh_put_heartbeat(board->payload, &beat);
}

/* A note, or a CSI frame where there is none, into `payload`; its length. */
static size_t pop(EhBoard *board, uint8_t *kind)
{
    lock(board);
    size_t n = eh_notes_pop(&board->notes, kind, board->payload, sizeof board->payload);
    if (n == 0) {
        *kind = EH_KIND_CSI;
        n = eh_ring_pop(&board->csi, board->payload, sizeof board->payload);
    }
    unlock(board);
    return n;
}

/* Begin the next frame to be sent: a hello or heartbeat that is due, a note, a CSI frame. 0 where there is none. */
static int next_frame(EhBoard *board, uint64_t now_us)
{
    uint8_t kind;
    size_t n;
    if (now_us >= board->hello_due_us) {
        kind = EH_KIND_HELLO;
        n = EH_HELLO_BYTES;
        put_hello(board, now_us);
        board->hello_due_us = now_us + EH_HELLO_EVERY_US;
        board->heartbeat_due_us = now_us + EH_HEARTBEAT_EVERY_US; /* hello says all that a heartbeat does */
    } else if (now_us >= board->heartbeat_due_us) {
        kind = EH_KIND_HEARTBEAT;
        n = EH_HEARTBEAT_BYTES;
        put_heartbeat(board, now_us);
        board->heartbeat_due_us = now_us + EH_HEARTBEAT_EVERY_US;
    } else {
        n = pop(board, &kind);
    }
    return n > 0 && eh_frame_out_send(&board->out, kind, board->payload, n);
}

int eh_board_poll(EhBoard *board, uint64_t now_us)
{
    do {
        if (!eh_frame_out_flush(&board->out)) {
            return 0; /* the rest of this frame goes first the next time */
        }
    } while (next_frame(board, now_us));
    return 1;
}
