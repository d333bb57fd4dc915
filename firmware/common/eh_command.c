#include "eh_command.h"

typedef struct {
    const char *name;
    unsigned devices;   /* who knows it: bits of EhDevice */
    uint16_t low, high; /* high 0: no number */
    const char *among;  /* "2|4|8|16": the only numbers; "": all from low to high */
    const char *words;  /* "lock|free" */
} Rule;

#define RULE(name, devices, low, high, among, words) {name, devices, low, high, among, words},
static const Rule rules[] = {EH_COMMANDS(RULE)};

/* The next word of the line: its length, and `at` moved to its beginning. */
static size_t next_word(const char **at)
{
    size_t n = 0;
    while (**at == ' ') {
        (*at)++;
    }
    while ((*at)[n] != '\0' && (*at)[n] != ' ') {
        n++;
    }
    return n;
}

/* Whether `word` [n] stands at the beginning of `list`, up to its end or a bar. */
static int stands(const char *word, size_t n, const char *list)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i] == '\0' || list[i] != word[i]) {
            return 0;
        }
    }
    return list[n] == '\0' || list[n] == '|';
}

/* The place of `word` [n] among "a|b|c"; -1 where it is not there. */
static int word_index(const char *word, size_t n, const char *list)
{
    for (int i = 0; *list != '\0'; i++) {
        if (stands(word, n, list)) {
            return i;
        }
        while (*list != '\0' && *list++ != '|') {
        }
    }
    return -1;
}

/* A decimal number of at most five digits; -1 for anything else. */
static long decimal(const char *word, size_t n)
{
    long value = 0;
    if (n == 0 || n > 5) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (word[i] < '0' || word[i] > '9') {
            return -1;
        }
        value = 10 * value + (word[i] - '0');
    }
    return value;
}

/* Whether `number` stands in a list "a|b|c". */
static int listed(long number, const char *list)
{
    while (*list != '\0') {
        size_t n = 0;
        while (list[n] != '\0' && list[n] != '|') {
            n++;
        }
        if (decimal(list, n) == number) {
            return 1;
        }
        list += list[n] == '|' ? n + 1 : n;
    }
    return 0;
}

static EhReplyStatus parse_arguments(const Rule *rule, const char *at, EhCommand *command)
{
    size_t n = next_word(&at);
    if (rule->high > 0) {
        const long number = decimal(at, n);
        if (number < rule->low || number > rule->high || (rule->among[0] != '\0' && !listed(number, rule->among))) {
            return EH_REPLY_BAD_ARGUMENT;
        }
        command->number = (uint16_t)number;
        at += n;
        n = next_word(&at);
    }
    if (n > 0) {
        const int word = word_index(at, n, rule->words);
        if (word < 0) {
            return EH_REPLY_BAD_ARGUMENT;
        }
        command->word = (uint8_t)word;
        at += n;
        n = next_word(&at);
    }
    return n == 0 ? EH_REPLY_DONE : EH_REPLY_BAD_ARGUMENT;
}

void eh_command_line_init(EhCommandLine *line)
{
    line->n = 0;
    line->overlong = 0;
    line->whole = 0;
    line->text[0] = '\0';
}

int eh_command_line_push(EhCommandLine *line, uint8_t byte)
{
    if (line->whole) {
        eh_command_line_init(line);
    }
    if (byte == '\n') {
        line->whole = 1;
        return line->n > 0;
    }
    if (line->n == EH_MAX_COMMAND) {
        line->overlong = 1;
    } else if (byte != '\r' && byte != '\0') {
        line->text[line->n++] = (char)byte;
        line->text[line->n] = '\0';
    }
    return 0;
}

EhReplyStatus eh_command_parse(const EhCommandLine *line, EhDevice device, EhCommand *command)
{
    const char *at = line->text;
    size_t n = next_word(&at);
    command->name = EH_COMMAND_START;
    command->id = 0;
    command->number = 0;
    command->word = 0;
    if (n > 0 && *at == '#') {
        const long id = decimal(at + 1, n - 1);
        if (id < 0 || id > 65535) {
            return EH_REPLY_BAD_ARGUMENT;
        }
        command->id = (uint16_t)id;
        at += n;
        n = next_word(&at);
    }
    if (line->overlong) {
        return EH_REPLY_TOO_LONG;
    }
    for (size_t i = 0; n > 0 && i < sizeof rules / sizeof rules[0]; i++) {
        if (stands(at, n, rules[i].name) && (rules[i].devices & device)) {
            command->name = (EhCommandName)i;
            return parse_arguments(&rules[i], at + n, command);
        }
    }
    return EH_REPLY_UNKNOWN_COMMAND;
}
