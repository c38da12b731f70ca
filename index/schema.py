"""The tables of a catalog, the one file of an index that cannot be made again from another."""

SCHEMA = """
CREATE TABLE articles (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    content_hash TEXT NOT NULL,
    -- The normalised URL, and the number of the article that heads the story if there are copies of it.
    address TEXT, story INTEGER,
    url TEXT, title TEXT NOT NULL, text TEXT NOT NULL, published TEXT, updated TEXT,
    authors TEXT NOT NULL, source TEXT, language TEXT, section TEXT, summary TEXT, extra TEXT NOT NULL
);
CREATE INDEX articles_by_address ON articles (address);
CREATE INDEX articles_by_story ON articles (story) WHERE story IS NOT NULL;
-- Sampled shingles of each article's text, by which copies of a story find each other.
CREATE TABLE fingerprints (fingerprint INTEGER, article INTEGER, PRIMARY KEY (fingerprint, article)) WITHOUT ROWID;
CREATE TABLE passages (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    article INTEGER NOT NULL REFERENCES articles (number),
    start INTEGER NOT NULL, end INTEGER NOT NULL,
    embedding BLOB NOT NULL REFERENCES vectors (embedding)
);
CREATE INDEX passages_by_article ON passages (article);
CREATE INDEX passages_by_embedding ON passages (embedding);
-- One vector for each distinct text that was embedded, named by the hash of that text; CRC-32 of both.
CREATE TABLE vectors (embedding BLOB PRIMARY KEY, vector BLOB NOT NULL, checksum INTEGER) WITHOUT ROWID;
CREATE TABLE changes (number INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, kind TEXT NOT NULL);
CREATE TABLE set_aside (source TEXT PRIMARY KEY, reason TEXT NOT NULL, origin TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE receipts (url TEXT PRIMARY KEY, etag TEXT, last_modified TEXT, stamp TEXT) WITHOUT ROWID;
"""

FOLLOWING = """
-- What derived files follow, since the change in which it happened: see index/history.py.
CREATE TABLE IF NOT EXISTS passages_removed (change INTEGER, passage INTEGER, PRIMARY KEY (change, passage))
WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS articles_touched (change INTEGER, article INTEGER, PRIMARY KEY (change, article))
WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS passage_removed AFTER DELETE ON passages BEGIN
    INSERT OR IGNORE INTO passages_removed SELECT coalesce(max(number), 0), old.number FROM changes;
END;
CREATE TRIGGER IF NOT EXISTS article_removed AFTER DELETE ON articles BEGIN
    INSERT OR IGNORE INTO articles_touched SELECT coalesce(max(number), 0), old.number FROM changes;
END;
CREATE TRIGGER IF NOT EXISTS story_changed AFTER UPDATE OF story ON articles BEGIN
    INSERT OR IGNORE INTO articles_touched SELECT coalesce(max(number), 0), new.number FROM changes;
END;
-- Articles of the generation before that no source of a rebuild has confirmed yet.
CREATE TABLE IF NOT EXISTS stale (id TEXT PRIMARY KEY) WITHOUT ROWID;
-- What the manifest says of model and passages, so that a lost manifest costs nothing: one row.
CREATE TABLE IF NOT EXISTS made_with (only INTEGER PRIMARY KEY CHECK (only = 1), facts TEXT NOT NULL);
"""
"""Added to catalogs of formats 2 and 3 by whoever writes to them next."""

CHECKSUMS = (
    "ALTER TABLE vectors ADD COLUMN checksum INTEGER",
    "UPDATE vectors SET checksum = crc32(CAST(embedding AS BLOB), CAST(vector AS BLOB))",
)
"""Done likewise in one transaction; `crc32` is the one of index/database.py."""
