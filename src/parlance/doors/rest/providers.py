"""A provider that is named beside its model must be there: its name must not be taken for a part of the model's."""

from parlance.core.errors import ModelNotFound
from parlance.core.principal import Principal
from parlance.core.provider import Models

DOOR = "rest"


async def check_provider(models: Models, model: str, provider: str | None, principal: Principal) -> None:
    """`ModelNotFound`, and what `Models.resolve` raises."""
    if provider is None:
        return
    try:
        target = await models.resolve(model, principal, door=DOOR)
    except ModelNotFound:
        if await _is_named(models, provider, principal):
            raise
    else:
        if target.provider.name == provider:
            return
    raise ModelNotFound(f"There is no provider {provider[:80]!r}. GET /models lists the models with theirs.")


async def _is_named(models: Models, provider: str, principal: Principal) -> bool:
    """Whether any model of it is on offer, so that it is there."""
    return any(model.provider == provider for model in await models.offered(principal, door=DOOR))
