#include "log_line.h"

#include <stdarg.h>
#include <stdio.h>

#include "esp_log.h"
#include "freertos/FreeRTOS.h"

#define LINE_BYTES 160u
#define ESCAPE '\x1b'

typedef enum {
    ERROR = 1,
    WARNING = 2,
    REMARK = 3,
    DETAIL = 4
} Level;

static portMUX_TYPE mutex = portMUX_INITIALIZER_UNLOCKED;
static char line[LINE_BYTES];
static size_t used;
static int in_escape;
static void (*take_line)(uint8_t level, const char *text);

static Level level_of(char letter)
{
    switch (letter) {
    case 'E':
        return ERROR;
    case 'W':
        return WARNING;
    case 'D':
    case 'V':
        return DETAIL;
    default:
        return REMARK;
    }
}

/* The next character of the log; 1 where it ended a line, which is then in `whole`. Colours are left out. */
static int push(char character, char whole[LINE_BYTES])
{
    int ended = 0;
    portENTER_CRITICAL(&mutex);
    if (in_escape) {
        in_escape = character != 'm';
    } else if (character == ESCAPE) {
        in_escape = 1;
    } else if (character == '\n') {
        for (size_t i = 0; i < used; i++) {
            whole[i] = line[i];
        }
        whole[used] = '\0';
        ended = used > 0;
        used = 0;
    } else if (character != '\r' && used < LINE_BYTES - 1u) {
        line[used++] = character;
    }
    portEXIT_CRITICAL(&mutex);
    return ended;
}

/* Newer versions of ESP-IDF print a line piece by piece. */
static int print(const char *format, va_list arguments)
{
    char piece[LINE_BYTES], whole[LINE_BYTES];
    const int n = vsnprintf(piece, sizeof piece, format, arguments);
    for (const char *at = piece; n > 0 && *at != '\0'; at++) {
        if (push(*at, whole)) {
            take_line((uint8_t)level_of(whole[0]), whole);
        }
    }
    if (n >= (int)sizeof piece && push('\n', whole)) { /* cut off, its end too */
        take_line((uint8_t)level_of(whole[0]), whole);
    }
    return n;
}

void eh_log_redirect(void (*take)(uint8_t level, const char *text))
{
    take_line = take;
    (void)esp_log_set_vprintf(print);
}
