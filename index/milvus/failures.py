"""What a failure of a server means. Its client, gRPC and Lite each have errors of their own, and say it in words."""

# In small letters: for some things there is no code, or each version has another.
_MISSING = ("not found", "not exist", "can't find")
_LOST = ("connect", "unavailable", "channel", "closed")
_UNWELCOME = ("unauthenticated", "auth check failure")
_REFUSED = (
    "auth", "permission", "privilege", "invalid parameter", "cannot parse", "illegal", "paramerror", "unknown escape",
    "syntax", "column ",
)  # fmt: skip
_MOST_TOLD = 300


def reason(error: BaseException) -> str:
    """What an error says, in one line."""
    cause = error.__cause__
    if cause is not None and cause is not error and callable(getattr(cause, "details", None)):
        error = cause  # what the connection says of itself, where the library says only that there is none
    message = getattr(error, "message", None) or str(error)
    if callable(getattr(error, "code", None)) and callable(getattr(error, "details", None)):  # gRPC's own
        message = f"{getattr(error.code(), 'name', error.code())}: {error.details()}"  # type: ignore[attr-defined]
    lines = str(message).partition("stack trace:")[0].strip(" :\n").splitlines()
    return " ".join(lines[0].split())[:_MOST_TOLD] if lines else type(error).__name__


def is_missing(error: Exception) -> bool:
    """Whether there is no such alias or collection."""
    told = str(error).lower()
    return any(word in told for word in ("alias", "collection")) and any(word in told for word in _MISSING)


def is_final(error: Exception) -> bool:
    """Whether to ask again would get the same answer."""
    told = f"{type(error).__name__} {error} {reason(error)}".lower()
    if any(word in told for word in _UNWELCOME):
        return True
    return any(word in told for word in _REFUSED) and not is_lost(error)


def is_lost(error: Exception) -> bool:
    """Whether the connection is gone, or never was."""
    told = str(error).lower()
    return any(word in told for word in _LOST)
