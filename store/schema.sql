-- The store, version 1.  The table of steps in store.c upgrades it to later
-- versions.  Every step ends by setting user_version.

PRAGMA application_id = 0x68747367;

-- The journal: append-only, the truth.  at is in microseconds since 1970 (UTC).
-- detail is a JSON object without nulls.
CREATE TABLE event (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	at INTEGER NOT NULL,
	request INTEGER,
	kind TEXT NOT NULL,
	actor TEXT NOT NULL,
	detail TEXT NOT NULL
) STRICT;
CREATE INDEX event_request ON event (request) WHERE request IS NOT NULL;
CREATE INDEX event_at ON event (at);
CREATE TRIGGER event_update BEFORE UPDATE ON event BEGIN
	SELECT RAISE(ABORT, 'the journal is append-only');
END;
CREATE TRIGGER event_delete BEFORE DELETE ON event BEGIN
	SELECT RAISE(ABORT, 'the journal is append-only');
END;

-- The SignedData of each request that was signed, unless it is too long.
CREATE TABLE pkcs7 (
	request INTEGER PRIMARY KEY,
	der BLOB NOT NULL
) STRICT;
CREATE TRIGGER pkcs7_update BEFORE UPDATE ON pkcs7 BEGIN
	SELECT RAISE(ABORT, 'a kept signature never changes');
END;
CREATE TRIGGER pkcs7_delete BEFORE DELETE ON pkcs7 BEGIN
	SELECT RAISE(ABORT, 'a kept signature never changes');
END;

-- One row a request: its state after its events.  journal_rebuild builds the
-- table again from them.  unknown counts the hand-overs whose outcome is
-- unknown.  A serial above 2^63 - 1 is text.  Times are as in event.
CREATE TABLE signing (
	request INTEGER PRIMARY KEY,
	status TEXT NOT NULL,
	client TEXT,
	door TEXT,
	peer TEXT,
	banner TEXT,
	serial ANY,
	profile TEXT,
	reply TEXT,
	description TEXT,
	url TEXT,
	name TEXT,
	options TEXT,
	format TEXT,
	size INTEGER,
	sha256 TEXT,
	old_signature INTEGER,
	algorithm TEXT,
	digest TEXT,
	certificate TEXT,
	token TEXT,
	attempts INTEGER NOT NULL DEFAULT 0,
	unknown INTEGER NOT NULL DEFAULT 0,
	pkcs7_size INTEGER,
	pkcs7_sha256 TEXT,
	output_size INTEGER,
	output_sha256 TEXT,
	delivered_bytes INTEGER,
	exit INTEGER,
	code TEXT,
	offset INTEGER,
	error TEXT,
	asked INTEGER NOT NULL,
	decided INTEGER,
	signed INTEGER,
	finished INTEGER,
	ended INTEGER
) STRICT;
CREATE INDEX signing_open ON signing (request) WHERE ended IS NULL;

CREATE TABLE client (
	name TEXT PRIMARY KEY NOT NULL,
	default_profile TEXT,
	max_ttl INTEGER NOT NULL, -- seconds
	disabled INTEGER NOT NULL DEFAULT 0,
	created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE client_grant (
	client TEXT NOT NULL REFERENCES client (name),
	profile TEXT NOT NULL,
	PRIMARY KEY (client, profile)
) STRICT, WITHOUT ROWID;

-- valid_after and valid_before are in seconds, as in the certificate.
CREATE TABLE user_certificate (
	serial INTEGER PRIMARY KEY AUTOINCREMENT,
	principal TEXT NOT NULL,
	name TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	valid_after INTEGER NOT NULL,
	valid_before INTEGER NOT NULL,
	issued_by TEXT NOT NULL,
	issued INTEGER NOT NULL,
	revoked INTEGER
) STRICT;
CREATE INDEX user_certificate_name ON user_certificate (name);

-- PINs that were tried and never cleared by a login that succeeded or by an
-- administrator.
CREATE TABLE pin_attempt (
	token TEXT NOT NULL,
	salt BLOB NOT NULL,
	hash BLOB NOT NULL,
	at INTEGER NOT NULL,
	PRIMARY KEY (token, hash)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 1;
