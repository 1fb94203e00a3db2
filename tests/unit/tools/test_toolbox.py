"""The toolbox: names, doubles, and what is on offer."""

import pytest

from parlance.core.principal import LOCAL_ADMIN
from parlance.core.tool import Tool
from parlance.core.tool import Toolbox as ToolboxProtocol
from parlance.tools.builtin import BUILTINS
from parlance.tools.from_function import tool_from_function
from parlance.tools.toolbox import Toolbox


def tool(name: str) -> Tool:
    def nothing() -> str:
        return ""

    return tool_from_function(nothing, name=name)


def test_all_tools_are_on_offer_by_name_unless_some_are_chosen() -> None:
    tools = [tool("a"), tool("b"), tool("c")]
    everything: ToolboxProtocol = Toolbox(tools)
    assert list(everything.offered(LOCAL_ADMIN)) == ["a", "b", "c"]
    assert list(Toolbox(tools, enabled=["c", "a"]).offered(LOCAL_ADMIN)) == ["a", "c"]
    assert dict(Toolbox(tools, enabled=[]).offered(LOCAL_ADMIN)) == {}
    assert everything.offered(LOCAL_ADMIN)["b"] is tools[1]


@pytest.mark.parametrize("name", ["", "a b", "a.b", "ü", "a" * 65, "a\n", "a/b"])
def test_a_name_that_hosts_refuse_is_refused_here(name: str) -> None:
    with pytest.raises(ValueError, match="can't be named"):
        Toolbox([tool(name)])


@pytest.mark.parametrize("name", ["a", "a" * 64, "get_current-time_2"])
def test_other_names_are_taken(name: str) -> None:
    assert list(Toolbox([tool(name)]).offered(LOCAL_ADMIN)) == [name]


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two tools named 'a'"):
        Toolbox([tool("a"), tool("a")])


def test_enabling_what_is_not_there_is_an_error_that_lists_what_is() -> None:
    with pytest.raises(ValueError, match=r"No tool is named x, y\. There are: a, b"):
        Toolbox([tool("a"), tool("b")], enabled=["y", "a", "x"])


def test_the_built_in_tools_fit_into_a_toolbox() -> None:
    assert "get_current_time" in Toolbox(BUILTINS).offered(LOCAL_ADMIN)
    assert all(tool.spec.description for tool in BUILTINS)
