"""Ids are new each time, and of the shape they promise."""

import uuid

from parlance.core.ids import new_call_id, new_epoch, new_message_id, new_turn_id, uuid7


def test_ids_are_uuids_of_version_7() -> None:
    for made in (uuid7(), uuid.UUID(new_turn_id()), uuid.UUID(new_message_id())):
        assert made.version == 7
        assert made.variant == uuid.RFC_4122


def test_ids_are_in_the_order_of_their_milliseconds() -> None:
    stamps = [uuid7().int >> 80 for _ in range(100)]
    assert stamps == sorted(stamps)


def test_no_two_ids_are_the_same() -> None:
    assert len({uuid7() for _ in range(1_000)}) == 1_000
    assert new_call_id().startswith("call_")
    assert new_epoch() != new_epoch()
