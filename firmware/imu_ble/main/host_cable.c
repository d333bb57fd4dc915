#include "host.h"

#include "sdkconfig.h"

#if CONFIG_EDGEHAR_HOST_CABLE

#include "eh_frame_out.h"
#include "link.h"
#include "log_line.h"

#define READ_BYTES 64u

static const EhLink *cable;
static EhFrameOut out;
static EhTag *listener;

static size_t write_link(void *context, const uint8_t *bytes, size_t n)
{
    (void)context;
    return cable->write(bytes, n);
}

static void log_line(uint8_t level, const char *text)
{
    eh_tag_log(listener, level, text);
}

int eh_host_begin(EhTag *tag, const char *name)
{
    (void)name; /* hello tells it */
    cable = eh_link_begin();
    if (cable == NULL) {
        return 0;
    }
    listener = tag;
    eh_frame_out_init(&out, write_link, NULL);
    eh_log_redirect(log_line);
    eh_tag_link(tag, EH_TAG_ROOM_CABLE);
    return 1;
}

EhTagSent eh_host_send(void *context, uint8_t kind, const uint8_t *payload, size_t n)
{
    (void)context;
    return eh_frame_out_send(&out, kind, payload, n) ? EH_TAG_SENT : EH_TAG_BUSY;
}

void eh_host_serve(EhTag *tag)
{
    uint8_t bytes[READ_BYTES];
    size_t n;
    while ((n = cable->read(bytes, sizeof bytes)) > 0) {
        eh_tag_receive(tag, bytes, n);
    }
    (void)eh_frame_out_flush(&out);
}

void eh_host_battery(uint8_t percent)
{
    (void)percent; /* heartbeats tell it */
}

int eh_host_sending(void)
{
    return !eh_frame_out_flush(&out);
}

#endif
