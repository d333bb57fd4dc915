/* Lines from the host: "#7 channel 6 below". The grammar is [commands] of messages.toml. */
#ifndef EH_COMMAND_H
#define EH_COMMAND_H

#include "eh_wire_layout.h"

typedef enum {
    EH_REPLY_DONE = 0,
    EH_REPLY_UNKNOWN_COMMAND = 1,
    EH_REPLY_BAD_ARGUMENT = 2,
    EH_REPLY_TOO_LONG = 3,
    EH_REPLY_FAILED = 4
} EhReplyStatus;

typedef struct {
    EhCommandName name;
    uint16_t id;     /* the number that the host gave it; 0: none */
    uint16_t number; /* 0 where the command takes none */
    uint8_t word;    /* index among the command's words; 0 where none stood */
} EhCommand;

/* A line as it comes in, byte by byte. */
typedef struct {
    char text[EH_MAX_COMMAND + 1u];
    uint8_t n;
    uint8_t overlong; /* more came than fits */
    uint8_t whole;    /* ended: the next byte begins another */
} EhCommandLine;

void eh_command_line_init(EhCommandLine *line);

/* The next byte; 1 where it ended a line with something on it, which eh_command_parse then reads. CR is ignored. */
int eh_command_line_push(EhCommandLine *line, uint8_t byte);

/* What the line says to a `device`. `command` is filled as far as the line is understood: id first. */
EhReplyStatus eh_command_parse(const EhCommandLine *line, EhDevice device, EhCommand *command);

#endif
