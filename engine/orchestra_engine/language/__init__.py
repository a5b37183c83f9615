"""The little languages of a manifest: tags, conditions, expressions, durations; each parsed, never `eval`uated."""


class LanguageError(ValueError):
    """A text of a little language is wrong, or its evaluation failed; the message is Argo's where it has one."""


class MissingVariable(LanguageError):
    """A tag that has to be replaced names something that does not exist (yet)."""


class Refused(LanguageError):
    """Argo would evaluate this and the engine does not: never passed over in silence, whatever Argo does on faults."""
