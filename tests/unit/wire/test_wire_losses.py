"""Every missing frame is laid to the air, the queue, the link or, where nothing tells, to the unknown."""

import pytest

from edgehar.wire.frames import Loss
from edgehar.wire.losses import LossAccount

ANN, BEN = 1, 2


def hear(account, *rx, tx=None, sender=ANN):
    """Frames whose tx_seq is their rx_seq unless `tx` maps it."""
    for number in rx:
        account.frame(number % 2**32, number if tx is None else tx[number], sender)


def test_between_two_marks_the_queue_s_drops_and_the_link_s_are_told_apart():
    account = LossAccount()
    account.mark(0, 0)
    hear(account, 0, 1, 5, 6, 9)  # 2 3 4 7 8 are missing
    assert account.pending == 5
    assert not account.losses
    account.mark(12, 2)  # and 10 11 were sent, too
    assert account.losses == {Loss.RING: 2, Loss.LINK: 5}
    assert account.pending == 0


def test_a_gap_that_a_mark_has_settled_is_not_counted_again_by_the_next_frame():
    account = LossAccount()
    account.mark(0, 0)
    hear(account, 0)
    account.mark(3, 0)
    hear(account, 3, 4)
    account.mark(5, 0)
    assert account.losses == {Loss.LINK: 2}


def test_lost_marks_only_widen_the_interval():
    account = LossAccount()
    account.mark(0, 7)  # seven were dropped before anybody listened
    hear(account, *range(50), *range(60, 100))
    account.mark(100, 7 + 4)
    assert account.losses == {Loss.RING: 4, Loss.LINK: 6}


def test_numbers_that_wrap_lose_nothing():
    account = LossAccount()
    account.mark(2**32 - 2, 2**32 - 1)
    hear(account, *range(2**32 - 2, 2**32 + 3))
    account.mark(4, 1)  # the drop counter wrapped, too; number 3 is missing
    assert account.losses == {Loss.RING: 1}


def test_what_the_receiver_never_numbered_was_lost_on_the_air():
    account = LossAccount()
    hear(account, 0, 1, 2, 3, tx={0: 10, 1: 11, 2: 15, 3: 16})
    assert account.losses == {Loss.RADIO: 3}


def test_a_gap_of_both_numbers_is_no_loss_on_the_air():
    account = LossAccount()
    account.mark(0, 0)
    hear(account, 0, 4, tx={0: 10, 4: 16})  # five numbers of the sender, three of the receiver
    account.mark(5, 3)
    assert account.losses == {Loss.RADIO: 2, Loss.RING: 3}


def test_one_gap_of_the_receiver_explains_each_missing_frame_once():
    account = LossAccount()
    account.frame(0, 100, ANN)
    account.frame(1, 200, BEN)
    account.frame(4, 103, ANN)  # two missing at the receiver, two of Ann's
    account.frame(5, 203, BEN)  # two of Ben's, and nothing left to explain them
    assert account.losses == {Loss.RADIO: 2}


def test_a_sender_that_starts_anew_or_repeats_itself_has_lost_nothing():
    account = LossAccount()
    hear(account, 0, 1, 2, 3, tx={0: 5000, 1: 5000, 2: 0, 3: 1})
    assert not account.losses


def test_foreign_senders_are_counted_and_nothing_is_said_of_their_losses():
    account = LossAccount()
    for i in range(3):
        account.frame(i, None, BEN)
    assert account.unnumbered == 3
    assert not account.losses


def test_without_a_mark_damage_tells_the_link_and_the_rest_is_unknown():
    account = LossAccount()
    hear(account, 0)
    account.damage()
    account.damage()
    hear(account, 6)
    account.finish()
    assert account.losses == {Loss.LINK: 2, Loss.UNKNOWN: 3}


def test_a_restart_is_no_loss_and_what_was_open_before_it_is_settled():
    account = LossAccount()
    account.mark(0, 0)
    hear(account, 0, 500)
    account.damage()
    account.restart()
    hear(account, 0, 1, tx={0: 900, 1: 901})
    account.mark(2, 0)
    assert account.losses == {Loss.LINK: 1, Loss.UNKNOWN: 498}


@pytest.mark.parametrize("number", [4, 0])
def test_a_number_behind_the_expected_one_is_refused(number):
    account = LossAccount()
    hear(account, 4)
    assert not account.frame(number, None, ANN)
    assert not account.mark(number, 0)
    assert account.pending == 0


def test_a_flood_of_senders_takes_no_memory():
    account = LossAccount()
    for i in range(10_000):
        account.frame(i, 0, i)
    assert len(account._senders) <= 64
