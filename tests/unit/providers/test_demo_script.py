"""The grammar of what a message may ask of the demo."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlance.providers.demo_script import CallLine, DemoScript, read_script

SCRIPTS: dict[str, DemoScript] = {
    "": DemoScript(),
    "What is this?": DemoScript(question="What is this?"),
    "/reason Why?": DemoScript(reason=True, question="Why?"),
    "/words 300": DemoScript(words=300),
    "/words 300 /slow 0.2 /reason": DemoScript(words=300, slow=0.2, reason=True),
    "/slow": DemoScript(slow=0.2),
    "/slow 1000000 /words 1000000": DemoScript(slow=60.0, words=10_000),
    "/cut 3\nTell me": DemoScript(cut=3, question="Tell me"),
    "/length": DemoScript(finish="length"),
    "/filter": DemoScript(finish="filtered"),
    "/refuse": DemoScript(refuse=True),
    "/hang": DemoScript(hang=True),
    "/fail": DemoScript(fail="unreachable"),
    "/fail rate_limited": DemoScript(fail="rate_limited"),
    "/fail timeout now": DemoScript(fail="timeout", question="now"),
    "/fail badly": DemoScript(fail="unreachable", question="badly"),
    '/call add {"a": 1.0, "b": 2}': DemoScript(calls=(CallLine("add", '{"a": 1.0, "b": 2}'),)),
    "/call now": DemoScript(calls=(CallLine("now", "{}"),)),
    '/call a {"x":1} /call b {"y":2}\n/call c': DemoScript(
        calls=(CallLine("a", '{"x":1}'), CallLine("b", '{"y":2}'), CallLine("c", "{}"))
    ),
    "/call now {broken": DemoScript(calls=(CallLine("now", "{}"),), question="{broken"),
    "/call": DemoScript(),
    "Please call now()": DemoScript(question="Please call now()", calls=(CallLine("now", "{}"),)),
    'call get_time(zone="Europe/Paris", short=true)': DemoScript(
        question='call get_time(zone="Europe/Paris", short=true)',
        calls=(CallLine("get_time", '{"zone": "Europe/Paris", "short": true}'),),
    ),
    'Call add({"a": 1.0}) and call sub(a=1, b=2)': DemoScript(
        question='Call add({"a": 1.0}) and call sub(a=1, b=2)',
        calls=(CallLine("add", '{"a": 1.0}'), CallLine("sub", '{"a": 1, "b": 2}')),
    ),
    "call say(text='a, (b)')": DemoScript(
        question="call say(text='a, (b)')", calls=(CallLine("say", '{"text": "a, (b)"}'),)
    ),
    "call me(": DemoScript(question="call me("),
    "call me maybe": DemoScript(question="call me maybe"),
    "1/call x": DemoScript(question="1/call x"),
    "/unknown x": DemoScript(question="/unknown x"),
    "/words\n\nfirst\n\nsecond\n": DemoScript(words=5, question="first\n\nsecond"),
}


@pytest.mark.parametrize("message", SCRIPTS)
def test_a_message_is_read_as_its_script(message: str) -> None:
    assert read_script(message) == SCRIPTS[message]


@given(st.text() | st.from_regex(r"(/(call|words|slow|fail|cut)[ a-z0-9{}().\n\"]*){1,4}"))
def test_any_message_is_a_script(message: str) -> None:
    read_script(message)
