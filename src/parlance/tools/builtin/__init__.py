"""The tools that come with Parlance, one in each file. Each that is imported here is one of them: a new one is its
file and one line.
"""

from parlance.tools.builtin.get_current_time import get_current_time as get_current_time
from parlance.tools.from_function import FunctionTool

BUILTINS: tuple[FunctionTool, ...] = tuple(tool for tool in list(globals().values()) if isinstance(tool, FunctionTool))
