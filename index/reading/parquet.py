"""Rows of Parquet files as records. The one module that knows pyarrow."""

from collections.abc import Iterator
from datetime import date, datetime
from io import SEEK_END
from typing import IO, Any

from index.errors import SourceError
from index.reading.fields import FieldMap
from index.reading.tables import Row, check_columns, without_row_number

# Rows held at a time: as fast as hundreds, and few enough where a few bytes of dictionary stand for a long cell
# in every row.
_ROWS = 8
_BUFFER_BYTES = 4 * 2**20
# Bounds on the file's own description of itself, which a damaged one could make endless.
_MOST_DESCRIBING_BYTES = 64 * 2**20
_MOST_DESCRIBING_THINGS = 1_000_000
# A cell is unpacked whole, several times over in memory. News packs to a fifth, the most repetitive logs to a fiftieth;
# what is small when unpacked, or has the same word in every row, may pack as it likes.
_MOST_EXPANSION = 200
_SMALL_GROUP_BYTES = 64 * 2**20
_SMALL_CELL_BYTES = 64


def parquet_rows(file: IO[bytes], fields: FieldMap) -> Iterator[tuple[Row, int]]:
    """The rows of a Parquet file, numbered from 1, each with the number of rows in the file.

    Raises SourceError when it is damaged or no column can hold text.
    """
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        table = ParquetFile(
            file, thrift_string_size_limit=_MOST_DESCRIBING_BYTES, thrift_container_size_limit=_MOST_DESCRIBING_THINGS,
            buffer_size=_BUFFER_BYTES, pre_buffer=False,
        )  # fmt: skip
        columns = [str(name) for name in table.schema_arrow.names]
        check_columns(columns, fields)
        _refuse_bomb(table.metadata, file.seek(0, SEEK_END))
        count = table.metadata.num_rows
        number = 0
        for batch in table.iter_batches(batch_size=_ROWS, use_threads=False):
            for position in range(batch.num_rows):
                number += 1
                values = (column[position].as_py() for column in batch.columns)
                record = {name: _plain(value) for name, value in zip(columns, values, strict=True) if value is not None}
                yield Row(number, without_row_number(record, fields)), count
    except UnicodeDecodeError as error:
        raise SourceError("damaged Parquet file (text in it is not UTF-8)") from error
    except (ArrowException, OSError, ValueError, OverflowError) as error:
        raise SourceError(f"damaged Parquet file ({' '.join(str(error).split())[:200]})") from error


def _refuse_bomb(described: Any, size: int) -> None:
    """Raises SourceError where rows are said to unpack to far more than text does, of a file of `size` bytes."""
    for group in map(described.row_group, range(described.num_row_groups)):
        # Not what it says of single columns: where that is damaged or encrypted, pyarrow ends the process.
        unpacked, cells = group.total_byte_size, group.num_rows * group.num_columns
        small = unpacked <= max(_SMALL_GROUP_BYTES, _SMALL_CELL_BYTES * cells)
        if not small and unpacked > _MOST_EXPANSION * size:
            raise SourceError(f"rows of it unpack to {unpacked // size:,} times its size")


def _plain(value: Any) -> Any:
    """What JSON can say of a cell."""
    match value:
        case datetime() | date():
            return value.isoformat()
        case bytes():
            return value.decode("utf-8", "replace")
        case dict():
            return {str(key): _plain(member) for key, member in value.items()}
        case list() | tuple():
            return [_plain(member) for member in value]
        case str() | int() | float() | bool() | None:
            return value
        case _:
            return str(value)
