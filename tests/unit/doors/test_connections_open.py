"""The entrance knows what has come in and has not gone."""

from tests.unit.doors.asgi import Exchange, House, Socket


async def test_sockets_and_requests_are_counted_while_they_are_there() -> None:
    house = House()
    assert house.app.open == {"http": 0, "websocket": 0}
    socket = Socket(house)
    await socket.accepted()
    request = Exchange(house, "POST", "/chat", body=None)
    other = Exchange(house, "GET", "/nowhere")
    await other.problem()
    assert house.app.open == {"http": 1, "websocket": 1}
    request.put("http.disconnect")
    await request.ended()
    await socket.leave()
    assert house.app.open == {"http": 0, "websocket": 0}


async def test_one_that_is_refused_at_the_entrance_is_not_kept() -> None:
    house = House()
    await Exchange(house, "GET", "/", headers={"host": "evil.example"}).problem()
    assert house.app.open["http"] == 0
