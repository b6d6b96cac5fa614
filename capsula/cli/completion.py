"""``capsula completion``."""

from argparse import Action, ArgumentParser, Namespace
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from capsula.cli.console import Console
from capsula.cli.main import COMMANDS, command_parser

SHELLS = ("bash", "zsh", "fish")

EXAMPLES = """
examples:
  eval "$(capsula completion bash)"                                        in ~/.bashrc
  eval "$(capsula completion zsh)"                                         in ~/.zshrc, after compinit
  capsula completion fish > ~/.config/fish/completions/capsula.fish

Commands, options, their values, files and the names of capsules are completed.
exit status: 0; 2 a mistake to mend
"""

_CAPSULES = {"CAPSULE", "A", "B"}
_PATHS = {"DIR", "FILE", "PATH", "PATH=FILE"}
_NAMES = "capsula list --names 2>/dev/null"


class Option(NamedTuple):
    """An option of a command: its spellings, what it is for, and what is known of its value."""

    spellings: tuple[str, ...]
    help: str
    is_valued: bool
    choices: tuple[str, ...]


class Syntax(NamedTuple):
    """What a shell has to know of a command."""

    summary: str
    options: tuple[Option, ...]
    operand: str
    """What its arguments are: ``capsules``, ``choices``, ``paths``, a whole ``command``, or nothing."""
    choices: tuple[str, ...] = ()


def arguments(parser: ArgumentParser) -> None:
    """Add the argument of the command."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that is to know the words of Capsula")


def run(options: Namespace, console: Console) -> int:
    """Print the script."""
    syntaxes = {name: _syntax(name) for name in COMMANDS}
    console.out(_fish(syntaxes) if options.shell == "fish" else _bash(syntaxes, is_zsh=options.shell == "zsh"))
    return 0


def _syntax(name: str) -> Syntax:
    _, parser = command_parser(name)
    actions: list[Action] = parser._actions  # noqa: SLF001 - argparse tells its options in no other way
    operands = [action for action in actions if not action.option_strings]
    options = tuple(
        Option(
            tuple(action.option_strings),
            (action.help or "").replace("%%", "%"),
            action.nargs != 0,
            tuple(map(str, action.choices or ())),
        )
        for action in actions
        if action.option_strings
    )
    return Syntax(COMMANDS[name], options, _operand(name, operands), _choices(operands))


def _operand(name: str, operands: Iterable[Action]) -> str:
    if name == "monitor":
        return "command"
    kinds = {str(action.metavar) for action in operands}
    if kinds & _CAPSULES:
        return "capsules"
    return "paths" if kinds & _PATHS else "choices"


def _choices(operands: Iterable[Action]) -> tuple[str, ...]:
    return tuple(str(choice) for action in operands for choice in action.choices or ())


def _bash(syntaxes: Mapping[str, Syntax], *, is_zsh: bool) -> str:
    """Return a script for bash, which zsh reads as well."""
    valued = sorted(_spellings(option for it in syntaxes.values() for option in it.options if option.is_valued))
    cases = "\n".join(f"        {name}) {_bash_words(it)} ;;" for name, it in syntaxes.items())
    shared = set[str].intersection(*(_spellings(it.options) for it in syntaxes.values()))
    choices = {spelling: option.choices for it in syntaxes.values() for option, spelling in _chosen(it)}
    chosen = "\n".join(
        f'        {spelling}) COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$word")); return ;;'
        for spelling, words in choices.items()
    )
    return f"""{_ZSH if is_zsh else ""}_capsula() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" command="" position=1
    local options="" operands="" kind=""
    while [ "$position" -lt "$COMP_CWORD" ]; do
        case "${{COMP_WORDS[position]}}" in
        {"|".join(valued)}) position=$((position + 1)) ;;
        -*) ;;
        *) command="${{COMP_WORDS[position]}}"; break ;;
        esac
        position=$((position + 1))
    done
    case "$before" in
{chosen}
        {"|".join(valued)}) COMPREPLY=($(compgen -f -- "$word")); return ;;
    esac
    case "$command" in
        "") options="{" ".join(sorted({*shared, "--version"}))}"; operands="{" ".join(syntaxes)}" ;;
{cases}
    esac
    if [ "$kind" = command ]; then
        position=$((position + 1))
        while [ "$position" -lt "$COMP_CWORD" ]; do
            case "${{COMP_WORDS[position]}}" in
            {"|".join(valued)}) position=$((position + 1)) ;;
            --) position=$((position + 1)); break ;;
            -*) ;;
            *) break ;;
            esac
            position=$((position + 1))
        done
        if [ "$position" -lt "$COMP_CWORD" ]; then
            if declare -F _command_offset > /dev/null; then _command_offset "$position"; fi
            return
        fi
    fi
    case "$kind:$word" in
        *:-*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
        command:*) COMPREPLY=($(compgen -c -f -- "$word")) ;;
        capsules:*) COMPREPLY=($(compgen -W "$({_NAMES})" -- "$word")) ;;
        paths:*) COMPREPLY=($(compgen -f -- "$word")) ;;
        *) COMPREPLY=($(compgen -W "$operands" -- "$word")) ;;
    esac
}}
complete -o bashdefault -o default -F _capsula capsula"""


_ZSH = "autoload -Uz bashcompinit && bashcompinit\n"


def _bash_words(it: Syntax) -> str:
    words = " ".join(sorted(_spellings(it.options)))
    return f'options="{words}"; operands="{" ".join(it.choices)}"; kind={it.operand}'


def _chosen(it: Syntax) -> list[tuple[Option, str]]:
    return [(option, spelling) for option in it.options if option.choices for spelling in option.spellings]


def _spellings(options: Iterable[Option]) -> set[str]:
    return {spelling for option in options for spelling in option.spellings}


def _fish(syntaxes: Mapping[str, Syntax]) -> str:
    lines = [
        f"complete -c capsula -f -n __fish_use_subcommand -a {name} -d {_quoted(it.summary)}"
        for name, it in syntaxes.items()
    ]
    for name, it in syntaxes.items():
        under = f"complete -c capsula -n '__fish_seen_subcommand_from {name}'"
        lines += (f"{under} {_fish_option(option)}" for option in it.options)
        match it.operand:
            case "capsules":
                lines.append(f"{under} -f -a '({_NAMES})'")
            case "command":
                lines.append(f"{under} -a '(__fish_complete_subcommand)'")
            case "choices":
                lines.append(f"{under} -f -a {_quoted(' '.join(it.choices))}")
    return "\n".join(lines)


def _fish_option(option: Option) -> str:
    short = (f"-s {it[1:]}" for it in option.spellings if not it.startswith("--"))
    long = (f"-l {it[2:]}" for it in option.spellings if it.startswith("--"))
    values = f" -x -a {_quoted(' '.join(option.choices))}" if option.choices else " -r" if option.is_valued else ""
    return f"{' '.join((*short, *long))}{values} -d {_quoted(option.help)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
