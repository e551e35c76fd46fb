"""Options from pairs of a name and a text: flags, variables, lines of a file, a URL's query."""

from collections.abc import Iterable, Iterator

from llmsim.catalog.lists import quoted
from llmsim.errors import FLAG, PARAMETER, CatalogError, OptionError, Setting
from llmsim.options.option import Option
from llmsim.options.parsing import with_scenes
from llmsim.options.table import OPTIONS, Options, field_of
from llmsim.typed import NamedTuple, TypeVar

# A record of options: of a run, or of another command.
Chosen = TypeVar("Chosen", bound=NamedTuple)


def unknown(name: str, prefix: str) -> str:
    """The sentence that refuses an option which is not in the table."""
    from llmsim.options.elsewhere import answer  # only for what is wrong

    names = (option.name for option in _offered(prefix))
    return f"there is no option {quoted(name)}{answer(name, prefix, names)}"


def _offered(prefix: str) -> Iterator[Option]:
    return (option for option in OPTIONS if prefix or option.in_url)


def with_value(options: Chosen, option: Option, text: str, shown: str | Setting) -> Chosen:
    """The options with one value read from its text.

    Raises OptionError, a sentence that names the option as `shown`, and the value, and says
    what would be right.
    """
    try:
        value, field = option.parse(text), field_of(option)
        value = (*getattr(options, field), value) if option.repeats else value
        return options._replace(**{field: value})
    except OptionError as error:
        raise OptionError(shown, " ", *error.args) from None
    except CatalogError as error:
        raise OptionError(*error.args) from None
    except ValueError:
        raise OptionError(shown, f" cannot be {quoted(text)}: give {option.expected}.") from None


def parse_options(
    given: Iterable[tuple[str, str]], prefix: str, base: Options | None = None
) -> tuple[Options, list[str]]:
    """Options from (name, text) pairs, and one sentence for each that is wrong.

    A wrong value leaves the default; of a repeated name the last counts, or all where the option
    repeats. `prefix` is what the user types before a name, "--" or nothing.
    """
    surface = FLAG if prefix else PARAMETER
    table = {option.name: option for option in _offered(prefix)}
    options, complaints = base or Options(), []
    for name, text in with_scenes(given):
        if name not in table:
            complaints.append(unknown(prefix + name, prefix))
            continue
        try:
            options = with_value(options, table[name], text, Setting(name))
        except OptionError as error:
            complaints.append(error.sentence(surface))
    return options, complaints


def from_query(pairs: Iterable[tuple[str, str]]) -> tuple[Options, list[str]]:
    """The options of a URL's query, with endless runs by default; see parse_options."""
    return parse_options(pairs, prefix="", base=Options(runs=0))
