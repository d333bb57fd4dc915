/* Frames: version, kind, length, payload and CRC-32, COBS-coded between two zeros. docs/wire.md is the specification.
 *
 *   uint8_t payload[EH_MAX_PAYLOAD], out[EH_WIRE_ROOM(EH_MAX_PAYLOAD)];
 *   eh_put_heartbeat(payload, &beat);
 *   size_t n = eh_wire_encode(EH_KIND_HEARTBEAT, payload, EH_HEARTBEAT_BYTES, out, sizeof out);
 */
#ifndef EH_WIRE_H
#define EH_WIRE_H

#include "eh_wire_layout.h"

#define EH_WIRE_OVERHEAD 8u /* version, kind, length and CRC */

/* Bytes that a payload of n takes on the wire at most, delimiters included. */
#define EH_WIRE_ROOM(n) ((n) + EH_WIRE_OVERHEAD + ((n) + EH_WIRE_OVERHEAD) / 254u + 3u)

typedef enum {
    EH_WIRE_SOUND = 0,
    EH_WIRE_BAD_COBS = 1,
    EH_WIRE_BAD_LENGTH = 2,
    EH_WIRE_BAD_CRC = 3,
    EH_WIRE_BAD_VERSION = 4
} EhWireFault;

typedef struct {
    uint8_t kind;
    const uint8_t *payload;
    size_t n;
} EhWireMessage;

/* The frame for `payload` [n] into `out` [room]; its length, or 0 where either is too small for it. */
size_t eh_wire_encode(uint8_t kind, const uint8_t *payload, size_t n, uint8_t *out, size_t room);

/* The same message where the link keeps borders and checks bits by itself, as Bluetooth LE does: version, kind, payload. */
#define EH_PACKET_HEAD 2u
size_t eh_packet_encode(uint8_t kind, const uint8_t *payload, size_t n, uint8_t *out, size_t room);

/* Decode, in place, what stood between two zeros. `message` points into `coded`, and is filled if the frame is sound. */
EhWireFault eh_wire_decode(uint8_t *coded, size_t n, EhWireMessage *message);

#endif
