/* A board between its radio and its host: queues what is to be said, numbers frames, speaks when the link has room.
 *
 *   static EhBoard board;
 *   eh_board_init(&board, &identity, key, &port, ring, sizeof ring);
 *   radio callback:  eh_board_csi(&board, &frame, mac, buf, len);          copies and returns: never waits
 *   link task:       eh_board_receive(&board, bytes, n, now_us); eh_board_poll(&board, now_us);
 *
 * The callback and the link task may be two threads; `port` then brings the lock. Nothing is allocated.
 */
#ifndef EH_BOARD_H
#define EH_BOARD_H

#include "eh_frame_out.h"
#include "eh_notes.h"
#include "eh_siphash.h"

#define EH_HELLO_EVERY_US 5000000u
#define EH_HEARTBEAT_EVERY_US 1000000u
#define EH_GAIN_UNKNOWN (-32768)
#define EH_MIN_CSI_RING 2048u  /* holds the longest frame */

/* What the core needs from the machine. `context` comes back in every call; lock and unlock may be NULL. */
typedef struct {
    void *context;
    /* Send as much of bytes [n] as the link takes at once, without waiting; how much that was. */
    size_t (*write)(void *context, const uint8_t *bytes, size_t n);
    /* Do what only the machine can: rate, channel, gain, identify, reboot. The reply is queued when this returns, so a
     * reboot has to wait until eh_board_poll has sent everything. */
    EhReplyStatus (*apply)(void *context, const EhCommand *command);
    /* Around a few hundred bytes of copying: a spinlock will do. */
    void (*lock)(void *context);
    void (*unlock)(void *context);
} EhPort;

/* Its members are no part of the interface. */
typedef struct {
    EhPort port;
    EhWireHello hello; /* identity, state, and the counters that are no ring's */
    uint8_t key[EH_KEY_BYTES];
    int chips;
    EhRing csi; /* payloads of CSI frames, numbered without a hole */
    EhNotes notes;
    uint32_t rx_seq;
    uint64_t heartbeat_due_us, hello_due_us;
    EhCommandLine line;
    EhFrameOut out;
    uint8_t payload[EH_MAX_PAYLOAD + 1u];
} EhBoard;

/* Begin. Of `identity`, boot, chip, firmware, name, role, csi, flags, link, baud, rate_hz, channel and secondary count;
 * boot must differ from the start before. `ring` [ring_size] is the queue of CSI frames, EH_MIN_CSI_RING bytes or more.
 * 0 where it is smaller, or the chip is not known and csi is on.
 */
int eh_board_init(EhBoard *board, const EhWireHello *identity, const uint8_t key[EH_KEY_BYTES], const EhPort *port,
                  uint8_t *ring, size_t ring_size);

/* A CSI frame from the sender `mac`: `values` [n_bytes] as the chip gave them. Of `frame`, boot, rx_seq, mac_hash and
 * layout (0: none fits) are filled in here. 1 where it was queued; 0 where no layout fits or the board is stopped.
 */
int eh_board_csi(EhBoard *board, EhWireCsi *frame, const uint8_t mac[EH_MAC_BYTES], const uint8_t *values,
                 size_t n_bytes);

/* A CSI frame came from a sender that is not listened to. */
void eh_board_filtered(EhBoard *board);

/* As a sender: a frame went out. */
void eh_board_transmitted(EhBoard *board);

/* The state that hello tells, when it changes on the board's own account. */
void eh_board_tuned(EhBoard *board, uint8_t channel, uint8_t secondary);
void eh_board_gain_locked(EhBoard *board, int locked);

/* Queue a line of log; level as in messages.toml. */
void eh_board_log(EhBoard *board, uint8_t level, const char *text);

/* Queue a model's decision with its logits [n]. boot is filled in here. */
void eh_board_decision(EhBoard *board, EhWireDecision *decision, const float *logits, size_t n);

/* Queue what the board's model is and how it keeps up. boot is filled in here. */
void eh_board_model(EhBoard *board, EhWireModel *model);

/* Bytes from the host, as they come. Called from the link task. */
void eh_board_receive(EhBoard *board, const uint8_t *bytes, size_t n);

/* Send until the link takes no more or nothing is left; call it whenever either may have changed, at least ten times a
 * second. `now_us`: device time since the start, the clock that frames carry the low 32 bits of. 1 where all was sent.
 */
int eh_board_poll(EhBoard *board, uint64_t now_us);

#endif
