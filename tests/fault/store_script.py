"""What a turn says that is kept until somebody is killed: from its message alone it is known how it must read."""

import uuid

from parlance.core.events import Event, PartClosed, PartOpened, StepEnded, StepStarted, TextGrew
from parlance.core.ids import MessageId
from parlance.core.messages import Origin
from parlance.core.parts import Text

WORDS = 8


def said_in(text: str) -> list[Event]:
    """The events between a turn's start and its end."""
    return [
        StepStarted(1, Origin("host", "model", "openai_chat")),
        PartOpened(1, Text("")),
        *(TextGrew(1, word) for word in words_of(text)),
        PartClosed(1, Text(answer_to(text))),
        StepEnded(1, "stop", MessageId(str(uuid.uuid5(uuid.NAMESPACE_URL, text)))),
    ]


def words_of(text: str) -> list[str]:
    return [f"{text}:{number} " for number in range(WORDS)]


def answer_to(text: str) -> str:
    return "".join(words_of(text))
