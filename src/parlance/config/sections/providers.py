"""How each provider is reached and what it is asked for; which names lead to which models; what they cost."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from parlance.config.sections.fields import (
    HeaderSecret,
    HttpAddress,
    Id,
    Level,
    ListOf,
    Name,
    NamedMapOf,
    Seconds,
    Section,
    empty_map,
)

Retries = Annotated[int, Field(ge=0, le=10)]
RetryDelay = Annotated[float, Field(ge=0, le=60)]
Dollars = Annotated[float, Field(ge=0)]
Window = Annotated[int, Field(ge=256)]


class DeadlineSettings(Section):
    """Seconds for one model call. `first` unset: 60, or 600 at a local host, which may have to load the model."""

    connect: Seconds = 5.0
    first: Seconds | None = None
    idle: Seconds = 60.0
    total: Seconds = 600.0


class RequestSettings(Section):
    """For every provider that says nothing itself: `timeout` is the total, `retry_delay` the first pause; seconds."""

    timeout: Seconds | None = None
    max_retries: Retries | None = None
    retry_delay: RetryDelay | None = None


class ProviderSettings(Section):
    """`host` is a row of the catalogue. `off` is the reason why this provider is not to be used. `file` is Python code
    of the operator's, `object` a name in it: where models are made by a library in this process."""

    host: Id
    base_url: HttpAddress | None = None
    api_key: HeaderSecret | None = None
    model: Name | None = None
    models: ListOf[Name] = ()
    headers: NamedMapOf[HeaderSecret] = Field(default_factory=empty_map)
    proxy: SecretStr | None = None
    ca_file: Path | None = None
    file: Path | None = None
    object: Name = "make_model"
    deadlines: DeadlineSettings = DeadlineSettings()
    max_retries: Retries = 2
    retry_delay: RetryDelay = 0.5
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    system_prompt: str | None = None
    stream: bool = True
    log_level: Level | None = None
    off: str | None = None


class RouteModelSettings(Section):
    """One model of a route; neighbours with a weight share the load in its proportion. May be written as its name."""

    model: Name
    weight: Annotated[float, Field(gt=0, le=1_000_000)] | None = None

    @model_validator(mode="before")
    @classmethod
    def read_short_form(cls, value: object) -> object:
        return {"model": value} if isinstance(value, str) else value


class RouteSettings(Section):
    """A name that clients use: the models that answer to it, in order. May be written as the one model's name."""

    route: Annotated[ListOf[RouteModelSettings], Field(min_length=1)]
    after_content: Literal["error", "restart"] = "error"

    @model_validator(mode="before")
    @classmethod
    def read_short_form(cls, value: object) -> object:
        return {"route": value} if isinstance(value, str | list) else value


class ModelsSettings(Section):
    """In a file the routes stand beside `default`: any other key of `models` is the name of a route."""

    default: Name | None = None
    default_provider: Name | None = None
    routes: NamedMapOf[RouteSettings] = Field(default_factory=empty_map)


class DoorSettings(Section):
    """What a door uses when its client names no model; unset: the service's own default."""

    provider: Id | None = None
    model: Name | None = None


class DoorsSettings(Section):
    ndjson_chat: DoorSettings = DoorSettings()
    json_rpc: DoorSettings = DoorSettings()


class PriceSettings(Section):
    """US dollars per million tokens."""

    input: Dollars
    output: Dollars
    cached: Dollars | None = None
    cache_written: Dollars | None = None
