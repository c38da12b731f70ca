"""What a file is by its first bytes, whatever its name says."""

# What each format prescribes for its beginning: a byte that no text has there, or letters that no story has.
_SIGNATURES = (
    (b"PK\x03\x04", "a ZIP archive or office document: unpack it or save it as text"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"%PDF-", "a PDF: save it as text"),
    (b"{\\rtf", "a rich text file: save it as plain text"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old office document: save it as text"),
    (b"\x1f\x8b", "gzipped twice: unpack it once"),
    (b"BZh91AY&SY", "a bzip2 archive: unpack it"),
    (b"\xfd7zXZ\x00", "an xz archive: unpack it"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive: unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (b"Rar!\x1a\x07", "a RAR archive: unpack it"),
    (b"\x89PNG\r\n\x1a\n", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF87a", "a picture"),
    (b"GIF89a", "a picture"),
    (b"II*\x00", "a picture"),
    (b"MM\x00*", "a picture"),
    (b"\x00\x00\x01\x00", "a picture"),
    (b"ID3\x03\x00", "a sound file"),
    (b"ID3\x04\x00", "a sound file"),
    (b"OggS\x00", "a sound file"),
    (b"fLaC\x00", "a sound file"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90\x00", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"\x00asm", "a program"),
    (b"SQLite format 3\x00", "a database"),
    (b"PAR1", "a Parquet table: name it .parquet"),
    (b"WARC/1.", "a web archive: name it .warc"),
    (b"Obj\x01", "an Avro file"),
)  # fmt: skip
_INSIDE = (
    (4, b"ftyp", "a video"),
    (8, b"WEBPVP8", "a picture"),
    (8, b"WAVEfmt ", "a sound file"),
    (257, b"ustar", "a tar archive: unpack it"),
)

START_BYTES = 512
"""How much of a file is needed."""


def not_text(start: bytes) -> str | None:
    """What a file that begins like this is instead of text, or None where it may be text."""
    for signature, name in _SIGNATURES:
        if start.startswith(signature):
            return name
    return next((name for at, mark, name in _INSIDE if start.startswith(mark, at)), None)
