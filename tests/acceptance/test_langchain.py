"""A LangChain model from an operator's file, asked through a door; and one that blocks, which nobody waits for."""

import shutil
from pathlib import Path

import httpx

from tests.acceptance.chat_lines import ask, begun, open_client
from tests.acceptance.server_process import run_command, started

MODELS = Path(__file__).resolve().parents[1] / "unit/providers/langchain_models.py"
BLOCKED = "\nimport threading\nblocked = Blocking(gate=threading.Event())\n"
SETTINGS = """
providers:
  mine: {host: langchain, file: ./models.py}
  stuck: {host: langchain, file: ./models.py, object: blocked, model: slow}
  gone: {host: langchain, file: ./nowhere.py}
"""


async def test_a_langchain_model_answers_and_a_stuck_one_holds_up_neither_others_nor_the_end(tmp_path: Path) -> None:
    shutil.copy(MODELS, tmp_path / "models.py")
    with (tmp_path / "models.py").open("a") as file:
        file.write(BLOCKED)
    (tmp_path / "parlance.yaml").write_text(SETTINGS)
    async with started(tmp_path) as server, open_client(server) as client:
        assert await names(client) == ["mine/make_model", "stuck/slow"]
        async with begun(client, "Hello", model="stuck/slow") as stuck:
            assert (await stuck.until("delta"))["delta"] == "one"
            answer = await ask(client, "Hello")
        assert (answer.text, answer.lines[0]["meta"]["model"]) == ("Hello there!", "make_model")
        refused = await client.post("/chat", json={"message": "Hello", "model": "gone/x"})
        assert refused.json()["code"] == "no_provider"
        assert "nowhere.py is not there" in refused.json()["detail"]


async def names(client: httpx.AsyncClient) -> list[str]:
    listed = (await client.get("/models")).json()["models"]
    return [model["id"] for model in listed]


def test_doctor_tells_what_the_file_lacks(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text("import not_there_at_all\n")
    (tmp_path / "parlance.yaml").write_text("providers: {mine: {host: langchain, file: ./models.py}}\n")
    told = run_command("doctor", folder=tmp_path).stdout
    assert "models.py imports not_there_at_all" in " ".join(told.split())
