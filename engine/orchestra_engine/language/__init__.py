"""The little languages of a manifest: tags, conditions, expressions, durations. Nothing here is ever `eval`uated by Python."""


class LanguageError(ValueError):
    """A text of one of the little languages is wrong, or its evaluation failed; the message is Argo's where it has one."""


class MissingVariable(LanguageError):
    """A tag that has to be replaced names something that does not exist (yet)."""
