"""What a line typed into the chat is: a question, or a command. Pure."""

from msgspec import Struct

HELP = """\
/models        the models there are
/model NAME    answer with this model from now on; without a name: which one it is
/system TEXT   what the model shall bear in mind; without a text: what that is; /system off: nothing
/new           begin a new conversation
/save FILE     write the conversation to a file, as Markdown
/quit          leave; so do Ctrl-D, and Ctrl-C twice

Enter sends; Alt-Enter, or a backslash at the end of the line, begins a new line.
Ctrl-C cancels an answer. A message that begins with a slash is sent with two."""


class Question(Struct, frozen=True):
    text: str


class Help(Struct, frozen=True):
    pass


class New(Struct, frozen=True):
    pass


class Quit(Struct, frozen=True):
    pass


class ListModels(Struct, frozen=True):
    pass


class ChooseModel(Struct, frozen=True):
    """None asks which one it is."""

    name: str | None


class Instruct(Struct, frozen=True):
    """None asks what it is; empty is nothing."""

    text: str | None


class Save(Struct, frozen=True):
    file: str


class Misread(Struct, frozen=True):
    """No command that is known: `reason` says what to do."""

    reason: str


Line = Question | Help | New | Quit | ListModels | ChooseModel | Instruct | Save | Misread


def read_line(line: str) -> Line | None:
    """None for a line that says nothing."""
    text = line.strip()
    if not text:
        return None
    if not text.startswith("/"):
        return Question(text)
    if text.startswith("//"):
        return Question(text[1:])
    name, *argument = text[1:].split(None, 1) or [""]
    return _read_command(name.lower(), "".join(argument))


def _read_command(name: str, argument: str) -> Line:
    match name:
        case "model":
            return ChooseModel(argument or None)
        case "system":
            return Instruct("" if argument.lower() == "off" else argument or None)
        case "save":
            return Save(argument) if argument else Misread("Give the file's name: /save FILE.")
        case "help" | "new" | "quit" | "exit" | "models" if argument:
            return Misread(f"/{name} takes no argument. To send it as a message, begin with two slashes.")
        case "help":
            return Help()
        case "new":
            return New()
        case "quit" | "exit":
            return Quit()
        case "models":
            return ListModels()
        case _:
            return _unknown(name)


def _unknown(name: str) -> Misread:
    return Misread(f"There is no command /{name}. /help lists them; to send it as a message, begin with two slashes.")
