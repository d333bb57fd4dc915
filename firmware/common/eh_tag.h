/* A tag between its inertial sensor and its host: numbers samples, queues them, packs as many as the link takes.
 *
 *   static EhTag tag;
 *   static EhSample queue[512];
 *   eh_tag_init(&tag, &identity, &port, queue, 512);
 *   sensor task:  eh_tag_samples(&tag, &batch, x, n);                        copies and returns: never waits
 *   link task:    eh_tag_link(&tag, room); eh_tag_receive(...); eh_tag_poll(&tag, now_us);
 *
 * The same core serves Bluetooth LE (each message a packet, notified) and a cable (each message a frame): `port.send`
 * makes the difference. The two tasks may be two threads; `port` then brings the lock. Nothing is allocated.
 *
 * Every sample has a number, also those that the sensor or the queue lost. The heartbeat tells which number comes next
 * and how many were dropped before it, so that a host accounts for each of them exactly (docs/ble-imu.md).
 */
#ifndef EH_TAG_H
#define EH_TAG_H

#include "eh_gatt.h"
#include "eh_notes.h"
#include "eh_sample_queue.h"
#include "eh_wire.h"

#define EH_TAG_HELLO_EVERY_US 5000000u
#define EH_TAG_HEARTBEAT_EVERY_US 1000000u
#define EH_TAG_MAX_WAIT_US (1000u * EH_GATT_MAX_WAIT_MS)
#define EH_BATTERY_UNKNOWN 255u

/* The longest payload of a message: over a cable, and in one notification where the ATT MTU is `mtu`, 23 or more. */
#define EH_TAG_ROOM_CABLE EH_MAX_PAYLOAD
static inline size_t eh_tag_room_ble(size_t mtu)
{
    const size_t value = mtu - EH_GATT_ATT_OVERHEAD_BYTES;
    return (value < EH_GATT_MAX_VALUE_BYTES ? value : EH_GATT_MAX_VALUE_BYTES) - EH_PACKET_HEAD;
}

/* What became of a message. */
typedef enum {
    EH_TAG_SENT,
    EH_TAG_BUSY,   /* no room now: it is offered again at the next poll, and nothing overtakes it */
    EH_TAG_UNHEARD /* nobody has asked for its kind: samples stay in the queue, anything else is let go */
} EhTagSent;

/* How the sensor is set: what it does, not what was asked for. Each batch of samples tells its own ranges. */
typedef struct {
    uint16_t rate_hz; /* rounded */
    uint8_t accel_range_g;
    uint16_t gyro_range_dps; /* 0: no gyroscope, samples have 3 channels */
} EhTagSettings;

/* What the core needs from the machine. `context` comes back in every call; lock and unlock may be NULL. */
typedef struct {
    void *context;
    /* Send a message without waiting: over Bluetooth LE eh_packet_encode and notify, over a cable eh_frame_out_send. */
    EhTagSent (*send)(void *context, uint8_t kind, const uint8_t *payload, size_t n);
    /* Do what only the machine can: rate, accel, gyro (then `settings`, which come as they are, are what the sensor does
     * now), axes (the core turns the samples; the machine may remember the row), identify, reboot. The reply is queued
     * when this returns, so a reboot has to wait until eh_tag_poll has sent everything.
     */
    EhReplyStatus (*apply)(void *context, const EhCommand *command, EhTagSettings *settings);
    /* Around a few hundred bytes of copying: a spinlock will do. */
    void (*lock)(void *context);
    void (*unlock)(void *context);
} EhTagPort;

/* Its members are no part of the interface. */
typedef struct {
    EhTagPort port;
    EhWireImuHello hello; /* identity, settings, state */
    EhSampleQueue samples;
    uint32_t bad_commands;
    uint64_t heartbeat_due_us, hello_due_us;
    EhCommandLine line;
    EhNotes notes;
    size_t room;       /* payload that the link takes; 0: nobody is there */
    uint8_t note_kind; /* of the note in `payload` that waits for the link */
    size_t note_n;     /* its length; 0: none waits */
    uint8_t payload[EH_MAX_PAYLOAD + 1u];
} EhTag;

/* Begin. Of `identity`, boot, chip, firmware, name, sensor, rate_hz, the ranges, axes, flags and battery_percent count;
 * boot must differ from the start before. `queue` [size] holds the samples that the link has not taken yet: a lost
 * connection is bridged without a gap for as long as it has room. 0 where size is 0, or the identity is none that may be
 * sent.
 */
int eh_tag_init(EhTag *tag, const EhWireImuHello *identity, const EhTagPort *port, EhSample *queue, size_t size);

/* Samples x [n][6] as the sensor gave them, in its own axes: numbered and queued, the oldest give way. While the tag is
 * stopped they are neither.
 */
void eh_tag_samples(EhTag *tag, const EhSampleBatch *batch, const int16_t (*x)[EH_SAMPLE_CHANNELS], size_t n);

/* The link as it is now: the payload that one message may have, 0 while nobody is there. Call it when a host comes
 * (eh_tag_room_ble(mtu), EH_TAG_ROOM_CABLE), when the MTU changes, and when the host goes; samples are kept meanwhile.
 */
void eh_tag_link(EhTag *tag, size_t room);

/* Bytes from the host, as they come over a cable. Called from one task. */
void eh_tag_receive(EhTag *tag, const uint8_t *bytes, size_t n);

/* One write to the control characteristic: a whole line, its line feed may be missing. From the same task. */
void eh_tag_write(EhTag *tag, const uint8_t *bytes, size_t n);

/* Queue a line of log; level as in messages.toml. */
void eh_tag_log(EhTag *tag, uint8_t level, const char *text);

/* What changes on the tag's own account: the sensor was set otherwise; the battery's charge, 255: not known. */
void eh_tag_set(EhTag *tag, const EhTagSettings *settings);
void eh_tag_battery(EhTag *tag, uint8_t percent);

/* Send until the link takes no more or nothing is due; call it whenever either may have changed, at least fifty times a
 * second. `now_us`: device time since the start, the clock that samples carry the low 32 bits of. 1 where nothing that
 * is due waits for the link.
 */
int eh_tag_poll(EhTag *tag, uint64_t now_us);

/* The payloads of imu_hello and imu_heartbeat as of now, for a host that reads them; from any task. */
void eh_tag_read_hello(EhTag *tag, uint64_t now_us, uint8_t payload[EH_IMU_HELLO_BYTES]);
void eh_tag_read_heartbeat(EhTag *tag, uint64_t now_us, uint8_t payload[EH_IMU_HEARTBEAT_BYTES]);

#endif
