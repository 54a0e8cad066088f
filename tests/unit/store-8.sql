-- A store of version 8, as SQL: what an upgrade finds.
PRAGMA application_id = 0x68747367;
PRAGMA user_version = 8;
BEGIN TRANSACTION;
CREATE TABLE archive (sha256 TEXT PRIMARY KEY NOT NULL, size INTEGER NOT NULL, client TEXT NOT NULL, request INTEGER NOT NULL, at INTEGER NOT NULL, pruned INTEGER, why TEXT) STRICT, WITHOUT ROWID;
INSERT INTO "archive" VALUES('d100000000000000000000000000000000000000000000000000000000000000',100,'ci',1,1796125462160116,NULL,NULL);
CREATE TABLE archive_share (client TEXT PRIMARY KEY NOT NULL, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "archive_share" VALUES('ci',100);
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
CREATE TABLE event (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	at INTEGER NOT NULL,
	request INTEGER,
	kind TEXT NOT NULL,
	actor TEXT NOT NULL,
	detail TEXT NOT NULL
) STRICT;
INSERT INTO "event" VALUES(1,1796125462156652,1,'asked','ci','{"client":"ci","door":"sshd-sign","peer":"10.1.2.3","serial":5,"profile":"production","reply":"full","description":"My App","url":"https://example.org/","name":"a.exe"}');
INSERT INTO "event" VALUES(2,1796125462158502,1,'pumped','','{"size":100,"sha256":"d100000000000000000000000000000000000000000000000000000000000000","scan":"clean","database":"ClamAV 1.4.3/27800"}');
INSERT INTO "event" VALUES(3,1796125462160116,1,'archived','','{"what":"both","size":100,"sha256":"d100000000000000000000000000000000000000000000000000000000000000","client":"ci"}');
INSERT INTO "event" VALUES(4,1796125462161739,1,'virustotal','','{"verdict":"clean","text":"0 of 70 engines call it bad","date":"2025-12-01T00:00:00Z","bad":0,"total":70,"engines":[]}');
INSERT INTO "event" VALUES(5,1796125462163909,1,'decided','','{"format":"pe","size":100,"sha256":"aa00000000000000000000000000000000000000000000000000000000000000","old_signature":false,"algorithm":"sha256","digest":"d100000000000000000000000000000000000000000000000000000000000000","certificate":"ev","token":"yubikey","attempt":1}');
INSERT INTO "event" VALUES(6,1796125462166412,1,'signed','','{"size":5,"sha256":"3f6e6cc25161138d9067ffad9e9eaaf57bbb82fba3cf83c4ec37efa96cf318ba"}');
INSERT INTO "event" VALUES(7,1796125462166464,1,'stamped','','{"server":"digicert","time":"2025-12-01T00:00:00Z","serial":"0a1b","tries":2}');
INSERT INTO "event" VALUES(8,1796125462166488,1,'finished','','{"size":200,"sha256":"d100000000000000000000000000000000000000000000000000000000000000"}');
INSERT INTO "event" VALUES(9,1796125462166508,1,'delivered','','{"bytes":200}');
INSERT INTO "event" VALUES(10,1796125462166531,2,'asked','old','{"client":"old","door":"sshd-sign","peer":"10.1.2.3","serial":5,"profile":"other","reply":"full","description":"My App","url":"https://example.org/","name":"a.exe"}');
INSERT INTO "event" VALUES(11,1796125462166555,2,'kept','','{"format":"pe","size":100,"sha256":"d100000000000000000000000000000000000000000000000000000000000000","output_size":100,"output_sha256":"d100000000000000000000000000000000000000000000000000000000000000"}');
INSERT INTO "event" VALUES(12,1796125462166575,2,'delivered','','{"bytes":100}');
INSERT INTO "event" VALUES(13,1796125462166594,3,'asked','ci','{"client":"ci","door":"sshd-sign","peer":"10.1.2.3","serial":5,"profile":"production","reply":"full","description":"My App","url":"https://example.org/","name":"a.exe"}');
INSERT INTO "event" VALUES(14,1796125462166611,3,'pumped','','{"size":100,"sha256":"d100000000000000000000000000000000000000000000000000000000000000","scan":"clean","database":"ClamAV 1.4.3/27800"}');
INSERT INTO "event" VALUES(15,1796125462166628,3,'refused','','{"code":"virus","text":"the file has a virus: Eicar","exit":66}');
INSERT INTO "event" VALUES(16,1796125462166646,4,'asked','ci','{"client":"ci","door":"sshd-sign","peer":"10.1.2.3","serial":5,"profile":"production","reply":"full","description":"My App","url":"https://example.org/","name":"a.exe"}');
INSERT INTO "event" VALUES(17,1796125462166660,4,'failed','','{"text":"a fault","exit":70}');
INSERT INTO "event" VALUES(18,1796125462166676,5,'asked','ci','{"client":"ci","door":"sshd-sign","peer":"10.1.2.3","serial":5,"profile":"production","reply":"full","description":"My App","url":"https://example.org/","name":"a.exe"}');
INSERT INTO "event" VALUES(19,1796125462166690,5,'aborted','','{"text":"the connection was cut"}');
INSERT INTO "event" VALUES(20,1796125462166705,6,'asked','ci','{"client":"ci","door":"sshd-sign","peer":"10.1.2.3","serial":5,"profile":"production","reply":"full","description":"My App","url":"https://example.org/","name":"a.exe"}');
INSERT INTO "event" VALUES(21,1796125462166719,6,'decided','','{"format":"pe","size":100,"sha256":"aa00000000000000000000000000000000000000000000000000000000000000","old_signature":false,"algorithm":"sha256","digest":"d100000000000000000000000000000000000000000000000000000000000000","certificate":"ev","token":"yubikey","attempt":1}');
INSERT INTO "event" VALUES(22,1796125462166739,6,'maybe-signed','','{"text":"worker died"}');
INSERT INTO "event" VALUES(23,1796125462166755,6,'failed','','{"code":"token","text":"a fault","exit":69}');
INSERT INTO "event" VALUES(24,1796125462166771,7,'asked','ci','{"client":"ci","door":"sshd-sign","peer":"10.1.2.3","serial":5,"profile":"production","reply":"full","description":"My App","url":"https://example.org/","name":"a.exe"}');
INSERT INTO "event" VALUES(25,1796125462166784,7,'decided','','{"format":"pe","size":100,"sha256":"aa00000000000000000000000000000000000000000000000000000000000000","old_signature":false,"algorithm":"sha256","digest":"d100000000000000000000000000000000000000000000000000000000000000","certificate":"ev","token":"yubikey","attempt":1}');
INSERT INTO "event" VALUES(26,1796125462166803,7,'signed','','{"size":5,"sha256":"3f6e6cc25161138d9067ffad9e9eaaf57bbb82fba3cf83c4ec37efa96cf318ba"}');
INSERT INTO "event" VALUES(27,1796125462166818,7,'finished','','{"size":200,"sha256":"d100000000000000000000000000000000000000000000000000000000000000"}');
INSERT INTO "event" VALUES(28,1796125462166841,7,'undelivered','','{"text":"the connection was cut"}');
INSERT INTO "event" VALUES(29,1796125462166857,8,'asked','ci','{"client":"ci","door":"sshd-sign","peer":"10.1.2.3","serial":5,"profile":"production","reply":"full","description":"My App","url":"https://example.org/","name":"a.exe"}');
CREATE TABLE pin_attempt (
	token TEXT NOT NULL,
	salt BLOB NOT NULL,
	hash BLOB NOT NULL,
	at INTEGER NOT NULL, flags INTEGER NOT NULL DEFAULT 0, unknown INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (token, hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE pkcs7 (
	request INTEGER PRIMARY KEY,
	der BLOB NOT NULL
) STRICT;
INSERT INTO "pkcs7" VALUES(1,X'3003010203');
INSERT INTO "pkcs7" VALUES(7,X'3003010203');
CREATE TABLE recipe (request INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
CREATE TABLE revoked_elsewhere (serial ANY PRIMARY KEY NOT NULL, revoked INTEGER NOT NULL) STRICT;
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
, stamped INTEGER, stamp_server TEXT, stamp_time INTEGER, stamp_serial TEXT, stamp_tries INTEGER, stamp_error TEXT, scan TEXT, scan_text TEXT, scan_database TEXT, archive TEXT, virustotal TEXT, virustotal_text TEXT) STRICT;
INSERT INTO "signing" VALUES(1,'delivered','ci','sshd-sign','10.1.2.3',NULL,5,'production','full','My App','https://example.org/','a.exe',NULL,'pe',100,'aa00000000000000000000000000000000000000000000000000000000000000',0,'sha256','d100000000000000000000000000000000000000000000000000000000000000','ev','yubikey',1,0,5,'3f6e6cc25161138d9067ffad9e9eaaf57bbb82fba3cf83c4ec37efa96cf318ba',200,'d100000000000000000000000000000000000000000000000000000000000000',200,0,NULL,NULL,NULL,1796125462156652,1796125462163909,1796125462166412,1796125462166488,1796125462166508,1796125462166464,'digicert',1764547200,'0a1b',2,NULL,'clean',NULL,'ClamAV 1.4.3/27800','both','clean','0 of 70 engines call it bad');
INSERT INTO "signing" VALUES(2,'kept','old','sshd-sign','10.1.2.3',NULL,5,'other','full','My App','https://example.org/','a.exe',NULL,'pe',100,'d100000000000000000000000000000000000000000000000000000000000000',1,NULL,NULL,NULL,NULL,0,0,NULL,NULL,100,'d100000000000000000000000000000000000000000000000000000000000000',100,0,NULL,NULL,NULL,1796125462166531,NULL,NULL,1796125462166555,1796125462166575,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "signing" VALUES(3,'refused','ci','sshd-sign','10.1.2.3',NULL,5,'production','full','My App','https://example.org/','a.exe',NULL,NULL,100,'d100000000000000000000000000000000000000000000000000000000000000',NULL,NULL,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,66,'virus',NULL,'the file has a virus: Eicar',1796125462166594,NULL,NULL,NULL,1796125462166628,NULL,NULL,NULL,NULL,NULL,NULL,'clean',NULL,'ClamAV 1.4.3/27800',NULL,NULL,NULL);
INSERT INTO "signing" VALUES(4,'failed','ci','sshd-sign','10.1.2.3',NULL,5,'production','full','My App','https://example.org/','a.exe',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,70,NULL,NULL,'a fault',1796125462166646,NULL,NULL,NULL,1796125462166660,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "signing" VALUES(5,'aborted','ci','sshd-sign','10.1.2.3',NULL,5,'production','full','My App','https://example.org/','a.exe',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'the connection was cut',1796125462166676,NULL,NULL,NULL,1796125462166690,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "signing" VALUES(6,'maybe-signed','ci','sshd-sign','10.1.2.3',NULL,5,'production','full','My App','https://example.org/','a.exe',NULL,'pe',100,'aa00000000000000000000000000000000000000000000000000000000000000',0,'sha256','d100000000000000000000000000000000000000000000000000000000000000','ev','yubikey',1,1,NULL,NULL,NULL,NULL,NULL,69,'token',NULL,'a fault',1796125462166705,1796125462166719,NULL,NULL,1796125462166755,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "signing" VALUES(7,'undelivered','ci','sshd-sign','10.1.2.3',NULL,5,'production','full','My App','https://example.org/','a.exe',NULL,'pe',100,'aa00000000000000000000000000000000000000000000000000000000000000',0,'sha256','d100000000000000000000000000000000000000000000000000000000000000','ev','yubikey',1,0,5,'3f6e6cc25161138d9067ffad9e9eaaf57bbb82fba3cf83c4ec37efa96cf318ba',200,'d100000000000000000000000000000000000000000000000000000000000000',NULL,NULL,NULL,NULL,'the connection was cut',1796125462166771,1796125462166784,1796125462166803,1796125462166818,1796125462166841,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "signing" VALUES(8,'asked','ci','sshd-sign','10.1.2.3',NULL,5,'production','full','My App','https://example.org/','a.exe',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1796125462166857,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE timestamp (request INTEGER PRIMARY KEY, der BLOB NOT NULL) STRICT;
INSERT INTO "timestamp" VALUES(1,X'3003010203');
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
CREATE INDEX event_request ON event (request) WHERE request IS NOT NULL;
CREATE INDEX event_at ON event (at);
CREATE TRIGGER event_update BEFORE UPDATE ON event BEGIN
	SELECT RAISE(ABORT, 'the journal is append-only');
END;
CREATE TRIGGER event_delete BEFORE DELETE ON event BEGIN
	SELECT RAISE(ABORT, 'the journal is append-only');
END;
CREATE TRIGGER pkcs7_update BEFORE UPDATE ON pkcs7 BEGIN
	SELECT RAISE(ABORT, 'a kept signature never changes');
END;
CREATE TRIGGER pkcs7_delete BEFORE DELETE ON pkcs7 BEGIN
	SELECT RAISE(ABORT, 'a kept signature never changes');
END;
CREATE INDEX signing_open ON signing (request) WHERE ended IS NULL;
CREATE INDEX user_certificate_name ON user_certificate (name);
CREATE TRIGGER timestamp_update BEFORE UPDATE ON timestamp BEGIN SELECT RAISE(ABORT, 'a kept timestamp never changes'); END;
CREATE TRIGGER timestamp_delete BEFORE DELETE ON timestamp BEGIN SELECT RAISE(ABORT, 'a kept timestamp never changes'); END;
CREATE INDEX event_signer ON event (seq) WHERE kind GLOB 'signer-*';
CREATE INDEX signing_sha256 ON signing (sha256);
CREATE INDEX archive_at ON archive (at) WHERE pruned IS NULL;
CREATE TRIGGER archive_insert AFTER INSERT ON archive BEGIN INSERT INTO archive_share VALUES (NEW.client, NEW.size) ON CONFLICT DO UPDATE SET bytes = bytes + NEW.size; END;
CREATE TRIGGER archive_update AFTER UPDATE OF pruned ON archive BEGIN UPDATE archive_share SET bytes = bytes + ((NEW.pruned IS NULL) - (OLD.pruned IS NULL)) * OLD.size WHERE client = OLD.client; END;
CREATE TRIGGER recipe_update BEFORE UPDATE ON recipe BEGIN SELECT RAISE(ABORT, 'a kept recipe never changes'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('event',29);
COMMIT;
