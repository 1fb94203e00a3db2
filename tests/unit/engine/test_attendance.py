"""Who still listens to a turn, and when it is given up."""

from parlance.engine.attendance import Attendance
from parlance.testing.clock import settle


class Listeners:
    """An attendance without any grace, and how often it gave up."""

    def __init__(self) -> None:
        self.given_up = 0
        self.attendance = Attendance(0, self._give_up)

    def _give_up(self) -> None:
        self.given_up += 1


async def test_a_turn_that_nobody_ever_follows_is_given_up_once() -> None:
    listeners = Listeners()
    listeners.attendance.begin()
    await settle()
    listeners.attendance.wait(False)
    await settle()
    assert listeners.given_up == 1


async def test_a_follower_keeps_it_and_the_last_to_leave_does_not() -> None:
    listeners = Listeners()
    attendance = listeners.attendance
    attendance.begin()
    attendance.came()
    attendance.came()
    attendance.left()
    await settle()
    assert listeners.given_up == 0
    attendance.left()
    await settle()
    assert listeners.given_up == 1


async def test_it_is_not_given_up_while_it_waits_for_its_caller() -> None:
    listeners = Listeners()
    listeners.attendance.begin()
    listeners.attendance.wait(True)
    await settle()
    assert listeners.given_up == 0
    listeners.attendance.wait(False)
    await settle()
    assert listeners.given_up == 1


async def test_what_has_ended_is_never_given_up() -> None:
    listeners = Listeners()
    attendance = listeners.attendance
    attendance.begin()
    attendance.end()
    attendance.came()
    attendance.left()
    await settle()
    assert listeners.given_up == 0
