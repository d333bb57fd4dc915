/* What a device says beside its frames, waiting for the link: replies, lines of log, decisions; the oldest gives way.
 *
 * For more than one thread the caller locks around each call; none of them waits.
 */
#ifndef EH_NOTES_H
#define EH_NOTES_H

#include "eh_command.h"
#include "eh_ring.h"
#include "eh_wire_layout.h"

#define EH_NOTES_BYTES 1024u

/* Of its members, ring.dropped counts the notes that found no room. */
typedef struct {
    EhRing ring;
    uint8_t bytes[EH_NOTES_BYTES];
} EhNotes;

void eh_notes_init(EhNotes *notes);

/* Queue a message: its kind, its head [n_head <= EH_DECISION_BYTES] and its tail [n]. */
void eh_notes_push(EhNotes *notes, uint8_t kind, const uint8_t *head, size_t n_head, const uint8_t *tail, size_t n);

/* Queue a line of log; level as in messages.toml. */
void eh_notes_log(EhNotes *notes, uint16_t boot, uint8_t level, const char *text);

/* Queue the answer to a line of the host's, which it repeats. */
void eh_notes_reply(EhNotes *notes, uint16_t boot, uint16_t id, EhReplyStatus status, const EhCommandLine *line);

/* Take the oldest message: its kind, and its payload into `payload` [room]; the payload's length, or 0: there is none. */
size_t eh_notes_pop(EhNotes *notes, uint8_t *kind, uint8_t *payload, size_t room);

#endif
