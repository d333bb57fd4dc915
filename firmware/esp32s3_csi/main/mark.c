#include "mark.h"

#include <string.h>

#include "eh_bytes.h"

/* ESP-NOW (ESP-IDF programming guide, "Frame Format"): a vendor-specific action frame. Category, Espressif's OUI and
 * four random bytes, then an element with its length, the OUI again, type 4, the protocol's version, and the data.
 */
#define CATEGORY_AT 0u
#define CATEGORY 127u
#define ELEMENT_AT 8u
#define ELEMENT 221u
#define OUI_AT 1u
#define ELEMENT_OUI_AT 10u
#define TYPE_AT 13u
#define TYPE 4u
#define DATA_AT 15u

static const uint8_t oui[] = {0x18, 0xfe, 0x34};
static const uint8_t magic[] = {'e', 'h', 'a', 'r'};

void eh_mark_put(uint8_t mark[EH_MARK_BYTES], uint32_t seq)
{
    memcpy(mark, magic, sizeof magic);
    eh_put_u32(mark + sizeof magic, seq);
}

int eh_mark_get(const uint8_t *body, size_t n, uint32_t *seq)
{
    if (body == NULL || n < DATA_AT + EH_MARK_BYTES || body[CATEGORY_AT] != CATEGORY || body[ELEMENT_AT] != ELEMENT
        || body[TYPE_AT] != TYPE || memcmp(body + OUI_AT, oui, sizeof oui) != 0
        || memcmp(body + ELEMENT_OUI_AT, oui, sizeof oui) != 0
        || memcmp(body + DATA_AT, magic, sizeof magic) != 0) {
        return 0;
    }
    *seq = eh_get_u32(body + DATA_AT + sizeof magic);
    return 1;
}
