"""For whom a caller acts: a key for all subtenants may narrow one request to one of them."""

from parlance.core.principal import Caller, Principal
from parlance.core.stores.subtenants import Subtenants

HEADER = "x-parlance-subtenant"


async def acting(caller: Caller, principal: Principal, subtenants: Subtenants) -> Principal:
    """`SubtenantNotFound`, also for a subtenant that is not this key's."""
    wanted = caller.headers.get(HEADER)
    if wanted is None:
        return principal
    subtenant = await subtenants.find(wanted, principal.reach)
    return principal.acting_for(subtenant.id)
