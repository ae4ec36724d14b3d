"""``attractor train``: a command whose options the network families bring."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from itertools import takewhile
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

from attractor.cli.families import all_commands, commands_of
from attractor.cli.family import FamilyCommands, TrainOption
from attractor.cli.files import check_writable
from attractor.cli.output import output

__all__ = ["EPILOG", "TrainCommand", "train", "train_with_options"]

#: Last line of every command's help.
EPILOG = "--json, --port, -v and -q may stand before or after the command."
#: What the checkpoint beside a model file ends in.
CHECKPOINT = ".checkpoint.npz"
#: Family that is meant unless the user names one.
_FAMILY = "oscillator"


def train(
    data: Annotated[str, typer.Argument(help="What to learn from")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Model file to write.")],
    family: Annotated[str, typer.Option(help="Kind of network.")] = _FAMILY,
    **given: Any,
) -> None:
    """Train a network here and write it to a model file.

    What is not given is chosen by family and data. Of eqprop and felif, each epoch is kept beside the model file until
    the last one: where training was interrupted, the same command goes on, and ends as it would have without a break.
    """
    from attractor.host.model import SUFFIX

    check_writable(out, SUFFIX)
    commands, checkpoint = commands_of(family), out.with_suffix(CHECKPOINT)
    if commands.resumes:
        given["checkpoint"] = checkpoint
        if checkpoint.exists():
            output.log(f"going on from {checkpoint}")
    try:
        trained = commands.train(data, given)
    except KeyboardInterrupt:
        if commands.resumes and checkpoint.exists():
            output.log(f"what was learnt is in {checkpoint}; the same command goes on from there")
        raise
    model = trained.model
    model.save(out)
    checkpoint.unlink(missing_ok=True)
    output.result(
        {"model": str(out)}
        | trained.values
        | {"spec": model.spec.to_dict(), "fingerprint": model.spec.fingerprint.hex()}
    )


class TrainCommand(TyperCommand):
    """Reads ``--family`` first, because the other options depend on it.

    In the list of commands it is what Typer makes of :func:`train` alone; used, it is a command that Typer makes of the
    same function and the family's options.
    """

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Let the command with all options read the words; the context is its own."""
        words = list(takewhile(lambda word: word != "--", args))
        family = _family_in(words)
        if "--help" in words and family is None:
            families = all_commands()
        else:
            family = family or _FAMILY
            families = {family: commands_of(family)}
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command(self.name, epilog=EPILOG)(train_with_options(families))
        command = get_command(app)
        if family is not None:
            taken = {word for option in command.params for word in (*option.opts, *option.secondary_opts)}
            names = [word.split("=", 1)[0] for word in words if word.startswith("--")]
            _refuse_options_of_others(family, families[family], [name for name in names if name not in taken])
        return command.make_context(info_name, args, parent, **extra)


def train_with_options(families: Mapping[str, FamilyCommands]) -> Callable[..., None]:
    """Return :func:`train` as Typer can read it, with the options of all ``families``, grouped by family."""
    options: dict[str, TrainOption] = {}
    own = inspect.signature(train, eval_str=True).parameters
    parameters = [own[name].replace(kind=inspect.Parameter.KEYWORD_ONLY) for name in ("data", "out", "family")]
    if families:
        known = "; ".join(f"{commands.data} ({family})" for family, commands in families.items())
        learns = typer.Argument(help=f"What to learn from: {known}.")
        parameters[0] = parameters[0].replace(annotation=str, default=learns)
    for family, commands in families.items():
        for option in commands.options:
            # Numbered, because families may have options of the same name.
            name = f"option_{len(options)}"
            options[name] = option
            parameters.append(_parameter(name, option, f"Options of {family}"))

    def command(data: str, out: Path, family: str, **values: Any) -> None:
        given = {options[name].name: value for name, value in values.items() if value not in (None, [])}
        train(data, out, family, **given)

    described: Any = command
    described.__name__, described.__doc__ = train.__name__, train.__doc__
    described.__signature__ = inspect.Signature(parameters)
    described.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return described


def _parameter(name: str, option: TrainOption, panel: str) -> inspect.Parameter:
    """Return the parameter of which Typer makes the option."""
    text = f"{option.help.rstrip('.')} ({option.only})." if option.only else option.help
    default = typer.Option(None, "/".join(option.words), help=text, min=option.least, rich_help_panel=panel)
    kind = GenericAlias(list, (option.kind,)) if option.repeated else option.kind
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _family_in(words: list[str]) -> str | None:
    """Return what the user gave as ``--family``; None without it."""
    found = None
    for word, following in zip(words, [*words[1:], None], strict=True):
        name, equals, value = word.partition("=")
        if name == "--family":
            found = value if equals else following
    return found


def _refuse_options_of_others(family: str, commands: FamilyCommands, strange: list[str]) -> None:
    """Raise :class:`ValueError` if one of the strange words is an option of other families."""
    others = all_commands().values() if strange else ()
    for option in (option for other in others for option in other.options):
        if not set(strange).isdisjoint(option.words):
            takes = ", ".join(sorted(taken.word for taken in commands.options)) or "none"
            raise ValueError(f"{option.word} means nothing to family {family}, which takes {takes}")
