#include "eh_tag.h"

#define AXES 3u

static void lock(EhTag *tag)
{
    if (tag->port.lock) {
        tag->port.lock(tag->port.context);
    }
}

static void unlock(EhTag *tag)
{
    if (tag->port.unlock) {
        tag->port.unlock(tag->port.context);
    }
}

/* The caller has locked. */
static void set(EhTag *tag, const EhTagSettings *settings)
{
    tag->hello.rate_hz = settings->rate_hz;
    tag->hello.accel_range_g = settings->accel_range_g;
    tag->hello.gyro_range_dps = settings->gyro_range_dps;
    tag->hello.channels = settings->gyro_range_dps > 0 ? EH_SAMPLE_CHANNELS : AXES;
    tag->hello_due_us = 0;
}

int eh_tag_init(EhTag *tag, const EhWireImuHello *identity, const EhTagPort *port, EhSample *queue, size_t size)
{
    const EhTagSettings settings = {
        .rate_hz = identity->rate_hz,
        .accel_range_g = identity->accel_range_g,
        .gyro_range_dps = identity->gyro_range_dps,
    };
    tag->port = *port;
    tag->hello = *identity;
    set(tag, &settings);
    eh_sample_queue_init(&tag->samples, queue, size);
    tag->bad_commands = 0;
    tag->heartbeat_due_us = 0;
    eh_command_line_init(&tag->line);
    eh_notes_init(&tag->notes);
    tag->room = 0;
    tag->note_n = 0;
    return size > 0 && identity->rate_hz > 0 && identity->axes < EH_ROTATIONS;
}

void eh_tag_samples(EhTag *tag, const EhSampleBatch *batch, const int16_t (*x)[EH_SAMPLE_CHANNELS], size_t n)
{
    lock(tag);
    if (tag->hello.flags & EH_BOARD_RUNNING) {
        eh_sample_queue_push(&tag->samples, batch, x, n);
    }
    unlock(tag);
}

void eh_tag_link(EhTag *tag, size_t room)
{
    lock(tag);
    if (tag->room == 0 && room > 0) { /* somebody came: he has to be told everything first */
        tag->hello_due_us = 0;
        tag->heartbeat_due_us = 0;
    }
    tag->room = room < EH_MAX_PAYLOAD ? room : EH_MAX_PAYLOAD;
    unlock(tag);
}

void eh_tag_log(EhTag *tag, uint8_t level, const char *text)
{
    lock(tag);
    eh_notes_log(&tag->notes, tag->hello.boot, level, text);
    unlock(tag);
}

void eh_tag_set(EhTag *tag, const EhTagSettings *settings)
{
    lock(tag);
    set(tag, settings);
    unlock(tag);
}

void eh_tag_battery(EhTag *tag, uint8_t percent)
{
    lock(tag);
    tag->hello.battery_percent = percent;
    unlock(tag);
}

static EhReplyStatus set_sensor(EhTag *tag, const EhCommand *command)
{
    EhTagSettings settings = {
        .rate_hz = tag->hello.rate_hz,
        .accel_range_g = tag->hello.accel_range_g,
        .gyro_range_dps = tag->hello.gyro_range_dps,
    };
    if (command->name == EH_COMMAND_RATE && command->number == 0) {
        return EH_REPLY_BAD_ARGUMENT;
    }
    const EhReplyStatus status = tag->port.apply(tag->port.context, command, &settings);
    if (status == EH_REPLY_DONE) {
        eh_tag_set(tag, &settings);
    }
    return status;
}

/* What changes the state of the core alone, once the machine has agreed. */
static void change(EhTag *tag, const EhCommand *command)
{
    lock(tag);
    if (command->name == EH_COMMAND_AXES) {
        tag->hello.axes = (uint8_t)command->number;
    } else if (command->name == EH_COMMAND_START) {
        tag->hello.flags = (uint8_t)(tag->hello.flags | EH_BOARD_RUNNING);
    } else if (command->name == EH_COMMAND_STOP) {
        tag->hello.flags = (uint8_t)(tag->hello.flags & ~(unsigned)EH_BOARD_RUNNING);
    }
    tag->hello_due_us = 0; /* before the first sample that is turned otherwise */
    unlock(tag);
}

static EhReplyStatus do_command(EhTag *tag, const EhCommand *command)
{
    EhReplyStatus status = EH_REPLY_DONE;
    switch (command->name) {
    case EH_COMMAND_RATE:
    case EH_COMMAND_ACCEL:
    case EH_COMMAND_GYRO:
        return set_sensor(tag, command);
    case EH_COMMAND_HELLO:
    case EH_COMMAND_START:
    case EH_COMMAND_STOP:
        change(tag, command);
        return EH_REPLY_DONE;
    case EH_COMMAND_AXES:
        status = tag->port.apply(tag->port.context, command, NULL);
        if (status == EH_REPLY_DONE) {
            change(tag, command);
        }
        return status;
    default:
        return tag->port.apply(tag->port.context, command, NULL);
    }
}

/* The line is whole: do what it says and answer. */
static void obey(EhTag *tag)
{
    EhCommand command;
    EhReplyStatus status = eh_command_parse(&tag->line, EH_DEVICE_IMU, &command);
    const int understood = status == EH_REPLY_DONE;
    if (understood) {
        status = do_command(tag, &command);
    }
    lock(tag);
    tag->bad_commands += !understood;
    eh_notes_reply(&tag->notes, tag->hello.boot, command.id, status, &tag->line);
    unlock(tag);
}

void eh_tag_receive(EhTag *tag, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (eh_command_line_push(&tag->line, bytes[i])) {
            obey(tag);
        }
    }
}

void eh_tag_write(EhTag *tag, const uint8_t *bytes, size_t n)
{
    static const uint8_t line_feed = '\n';
    eh_command_line_init(&tag->line);
    eh_tag_receive(tag, bytes, n);
    if (n > 0 && bytes[n - 1] != line_feed) {
        eh_tag_receive(tag, &line_feed, 1);
    }
}

void eh_tag_read_hello(EhTag *tag, uint64_t now_us, uint8_t payload[EH_IMU_HELLO_BYTES])
{
    lock(tag);
    tag->hello.t_us = now_us;
    eh_put_imu_hello(payload, &tag->hello);
    unlock(tag);
}

void eh_tag_read_heartbeat(EhTag *tag, uint64_t now_us, uint8_t payload[EH_IMU_HEARTBEAT_BYTES])
{
    lock(tag);
    const EhSampleMark mark = eh_sample_queue_mark(&tag->samples);
    const EhWireImuHeartbeat beat = {
        .boot = tag->hello.boot,
        .t_us = now_us,
        .flags = tag->hello.flags,
        .next_seq = mark.next_seq,
        .dropped_queue = mark.dropped_queue,
        .dropped_sensor = mark.dropped_sensor,
        .bad_commands = tag->bad_commands,
        .battery_percent = tag->hello.battery_percent,
    };
    unlock(tag);
    eh_put_imu_heartbeat(payload, &beat);
}

/* Offer what is in `payload`; what does not fit is let go: the host can read it. */
static EhTagSent offer(EhTag *tag, uint8_t kind, size_t n)
{
    return n > tag->room ? EH_TAG_UNHEARD : tag->port.send(tag->port.context, kind, tag->payload, n);
}

/* Hello or heartbeat, where one is due at `*due_us`; 0 where the link had no room for it. */
static int send_due(EhTag *tag, uint8_t kind, uint64_t *due_us, uint64_t every_us, uint64_t now_us)
{
    lock(tag);
    const int due = now_us >= *due_us;
    if (due) {
        *due_us = now_us + every_us; /* now, so that what becomes due while this one is sent is not forgotten */
    }
    unlock(tag);
    if (!due) {
        return 1;
    }
    size_t n = EH_IMU_HELLO_BYTES;
    if (kind == EH_KIND_IMU_HELLO) {
        eh_tag_read_hello(tag, now_us, tag->payload);
    } else {
        n = EH_IMU_HEARTBEAT_BYTES;
        eh_tag_read_heartbeat(tag, now_us, tag->payload);
    }
    if (offer(tag, kind, n) == EH_TAG_BUSY) {
        lock(tag);
        *due_us = 0;
        unlock(tag);
        return 0;
    }
    return 1;
}

/* The note in `payload`, its text cut to what the link takes; 0 where it had no room. */
static int send_note(EhTag *tag)
{
    if (offer(tag, tag->note_kind, tag->note_n < tag->room ? tag->note_n : tag->room) == EH_TAG_BUSY) {
        return 0;
    }
    tag->note_n = 0;
    return 1;
}

/* All replies and lines of log; 0 where the link had no room for one. */
static int send_notes(EhTag *tag)
{
    do {
        lock(tag);
        tag->note_n = eh_notes_pop(&tag->notes, &tag->note_kind, tag->payload, sizeof tag->payload);
        unlock(tag);
    } while (tag->note_n > 0 && send_note(tag));
    return tag->note_n == 0;
}

/* The oldest samples, if they are ripe. 1 where there may be more to do, 0 where there is not, -1 where the link had no
 * room for them.
 */
static int send_samples(EhTag *tag, uint64_t now_us)
{
    size_t n = 0;
    lock(tag);
    const int hello_first = now_us >= tag->hello_due_us; /* it tells how these samples are turned */
    if (!hello_first && eh_sample_queue_ripe(&tag->samples, tag->room, now_us, EH_TAG_MAX_WAIT_US)) {
        n = eh_sample_queue_pack(&tag->samples, tag->hello.boot, tag->hello.axes, tag->payload, tag->room);
    }
    unlock(tag);
    if (n == 0) {
        return hello_first;
    }
    const EhTagSent sent = offer(tag, EH_KIND_IMU, n);
    lock(tag);
    eh_sample_queue_done(&tag->samples, sent == EH_TAG_SENT);
    unlock(tag);
    return sent == EH_TAG_SENT ? 1 : sent == EH_TAG_BUSY ? -1 : 0;
}

int eh_tag_poll(EhTag *tag, uint64_t now_us)
{
    if (tag->room == 0) {
        return 1;
    }
    if (tag->note_n > 0 && !send_note(tag)) { /* it holds the only buffer */
        return 0;
    }
    for (;;) {
        if (!send_due(tag, EH_KIND_IMU_HELLO, &tag->hello_due_us, EH_TAG_HELLO_EVERY_US, now_us) ||
            !send_due(tag, EH_KIND_IMU_HEARTBEAT, &tag->heartbeat_due_us, EH_TAG_HEARTBEAT_EVERY_US, now_us) ||
            !send_notes(tag)) {
            return 0;
        }
        const int more = send_samples(tag, now_us);
        if (more <= 0) {
            return more == 0;
        }
    }
}
