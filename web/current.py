"""What views look at: the engine of the application that they belong to."""

from flask import current_app

from search.engine import Engine


def current_engine() -> Engine:
    """The engine on the newest state of the index. Raises NotReady while there is none."""
    engine: Engine = current_app.extensions["engine"]()
    return engine
