"""Who may see what, and which models a key may use."""

import pytest

from parlance.core.ids import KeyId
from parlance.core.principal import DEFAULT_SUBTENANT, LOCAL_ADMIN, Principal, Scope


def principal(scope: Scope, subtenant: str | None = None, models: tuple[str, ...] | None = None) -> Principal:
    return Principal(scope, KeyId("key"), subtenant, models)


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        (LOCAL_ADMIN, {"acme", "globex", DEFAULT_SUBTENANT}),
        (principal("service"), {"acme", "globex", DEFAULT_SUBTENANT}),
        (principal("service", "acme"), {"acme", "globex", DEFAULT_SUBTENANT}),
        (principal("subtenant", "acme"), {"acme"}),
        (principal("subtenant"), {DEFAULT_SUBTENANT}),
    ],
)
def test_a_principal_sees_what_its_scope_says(who: Principal, sees: set[str]) -> None:
    assert {home for home in ("acme", "globex", DEFAULT_SUBTENANT) if who.may_see(home)} == sees


def test_what_a_principal_makes_belongs_to_its_subtenant_or_to_the_default_one() -> None:
    assert principal("subtenant", "acme").home == "acme"
    assert LOCAL_ADMIN.home == DEFAULT_SUBTENANT


def test_a_list_of_models_is_all_that_a_key_may_use() -> None:
    assert principal("service").may_use("anything")
    assert principal("service", models=("fast",)).may_use("fast")
    assert not principal("service", models=("fast",)).may_use("slow")
    assert not principal("service", models=()).may_use("fast")
