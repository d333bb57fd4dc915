"""Missing numbers are laid to the drop counter that rose, and to the link where none did."""

from edgehar.wire.frames import Loss
from edgehar.wire.numbered import MODULUS, NumberedLosses


def dropped(queue, sensor):
    return {Loss.QUEUE: queue % MODULUS, Loss.SENSOR: sensor % MODULUS}


def test_two_counters_and_the_link_share_what_is_missing():
    account = NumberedLosses()
    account.mark_at(100, dropped(3, 1))
    account.arrived(100, 10)
    account.arrived(130, 10)  # 20 are missing
    account.mark_at(145, dropped(3 + 12, 1 + 4))  # and 5 more
    assert account.losses == {Loss.QUEUE: 12, Loss.SENSOR: 4, Loss.LINK: 9}
    assert account.pending == 0


def test_before_the_first_mark_nothing_tells_but_damage():
    account = NumberedLosses()
    account.arrived(0, 5)
    account.arrived(8, 1)
    account.damage()
    account.mark_at(9, dropped(50, 0))  # fifty were dropped before anybody listened
    assert account.losses == {Loss.LINK: 1, Loss.UNKNOWN: 2}


def test_numbers_and_counters_wrap():
    account = NumberedLosses()
    account.mark_at(MODULUS - 4, dropped(-2, 0))
    account.arrived(MODULUS - 4, 6)  # up to number 1
    account.mark_at(7, dropped(1, 0))
    assert account.losses == {Loss.QUEUE: 3, Loss.LINK: 2}


def test_a_counter_never_claims_more_than_is_missing():
    account = NumberedLosses()
    account.mark_at(0, dropped(0, 0))
    account.arrived(0, 8)
    account.mark_at(10, dropped(5, 5))  # of ten, eight arrived: the counters cannot both be right
    assert sum(account.losses.values()) == 2


def test_a_step_back_is_a_restart_and_counts_nothing():
    account = NumberedLosses()
    account.mark_at(1000, dropped(0, 0))
    assert not account.arrived(3, 2)
    account.restart()
    assert account.arrived(3, 2)
    assert not account.losses
