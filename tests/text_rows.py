"""Rows as the five dialects print them, made up: for tests that need one value to be this and another to be that."""

from __future__ import annotations

MAC = "94:d9:b3:80:8c:81"
CSI_SEND = "1a:00:00:00:00:00"


def numbers(count, seed=0):
    """`count` values of -60 to 60, all different frame by frame."""
    return [(7 * i + 13 * seed) % 121 - 60 for i in range(count)]


def csi_recv(values, *, number=5, mac=MAC, t_us=1000, first_word=0, mode=(1, 1, 0), secondary=2, tail=""):
    sig_mode, bandwidth, stbc = mode
    return (
        f"CSI_DATA,{number},{mac},-41,11,{sig_mode},0,{bandwidth},1,1,0,{stbc},0,1,-96,0,11,{secondary},{t_us},0,44,0,"
        f'{len(values)},{first_word},"[{",".join(map(str, values))}]"{tail}\n'
    ).encode()


def csi_recv_c5(values, *, number=5, mac=CSI_SEND, t_us=1000):
    body = ",".join(map(str, values))
    return f'CSI_DATA,{number},{mac},-17,11,159,22,5,8,{t_us},47,0,{len(values)},0,"[{body}]"\n'.encode()


def console_test(values, *, body=None, sequence=3):
    head = (
        f"CSI_DATA,{sequence},3301,0,unknown,{MAC},-33,11,1,7,0,1,1,0,0,0,0,-95,0,6,0,77,0,99,0,30,-8,{len(values)},0,"
    )
    return (head + (body or '"[' + ",".join(map(str, values)) + ']"') + "\n").encode()


def console_test_host(values):
    head = f"CSI_DATA,9,2024-02-25 17:27:36.456,296,fall,{MAC},-25,11,0,0,0,0,0,0,0,0,0,-99,0,12,2,5,0,37,0,"
    return (head + f'{len(values)},0,"[' + ", ".join(map(str, values)) + ']"\r\n').encode()


def csi_tool(values, *, role="AP", mode=(0, 0, 0), secondary=1, t_us=1000, length=None, tail=""):
    sig_mode, bandwidth, stbc = mode
    return (
        f"CSI_DATA,{role},{MAC.upper()},-72,11,{sig_mode},0,{bandwidth},0,0,0,{stbc},0,0,-96,0,6,{secondary},{t_us},0,28,0,"
        f"0,6.95878,{length or len(values)},[{' '.join(map(str, values))} ]{tail}\n"
    ).encode()
