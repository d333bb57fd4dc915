"""Checks of a board and its link: does it speak, is CSI on, does the line carry what comes, what is lost where."""

from __future__ import annotations

from edgehar.boards.doctor import Finding, Health, Limits, finding
from edgehar.boards.doctor_observe import Heard
from edgehar.wire.envelope import OVERHEAD_BYTES
from edgehar.wire.frames import Cause, Loss
from edgehar.wire.layouts import layout_numbered
from edgehar.wire.messages import BoardFlag, BoardModel, bundle_sha256_begin
from edgehar.wire.schema import schema

BITS_A_BYTE = 10
BUSY_PERCENT = Limits(80.0, 100.0)
DAMAGED_PERCENT = Limits(0.1, 5.0)
LOST_PERCENT = Limits(1.0, 10.0)
USUAL_VALUES = 384  # of a 40 MHz frame, where none has come yet
DAMAGE = tuple(cause for cause in Cause if cause is not Cause.LOG)
SENDER_FIX = (
    "let a second board send on the same channel: edgehar flash --role sender, or ping through the access point"
)


def check_link(heard: Heard) -> list[Finding]:
    """In the order in which one thing needs the other; what cannot be said after a failure is left out."""
    found = [_port(heard), _speech(heard)]
    if not heard.received or found[-1].health is Health.FAIL:
        return found
    found.append(_firmware(heard))
    if heard.hello is not None:
        found += [_csi(heard), _restarts(heard)]
    found.append(_traffic(heard))
    if heard.binary is not None and heard.binary.model is not None:
        found.append(_model(heard, heard.binary.model))
    if heard.hello is None or heard.hello.csi:
        found.append(_budget(heard))
    if heard.stream.frames:
        found += [_damage(heard), *_losses(heard)]
    return found


def _port(heard: Heard) -> Finding:
    if heard.board is not None:
        what = f"{heard.board.title}{'' if heard.board.native else f' at {heard.baud} baud'}"
    else:
        what = f"{heard.name}, no USB identity that is known" + (f", {heard.baud} baud" if heard.baud else "")
    return finding("port", Health.OK, what, "can be opened, nobody else has it", "")


def _speech(heard: Heard) -> Finding:
    """Bytes at all, and bytes that mean something."""
    should = "frames, rows or a hello"
    if not heard.received:
        fix = "press RST; a board with USB of its own needs a data cable; was it flashed? edgehar flash"
        return finding("speaks", Health.FAIL, f"not one byte in {heard.lasted_s:.1f} s", should, fix)
    rate = f"{heard.received / max(heard.lasted_s, 1e-3) / 1000:.1f} kB/s"
    if heard.stream.decoder is not None:
        return finding("speaks", Health.OK, f"{rate}, {'rows of text' if heard.is_text else 'frames'}", should, "")
    lines = [line for decoder in heard.stream.binary for line in decoder.log]
    said = f"the last line is '{lines[-1][:60]}'" if lines else "they read as noise"
    fix = "is it edgehar's firmware? try its speed: edgehar doctor csi:PORT?baud=115200 (also 460800, 1500000, 2000000)"
    return finding("speaks", Health.FAIL, f"{rate}, no frame among it; {said}", should, fix)


def _firmware(heard: Heard) -> Finding:
    should = "edgehar's firmware, which numbers frames and counts drops"
    hello = heard.hello
    if hello is None:
        fix = "edgehar flash: rows take three times the bytes, and tell neither drops nor who lost what"
        measured = "rows of other firmware" if heard.is_text else "no hello yet"
        return finding("firmware", Health.WARN if heard.is_text else Health.UNKNOWN, measured, should, fix)
    simulated = ", SIMULATED" if BoardFlag.SIMULATED in hello.flags else ""
    measured = f"'{hello.name}', {hello.chip}, {hello.firmware}, channel {hello.channel}{simulated}"
    return finding("firmware", Health.OK, measured, should, "")


def _csi(heard: Heard) -> Finding:
    on = heard.hello is not None and heard.hello.csi
    running = heard.hello is not None and BoardFlag.RUNNING in heard.hello.flags
    if on and not running and heard.binary is not None and heard.binary.model is not None:
        return finding("csi", Health.OK, "on; the board sends its decisions only", "on", "")
    health = Health.OK if on and running else Health.FAIL
    measured = "on" if on and running else "stopped by a command" if on else "switched off in the firmware"
    fix = "restart the board" if on else "build it with the settings that come with it: edgehar firmware build"
    return finding("csi", health, measured, "on", fix)


def _restarts(heard: Heard) -> Finding:
    restarts = heard.binary.boots if heard.binary is not None else 0
    fix = "another cable, socket or supply: a radio draws 0.5 A for moments; its last words: edgehar doctor --log"
    return finding("restarts", Health.FAIL if restarts else Health.OK, str(restarts), "none", fix)


def _model(heard: Heard, model: BoardModel) -> Finding:
    """A model on the board: does it decide, and keep up?"""
    should = f"decides, and skips at most {LOST_PERCENT.ok:g} % of its frames"
    layout = layout_numbered(model.layout)
    name = "an unknown layout" if layout is None else layout.name
    what = f"the board decides by itself, model {bundle_sha256_begin(model.model)}"
    if not model.decisions:
        measured = f"{what}: no decision from {model.frames} frames of {name}, {model.unfit} of another or elsewhere"
        fix = f"it takes {name} only: is that what its sender sends? edgehar export --csi-layout; see csi and traffic"
        return finding("model", Health.WARN, measured, should, fix)
    heard_now = heard.binary.decisions if heard.binary is not None else ()
    rate = f"{len(heard_now) / heard.lasted_s:.2g} decisions/s" if heard.lasted_s else "decisions"
    skipped = 100 * model.skipped / (model.skipped + model.frames)
    measured = f"{what}: {rate}, {skipped:.2g} % of {model.skipped + model.frames} frames skipped"
    fix = "a smaller model (edgehar compress), a longer hop, or fewer frames a second"
    return finding("model", LOST_PERCENT.judge(skipped), measured, should, fix)


def _traffic(heard: Heard) -> Finding:
    frames = heard.stream.frames
    model = heard.binary.model if heard.binary is not None else None
    if model is not None and model.frames and not frames:
        return finding("traffic", Health.OK, f"{model.frames} frames for the board's own model", "some", "")
    hello = heard.hello
    if frames:
        return finding("traffic", Health.OK, f"{frames} frames in {heard.lasted_s:.1f} s", "some", "")
    if hello is not None and not hello.csi:
        return finding("traffic", Health.UNKNOWN, "no frame: CSI is off", "some", "")
    where = f" on channel {hello.channel}" if hello is not None else ""
    filtered = hello.counters.filtered if hello is not None else 0
    others = f", {filtered} of senders that are not listened to" if filtered else ""
    return finding("traffic", Health.FAIL, f"no frame{where}{others}", "some", SENDER_FIX)


def _budget(heard: Heard) -> Finding:
    """What the frames need of the line; those that the board had to drop need it too."""
    should = f"at most {BUSY_PERCENT.ok:g} % of the line, nothing dropped for lack of room"
    hello, frames = heard.hello, heard.stream.frames
    baud = hello.baud if hello is not None else heard.baud
    native = heard.board is not None and heard.board.native
    decoder = heard.binary
    dropped = decoder.losses[Loss.RING] if decoder is not None and frames else 0
    frame_bytes = heard.received / frames if frames else _frame_bytes(USUAL_VALUES)
    came_hz = (frames + dropped) / heard.lasted_s if heard.lasted_s else 0.0
    rate_hz = max(came_hz, float(hello.rate_hz) if hello is not None else 0.0)
    if not baud or native:
        health = Health.FAIL if dropped else Health.OK
        measured = f"{rate_hz * frame_bytes / 1000:.0f} kB/s over a link without a baud rate, {dropped} dropped"
        return finding("link budget", health, measured, should, "read faster: is the host busy, or the disk slow?")
    busy = 100 * rate_hz * frame_bytes * BITS_A_BYTE / baud
    health = Health.FAIL if dropped else BUSY_PERCENT.judge(busy)
    carries_hz = baud / BITS_A_BYTE / frame_bytes
    measured = (
        f"{rate_hz:.0f} frames/s of {frame_bytes:.0f} bytes take {busy:.0f} % of {baud} baud, {dropped} dropped; "
        f"it carries {carries_hz:.0f}"
    )
    fix = f"at most {0.8 * carries_hz:.0f} frames/s, or a faster line: 2000000 baud, or the board's own USB"
    if heard.is_text:
        fix += ", or binary frames: edgehar flash"
    return finding("link budget", health, measured, should, fix)


def _frame_bytes(values: int) -> float:
    """On the wire, delimiters and the first COBS byte included."""
    return schema().kinds["csi"].head_bytes + values + OVERHEAD_BYTES + 4


def _damage(heard: Heard) -> Finding:
    counts = heard.stream.decoder.counts if heard.stream.decoder is not None else {}
    damaged = sum(counts.get(cause, 0) for cause in DAMAGE)
    damaged = max(0, damaged - 1)  # listening began in the middle of a frame
    percent = 100 * damaged / (damaged + heard.stream.frames)
    causes = ", ".join(f"{cause.replace('_', ' ')} {counts[cause]}" for cause in DAMAGE if counts.get(cause))
    measured = f"{percent:.2g} %" + (f" ({causes})" if damaged else "")
    fix = "a shorter cable, no hub, a lower baud rate; other programs on the port?"
    return finding("damaged frames", DAMAGED_PERCENT.judge(percent), measured, f"<= {DAMAGED_PERCENT.ok:g} %", fix)


def _losses(heard: Heard) -> list[Finding]:
    """Where frames went missing; rows cannot tell."""
    decoder = heard.stream.decoder
    losses = decoder.losses if decoder is not None else {}
    fixes = {
        Loss.RADIO: "bring the boards nearer, change the channel: edgehar flash --channel N",
        Loss.RING: "see the link budget",
        Loss.LINK: "the cable, the baud rate, or a host that does not read in time",
        Loss.UNKNOWN: "edgehar's firmware on both boards tells where: edgehar flash",
    }
    found = []
    for loss, fix in fixes.items():
        if loss is Loss.UNKNOWN and not losses.get(loss):
            continue
        percent = 100 * losses.get(loss, 0) / (sum(losses.values()) + heard.stream.frames)
        name = loss.replace("_", " ")
        untold = heard.is_text and loss is not Loss.UNKNOWN
        health = Health.UNKNOWN if untold else LOST_PERCENT.judge(percent)
        measured = "rows do not tell" if untold else f"{percent:.2g} % ({losses.get(loss, 0)} frames)"
        found.append(finding(name, health, measured, f"<= {LOST_PERCENT.ok:g} %", fix))
    return found
