"""Frames as esp-csi's csi_recv prints them: what a text link spends its bytes on."""

from __future__ import annotations

from edgehar.sources.virtual_csi_radio import SENDER
from edgehar.wire.frames import CsiFrames

HEADER = (
    b"type,id,mac,rssi,rate,sig_mode,mcs,bandwidth,smoothing,not_sounding,aggregation,stbc,fec_coding,sgi,noise_floor,"
    b"ampdu_cnt,channel,secondary_channel,local_timestamp,ant,sig_len,rx_state,len,first_word,data\r\n"
)
_MAC = ":".join(f"{byte:02x}" for byte in SENDER)


def text_rows(frames: CsiFrames) -> list[bytes]:
    """One row a frame; the sender's number stands where csi_recv prints it."""
    return [_row(frames, i) for i in range(len(frames))]


def _row(frames: CsiFrames, i: int) -> bytes:
    names = ("tx_seq", "rssi_dbm", "sig_mode", "bandwidth", "stbc", "noise_floor_dbm", "channel", "secondary", "t_us")
    tx_seq, rssi, sig_mode, bandwidth, stbc, floor, channel, secondary, t_us = (
        int(frames.meta[name][i]) for name in names
    )
    values = ",".join(map(str, frames.iq[i].tolist()))
    first_word = int(frames.meta["first_word_invalid"][i])
    return (
        f"CSI_DATA,{tx_seq},{_MAC},{rssi},11,{sig_mode},0,{bandwidth},1,1,0,{stbc},0,0,{floor},0,{channel},{secondary},"
        f'{t_us},0,67,0,{frames.iq.shape[1]},{first_word},"[{values}]"\r\n'
    ).encode()
