"""A LangChain chat model that says what a test wrote down, as an operator's file would have one."""

import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.base import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import ConfigDict

Heard = list[tuple[list[BaseMessage], list[str] | None, dict[str, Any]]]


class Scripted(BaseChatModel):
    """Says its chunks; an exception among them is raised, a function is called (and may wait)."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    script: Any = ()
    heard: Any = None
    temperature: float | None = None

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise AssertionError("it is always streamed")

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        return self.bind(tools=tools, tool_choice=tool_choice, **kwargs)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        if self.heard is not None:
            self.heard.append((messages, stop, kwargs))
        for said in self.script:
            match said:
                case AIMessageChunk():
                    yield ChatGenerationChunk(message=said)
                case Exception():
                    raise said
                case _:
                    await said()


class Blocking(BaseChatModel):
    """Knows no async at all, and waits for `gate` after its first word."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    gate: threading.Event

    @property
    def _llm_type(self) -> str:
        return "blocking"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise AssertionError("it is always streamed")

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=AIMessageChunk(content="one"))
        self.gate.wait(20)
        yield ChatGenerationChunk(message=AIMessageChunk(content=" two"))


def make_model() -> Scripted:
    """What the settings name, unless they name something else."""
    return Scripted(script=[AIMessageChunk(content="Hello"), AIMessageChunk(content=" there!")])
