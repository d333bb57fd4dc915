"""The firmware on this machine, against a fake ESP-IDF: what a host would see of it."""

import itertools

import numpy as np
import pytest

import edgehar
from edgehar.wire.frames import UNKNOWN_SEQ, Loss
from edgehar.wire.messages import BoardFlag, Link, ReplyStatus, Role
from edgehar.wire.siphash import mac_hash
from tests.firmware.glue import PROVISIONED, SENDER, VALUES, body, build, csi, live
from tests.wire_frames import numbers

AP = "aabbccddeeff"
NETWORK = (*PROVISIONED, "nvs str ssid lab-ap", "nvs str psk correct-horse", "usb 1")
RECEIVER = (*PROVISIONED, "usb 1")
SENDING = ("nvs u8 format 1", "nvs u8 role 1", "nvs u8 channel 11", "nvs u16 rate_hz 50", "nvs str name door", "usb 1")


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """node(*script, chip=) -> Life; each chip's firmware is built once."""
    directory = tmp_path_factory.mktemp("glue")
    return lambda *script, chip="esp32s3": live(build(chip, directory), *script)


def heard(n, *, every_ms=10, first=0, **how):
    """n frames, one each `every_ms`, after the start."""
    lines = []
    for i in range(n):
        lines += [csi(1_000_000 + (first + i) * every_ms * 1000, seq=first + i, **how), f"run {every_ms}"]
    return lines


def test_it_says_who_it_is_as_it_was_provisioned(node):
    hello = node(*RECEIVER, "run 200").decoder.hello
    assert (hello.chip, hello.firmware, hello.name) == ("esp32s3", edgehar.__version__, "hall")
    assert (hello.role, hello.csi, hello.link, hello.baud) == (Role.RECEIVER, True, Link.USB, 0)
    assert (hello.rate_hz, hello.channel, hello.secondary, hello.boot) == (100, 6, 2, 1)
    assert hello.flags == BoardFlag.RUNNING | BoardFlag.SALTED


def test_frames_reach_the_host_with_their_values_and_the_radios_report(node):
    life = node(*RECEIVER, "run 100", *heard(20))
    (run,) = life.runs
    assert numbers([run]) == list(range(20))
    assert run.layout == "classic-below-ht40"
    assert np.array_equal(run.iq[7], VALUES)
    row = run.meta[7]
    assert (row["tx_seq"], row["rssi_dbm"], row["noise_floor_dbm"], row["channel"]) == (7, -47, -95, 6)
    assert (row["agc_gain"], row["fft_gain"], row["first_word_invalid"]) == (44, -3, True)
    key = bytes.fromhex(next(line for line in life.nvs() if "hash_key" in line).split()[-1])
    assert row["mac_hash"] == mac_hash(key, bytes.fromhex(SENDER))
    assert bytes.fromhex(SENDER) not in life.raw
    assert not life.decoder.losses


def test_a_frame_keeps_its_time_of_reception_when_its_callback_is_late(node):
    on_time = [csi(5_000_000 + 10_000 * i, seq=i) + f"\nrun {20 if i == 5 else 10}" for i in range(5)]
    late = ["run 30", csi(5_000_000 + 50_000, seq=5)]  # it waited 30 ms in the driver
    life = node(*RECEIVER, "run 100", *on_time, *late, "run 10")
    stamps = np.concatenate([run.meta["t_us"] for run in life.runs]).astype(int)
    assert np.diff(stamps).tolist() == pytest.approx([10_000] * 5, abs=40)
    first_late = [csi(5_000_000, seq=0), "run 10", csi(5_030_000, seq=1), "run 10", csi(5_040_000, seq=2), "run 10"]
    life = node(*RECEIVER, "run 100", *first_late)  # it had waited 20 ms
    assert np.diff(np.concatenate([run.meta["t_us"] for run in life.runs]).astype(int)).tolist() == [10_000, 10_000]


def test_times_go_on_when_the_radios_clock_begins_again(node):
    life = node(*RECEIVER, "run 100", csi(1_000_000_000, seq=0), "run 10", csi(17, seq=1), "run 10")
    assert np.diff(np.concatenate([run.meta["t_us"] for run in life.runs]).astype(int)).tolist() == [10_000]


def test_a_host_that_does_not_read_costs_frames_which_are_counted_and_blocks_nothing(node):
    life = node(*RECEIVER, "run 100", "reads 0", *heard(200), "reads 1", "run 3000")
    lost = 200 - len(numbers(life.runs))
    assert lost > 100
    assert life.decoder.losses == {Loss.RING: lost}
    assert life.decoder.heartbeat.counters.dropped_ring == lost
    assert life.returncode == 0  # the watchdog was fed meanwhile


def test_other_senders_are_counted_and_not_sent(node):
    life = node(*RECEIVER, "run 100", csi(0, seq=None, mac="020000000009"), csi(0, seq=3), "run 1100")
    assert numbers(life.runs) == [0]
    assert life.decoder.heartbeat.counters.filtered == 1


def test_every_sender_is_taken_where_that_is_configured(node):
    life = node(*RECEIVER, "run 100", csi(0, seq=None), csi(0, seq=4), "run 10", chip="esp32c3")
    assert life.runs[0].meta["tx_seq"].tolist() == [UNKNOWN_SEQ, 4]


@pytest.mark.parametrize("cut", [0, 8, 14, 15, 22])
def test_a_body_that_is_cut_off_is_no_frame_of_ours(cut, node):
    line = csi(0, seq=1).replace(body(1), body(1)[: 2 * cut] or "-")
    life = node(*RECEIVER, "run 100", line, "run 1100")
    assert (life.runs, life.decoder.heartbeat.counters.filtered) == ([], 1)


def test_a_sender_numbers_what_the_driver_took_at_the_rate_it_was_told(node):
    life = node(*SENDING, "run 1020", "fail esp_now_send", "run 200", "fail -", "run 1000")
    sent = life.said("sent ")
    assert [int.from_bytes(bytes.fromhex(line.split()[1][8:]), "little") for line in sent] == list(range(100))
    times = [at for at, words in life.trace if words.startswith("sent ")][:50]
    assert {b - a for a, b in itertools.pairwise(times)} == {20_000}
    assert life.said("espnow rate") == ["espnow rate HT40"]
    life = node(*SENDING, "run 1020", "run 5000")
    assert life.decoder.hello.role == Role.SENDER
    assert life.decoder.hello.counters.transmitted > 240


def test_a_receiver_without_a_network_is_silent_on_the_air(node):
    assert node(*RECEIVER, "run 1000").said("sent ") == []


def test_in_a_network_it_pings_the_gateway_and_listens_to_the_access_point(node):
    life = node(
        *(*NETWORK, "run 100", f"join {AP} 9", "run 100", "gateway 0102a8c0", "run 1000"),
        *(csi(0, seq=None, mac=AP), csi(0, seq=5, mac=SENDER), "run 6000"),
    )
    assert life.said("network ") == ["network lab-ap correct-horse auth 3"]
    pings = life.said("ping ")
    assert len(pings) == pytest.approx(700, abs=2)
    address, echo = pings[3].split()[1:]
    assert address == "0102a8c0"
    words = np.frombuffer(bytes.fromhex(echo), ">u2").astype(int)
    assert words[0] == 0x0800
    assert words.sum() % 0xFFFF == 0  # RFC 1071
    assert life.runs[0].meta["tx_seq"].tolist() == [UNKNOWN_SEQ]  # the access point's
    hello = life.decoder.hello
    assert (hello.channel, hello.secondary, hello.counters.filtered) == (9, 1, 1)
    assert b"correct-horse" not in life.raw


def test_it_joins_again_after_a_loss_and_stops_pinging_meanwhile(node):
    life = node(*NETWORK, "run 100", f"join {AP} 9", "gateway 0102a8c0", "run 500", "leave", csi(0, mac=AP), "run 5000")
    assert (life.runs, life.decoder.heartbeat.counters.filtered) == ([], 1)
    assert [at for at, words in life.trace if words == "connect"][1:] == [2_600_000, 4_600_000]
    assert max(at for at, words in life.trace if words.startswith("ping")) <= 600_000


def test_commands_are_obeyed_and_answered(node):
    script = ["host #1 rate 10", "host #2 channel 3 above", "host #3 identify", "host #4 gain free", "host #5 stop"]
    life = node(*RECEIVER, "run 100", *(line for step in script for line in (step, "run 10")), *heard(3), "host hello")
    assert [(reply.id, reply.status) for reply in life.decoder.replies] == [(i, ReplyStatus.DONE) for i in range(1, 6)]
    assert life.said("channel ") == ["channel 6 2", "channel 3 1"]
    assert life.runs == []


@pytest.mark.parametrize(
    ("script", "command"),
    [
        (NETWORK, "channel 6"),  # the access point's
        ((*RECEIVER, "run 10", "fail esp_wifi_set_channel"), "channel 6"),
        (RECEIVER, "channel 36"),  # no such band
        (RECEIVER, "gain lock"),  # no frame yet
    ],
)
def test_what_cannot_be_done_is_answered_so(script, command, node):
    life = node(*script, "run 100", f"host {command}", "run 10")
    assert life.decoder.replies[0].status == ReplyStatus.FAILED


def test_the_gain_is_held_after_a_hundred_frames_and_said_so(node):
    life = node(*RECEIVER, "run 100", *heard(120), "run 5000")
    assert life.said("fft ") == ["fft 1 -3"]
    assert life.said("agc ") == ["agc 1 44"]
    assert BoardFlag.GAIN_LOCKED in life.decoder.hello.flags
    assert "gain held" in life.decoder.log
    life = node(*RECEIVER, "run 100", *heard(120), "host gain free", "run 5000", *heard(200, first=120))
    assert life.said("agc ") == ["agc 1 44", "agc 0 44"]
    assert BoardFlag.GAIN_LOCKED not in life.decoder.hello.flags


def test_a_gain_that_would_deafen_the_chip_is_not_held(node):
    life = node(*RECEIVER, "run 100", *heard(120, gains=(20, 5)), "run 5000")
    assert life.said("agc ") == []
    assert BoardFlag.GAIN_LOCKED not in life.decoder.hello.flags


def test_reboot_answers_first_and_the_next_start_has_another_number_and_the_same_key(node):
    life = node(*RECEIVER, "run 100", *heard(2), "host #9 reboot", "run 1000", "run 5000")
    assert life.decoder.replies[0].id == 9
    assert life.said("restart") == ["restart"]
    again = node(*life.nvs(), "usb 1", "run 100", *heard(2))
    assert again.decoder.hello.boot == 2
    assert again.runs[0].meta["mac_hash"][0] == life.runs[0].meta["mac_hash"][0]
    assert again.said("random") == []


def test_the_key_is_drawn_while_the_radio_is_on(node):
    words = [words for _, words in node(*RECEIVER, "run 10").trace]
    assert words.index("radio on") < words.index("random 16")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ([], "not provisioned"),
        (["nvs u8 format 2", "nvs str name x"], "another version"),
        (["nvs u8 format 1", "nvs u8 channel 200"], "out of range"),
        (["nvs u8 format 1", "nvs u8 role 7"], "out of range"),
        (["nvs u8 format 1", "fail nvs_flash_init"], "erased"),
        (["fail nvs_open"], "cannot be opened"),
    ],
)
def test_settings_that_cannot_be_are_complained_of_and_the_board_still_listens(settings, text, node):
    life = node(*settings, "usb 1", "run 100", csi(0), "run 10")
    assert any(text in line for line in life.decoder.log)
    assert (life.decoder.hello.channel, life.decoder.hello.role) == (6, Role.RECEIVER)
    assert numbers(life.runs) == [0]


def test_a_start_that_cannot_be_counted_gets_a_random_number(node):
    assert node(*RECEIVER, "fail nvs_set_u16", "run 100").decoder.hello.boot > 1


def test_idfs_log_comes_as_log_frames_between_frames(node):
    life = node(*RECEIVER, "run 100", csi(0), "log bcn_timeout", csi(9), "log " + "x" * 300, "run 10")
    assert numbers(life.runs) == [0, 1]
    first, long = life.decoder.log
    assert first == "W (100) wifi: bcn_timeout"
    assert long.startswith("W (100) wifi: xxx")
    assert life.decoder.counts == {"frames": 2}


def test_without_a_host_on_usb_it_speaks_over_uart(node):
    life = node(*PROVISIONED, "run 1500", csi(0), "host #1 hello", "run 100")
    assert life.said("uart") == ["uart 921600"]
    assert (life.decoder.hello.link, life.decoder.hello.baud) == (Link.UART, 921600)
    assert (numbers(life.runs), life.decoder.replies[0].id) == ([0], 1)


def test_a_uart_carries_two_hundred_frames_a_second_and_never_waits(node):
    life = node(*PROVISIONED, "run 1500", *heard(400, every_ms=5), "run 2000", chip="esp32s2")
    assert numbers(life.runs) == list(range(400))
    life = node(*PROVISIONED, "run 1500", *heard(800, every_ms=2), "run 2000", chip="esp32s2")
    lost = 800 - len(numbers(life.runs))
    assert life.decoder.losses == {Loss.RING: lost}
    assert lost > 200


def test_a_long_silence_switches_csi_on_again(node):
    life = node(*RECEIVER, "run 100", *heard(2), "run 25000")
    assert life.said("csi ") == ["csi 1", "csi 0", "csi 1", "csi 0", "csi 1"]


def test_a_link_task_that_hangs_is_ended_by_the_watchdog(node):
    life = node(*RECEIVER, "run 100", "fail feed", "run 10000")
    assert (life.returncode, life.said("panic")) == (3, ["panic watchdog"])


@pytest.mark.parametrize(
    ("chip", "how", "layout"),
    [
        ("esp32", {}, "classic-below-ht40"),
        ("esp32c3", {"stbc": 1, "values": np.arange(612).astype(np.int8)}, "classic-below-ht40-stbc"),
        ("esp32c5", {"secondary": 0, "cwb": 0, "values": VALUES[:114]}, "c5-none-ht20"),
        ("esp32c6", {"secondary": 0, "cwb": 0, "values": VALUES[:128]}, "c6-ht20"),
        ("esp32c6", {"secondary": 2, "values": VALUES[:256]}, "c6-ht40"),
    ],
)
def test_each_chips_report_is_read(chip, how, layout, node):
    life = node(*PROVISIONED, "usb 1", "run 1500", csi(0, **how), "run 10", chip=chip)
    assert life.decoder.hello.chip == chip
    assert [run.layout for run in life.runs] == [layout]
    known = chip not in ("esp32", "esp32s2")
    assert (life.runs[0].meta["agc_gain"][0] == 44) == known


def test_five_gigahertz_where_the_chip_has_it(node):
    life = node("nvs u8 format 1", "nvs u8 channel 36", "usb 1", "run 100", "host channel 6", "run 10", chip="esp32c5")
    assert life.said("band ") == ["band 2", "band 1"]
    assert life.said("channel ") == ["channel 36 0", "channel 6 0"]


def test_a_board_without_a_light_says_that_it_cannot_show_itself(node):
    life = node(*RECEIVER, "run 100", "host identify", "run 10", chip="esp32c3")
    assert life.decoder.replies[0].status == ReplyStatus.FAILED
