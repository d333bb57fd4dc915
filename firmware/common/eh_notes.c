#include "eh_notes.h"

void eh_notes_init(EhNotes *notes)
{
    eh_ring_init(&notes->ring, notes->bytes, sizeof notes->bytes);
}

void eh_notes_push(EhNotes *notes, uint8_t kind, const uint8_t *head, size_t n_head, const uint8_t *tail, size_t n)
{
    uint8_t start[1u + EH_DECISION_BYTES];
    start[0] = kind;
    eh_copy(start + 1, head, n_head);
    if (!eh_ring_push(&notes->ring, start, 1 + n_head, tail, n)) {
        notes->ring.dropped++;
    }
}

void eh_notes_log(EhNotes *notes, uint16_t boot, uint8_t level, const char *text)
{
    const EhWireLog log = {.boot = boot, .level = level};
    uint8_t head[EH_LOG_BYTES];
    size_t n = 0;
    while (text[n] != '\0') {
        n++;
    }
    eh_put_log(head, &log);
    eh_notes_push(notes, EH_KIND_LOG, head, EH_LOG_BYTES, (const uint8_t *)text, n);
}

void eh_notes_reply(EhNotes *notes, uint16_t boot, uint16_t id, EhReplyStatus status, const EhCommandLine *line)
{
    const EhWireReply reply = {.boot = boot, .id = id, .status = (uint8_t)status};
    uint8_t head[EH_REPLY_BYTES];
    eh_put_reply(head, &reply);
    eh_notes_push(notes, EH_KIND_REPLY, head, EH_REPLY_BYTES, (const uint8_t *)line->text, line->n);
}

size_t eh_notes_pop(EhNotes *notes, uint8_t *kind, uint8_t *payload, size_t room)
{
    const size_t n = eh_ring_pop(&notes->ring, payload, room);
    if (n == 0) {
        return 0;
    }
    *kind = payload[0];
    for (size_t i = 1; i < n; i++) {
        payload[i - 1] = payload[i];
    }
    return n - 1;
}
