/*
 * OCSP responses and CRLs, as openssl's commands make them; and the look-up of
 * htsign-fetch that fetches them.
 */

#include "config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fetch/looking.h"
#include "fetch/revocation.h"
#include "signature/init.h"
#include "tests/support/scratch.h"

extern char **environ;

static int ocsp_port, crl_port;

static void
openssl(const char *command)
{
	char line[512];

	(void)snprintf(line, sizeof(line), "openssl %s", command);
	if (RUN("sh", "-c", line) != 0)
		fail_msg("%s: %d", line, scratch_output_holds("\n\n"));
}

/* A port that nobody has now. */
static int
free_port(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t n = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
	(void)close(fd);
	return ntohs(in.sin_port);
}

/* --- what is there ----------------------------------------------------- */

static void
issue(const char *name, const char *extensions)
{
	char line[512];

	(void)snprintf(line, sizeof(line),
	    "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
	    "-keyout %s.key -out %s.csr -subj /CN=%s",
	    name, name, name);
	openssl(line);
	(void)snprintf(line, sizeof(line),
	    "ca -batch -notext -config ca.conf -days 2 -extensions %s "
	    "-in %s.csr -out %s.pem",
	    extensions, name, name);
	openssl(line);
	(void)snprintf(line, sizeof(line),
	    "x509 -in %s.pem -outform DER "
	    "-out %s.der",
	    name, name);
	openssl(line);
}

static void
make_ca(void)
{
	static const char common[] = "basicConstraints = CA:FALSE\n"
	                             "keyUsage = critical, digitalSignature\n";
	struct buf conf = BUF_INIT;

	buf_format(&conf,
	    "[ca]\ndefault_ca = this\n[this]\ndatabase = index\n"
	    "serial = serial\nnew_certs_dir = .\ndefault_md = sha256\n"
	    "policy = any\nunique_subject = no\ndefault_crl_days = 2\n"
	    "certificate = ca.pem\nprivate_key = ca.key\n"
	    "[any]\ncommonName = supplied\n"
	    "[both]\n%sauthorityInfoAccess = OCSP;URI:http://127.0.0.1:%d/\n"
	    "crlDistributionPoints = URI:http://127.0.0.1:%d/crl.der\n"
	    "[crl]\n%s"
	    "crlDistributionPoints = URI:http://127.0.0.1:%d/crl.der\n"
	    "[none]\n%s"
	    "crlDistributionPoints = URI:ldap://x/, URI:file:///etc/passwd\n"
	    "[responder]\n%sextendedKeyUsage = OCSPSigning\n",
	    common, ocsp_port, crl_port, common, crl_port, common, common);
	scratch_write("ca.conf", conf.data, conf.len);
	buf_free(&conf);
	scratch_write("index", "", 0);
	scratch_write("serial", "10\n", 3);
	openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
	        "-keyout ca.key -out ca.pem -days 3 -subj /CN=issuer "
	        "-addext keyUsage=critical,keyCertSign,cRLSign");
	openssl("x509 -in ca.pem -outform DER -out ca.der");
	issue("good", "both");
	issue("bad", "both");
	issue("listed", "crl");
	issue("nowhere", "none");
	issue("responder", "responder");
	issue("stranger", "crl");
	openssl("ca -config ca.conf -revoke bad.pem -crl_reason keyCompromise");
	openssl("ca -config ca.conf -revoke listed.pem");
	openssl("ca -config ca.conf -gencrl -out crl.pem");
	openssl("crl -in crl.pem -outform DER -out crl.der");
}

static struct revocation *
take(const char *name)
{
	struct buf one = BUF_INIT, issuer = BUF_INIT;
	char file[64];
	struct revocation *r;
	struct ht_error e;

	(void)snprintf(file, sizeof(file), "%s.der", name);
	scratch_read(file, &one);
	scratch_read("ca.der", &issuer);
	r = revocation_new(buf_cursor(&one), buf_cursor(&issuer), &e);
	if (r == NULL)
		fail_msg("%s", e.text);
	buf_free(&one);
	buf_free(&issuer);
	return r;
}

/* --- answers ----------------------------------------------------------- */

/* What a responder with these options says of a certificate. */
static void
respond(const struct revocation *r, const char *options, struct buf *out)
{
	struct buf query = BUF_INIT;
	struct ht_error e;
	char line[512];

	assert_int_equal(revocation_query(r, &query, &e), 0);
	scratch_write("query", query.data, query.len);
	(void)snprintf(line, sizeof(line),
	    "ocsp -index index -CA ca.pem -reqin query -respout response %s",
	    options);
	openssl(line);
	buf_reset(out);
	scratch_read("response", out);
	buf_free(&query);
}

#define BY_RESPONDER "-rsigner responder.pem -rkey responder.key -ndays 1"
#define UNTIL_NEWER "-rsigner responder.pem -rkey responder.key"
#define BY_ISSUER "-rsigner ca.pem -rkey ca.key -ndays 1"

static void
ocsp_says(const char *name, const char *options, int64_t now, int code,
    bool is_revoked, const char *why)
{
	struct revocation *r = take(name);
	struct buf response = BUF_INIT;
	int64_t revoked;
	struct ht_error e;

	ht_error_clear(&e);
	respond(r, options, &response);
	assert_int_equal(
	    revocation_ocsp(r, buf_cursor(&response), now, &revoked, &e), code);
	assert_int_equal(revoked != 0, is_revoked);
	if (is_revoked)
		assert_true(revoked > now - 600 && revoked <= now + 600);
	if (strstr(e.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
	revocation_free(r);
	buf_free(&response);
}

static void
ocsp(void **state)
{
	int64_t now = time(NULL);

	(void)state;
	ocsp_says("good", BY_RESPONDER, now, 0, false, "");
	ocsp_says("good", BY_ISSUER, now, 0, false, "");
	ocsp_says("bad", BY_RESPONDER, now, 0, true, "");
	ocsp_says("good", BY_RESPONDER, now + 90000, HT_ERR_DATA, false,
	    "not of now");
	ocsp_says("good", BY_RESPONDER, now - 3600, HT_ERR_DATA, false, "");
	/* One that does not say until when is not kept for later. */
	ocsp_says("good", UNTIL_NEWER, now, 0, false, "");
	ocsp_says("good", UNTIL_NEWER, now + 600, HT_ERR_DATA, false,
	    "not of now");
	/* Signed by one whom the issuer has not asked to. */
	ocsp_says("good", "-rsigner stranger.pem -rkey stranger.key -ndays 1",
	    now, HT_ERR_DATA, false, "does not verify");
}

static void
ocsp_of_another(void **state)
{
	struct revocation *good = take("good"), *bad = take("bad");
	struct buf response = BUF_INIT;
	struct ht_error e;
	int64_t revoked;

	(void)state;
	respond(good, BY_RESPONDER, &response);
	assert_int_equal(revocation_ocsp(bad, buf_cursor(&response), time(NULL),
	                     &revoked, &e),
	    HT_ERR_DATA);
	buf_u8(&response, 0);
	assert_int_equal(revocation_ocsp(good, buf_cursor(&response),
	                     time(NULL), &revoked, &e),
	    HT_ERR_DATA);
	response.data[response.len / 2] ^= 1;
	response.len--;
	assert_int_equal(revocation_ocsp(good, buf_cursor(&response),
	                     time(NULL), &revoked, &e),
	    HT_ERR_DATA);
	/* tryLater */
	assert_int_equal(revocation_ocsp(good,
	                     cursor_over("0\x03\n\x01\x03", 5), time(NULL),
	                     &revoked, &e),
	    HT_ERR_DATA);
	assert_string_equal(e.text, "OCSP: trylater");
	revocation_free(good);
	revocation_free(bad);
	buf_free(&response);
}

static void
crl_says(const char *name, int64_t now, int code, bool is_revoked,
    const char *why)
{
	struct revocation *r = take(name);
	struct buf der = BUF_INIT;
	struct ht_error e;
	int64_t revoked;

	ht_error_clear(&e);
	scratch_read("crl.der", &der);
	assert_int_equal(revocation_crl(r, buf_cursor(&der), now, &revoked, &e),
	    code);
	assert_int_equal(revoked != 0, is_revoked);
	if (is_revoked)
		assert_true(revoked > now - 600 && revoked <= now + 600);
	if (strstr(e.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
	/* One bit of it flipped, anywhere in its signature. */
	der.data[der.len - 3] ^= 1;
	assert_int_equal(revocation_crl(r, buf_cursor(&der), now, &revoked, &e),
	    HT_ERR_DATA);
	assert_int_equal(revoked, 0);
	revocation_free(r);
	buf_free(&der);
}

static void
crl(void **state)
{
	int64_t now = time(NULL);

	(void)state;
	crl_says("good", now, 0, false, "");
	crl_says("bad", now, 0, true, "");
	crl_says("listed", now, 0, true, "");
	crl_says("good", now + 2 * 86400 + 3600, HT_ERR_DATA, false, "expired");
}

/* Whatever is in it: libcrypto can make half a gigabyte of 8 MiB. */
static void
a_crl_that_the_issuer_did_not_sign_is_not_read(void **state)
{
	/* {} ecdsa-with-SHA256 and no signature: no CRL, if one looks. */
	static const uint8_t der[] = { 0x30, 0x11, 0x30, 0x00, 0x30, 0x0a, 0x06,
		0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02, 0x03,
		0x01, 0x00 };
	struct revocation *r = take("good");
	struct ht_error e;
	int64_t revoked;

	(void)state;
	assert_int_equal(revocation_crl(r, cursor_over(der, sizeof(der)),
	                     time(NULL), &revoked, &e),
	    HT_ERR_DATA);
	assert_string_equal(e.text, "CRL: the issuer has not signed it");
	revocation_free(r);
}

static void
certificates_that_are_none(void **state)
{
	struct buf good = BUF_INIT, ca = BUF_INIT;
	struct ht_error e;

	(void)state;
	scratch_read("good.der", &good);
	scratch_read("ca.der", &ca);
	assert_null(revocation_new(buf_cursor(&ca), buf_cursor(&good), &e));
	assert_int_equal(e.code, HT_ERR_DATA);
	assert_null(revocation_new(cursor_over("x", 1), buf_cursor(&ca), &e));
	assert_null(revocation_new(cursor_over(NULL, 0), buf_cursor(&ca), &e));
	buf_u8(&ca, 0);
	assert_null(revocation_new(buf_cursor(&good), buf_cursor(&ca), &e));
	buf_free(&good);
	buf_free(&ca);
}

/* --- looking ----------------------------------------------------------- */

static struct protocol_looked heard;
static uint32_t heard_tag;

static void
hear(void *cookie, uint32_t tag, const struct protocol_looked *body)
{
	(void)cookie;
	heard = *body;
	heard_tag = tag;
}

static pid_t
serve(const char *line)
{
	const char *argv[] = { "sh", "-c", line, NULL };
	pid_t pid;

	assert_int_equal(posix_spawnp(&pid, "sh", NULL, NULL,
	                     (char *const *)(uintptr_t)argv, environ),
	    0);
	return pid;
}

static void
await_port(int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int fd, i, rc = -1;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in.sin_port = htons((uint16_t)port);
	for (i = 0; i < 200 && rc != 0; i++) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		rc = connect(fd, (struct sockaddr *)&in, sizeof(in));
		(void)close(fd);
		if (rc != 0)
			(void)poll(NULL, 0, 50);
	}
	assert_int_equal(rc, 0);
}

static void
look_up(struct loop *loop, struct looking *l, const char *name,
    const char *verdict, const char *text)
{
	static uint32_t tag;
	struct buf one = BUF_INIT, issuer = BUF_INIT;
	struct protocol_look look;
	char file[64];
	struct ht_error e;

	(void)snprintf(file, sizeof(file), "%s.der", name);
	scratch_read(file, &one);
	scratch_read("ca.der", &issuer);
	look.certificate = buf_cursor(&one);
	look.issuer = buf_cursor(&issuer);
	looking_begin(l, ++tag, &look);
	while (heard_tag != tag)
		assert_int_equal(loop_once(loop, &e), 0);
	assert_string_equal(heard.verdict, verdict);
	assert_int_equal(heard.revoked != 0, strcmp(verdict, "revoked") == 0);
	if (strstr(heard.text, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", heard.text, text);
	buf_free(&one);
	buf_free(&issuer);
}

static void
looking(void **state)
{
	struct loop *loop = loop_new();
	struct ht_error e;
	struct http *http = http_new(loop, NULL, &e);
	struct looking *l = looking_new(http, hear, NULL);
	char line[256];
	pid_t ocsp_server, crl_server;

	(void)state;
	(void)snprintf(line, sizeof(line),
	    "exec python3 -m http.server --bind 127.0.0.1 %d >crl.log 2>&1",
	    crl_port);
	crl_server = serve(line);
	await_port(crl_port);
	/* Without its responder, the CRL. */
	look_up(loop, l, "good", "good", "/crl.der");
	look_up(loop, l, "good", "good", "Failed to connect");
	(void)snprintf(line, sizeof(line),
	    "exec openssl ocsp -index index -CA ca.pem -port %d " BY_RESPONDER
	    " >ocsp.log 2>&1",
	    ocsp_port);
	ocsp_server = serve(line);
	await_port(ocsp_port);
	look_up(loop, l, "good", "good", "http://127.0.0.1");
	look_up(loop, l, "bad", "revoked", "http://127.0.0.1");
	look_up(loop, l, "listed", "revoked", "/crl.der");
	look_up(loop, l, "nowhere", "unknown", "names no CRL");
	look_up(loop, l, "ca", "unknown", "names no CRL");
	assert_int_equal(kill(crl_server, SIGKILL), 0);
	assert_int_equal(kill(ocsp_server, SIGKILL), 0);
	(void)waitpid(crl_server, NULL, 0);
	(void)waitpid(ocsp_server, NULL, 0);
	look_up(loop, l, "bad", "unknown", "Failed to connect");
	looking_free(l);
	http_free(http);
	loop_free(loop);
}

static int
set_up(void **state)
{
	struct ht_error e;

	if (scratch_enter(state) != 0 || authenticode_init(&e) < 0)
		return -1;
	ocsp_port = free_port();
	crl_port = free_port();
	make_ca();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ocsp),
		cmocka_unit_test(ocsp_of_another),
		cmocka_unit_test(crl),
		cmocka_unit_test(
		    a_crl_that_the_issuer_did_not_sign_is_not_read),
		cmocka_unit_test(certificates_that_are_none),
		cmocka_unit_test(looking),
	};

	return cmocka_run_group_tests(tests, set_up, scratch_leave);
}
