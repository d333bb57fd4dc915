#include "eh_csi_layout.h"

#define ANY_SECONDARY 255u
#define ANY_SIGNAL 0u
#define NON_HT 0u

typedef struct {
    uint8_t id, chips, secondary, signal, bandwidth, stbc;
    uint16_t values;
    uint8_t value_bytes;
} Layout;

typedef struct {
    char name[12];
    uint8_t chips;
} Chip;

#define LAYOUT_ROW(...) {__VA_ARGS__},
static const Layout layouts[] = {EH_LAYOUTS(LAYOUT_ROW)};
static const Chip chip_names[] = {EH_CHIP_NAMES(LAYOUT_ROW)};

static int equal(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

int eh_chips(const char *chip)
{
    for (size_t i = 0; i < sizeof chip_names / sizeof chip_names[0]; i++) {
        if (equal(chip_names[i].name, chip)) {
            return chip_names[i].chips;
        }
    }
    return -1;
}

uint8_t eh_csi_layout(int chips, const EhWireCsi *frame, size_t n_bytes)
{
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        const Layout *row = &layouts[i];
        if (row->chips != chips || (size_t)row->values * row->value_bytes != n_bytes) {
            continue;
        }
        if (row->secondary != ANY_SECONDARY && row->secondary != frame->secondary) {
            continue;
        }
        if (row->signal != ANY_SIGNAL
            && (frame->sig_mode == NON_HT || row->bandwidth != (frame->bandwidth != 0)
                || row->stbc != (frame->stbc != 0))) {
            continue;
        }
        return row->id;
    }
    return 0;
}
