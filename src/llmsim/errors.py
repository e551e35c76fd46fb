"""What a caller may catch: one base, and below it an error for each thing that can be wrong."""


class LlmsimError(ValueError):
    """Something that was asked of llmsim cannot be: one sentence for a person."""


class CatalogError(LlmsimError):
    """A list, or a name that was looked up in it, is wrong: one sentence for a person."""


class PlanError(LlmsimError):
    """Options that no job satisfies; says why, with the arithmetic."""


class OptionError(LlmsimError):
    """A wrong use of the options, in one sentence; from a parser, what follows the name."""
