"""Python reads this at its start where the folder is on its path: the server then has one more tool, `dig`, which runs
until it is stopped. Its site, a port that a test listens at, sees it come and go.
"""

import asyncio

from parlance.tools import builtin
from parlance.tools.from_function import function_tool


@function_tool
async def dig(site: int) -> str:
    """Digs as long as the site lets it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site)
    try:
        await reader.read()
    finally:
        writer.close()
    return "found"


builtin.BUILTINS = (*builtin.BUILTINS, dig)
