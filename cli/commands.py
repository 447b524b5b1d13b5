"""How commands are found, and what all of them share.

`NOUNS` says where each noun of `civreg <noun> <verb>` lives; a module is imported only when its
noun is called, so that `civreg --help` and `civreg verify` start at once. To add a noun: write the
module, add a line here, and its short help to `[help]` of a file in `messages/en` and in `vi`.

A command is declared with `cls=Command`, a noun with verbs with `cls=Group`. They accept `--json`,
`--lang` and `--home` at any place, and with `changes=True` also `--yes` and `--dry-run`. The
function takes the `Context` by `@click.pass_obj`, raises a `CivregError` to refuse, and returns an
exit code or nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final, cast

import click
from click.shell_completion import CompletionItem

from cli.languages import LANGUAGES, catalogue
from cli.output import Context

# noun -> "module:attribute". The attribute is a click command, or a function that makes one from
# the noun, as for the record types, which come from their schemas.
NOUNS: Final[dict[str, str]] = {
    "audit": "cli.audit:audit",
    "ballot": "cli.governance:noun",
    "birth": "cli.record_nouns:noun",
    "competence": "cli.governance:noun",
    "codes": "cli.codes:codes",
    "completion": "cli.version:completion",
    "demo": "cli.demo:demo",
    "draft": "cli.draft:draft",
    "evidence": "cli.evidence:evidence",
    "export": "cli.export:export",
    "form": "cli.form:form",
    "governance": "cli.decisions:governance",
    "identity": "cli.record_nouns:noun",
    "import": "cli.import_file:import_",
    "import-window": "cli.governance:noun",
    "key": "cli.key:key",
    "land-title": "cli.record_nouns:noun",
    "network": "cli.network:network",
    "node": "cli.operate:node",
    "notice": "cli.notice:notice",
    "office": "cli.governance:noun",
    "officer": "cli.governance:noun",
    "record": "cli.show:record",
    "show": "cli.show:show",
    "status": "cli.show:status",
    "text": "cli.governance:noun",
    "trust": "cli.trust:trust",
    "verify": "cli.verify:verify",
    "version": "cli.version:version",
    "who-read": "cli.who_read:who_read",
}


_EXAMPLES: Final = "\b\nExample:"
"""Where the examples of a docstring begin: commands are the same in every language."""
_KINDS_OF_VALUE: Final = frozenset({"FILE", "DIRECTORY", "PATH", "INTEGER", "TEXT"})
_RANGE: Final = " RANGE"


class _Bilingual(click.Command):
    """Help in the language of the person; English is the docstring, the rest the catalogue."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the line of usage."""
        pieces = " ".join(_said_piece(ctx, piece) for piece in self.collect_usage_pieces(ctx))
        formatter.write_usage(ctx.command_path, pieces, prefix=f"{_say(ctx, 'frame.usage')} ")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the description, or its translation followed by the examples of the docstring."""
        translated = _helps(ctx).get(_path(ctx))
        if translated is not None and self.help and context_of(ctx).lang != "en":
            write_help(ctx, formatter, translated, cleandoc(self.help))
        else:
            super().format_help_text(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write options and, for a noun, its verbs."""
        rows: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                names, described = record
                described = _translated_option(ctx, parameter, described)
                rows.append((_said_names(ctx, parameter, names), _said_extra(ctx, described)))
        if rows:
            with formatter.section(_say(ctx, "frame.options")):
                formatter.write_dl(rows)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)


class Command(_Bilingual):
    """A command with the options that all commands share; `changes` adds --yes and --dry-run."""

    def __init__(self, *args: Any, changes: bool = False, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **settings)
        self.params = [*self.params, *_shared_options(changes=changes)]


class Group(_Bilingual, click.Group):
    """A noun with verbs; its verbs are of class Command unless they say otherwise."""

    command_class: type[click.Command] | None = Command

    def __init__(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **settings)
        self.params = [*self.params, *_shared_options(changes=False)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that `args` begin with, or suggest the nearest name."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            names = self.list_commands(ctx)
            raise click.NoSuchCommand(error.command_name, possibilities=names, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one line for each verb or noun."""
        rows = [(name, self.short_help_of(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section(_say(ctx, "frame.commands")):
            formatter.write_dl(rows)

    def short_help_of(self, ctx: click.Context, name: str) -> str:
        """Return the first sentence about a verb, in the person's language."""
        translated = _helps(ctx).get(f"{_path(ctx)} {name}".strip())
        if translated is not None:
            return translated.partition("\n")[0]
        command = self.get_command(ctx, name)
        return "" if command is None else command.get_short_help_str(limit=90)


class LazyGroup(Group):
    """The nouns of `NOUNS`, each imported when it is called; their short help comes from a file."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return all nouns in alphabetical order."""
        return sorted(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module of a noun and return its command; None if there is no such noun."""
        target = NOUNS.get(cmd_name)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        found = getattr(import_module(module), attribute)
        return cast("click.Command", found if isinstance(found, click.Command) else found(cmd_name))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a noun without importing any of them."""
        nouns = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        items = [CompletionItem(name, help=self.short_help_of(ctx, name)) for name in nouns]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]


def write_help(
    ctx: click.Context, formatter: click.HelpFormatter, translated: str, english: str
) -> None:
    """Write a description in the language of the person, with the examples of the English one."""
    _, mark, examples = english.partition(_EXAMPLES)
    heading = f"\b\n{_say(ctx, 'frame.example')}" if mark else ""
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text(f"{translated}\n\n{heading}{examples}".rstrip())


def _said_piece(ctx: click.Context, piece: str) -> str:
    """Return a piece of the line of usage; names of arguments are the same in every language."""
    known = {
        "[OPTIONS]": "frame.usage_options",
        "COMMAND [ARGS]...": "frame.usage_command",
    }
    return _say(ctx, known[piece]) if piece in known else piece


def _said_names(ctx: click.Context, parameter: click.Parameter, names: str) -> str:
    """Return an option's names with the kind of its value in the person's language."""
    if context_of(ctx).lang == "en":
        return names
    before, blank, kind = names.removesuffix(_RANGE).rpartition(" ")
    if parameter.metavar is not None or kind not in _KINDS_OF_VALUE:
        return names
    return f"{before}{blank}{_say(ctx, f'frame.kind_{kind.lower()}')}"


def _said_extra(ctx: click.Context, described: str) -> str:
    """Return an option's help with what click adds to it in the person's language."""
    for english, key in (("[default: ", "frame.default"), ("[required]", "frame.required")):
        before, mark, after = described.rpartition(english)
        described = f"{before}{_say(ctx, key)}{after}" if mark else described
    return described


def context_of(ctx: click.Context) -> Context:
    """Return what the person asked for; the defaults before any option was read."""
    return ctx.obj if isinstance(ctx.obj, Context) else Context()


def scan(arguments: Sequence[str], defaults: Context) -> Context:
    """Return the language and form that `arguments` ask for, wherever the options stand.

    A command line that is wrong is never parsed to its end, yet its refusal must be in the right
    language and form, so these two are looked for beforehand.
    """
    found = replace(defaults, as_json="--json" in arguments)
    for at, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == "--lang":
            named = value if equals else "".join(arguments[at + 1 : at + 2])
            for language in LANGUAGES:
                if named == language:
                    found = replace(found, lang=language)
    return found


def _shared_options(*, changes: bool) -> list[click.Option]:
    def keep(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
        """Put what was given into the context; what was not given stays as a parent had it."""
        if value not in {None, False}:
            given: dict[str, Any] = {parameter.name: value}  # click has checked its type
            if parameter.name == "home":
                given["home_named"] = True
            ctx.obj = replace(context_of(ctx), **given)

    def option(*names: str, **settings: Any) -> click.Option:  # noqa: ANN401 - click's own types
        return click.Option(names, expose_value=False, callback=keep, **settings)

    shared = [
        option("--json", "as_json", is_flag=True, help="Print JSON, one object a line."),
        option("--lang", type=click.Choice(LANGUAGES), help="Language of what is said."),
        option(
            "--home",
            type=click.Path(path_type=Path, file_okay=False),
            help="Folder of keys, networks and settings.",
        ),
    ]
    if changes:
        shared += [
            option("--yes", is_flag=True, help="Do not ask before something is changed."),
            option("--dry-run", is_flag=True, help="Say what would be done; change nothing."),
        ]
    return shared


def _translated_option(ctx: click.Context, parameter: click.Parameter, described: str) -> str:
    """Return an option's help in the person's language: of this command, or of every command."""
    english = getattr(parameter, "help", None)
    names = [*parameter.opts, *parameter.secondary_opts]
    for name in [f"{_path(ctx)} {name}" for name in names] + names:
        translated = _helps(ctx).get(name)
        if translated is not None and english:
            return described.replace(english, translated, 1)
    return described


def _helps(ctx: click.Context) -> Mapping[str, str]:
    return catalogue(context_of(ctx).lang).help


def _path(ctx: click.Context) -> str:
    """Return the words after `civreg`, such as `key new`; empty for civreg itself."""
    return ctx.command_path.partition(" ")[2]


def _say(ctx: click.Context, key: str) -> str:
    return context_of(ctx).say(key)
