#include "eh_frame_out.h"
#include "eh_tag.h"
#include "script.h"

#define QUEUE_SAMPLES 512u
#define BATCH_SAMPLES (EH_LONGEST / (2u * EH_SAMPLE_CHANNELS))

static EhTag tag;
static EhFrameOut cable;
static uint8_t on_cable;
static size_t link_room;     /* messages, or bytes of a cable, that the link takes before it is full */
static uint16_t unheard;     /* bits of kinds that nobody has asked for */
static uint8_t intrudes;     /* samples that are measured while a message is on its way to the link */
static uint64_t intrudes_us; /* and when */
static size_t written_n;     /* what the host writes then */
static uint8_t written[EH_LONGEST + 1u];
static uint8_t locked, misused; /* the lock is held; it was taken or let go twice, or held while the machine was called */
static uint8_t bytes[EH_LONGEST + 1u];

static void lock(void *context)
{
    (void)context;
    misused |= locked;
    locked = 1;
}

static void unlock(void *context)
{
    (void)context;
    misused |= !locked;
    locked = 0;
}

static size_t write_cable(void *context, const uint8_t *raw, size_t n)
{
    (void)context;
    const size_t taken = n < link_room ? n : link_room;
    link_room -= taken;
    if (taken > 0) {
        eh_answer(raw, taken);
    }
    return taken;
}

/* Neither the sensor's task nor the host's is stopped while the link's task sends. */
static void intrude(void)
{
    const size_t n = written_n;
    written_n = 0;
    eh_tag_write(&tag, written, n);
    static const int16_t x[1][EH_SAMPLE_CHANNELS] = {{1, 2, 3, 4, 5, 6}};
    for (; intrudes > 0; intrudes--) {
        const EhSampleBatch batch = {
            .t_us = intrudes_us, .period_ns = 10000000u, .accel_range_g = 8, .gyro_range_dps = 1000};
        eh_tag_samples(&tag, &batch, x, 1);
        intrudes_us += 10000u;
    }
}

static EhTagSent send(void *context, uint8_t kind, const uint8_t *payload, size_t n)
{
    static uint8_t packet[EH_PACKET_HEAD + EH_MAX_PAYLOAD];
    (void)context;
    misused |= locked;
    intrude();
    if (on_cable) {
        return eh_frame_out_send(&cable, kind, payload, n) ? EH_TAG_SENT : EH_TAG_BUSY;
    }
    if (unheard & 1u << kind) {
        return EH_TAG_UNHEARD;
    }
    if (link_room == 0) {
        return EH_TAG_BUSY;
    }
    link_room--;
    eh_answer(packet, eh_packet_encode(kind, payload, n, packet, sizeof packet));
    return EH_TAG_SENT;
}

/* A sensor that has 104 samples a second and its multiples, and no 16 g. */
static EhReplyStatus apply(void *context, const EhCommand *command, EhTagSettings *settings)
{
    (void)context;
    misused |= locked;
    switch (command->name) {
    case EH_COMMAND_RATE:
        settings->rate_hz = 104;
        while (settings->rate_hz < command->number && settings->rate_hz < 1664) {
            settings->rate_hz = (uint16_t)(2u * settings->rate_hz);
        }
        return EH_REPLY_DONE;
    case EH_COMMAND_ACCEL:
        settings->accel_range_g = (uint8_t)command->number;
        return command->number == 16 ? EH_REPLY_FAILED : EH_REPLY_DONE;
    case EH_COMMAND_GYRO:
        settings->gyro_range_dps = command->number;
        return EH_REPLY_DONE;
    case EH_COMMAND_AXES:
        return command->number == 23 ? EH_REPLY_FAILED : EH_REPLY_DONE;
    case EH_COMMAND_IDENTIFY:
        return EH_REPLY_DONE;
    default:
        return EH_REPLY_FAILED;
    }
}

/* x [n][6] from bytes, as many as there are. */
static void samples(void)
{
    static int16_t x[BATCH_SAMPLES][EH_SAMPLE_CHANNELS];
    EhSampleBatch batch;
    batch.t_us = eh_take_u64();
    batch.period_ns = eh_take_u32();
    batch.lost = eh_take_u32();
    batch.accel_range_g = eh_take_u8();
    batch.gyro_range_dps = eh_take_u16();
    const size_t n = eh_take_bytes(bytes) / (2u * EH_SAMPLE_CHANNELS);
    for (size_t i = 0; i < n * EH_SAMPLE_CHANNELS; i++) {
        x[i / EH_SAMPLE_CHANNELS][i % EH_SAMPLE_CHANNELS] = (int16_t)eh_get_u16(bytes + 2 * i);
    }
    eh_tag_samples(&tag, &batch, (const int16_t(*)[EH_SAMPLE_CHANNELS])x, n);
}

static void poll(void)
{
    const uint64_t now_us = eh_take_u64();
    link_room = eh_take_u16();
    intrudes = eh_take_u8();
    intrudes_us = now_us;
    if (!on_cable || eh_frame_out_flush(&cable)) {
        eh_tag_poll(&tag, now_us);
    }
}

static void set(void)
{
    EhTagSettings settings;
    settings.rate_hz = eh_take_u16();
    settings.accel_range_g = eh_take_u8();
    settings.gyro_range_dps = eh_take_u16();
    eh_tag_set(&tag, &settings);
}

static void begin(void)
{
    static const EhTagPort port = {.send = send, .apply = apply, .lock = lock, .unlock = unlock};
    static EhSample queue[QUEUE_SAMPLES];
    uint8_t head[EH_IMU_HELLO_BYTES];
    EhWireImuHello identity;
    eh_take(head, sizeof head);
    eh_get_imu_hello(head, &identity);
    on_cable = eh_take_u8();
    const size_t size = eh_take_u16();
    unheard = 0;
    written_n = 0;
    locked = misused = 0;
    eh_frame_out_init(&cable, write_cable, NULL);
    if (!eh_tag_init(&tag, &identity, &port, queue, size < QUEUE_SAMPLES ? size : QUEUE_SAMPLES)) {
        eh_answer((const uint8_t *)"refused", 7);
    }
}

/* One step of the life; 0 where it is over. */
static int step(uint8_t what)
{
    size_t n;
    switch (what) {
    case 'S':
        samples();
        break;
    case 'P':
        poll();
        break;
    case 'K':
        eh_tag_link(&tag, eh_take_u16());
        break;
    case 'R':
        n = eh_take_bytes(bytes);
        eh_tag_receive(&tag, bytes, n);
        break;
    case 'W':
        n = eh_take_bytes(bytes);
        eh_tag_write(&tag, bytes, n);
        break;
    case 'M':
        written_n = eh_take_bytes(written);
        break;
    case 'L':
        n = eh_take_u8();
        bytes[eh_take_bytes(bytes)] = '\0';
        eh_tag_log(&tag, (uint8_t)n, (const char *)bytes);
        break;
    case 'V':
        set();
        break;
    case 'B':
        eh_tag_battery(&tag, eh_take_u8());
        break;
    case 'U':
        unheard = eh_take_u16();
        break;
    case 'H':
        eh_tag_read_hello(&tag, eh_take_u64(), bytes);
        eh_answer(bytes, EH_IMU_HELLO_BYTES);
        break;
    case 'T':
        eh_tag_read_heartbeat(&tag, eh_take_u64(), bytes);
        eh_answer(bytes, EH_IMU_HEARTBEAT_BYTES);
        break;
    default:
        return 0;
    }
    return 1;
}

/* Identity, cable or not, size of the queue, then steps up to 'E'; the answers are what was sent and what was read. */
void eh_tag_case(void)
{
    begin();
    while (step(eh_take_u8())) {
        misused |= locked;
    }
    if (misused) {
        eh_answer((const uint8_t *)"misused lock", 12);
    }
    eh_answer(bytes, 0);
}
