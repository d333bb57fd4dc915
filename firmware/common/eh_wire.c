#include "eh_wire.h"

#include "eh_cobs.h"
#include "eh_crc32.h"

#define HEAD_BYTES 4u
#define CRC_BYTES 4u

size_t eh_wire_encode(uint8_t kind, const uint8_t *payload, size_t n, uint8_t *out, size_t room)
{
    uint8_t head[HEAD_BYTES], tail[CRC_BYTES];
    EhCobs cobs;
    if (n > EH_MAX_PAYLOAD || room < 2) {
        return 0;
    }
    eh_put_u8(head, EH_WIRE_VERSION);
    eh_put_u8(head + 1, kind);
    eh_put_u16(head + 2, (uint16_t)n);
    eh_put_u32(tail, eh_crc32(eh_crc32(EH_CRC32_START, head, sizeof head), payload, n));
    eh_cobs_begin(&cobs, out + 1, room - 2);
    eh_cobs_put(&cobs, head, sizeof head);
    eh_cobs_put(&cobs, payload, n);
    eh_cobs_put(&cobs, tail, sizeof tail);
    const size_t coded = eh_cobs_end(&cobs);
    if (coded == 0) {
        return 0;
    }
    out[0] = 0;
    out[coded + 1] = 0;
    return coded + 2;
}

size_t eh_packet_encode(uint8_t kind, const uint8_t *payload, size_t n, uint8_t *out, size_t room)
{
    if (n > EH_MAX_PAYLOAD || room < EH_PACKET_HEAD + n) {
        return 0;
    }
    eh_put_u8(out, EH_WIRE_VERSION);
    eh_put_u8(out + 1, kind);
    eh_copy(out + EH_PACKET_HEAD, payload, n);
    return EH_PACKET_HEAD + n;
}

EhWireFault eh_wire_decode(uint8_t *coded, size_t n, EhWireMessage *message)
{
    const long decoded = eh_cobs_decode(coded, n);
    if (decoded < 0) {
        return EH_WIRE_BAD_COBS;
    }
    const size_t size = (size_t)decoded;
    if (size < EH_WIRE_OVERHEAD || eh_get_u16(coded + 2) != size - EH_WIRE_OVERHEAD) {
        return EH_WIRE_BAD_LENGTH;
    }
    if (eh_crc32(EH_CRC32_START, coded, size - CRC_BYTES) != eh_get_u32(coded + size - CRC_BYTES)) {
        return EH_WIRE_BAD_CRC;
    }
    if (coded[0] != EH_WIRE_VERSION) {
        return EH_WIRE_BAD_VERSION;
    }
    message->kind = coded[1];
    message->payload = coded + HEAD_BYTES;
    message->n = size - EH_WIRE_OVERHEAD;
    return EH_WIRE_SOUND;
}
