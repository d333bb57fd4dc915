"""After a failed attempt: what is waited, what is forgotten, what is final; and what a system's words mean."""

from __future__ import annotations

from collections import Counter

import pytest

from edgehar.sources.ble.recovery import FIRST_WAIT_S, LONGEST_WAIT_S, Recovery
from edgehar.sources.ble.trouble import ADVICE, LASTING, RadioError, Trouble, classify


def after(*troubles):
    counts = Counter()
    recovery = Recovery(counts)
    return recovery, [recovery.after(trouble) for trouble in troubles], counts


def test_waits_double_up_to_a_limit_and_begin_anew():
    recovery, _, _ = after()
    waits = [recovery.wait_s]
    for _ in range(8):
        recovery.after(Trouble.TIMED_OUT)
        waits.append(recovery.wait_s)
    assert waits[:4] == [FIRST_WAIT_S, FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S]
    assert waits[-1] == LONGEST_WAIT_S
    recovery.worked()
    assert recovery.wait_s == FIRST_WAIT_S
    for _ in range(8):
        recovery.deaf()
    assert recovery.wait_s == LONGEST_WAIT_S


def test_a_device_is_forgotten_at_the_second_failure_and_once_in_a_row():
    recovery, forget, counts = after(*[Trouble.IN_PROGRESS] * 4)
    assert forget == [False, True, False, False]
    assert counts == {"connect_in_progress": 4}
    recovery.worked()
    assert [recovery.after(Trouble.ABORTED) for _ in range(2)] == [False, True]


def test_a_stale_list_of_services_is_asked_anew_once_before_it_is_believed():
    recovery, forget, _ = after(Trouble.NO_CHARACTERISTIC)
    assert forget == [True]
    assert not recovery.is_final(Trouble.NO_CHARACTERISTIC, opening=True)
    assert not recovery.after(Trouble.NO_CHARACTERISTIC)
    assert recovery.is_final(Trouble.NO_CHARACTERISTIC, opening=True)
    assert not recovery.is_final(Trouble.NO_CHARACTERISTIC, opening=False)


def test_a_device_that_is_gone_or_refuses_is_not_forgotten():
    assert not any(after(*[Trouble.GONE] * 5)[1])
    assert not any(after(*[Trouble.REFUSED] * 5)[1])


@pytest.mark.parametrize("trouble", sorted(LASTING | {Trouble.UNPAIRED, Trouble.REFUSED}))
def test_what_only_somebody_can_mend_is_final_at_first_and_waited_for_later(trouble):
    recovery, _, _ = after()
    assert recovery.is_final(trouble, opening=True)
    assert not recovery.is_final(trouble, opening=False)


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        ("[org.bluez.Error.InProgress] Operation already in progress", Trouble.IN_PROGRESS),
        ("[org.bluez.Error.NotAvailable] Operation currently not available", Trouble.NOT_AVAILABLE),
        ("[org.bluez.Error.Failed] br-connection-profile-unavailable", Trouble.NOT_AVAILABLE),
        ("[org.bluez.Error.Failed] le-connection-abort-by-local", Trouble.ABORTED),
        ("[org.bluez.Error.Failed] Software caused connection abort", Trouble.ABORTED),
        ("failed to discover services, device disconnected", Trouble.ABORTED),
        ("[org.bluez.Error.NotReady] Resource Not Ready", Trouble.POWERED_OFF),
        ("[org.freedesktop.DBus.Error.AccessDenied] Rejected send message", Trouble.DENIED),
        ("[org.freedesktop.DBus.Error.ServiceUnknown] The name org.bluez was not provided", Trouble.NO_SERVICE),
        ("[org.freedesktop.DBus.Error.UnknownObject] Method doesn't exist", Trouble.GONE),
        ("[org.freedesktop.DBus.Error.NoReply] Did not receive a reply", Trouble.TIMED_OUT),
        ("[org.bluez.Error.AuthenticationFailed] Authentication Failed", Trouble.UNPAIRED),
        ("something that nobody has seen", Trouble.OTHER),
    ],
)
def test_what_a_system_says_is_one_of_few_troubles(said, trouble):
    assert classify(said) is trouble


@pytest.mark.parametrize("trouble", Trouble)
def test_every_trouble_says_what_to_do(trouble):
    error = RadioError(trouble, "as it was said", of="ble:A")
    assert str(error) == f"ble:A: {ADVICE[trouble].message} (as it was said)"
    assert error.hint
    assert error.exit_code == 3
