"""How the load generator asks at each door, and knows where an answer ends, without parsing what it reads."""

from msgspec import Struct

from bench.jobs import MARK, Door

_SOCKET_HEAD = (
    b"GET /ws/%b HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
    b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n\r\n"
)


class Wire(Struct, frozen=True):
    """`opening` is sent once, and answered with `opened`. `ask` has a place for the number of the request, if any.

    An answer is whole when `end` stood in it and the last read ends with `last`. `refusal` is how one that will never
    be whole is told; every answer must begin with `begin`. Every chunk begins with `mark`, and nothing else does.
    """

    opening: bytes
    opened: bytes
    ask: bytes
    begin: bytes
    end: bytes
    last: bytes
    refusal: bytes
    mark: bytes = MARK

    def question(self, number: int) -> bytes:
        return self.ask % number if b"%" in self.ask else self.ask


def wire_of(door: Door, act: str, session: str = "") -> Wire:
    """`act` is what the scripted host looks for, such as `@burst`; `session` is one that door D has made."""
    match door:
        case "relay":
            return _http("/v1/chat/completions", _RELAY_BODY % act.encode())
        case "lines":
            return _http("/chat", b'{"message":"%b"}' % act.encode())
        case "socket":
            return Wire(
                opening=_SOCKET_HEAD % b"chat",
                opened=b"HTTP/1.1 101",
                ask=_frame(b'{"action":"chat","payload":{"text":"%b"},"request_id":"' % act.encode()),
                begin=b"\x81",
                end=b'"status":"complete"',
                last=b"}",
                refusal=b'"status":"error"',
            )
        case "rpc":
            # With a history of its own, since the session's would grow from answer to answer.
            params = b'{"history":[],"message":"%b"}' % act.encode()
            return Wire(
                opening=_SOCKET_HEAD % session.encode(),
                opened=b"HTTP/1.1 101",
                ask=_frame(b'{"jsonrpc":"2.0","method":"generate","params":%b,"id":"' % params),
                begin=b"\x81",
                end=b'"status_message":"completed"',
                last=b'"}}',
                refusal=b'"error":{',
                # The last frame has the whole text once more.
                mark=b'"chunk":' + MARK,
            )


_RELAY_BODY = (
    b'{"model":"scripted-model","messages":[{"role":"user","content":"%b"}],"stream":true,'
    b'"stream_options":{"include_usage":true}}'
)


def _http(path: str, body: bytes) -> Wire:
    head = b"POST %b HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    ask = head % (path.encode(), len(body)) + body
    return Wire(b"", b"", ask, b"HTTP/1.1 200", b"\r\n0\r\n\r\n", b"\n", b'"status":"failed"')


def _frame(text: bytes) -> bytes:
    """A text frame that ends with a number of eight digits; masked, as a client's must be, with zeros."""
    text += b'%08d"}'
    length = len(text) + 4
    return b"\x81%c\0\0\0\0" % (0x80 | length) + text
