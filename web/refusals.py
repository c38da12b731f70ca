"""What the server answers by itself when a request goes no further, made once so that it costs nothing."""

from flask import Flask

from web import problems
from web.answers import Answer
from web.visits import Visit


class Refusals:
    """Makes the answers to requests that are not let through to `app`: pages for people, JSON for programs."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._made: dict[tuple[str, bool], Answer] = {}

    def __call__(self, visit: Visit, status: int, code: str, message: str, *headers: tuple[str, str]) -> Answer:
        """Refuses a request, and lets it know why."""
        visit.refused = code
        shape = message, problems.for_programs(visit.path)
        made = self._made.get(shape)
        if made is None:
            made = self._made[shape] = self._make(status, code, message, for_programs=shape[1])
        return made.headed(*headers) if headers else made

    def _make(self, status: int, code: str, message: str, *, for_programs: bool) -> Answer:
        with self._app.test_request_context("/api/v1/search" if for_programs else "/"):
            response = self._app.process_response(problems.answer(status, code, message))
            response.headers["Cache-Control"] = "no-store"
            return Answer(response.status, tuple(response.headers.to_wsgi_list()), response.get_data())
