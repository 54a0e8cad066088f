#include "config.h"

#include "store/store-private.h"

/* Laid out as SQL. */
/* clang-format off */

/* Times for people: to the second, and to the microsecond. */
#define DATE(column) \
	"strftime('%Y-%m-%dT%H:%M:%SZ', " column " / 1000000, 'unixepoch')"
#define DATE_MICRO(column) \
	"strftime('%Y-%m-%dT%H:%M:%S', " column " / 1000000, 'unixepoch') " \
	"|| printf('.%06dZ', " column " % 1000000)"

/* A JSON object without its nulls (RFC 7396). */
#define COMPACT(members) "json_patch('{}', json_object(" members "))"

#define BOOL(column) \
	"json(CASE " column " WHEN 1 THEN 'true' WHEN 0 THEN 'false' " \
	"ELSE 'null' END)"

/* false if the signature was too long to be kept, otherwise null. */
#define STORED \
	"json(iif(pkcs7_size IS NOT NULL AND NOT EXISTS " \
	"(SELECT 1 FROM pkcs7 WHERE pkcs7.request = signing.request), " \
	"'false', 'null'))"

/* What is known of the input, in the detail of an event. */
#define INPUT(format, size, sha256, old, product, company, version, received) \
	"'format', " format ", " \
	"'size', " size ", " \
	"'sha256', " sha256 ", " \
	"'old_signature', " BOOL(old) ", " \
	"'product', " product ", " \
	"'company', " company ", " \
	"'file_version', " version ", " \
	"'received', " DATE_MICRO(received) ", "

/* Two objects in one: a function of SQL takes 127 arguments. */
#define SIGNING_JSON \
	"json_patch(" COMPACT( \
	"'request', request, " \
	"'status', status, " \
	"'client', client, " \
	"'profile', profile, " \
	"'name', name, " \
	"'description', description, " \
	"'url', url, " \
	"'door', door, " \
	"'peer', peer, " \
	"'port', port, " \
	"'banner', banner, " \
	"'serial', serial, " \
	"'user_fingerprint', user_fingerprint, " \
	"'version', version, " \
	"'first_use', " BOOL("first_use") ", " \
	"'reply', reply, " \
	"'options', options, " \
	"'format', format, " \
	"'size', size, " \
	"'sha256', sha256, " \
	"'product', product, " \
	"'company', company, " \
	"'file_version', file_version, " \
	"'scan', scan, " \
	"'scan_text', scan_text, " \
	"'scan_database', scan_database, " \
	"'virustotal', virustotal, " \
	"'virustotal_text', virustotal_text, " \
	"'virustotal_date', " DATE("virustotal_date * 1000000") ", " \
	"'old_signature', " BOOL("old_signature") ", " \
	"'algorithm', algorithm, " \
	"'digest', digest, " \
	"'certificate', certificate, " \
	"'fingerprint', fingerprint, " \
	"'token', token, " \
	"'attempts', attempts") ", json_object(" \
	"'unknown', nullif(unknown, 0), " \
	"'pkcs7_size', pkcs7_size, " \
	"'pkcs7_sha256', pkcs7_sha256, " \
	"'pkcs7_stored', " STORED ", " \
	"'stamp_server', stamp_server, " \
	"'stamp_time', " DATE("stamp_time * 1000000") ", " \
	"'stamp_serial', stamp_serial, " \
	"'stamp_tries', stamp_tries, " \
	"'stamp_error', stamp_error, " \
	"'output_size', output_size, " \
	"'output_sha256', output_sha256, " \
	"'archive', archive, " \
	"'pruned', (SELECT " DATE("pruned") " FROM archive AS a " \
	"WHERE a.sha256 = signing.sha256 AND signing.archive IS NOT NULL), " \
	"'delivered_bytes', delivered_bytes, " \
	"'exit', exit, " \
	"'code', code, " \
	"'offset', offset, " \
	"'error', error, " \
	"'result', result, " \
	"'asked', " DATE_MICRO("asked") ", " \
	"'received', " DATE_MICRO("received") ", " \
	"'pumped', " DATE_MICRO("pumped") ", " \
	"'archived', " DATE_MICRO("archived") ", " \
	"'checked', " DATE_MICRO("checked") ", " \
	"'decided', " DATE_MICRO("decided") ", " \
	"'signed', " DATE_MICRO("signed") ", " \
	"'stamped', " DATE_MICRO("stamped") ", " \
	"'finished', " DATE_MICRO("finished") ", " \
	"'ended', " DATE_MICRO("ended") "))"

#define SIGNING_ROW \
	"SELECT request, " DATE("asked") ", client, profile, status, name, " \
	"description, certificate, " \
	"coalesce(error, iif(scan = 'unscanned', 'not scanned: ' || scan_text, " \
	"NULL), iif(virustotal = 'unknown', 'VirusTotal: ' || virustotal_text, " \
	"NULL), 'no timestamp: ' || stamp_error), " SIGNING_JSON " " \
	"FROM signing "

/* NULL does not filter. */
#define FILTER \
	"(?1 IS NULL OR client = ?1) AND (?2 IS NULL OR profile = ?2) " \
	"AND (?3 IS NULL OR status = ?3) AND (?5 IS NULL OR result = ?5) "

#define EVENT_JSON COMPACT( \
	"'event', seq, " \
	"'request', request, " \
	"'at', " DATE_MICRO("at") ", " \
	"'kind', kind, " \
	"'actor', nullif(actor, ''), " \
	"'detail', json(detail)")

#define EVENT_ROW \
	"SELECT seq, request, " DATE_MICRO("at") ", kind, actor, detail, " \
	EVENT_JSON " " \
	"FROM event "

/* The profiles granted to a client, sorted. */
#define GRANTS(aggregate) \
	"(SELECT " aggregate " FROM (SELECT profile FROM client_grant " \
	"WHERE client = name ORDER BY profile))"

#define CLIENT_JSON COMPACT( \
	"'client', name, " \
	"'default_profile', default_profile, " \
	"'max_ttl', max_ttl, " \
	"'disabled', " BOOL("disabled") ", " \
	"'created', " DATE("created") ", " \
	"'grants', json(" GRANTS("json_group_array(profile)") ")")

#define CLIENT_ROW \
	"SELECT name, default_profile, max_ttl, disabled, created, " \
	GRANTS("group_concat(profile, ' ')") ", " CLIENT_JSON " " \
	"FROM client "

#define FREEZE_ROW \
	"SELECT kind, name, text, frozen_by, " DATE("at") ", " COMPACT( \
	"'kind', kind, " \
	"'name', nullif(name, ''), " \
	"'text', text, " \
	"'by', frozen_by, " \
	"'at', " DATE("at")) " " \
	"FROM freeze "

#define CERTIFICATE_JSON COMPACT( \
	"'serial', serial, " \
	"'principal', principal, " \
	"'name', name, " \
	"'key_id', name || '/' || serial, " \
	"'fingerprint', fingerprint, " \
	"'valid_after', " DATE("valid_after * 1000000") ", " \
	"'valid_before', " DATE("valid_before * 1000000") ", " \
	"'source', source, " \
	"'profile', profile, " \
	"'uses', uses, " \
	"'used', count, " \
	"'issued_by', issued_by, " \
	"'issued', " DATE("issued") ", " \
	"'revoked', " DATE("coalesce(revoked, at)"))

#define CERTIFICATE_ROW \
	"SELECT serial, principal, name, name || '/' || serial, " \
	"fingerprint, valid_after, valid_before, issued_by, issued, " \
	"coalesce(revoked, at), " CERTIFICATE_JSON ", source, profile, uses, " \
	"count FROM user_certificate LEFT JOIN certificate_use USING (serial) " \
	"LEFT JOIN revoked_key USING (fingerprint) "

/*
 * A serial that was never given out: seconds since 1970 and 20 random bits, more
 * than the last one of this store, and not revoked as another endpoint's.
 */
#define NEXT_SERIAL(micros, random) \
	"(WITH RECURSIVE last (n) AS (" \
	"SELECT coalesce((SELECT seq FROM sqlite_sequence " \
	"WHERE name = 'user_certificate'), 0)), next (n) AS (" \
	"SELECT max(" micros " / 1000000, last.n >> 20) << 20 | " random " " \
	"FROM last UNION ALL " \
	"SELECT next.n + (1 << 20) FROM next, last WHERE next.n <= last.n " \
	"OR next.n IN (SELECT serial FROM revoked_elsewhere)) " \
	"SELECT max(n) FROM next)"

/* The start of every event: time, request, kind, actor, detail. */
#define EVENT_INSERT \
	"INSERT INTO event (at, request, kind, actor, detail) "

/* The events of one of our certificates, of which the index has few more. */
#define SIGNER \
	"WHERE kind GLOB 'signer-*' AND detail ->> 'fingerprint' = ?1 "

/* The time of DATE_MICRO again. */
#define MICRO(date) "(unixepoch(" date ") * 1000000 + substr(" date ", 21, 6))"

/* What INPUT has, if it is in the event. */
#define INPUT_COLUMNS \
	"format = coalesce(e.detail ->> 'format', format), " \
	"size = coalesce(e.detail ->> 'size', size), " \
	"sha256 = coalesce(e.detail ->> 'sha256', sha256), " \
	"product = coalesce(e.detail ->> 'product', product), " \
	"company = coalesce(e.detail ->> 'company', company), " \
	"file_version = coalesce(e.detail ->> 'file_version', file_version), " \
	"received = coalesce(" MICRO("(e.detail ->> 'received')") ", received), "

/* Update the request that event ?1 belongs to. */
#define PROJECT(set) \
	"UPDATE signing SET " set " FROM event AS e " \
	"WHERE e.seq = ?1 AND signing.request = e.request"

const char *const store_statements[SQL_STATEMENTS] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_LAST_TIME] = "SELECT coalesce(max(at), 0) FROM event",

	[SQL_ASKED] = EVENT_INSERT
	    "VALUES (?1, "
	    "(SELECT coalesce(max(request), 0) + 1 FROM event "
	    "WHERE request IS NOT NULL), 'asked', coalesce(?2, ''), "
	    COMPACT(
		"'client', ?2, "
		"'door', ?3, "
		"'peer', ?4, "
		"'banner', ?5, "
		"'serial', nullif(?6, 0), "
		"'profile', ?7, "
		"'reply', ?8, "
		"'description', ?9, "
		"'url', ?10, "
		"'name', ?11, "
		"'options', nullif(?12, ''), "
		"'port', nullif(?13, 0), "
		"'fingerprint', nullif(?14, ''), "
		"'version', ?15")
	    ") RETURNING seq, request",
	[SQL_PUMPED] = EVENT_INSERT
	    "VALUES (?1, ?2, 'pumped', '', " COMPACT(
		"'size', ?3, "
		"'sha256', ?4, "
		"'scan', nullif(?5, ''), "
		"'text', nullif(?6, ''), "
		"'database', nullif(?7, '')") ") RETURNING seq, request",
	[SQL_DECIDED] = EVENT_INSERT
	    "VALUES (?1, ?2, 'decided', '', "
	    COMPACT(
		INPUT("?3", "?4", "?5", "?6", "?7", "?8", "?9", "?10")
		"'algorithm', ?11, "
		"'digest', ?12, "
		"'certificate', ?13, "
		"'fingerprint', ?14, "
		"'token', ?15, "
		"'attempt', ?16")
	    ") RETURNING seq, request",
	[SQL_SIGNED] = EVENT_INSERT
	    "VALUES (?1, ?2, 'signed', '', "
	    COMPACT(
		"'size', ?3, "
		"'sha256', ?4, "
		"'stored', " BOOL("nullif(?5, 1)"))
	    ") RETURNING seq, request",
	[SQL_PKCS7_ADD] = "INSERT INTO pkcs7 (request, der) VALUES (?1, ?2)",
	[SQL_STAMPED] = EVENT_INSERT
	    "VALUES (?1, ?2, 'stamped', '', json_object("
		"'server', ?3, "
		"'time', " DATE("?4 * 1000000") ", "
		"'serial', ?5, "
		"'tries', ?6)) RETURNING seq, request",
	[SQL_UNSTAMPED] = EVENT_INSERT
	    "VALUES (?1, ?2, 'unstamped', '', "
	    "json_object('tries', ?3, 'text', ?4)) RETURNING seq, request",
	[SQL_TIMESTAMP_ADD] =
	    "INSERT INTO timestamp (request, der) VALUES (?1, ?2)",
	[SQL_FINISHED] = EVENT_INSERT
	    "VALUES (?1, ?2, 'finished', '', "
	    "json_object('size', ?3, 'sha256', ?4)) RETURNING seq, request",
	[SQL_KEPT] = EVENT_INSERT
	    "VALUES (?1, ?2, 'kept', '', " COMPACT(
		INPUT("?3", "?4", "?5", "?6", "?7", "?8", "?9", "?10")
		"'output_size', ?11, "
		"'output_sha256', ?12") ") RETURNING seq, request",
	[SQL_ARCHIVED] = EVENT_INSERT
	    "VALUES (?1, ?2, 'archived', '', json_object("
		"'what', ?3, "
		"'size', ?4, "
		"'sha256', ?5, "
		"'client', ?6)) RETURNING seq, request",
	[SQL_RECIPE_ADD] = "INSERT INTO recipe (request, bytes) VALUES (?1, ?2)",
	[SQL_CHECKED] = EVENT_INSERT
	    "VALUES (?1, ?2, 'virustotal', '', " COMPACT(
		"'verdict', ?3, "
		"'text', ?4, "
		"'date', " DATE("nullif(?5, 0) * 1000000") ", "
		"'bad', ?6, "
		"'total', ?7, "
		"'engines', json(?8)") ") RETURNING seq, request",
	[SQL_PRUNED] = EVENT_INSERT
	    "VALUES (?1, NULL, 'pruned', '', json_object("
		"'sha256', ?2, "
		"'size', ?3, "
		"'text', ?4)) RETURNING seq, request",
	[SQL_NOTE] = EVENT_INSERT
	    "VALUES (?1, nullif(?2, 0), ?3, coalesce(?4, ''), "
	    COMPACT(
		"'role', ?5, "
		"'from', ?6, "
		"'client', ?7, "
		"'profile', ?8, "
		"'token', ?9, "
		"'door', ?10, "
		"'peer', ?11, "
		"'reason', ?12, "
		"'code', ?13, "
		"'text', ?14, "
		"'principal', ?15, "
		"'fingerprint', ?16, "
		"'version', ?17, "
		"'name', ?18, "
		INPUT("?31", "?32", "?33", "?34", "?35", "?36", "?37", "?38")
		"'source', ?39, "
		"'uses', nullif(?40, 0), "
		"'serial', nullif(?19, 0), "
		"'count', nullif(?20, 0), "
		"'seconds', nullif(?21, 0), "
		"'exit', nullif(?22, 0), "
		"'offset', ?23, "
		"'bytes', ?24, "
		"'valid_after', " DATE("nullif(?25, 0) * 1000000") ", "
		"'valid_before', " DATE("nullif(?26, 0) * 1000000") ", "
		"'test', " BOOL("nullif(?27, 0)") ", "
		"'certificate', ?28, "
		"'days', nullif(?29, 0), "
		"'revoked_at', " DATE("nullif(?30, 0) * 1000000"))
	    ") RETURNING seq, request",

	[SQL_PROJECT_ASKED] =
	    "INSERT INTO signing (request, status, asked, client, door, peer, "
	    "banner, serial, profile, reply, description, url, name, "
	    "options, port, user_fingerprint, version) "
	    "SELECT request, 'asked', at, "
	    "detail ->> 'client', "
	    "detail ->> 'door', "
	    "detail ->> 'peer', "
	    "detail ->> 'banner', "
	    "detail ->> 'serial', "
	    "detail ->> 'profile', "
	    "detail ->> 'reply', "
	    "detail ->> 'description', "
	    "detail ->> 'url', "
	    "detail ->> 'name', "
	    "detail ->> 'options', "
	    "detail ->> 'port', "
	    "detail ->> 'fingerprint', "
	    "detail ->> 'version' "
	    "FROM event WHERE seq = ?1",
	[SQL_PROJECT_PUMPED] = PROJECT(
	    "pumped = e.at, "
	    "size = e.detail ->> 'size', "
	    "sha256 = e.detail ->> 'sha256', "
	    "scan = e.detail ->> 'scan', "
	    "scan_text = e.detail ->> 'text', "
	    "scan_database = e.detail ->> 'database'"),
	[SQL_PROJECT_DECIDED] = PROJECT(
	    "status = 'decided', decided = e.at, "
	    INPUT_COLUMNS
	    "old_signature = e.detail ->> 'old_signature', "
	    "algorithm = e.detail ->> 'algorithm', "
	    "digest = e.detail ->> 'digest', "
	    "certificate = e.detail ->> 'certificate', "
	    "fingerprint = e.detail ->> 'fingerprint', "
	    "token = e.detail ->> 'token', "
	    "attempts = e.detail ->> 'attempt'"),
	[SQL_PROJECT_MAYBE_SIGNED] = PROJECT(
	    "status = 'maybe-signed', unknown = unknown + 1, "
	    "error = e.detail ->> 'text'"),
	[SQL_PROJECT_SIGNED] = PROJECT(
	    "status = 'signed', signed = e.at, error = NULL, "
	    "pkcs7_size = e.detail ->> 'size', "
	    "pkcs7_sha256 = e.detail ->> 'sha256'"),
	[SQL_PROJECT_STAMPED] = PROJECT(
	    "status = 'stamped', stamped = e.at, "
	    "stamp_server = e.detail ->> 'server', "
	    "stamp_time = unixepoch(e.detail ->> 'time'), "
	    "stamp_serial = e.detail ->> 'serial', "
	    "stamp_tries = e.detail ->> 'tries'"),
	[SQL_PROJECT_UNSTAMPED] = PROJECT(
	    "stamp_tries = e.detail ->> 'tries', "
	    "stamp_error = e.detail ->> 'text'"),
	[SQL_PROJECT_FINISHED] = PROJECT(
	    "status = 'finished', finished = e.at, "
	    "output_size = e.detail ->> 'size', "
	    "output_sha256 = e.detail ->> 'sha256'"),
	[SQL_PROJECT_KEPT] = PROJECT(
	    "status = 'kept', finished = e.at, old_signature = 1, "
	    INPUT_COLUMNS
	    "output_size = e.detail ->> 'output_size', "
	    "output_sha256 = e.detail ->> 'output_sha256'"),
	[SQL_PROJECT_ENDED] = PROJECT(
	    "status = CASE "
	    "WHEN unknown > 0 AND signed IS NULL THEN 'maybe-signed' "
	    "WHEN status = 'kept' AND e.kind = 'delivered' THEN 'kept' "
	    "ELSE e.kind END, ended = e.at, "
	    INPUT_COLUMNS
	    "old_signature = coalesce(e.detail ->> 'old_signature', "
	    "old_signature), "
	    "delivered_bytes = e.detail ->> 'bytes', "
	    "exit = iif(e.kind = 'delivered', 0, e.detail ->> 'exit'), "
	    "code = e.detail ->> 'code', "
	    "result = result_word(e.kind, e.detail ->> 'exit', "
	    "e.detail ->> 'code'), "
	    "offset = e.detail ->> 'offset', "
	    "error = e.detail ->> 'text'"),

	[SQL_PROJECT_ARCHIVED] = PROJECT(
	    "archived = e.at, archive = e.detail ->> 'what'"),
	[SQL_PROJECT_PRUNED] =
	    "UPDATE archive SET pruned = e.at, why = e.detail ->> 'text' "
	    "FROM event AS e "
	    "WHERE e.seq = ?1 AND archive.sha256 = e.detail ->> 'sha256'",
	[SQL_PROJECT_CHECKED] = PROJECT(
	    "checked = e.at, "
	    "virustotal = e.detail ->> 'verdict', "
	    "virustotal_text = e.detail ->> 'text', "
	    "virustotal_date = unixepoch(e.detail ->> 'date')"),
	[SQL_PROJECT_FIRST_USE] = PROJECT("first_use = 1"),
	[SQL_ARCHIVE_ADD] =
	    "INSERT INTO archive (sha256, size, client, request, at) "
	    "SELECT detail ->> 'sha256', detail ->> 'size', "
	    "detail ->> 'client', request, at FROM event WHERE seq = ?1 "
	    "ON CONFLICT DO UPDATE SET request = excluded.request, "
	    "at = excluded.at, pruned = NULL, why = NULL",
	[SQL_ARCHIVE_HAS] =
	    "SELECT 1 FROM archive WHERE sha256 = ?1 AND pruned IS NULL",
	[SQL_ARCHIVE_HELD] =
	    "SELECT coalesce(sum(bytes), 0), "
	    "coalesce(sum(bytes) FILTER (WHERE client = ?1), 0) "
	    "FROM archive_share",
	[SQL_ARCHIVE_OLDEST] =
	    "SELECT a.sha256, a.size FROM archive AS a "
	    "JOIN signing USING (request) "
	    "WHERE at < ?1 AND pruned IS NULL AND ended IS NOT NULL "
	    "ORDER BY at LIMIT 1",
	[SQL_ARCHIVE_FIND] =
	    "SELECT s.archive, status, s.size, s.sha256, output_size, "
	    "output_sha256, recipe.bytes, "
	    DATE("pruned") " || ', ' || why "
	    "FROM signing AS s LEFT JOIN recipe USING (request) "
	    "LEFT JOIN archive ON archive.sha256 = s.sha256 "
	    "WHERE s.request = ?1",
	[SQL_ARCHIVE_CLEAR] = "DELETE FROM archive",
	[SQL_SHARES_CLEAR] = "DELETE FROM archive_share",
	[SQL_RECIPE_CLEAR] =
	    "DELETE FROM recipe WHERE request IN "
	    "(SELECT request FROM signing WHERE sha256 = ?1)",

	[SQL_USED] =
	    "SELECT 1 FROM profile_used WHERE client = ?1 AND profile = ?2",
	[SQL_USED_CLEAR] = "DELETE FROM profile_used",
	[SQL_SIGNER_VERDICT] =
	    "SELECT substr(kind, 8) FROM event " SIGNER
	    "AND kind <> 'signer-expires' ORDER BY seq DESC LIMIT 1",
	[SQL_SIGNER_DAYS] =
	    "SELECT coalesce(min(detail ->> 'days'), 0) FROM event " SIGNER
	    "AND kind = 'signer-expires'",
	[SQL_REQUEST_STATE] =
	    "SELECT status, ended IS NOT NULL FROM signing WHERE request = ?1",
	[SQL_REQUEST_OPEN] =
	    "SELECT request, status FROM signing WHERE ended IS NULL "
	    "ORDER BY request LIMIT 1",
	[SQL_SIGNING_CLEAR] = "DELETE FROM signing",
	[SQL_REQUEST_EVENTS] =
	    "SELECT seq, kind FROM event "
	    "WHERE request IS NOT NULL OR kind = 'pruned' ORDER BY seq",

	[SQL_LOG] = SIGNING_ROW
	    "WHERE request IN (SELECT request FROM signing "
	    "WHERE (?1 IS NULL OR client = ?1) "
	    "AND (?2 IS NULL OR profile = ?2) "
	    "AND (?3 IS NULL OR status = ?3) "
	    "AND (?5 IS NULL OR result = ?5) "
	    "ORDER BY request DESC LIMIT ?4) "
	    "ORDER BY request",
	[SQL_SHOW] = SIGNING_ROW "WHERE request = ?1",
	[SQL_SHOW_FIELDS] =
	    "SELECT field.key, CASE field.type WHEN 'true' THEN 'yes' "
	    "WHEN 'false' THEN 'no' ELSE field.value END FROM (SELECT "
	    SIGNING_JSON " AS object FROM signing WHERE request = ?1), "
	    "json_each(object) AS field",
	[SQL_SHOW_EVENTS] = EVENT_ROW "WHERE request = ?1 ORDER BY seq",
	[SQL_EVENTS] = EVENT_ROW
	    "WHERE seq IN (SELECT seq FROM event ORDER BY seq DESC LIMIT ?1) "
	    "ORDER BY seq",
	[SQL_RECENT] =
	    "SELECT client, profile, token, asked, decided, ended, size, "
	    "reply IS NOT NULL AND status <> 'refused', exit "
	    "FROM signing ORDER BY request DESC",
	[SQL_LAST_REQUEST] = "SELECT max(request) FROM signing",
	[SQL_LAST_EVENT] = "SELECT max(seq) FROM event",
	[SQL_WALK_SEEK] =
	    "SELECT count(*), min(request) FROM (SELECT request FROM signing "
	    "WHERE request BETWEEN ?4 AND ?6 AND " FILTER
	    "ORDER BY request DESC LIMIT ?7)",
	[SQL_WALK_ROWS] = SIGNING_ROW
	    "WHERE request BETWEEN ?4 AND ?6 AND " FILTER "ORDER BY request",
	[SQL_WALK_EVENTS] = EVENT_ROW
	    "WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq",
	[SQL_WALK_OF] = EVENT_ROW
	    "WHERE request = ?3 AND seq BETWEEN ?1 AND ?2 ORDER BY seq",
	[SQL_PKCS7] =
	    "SELECT pkcs7.der, timestamp.der FROM pkcs7 JOIN signing USING (request) "
	    "LEFT JOIN timestamp USING (request) "
	    "WHERE request = ?1 AND status IN ('delivered', 'undelivered')",

	[SQL_CLIENT_ADD] =
	    "INSERT INTO client (name, default_profile, max_ttl, created) "
	    "VALUES (?1, ?2, ?3, ?4)",
	[SQL_CLIENT_CHANGE] =
	    "UPDATE client SET default_profile = ?2, max_ttl = ?3 "
	    "WHERE name = ?1",
	[SQL_CLIENT_DISABLE] =
	    "UPDATE client SET disabled = ?2 WHERE name = ?1",
	[SQL_CLIENT_FIND] = CLIENT_ROW "WHERE name = ?1",
	[SQL_CLIENT_EACH] = CLIENT_ROW "ORDER BY name",
	[SQL_GRANT_ADD] =
	    "INSERT INTO client_grant (client, profile) VALUES (?1, ?2)",
	[SQL_GRANT_REMOVE] =
	    "DELETE FROM client_grant WHERE client = ?1 AND profile = ?2",
	[SQL_GRANT_FIND] =
	    "SELECT 1 FROM client_grant WHERE client = ?1 AND profile = ?2",
	[SQL_GRANTED] =
	    "SELECT 1 FROM client_grant JOIN client ON name = client "
	    "WHERE client = ?1 AND profile = ?2 AND NOT disabled",
	[SQL_CLIENT_COPY] =
	    "INSERT INTO client "
	    "(name, default_profile, max_ttl, disabled, created) "
	    "SELECT ?2, default_profile, max_ttl, disabled, created "
	    "FROM client WHERE name = ?1",
	[SQL_GRANTS_MOVE] =
	    "UPDATE client_grant SET client = ?2 WHERE client = ?1",
	[SQL_GRANTS_REMOVE] = "DELETE FROM client_grant WHERE client = ?1",
	[SQL_CLIENT_REMOVE] = "DELETE FROM client WHERE name = ?1",

	[SQL_FREEZE_FIND] = FREEZE_ROW "WHERE kind = ?1 AND name = ?2",
	[SQL_FREEZE_EACH] = FREEZE_ROW "ORDER BY kind, name",
	[SQL_FREEZE_ADD] =
	    "INSERT INTO freeze (kind, name, text, frozen_by, at) "
	    "VALUES (?1, ?2, ?3, ?4, ?5)",
	[SQL_FREEZE_REMOVE] =
	    "DELETE FROM freeze WHERE kind = ?1 AND name = ?2",

	[SQL_CERTIFICATE_ADD] =
	    "INSERT INTO user_certificate (serial, principal, name, "
	    "fingerprint, valid_after, valid_before, issued_by, issued, "
	    "source, profile, uses) "
	    "VALUES (" NEXT_SERIAL("?7", "?8") ", ?1, ?2, ?3, ?4, ?5, ?6, ?7, "
	    "?9, ?10, nullif(?11, 0)) "
	    "RETURNING serial, issued",
	[SQL_CERTIFICATE_REVOKE] =
	    "UPDATE user_certificate SET revoked = ?2 WHERE serial = ?1",
	[SQL_CERTIFICATE_REVOKE_ELSEWHERE] =
	    "INSERT INTO revoked_elsewhere (serial, revoked) VALUES (?1, ?2)",
	[SQL_CERTIFICATE_REVOKED] =
	    "SELECT 1 FROM user_certificate "
	    "WHERE serial = ?1 AND revoked IS NOT NULL UNION ALL "
	    "SELECT 1 FROM revoked_elsewhere WHERE serial = ?1",
	[SQL_CERTIFICATE_REVOCATIONS] =
	    "SELECT serial, NULL FROM user_certificate "
	    "WHERE revoked IS NOT NULL UNION ALL "
	    "SELECT serial, NULL FROM revoked_elsewhere UNION ALL "
	    "SELECT NULL, fingerprint FROM revoked_key",
	[SQL_CERTIFICATE_USED] =
	    "SELECT count FROM certificate_use WHERE serial = ?1",
	[SQL_USES_CLEAR] = "DELETE FROM certificate_use",
	[SQL_KEY_REVOKE] =
	    "INSERT INTO revoked_key (fingerprint, at) VALUES (?1, ?2)",
	[SQL_KEY_REVOKED] = "SELECT 1 FROM revoked_key WHERE fingerprint = ?1",
	[SQL_REQUEST_CERTIFICATE] =
	    "SELECT coalesce(serial, 0) FROM signing WHERE request = ?1",
	[SQL_CERTIFICATE_FIND] = CERTIFICATE_ROW "WHERE serial = ?1",
	[SQL_CERTIFICATE_EACH] = CERTIFICATE_ROW
	    "WHERE ?1 IS NULL OR name = ?1 ORDER BY serial",
	[SQL_CERTIFICATE_VALID] =
	    "SELECT serial FROM user_certificate WHERE name = ?1 "
	    "AND revoked IS NULL AND valid_before > ?2 "
	    "ORDER BY serial LIMIT 1",

	[SQL_PIN_SALT] =
	    "SELECT salt FROM pin_attempt WHERE token = ?1 LIMIT 1",
	[SQL_PIN_UNKEYED] =
	    "SELECT token, hash FROM pin_attempt WHERE key IS NULL LIMIT 1",
	[SQL_PIN_KEYED] =
	    "UPDATE pin_attempt SET hash = ?3, key = ?4 "
	    "WHERE token = ?1 AND hash = ?2",
	[SQL_PIN_LOST] =
	    "SELECT 1 FROM pin_attempt WHERE token = ?1 AND key IS NOT ?2",
	[SQL_PIN_STANDS] =
	    "SELECT flags, unknown FROM pin_attempt "
	    "WHERE token = ?1 AND hash = ?2",
	[SQL_PIN_ADD] =
	    "INSERT INTO pin_attempt "
	    "(token, salt, hash, at, flags, unknown, key) "
	    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE "
	    "SET at = ?4, flags = ?5, unknown = ?6",
	[SQL_PIN_REFUSED] =
	    "UPDATE pin_attempt SET unknown = 0 WHERE token = ?1",
	[SQL_PIN_CLEAR] = "DELETE FROM pin_attempt WHERE token = ?1",
};
