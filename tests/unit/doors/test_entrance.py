"""Where every connection comes in, and how its errors are told."""

import pytest
from starlette.routing import Route

from parlance.core.errors import Field as ErrorField
from parlance.core.errors import HostRateLimited, InvalidRequest, KeyMissing, ParlanceError
from parlance.doors.entrance import read_caller
from parlance.doors.visit import visit_of
from tests.unit.doors.asgi import Connection, Exchange, House, scope_of


class Failing:
    """An endpoint that refuses."""

    def __init__(self, error: ParlanceError) -> None:
        self._error = error

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        raise self._error


async def problem_for(error: ParlanceError) -> dict[str, object]:
    return await Exchange(House(routes=(Route("/refused", Failing(error)),)), "GET", "/refused").problem()


async def test_a_problem_has_all_that_rfc_9457_and_we_promise() -> None:
    problem = await problem_for(InvalidRequest("$.a: no.", fields=(ErrorField("$.a", "no"),)))
    assert (
        problem.items()
        >= {
            "type": "about:blank",
            "title": "Not of the expected form",
            "status": 422,
            "detail": "$.a: no.",
            "code": "invalid_request",
            "retryable": False,
        }.items()
    )
    assert problem["errors"] == [{"path": "$.a", "message": "no"}]


async def test_a_time_to_wait_is_said_in_the_body_and_rounded_up_in_the_header() -> None:
    problem = await problem_for(HostRateLimited("slow down", retry_after=1.2))
    headers = problem["headers"]
    assert isinstance(headers, dict)
    assert (problem["retry_after"], headers["retry-after"]) == (1.2, "2")


async def test_who_lacks_a_key_is_told_how_to_bring_one() -> None:
    headers = (await problem_for(KeyMissing("no key")))["headers"]
    assert isinstance(headers, dict)
    assert headers["www-authenticate"] == "Bearer"


async def test_texts_with_marks_of_lines_stay_in_the_body() -> None:
    problem = await problem_for(InvalidRequest("a\r\nset-cookie: x"))
    assert "set-cookie" not in str(problem["headers"])
    assert problem["detail"] == "a\r\nset-cookie: x"


def test_headers_that_come_twice_are_joined() -> None:
    scope = scope_of("http", "/", method="GET")
    scope["headers"] += [(b"x-api-key", b"a"), (b"x-api-key", b"b")]
    assert read_caller(scope).headers["x-api-key"] == "a, b"


def test_a_caller_without_an_address_is_one() -> None:
    caller = read_caller({**scope_of("websocket", "/ws/chat"), "client": None})
    assert (caller.peer, caller.method) == (None, "GET")


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("mine-1", True),
        ("A.b:c/d+e=f@g_h", True),
        ("", False),
        ("two words", False),
        ("x" * 129, False),
        ("a\tb", False),
    ],
)
async def test_a_clients_own_id_is_taken_where_a_log_may_hold_it(given: str, taken: bool) -> None:
    exchange = Exchange(House(), "GET", "/", headers={"x-request-id": given})
    _, headers = await exchange.head()
    assert (headers["x-request-id"] == given) is taken
    assert headers["x-request-id"]
    await exchange.ended()


async def test_a_handshake_is_refused_by_closing_where_the_server_can_not_answer() -> None:
    socket = Connection(House(), scope_of("websocket", "/nowhere", subprotocols=[]))
    assert await socket.take() == {"type": "websocket.close", "code": 1008, "reason": "not_found"}
    await socket.ended()


async def test_a_handshake_is_refused_with_a_problem_where_the_server_can_answer() -> None:
    extensions: dict[str, object] = {"websocket.http.response": {}}
    socket = Connection(House(), scope_of("websocket", "/nowhere", subprotocols=[], extensions=extensions))
    start, body = await socket.take(), await socket.take()
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 404)
    assert b'"code":"not_found"' in body["body"]
    await socket.ended()


async def test_a_start_that_fails_is_told_to_the_server() -> None:
    async def fail() -> None:
        raise OSError("no room")

    house = House()
    house.app._start = fail
    connection = Connection(house, {"type": "lifespan"})
    connection.put("lifespan.startup")
    assert await connection.take() == {"type": "lifespan.startup.failed", "message": "no room"}
    await connection.ended()


async def test_start_and_stop_are_told_when_they_are_done() -> None:
    connection = Connection(House(), {"type": "lifespan"})
    connection.put("lifespan.startup")
    assert (await connection.take())["type"] == "lifespan.startup.complete"
    connection.put("lifespan.shutdown")
    assert (await connection.take())["type"] == "lifespan.shutdown.complete"
    await connection.ended()


def test_a_door_without_an_entrance_is_a_bug() -> None:
    with pytest.raises(KeyError):
        visit_of({"type": "http"})
