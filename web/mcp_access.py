"""Who may call the tools over HTTP: holders of a key, as often as it says, and so many at a time."""

from typing import TYPE_CHECKING

from web.access import secret_in
from web.keys import KeyRing
from web.rates import TOO_MANY, Rates, neighbourhood, seconds_to_wait
from web.settings import RATE_ELSEWHERE

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

# Searches share the cores. Only calls with a key count: who merely opens connections takes no place from them.
_MOST_AT_ONCE = 64
_MISSING = "This needs an API key with the scope 'read': Authorization: Bearer KEY"
_BUSY = "As many calls as the server answers at once are under way. Try again in a moment."


def guarded(app: "ASGIApp", ring: KeyRing, rates: Rates, most: int = _MOST_AT_ONCE) -> "ASGIApp":
    """`app` for who shows a key with the scope `read`; without one, an address is counted.

    Who asks too often hears 429, who comes when `most` calls are being answered 503.
    """
    from starlette.responses import PlainTextResponse

    refused = PlainTextResponse(_MISSING, 401, {"WWW-Authenticate": "Bearer"})
    busy = PlainTextResponse(_BUSY, 503, {"Retry-After": "1"})
    under_way = 0

    async def checked(scope: "Scope", receive: "Receive", send: "Send") -> None:
        nonlocal under_way
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        shown = {"HTTP_AUTHORIZATION": headers.get("authorization", ""), "HTTP_X_API_KEY": headers.get("x-api-key", "")}
        key = ring.find(secret) if (secret := secret_in(shown)) else None
        who = f"key {key.name}" if key else neighbourhood((scope.get("client") or ("",))[0])
        verdict = rates.ask(who, (key.rate if key else None) or RATE_ELSEWHERE)
        if not verdict.passes:
            await PlainTextResponse(TOO_MANY, 429, {"Retry-After": seconds_to_wait(verdict)})(scope, receive, send)
        elif key is None or "read" not in key.scopes:
            await refused(scope, receive, send)
        elif under_way >= most:
            await busy(scope, receive, send)
        else:
            under_way += 1
            try:
                await app(scope, receive, send)
            finally:
                under_way -= 1

    return checked
