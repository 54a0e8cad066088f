# The tests, a part of Makefile.am.
#
# A new unit test is tests/unit/test_MODULE.c and a line in unit_tests.
#
# A new fuzz target is tests/fuzz/fuzz_NAME.c, which defines
# LLVMFuzzerTestOneInput, samples in tests/fuzz/corpus/NAME and a line in
# fuzz_targets.  make check replays the samples; configured with --enable-fuzzing
# and clang the same program fuzzes:
#	tests/fuzz/fuzz_NAME -max_total_time=300 CORPUS_COPY

if WITH_TESTS
check_LIBRARIES = libtesting.a
check_PROGRAMS = $(unit_tests) $(fuzz_targets) $(support_programs)
TESTS = $(unit_tests) $(e2e_tests)
if !FUZZING
TESTS += $(fuzz_targets)
endif
else
check-local:
	@echo 'configured with --disable-tests: nothing is tested'
endif
AM_TESTS_ENVIRONMENT = srcdir='$(abs_srcdir)' builddir='$(abs_builddir)'; \
	export srcdir builddir;

unit_tests = \
	tests/unit/test_admin_grammar \
	tests/unit/test_admin_screen \
	tests/unit/test_answers \
	tests/unit/test_appx \
	tests/unit/test_base64 \
	tests/unit/test_buf \
	tests/unit/test_cab \
	tests/unit/test_cat \
	tests/unit/test_cfb \
	tests/unit/test_clamd \
	tests/unit/test_clients \
	tests/unit/test_cms \
	tests/unit/test_conf \
	tests/unit/test_der \
	tests/unit/test_door \
	tests/unit/test_environment \
	tests/unit/test_existing \
	tests/unit/test_existing_nest \
	tests/unit/test_fds \
	tests/unit/test_fetch \
	tests/unit/test_flips \
	tests/unit/test_forkserver_link \
	tests/unit/test_holders \
	tests/unit/test_identity \
	tests/unit/test_identity_stands \
	tests/unit/test_input \
	tests/unit/test_journal \
	tests/unit/test_json \
	tests/unit/test_keyd \
	tests/unit/test_keyd_abuse \
	tests/unit/test_keyd_access \
	tests/unit/test_keyd_begin \
	tests/unit/test_keyd_content \
	tests/unit/test_keyd_disk \
	tests/unit/test_keyd_link \
	tests/unit/test_keyd_look \
	tests/unit/test_keyd_archive \
	tests/unit/test_keyd_pump \
	tests/unit/test_keyd_rates \
	tests/unit/test_keyd_sign \
	tests/unit/test_keyd_stamp \
	tests/unit/test_keyd_storm \
	tests/unit/test_krl \
	tests/unit/test_libssh \
	tests/unit/test_log \
	tests/unit/test_loop \
	tests/unit/test_messages \
	tests/unit/test_modes \
	tests/unit/test_msg \
	tests/unit/test_msi \
	tests/unit/test_mutations \
	tests/unit/test_notify \
	tests/unit/test_parent \
	tests/unit/test_pe \
	tests/unit/test_pe_pages \
	tests/unit/test_pe_table \
	tests/unit/test_pkcs7_limits \
	tests/unit/test_pkcs7_nest \
	tests/unit/test_pkcs7_read \
	tests/unit/test_pkcs7_unsigned \
	tests/unit/test_pins \
	tests/unit/test_policy \
	tests/unit/test_principals \
	tests/unit/test_proc \
	tests/unit/test_pump \
	tests/unit/test_rate_window \
	tests/unit/test_reader \
	tests/unit/test_readers \
	tests/unit/test_remains \
	tests/unit/test_request_content \
	tests/unit/test_request_line \
	tests/unit/test_result \
	tests/unit/test_revocation \
	tests/unit/test_sandbox \
	tests/unit/test_rules \
	tests/unit/test_script \
	tests/unit/test_servers \
	tests/unit/test_share \
	tests/unit/test_shell \
	tests/unit/test_shell_admin \
	tests/unit/test_shell_run \
	tests/unit/test_shell_stamp \
	tests/unit/test_shell_wrong \
	tests/unit/test_spc \
	tests/unit/test_sshcert \
	tests/unit/test_sshcert_issue \
	tests/unit/test_sshd \
	tests/unit/test_sshkey \
	tests/unit/test_store \
	tests/unit/test_strip \
	tests/unit/test_strip_msi \
	tests/unit/test_tap \
	tests/unit/test_text_damage \
	tests/unit/test_ticket \
	tests/unit/test_timestamp \
	tests/unit/test_token \
	tests/unit/test_token_pin \
	tests/unit/test_tsa \
	tests/unit/test_uri \
	tests/unit/test_version \
	tests/unit/test_version_bounds \
	tests/unit/test_virustotal \
	tests/unit/test_zip

fuzz_targets = \
	tests/fuzz/fuzz_appx \
	tests/fuzz/fuzz_cab \
	tests/fuzz/fuzz_cat \
	tests/fuzz/fuzz_clamd \
	tests/fuzz/fuzz_cms \
	tests/fuzz/fuzz_conf \
	tests/fuzz/fuzz_msg \
	tests/fuzz/fuzz_msi \
	tests/fuzz/fuzz_pe \
	tests/fuzz/fuzz_publisher \
	tests/fuzz/fuzz_relay \
	tests/fuzz/fuzz_request \
	tests/fuzz/fuzz_script \
	tests/fuzz/fuzz_session \
	tests/fuzz/fuzz_spc \
	tests/fuzz/fuzz_sshcert \
	tests/fuzz/fuzz_tsa \
	tests/fuzz/fuzz_virustotal \
	tests/fuzz/fuzz_uri

# The order is that of starting: what waits for minutes comes first.
e2e_tests = \
	tests/e2e/70-tickets.sh \
	tests/e2e/33-lying-token.sh \
	tests/e2e/34-real-modules.sh \
	tests/e2e/98-pump-attacks.sh \
	tests/e2e/98-rates.sh \
	tests/layers.sh \
	tests/layers-violations.sh \
	tests/docs.sh \
	tests/docs-violations.sh \
	tests/e2e/10-htsign.sh \
	tests/e2e/11-htsign-files.sh \
	tests/e2e/12-nested.sh \
	tests/e2e/13-htsign-trees.sh \
	tests/e2e/14-htsign-timestamp.sh \
	tests/e2e/20-sshd-config.sh \
	tests/e2e/21-install.sh \
	tests/e2e/22-modes.sh \
	tests/e2e/23-unusable.sh \
	tests/e2e/24-compatible.sh \
	tests/e2e/40-sshd-sign.sh \
	tests/e2e/41-sshd-uids.sh \
	tests/e2e/42-sshd-limits.sh \
	tests/e2e/43-uploads.sh \
	tests/e2e/44-doors.sh \
	tests/e2e/45-shares.sh \
	tests/e2e/46-startups.sh \
	tests/e2e/47-revoked.sh \
	tests/e2e/48-full-disk.sh \
	tests/e2e/49-hostile-peers.sh \
	tests/e2e/50-quickstart.sh \
	tests/e2e/30-token.sh \
	tests/e2e/31-always-authenticate.sh \
	tests/e2e/32-pools.sh \
	tests/e2e/51-sign.sh \
	tests/e2e/52-corpus.sh \
	tests/e2e/53-refusals.sh \
	tests/e2e/54-attack.sh \
	tests/e2e/55-openssh.sh \
	tests/e2e/56-load.sh \
	tests/e2e/57-secrets.sh \
	tests/e2e/58-cuts.sh \
	tests/e2e/59-deadlines.sh \
	tests/e2e/60-cab-script.sh \
	tests/e2e/61-msi.sh \
	tests/e2e/62-appx-cat.sh \
	tests/e2e/63-keys-digests.sh \
	tests/e2e/64-refused-formats.sh \
	tests/e2e/65-existing.sh \
	tests/e2e/66-pages.sh \
	tests/e2e/67-formats.sh \
	tests/e2e/68-remains.sh \
	tests/e2e/69-bench-formats.sh \
	tests/e2e/71-capabilities.sh \
	tests/e2e/72-kills.sh \
	tests/e2e/73-pin-kills.sh \
	tests/e2e/74-faults.sh \
	tests/e2e/76-ten-others.sh \
	tests/e2e/77-certificates.sh \
	tests/e2e/78-admin-shell.sh \
	tests/e2e/78-revoked-waiting.sh \
	tests/e2e/79-verbs.sh \
	tests/e2e/80-timestamps.sh \
	tests/e2e/81-false-timestamps.sh \
	tests/e2e/82-revocation.sh \
	tests/e2e/83-bad-authorities.sh \
	tests/e2e/90-clamav.sh \
	tests/e2e/91-clamav-uids.sh \
	tests/e2e/92-archive.sh \
	tests/e2e/93-virustotal.sh \
	tests/e2e/94-archive-faults.sh \
	tests/e2e/95-reader.sh \
	tests/e2e/95-record.sh \
	tests/e2e/96-lying-shell.sh \
	tests/e2e/97-rules.sh \
	tests/e2e/98-report.sh

# What takes all of a machine that it can get.  run-tests runs one at a time.
e2e_floods = \
	tests/e2e/45-shares.sh \
	tests/e2e/46-startups.sh \
	tests/e2e/49-hostile-peers.sh \
	tests/e2e/56-load.sh \
	tests/e2e/76-ten-others.sh

EXTRA_DIST += $(e2e_tests) \
	tests/arm64.sh tests/bench/bench.sh tests/bench/formats.sh \
	tests/bench/table.sh tests/bench/tokens.sh tests/fuzz/corpus \
	tests/mutants.py tests/platform.sh tests/power-cut.sh tests/reproducible.sh \
	tests/signed-files.sh tests/smoke.sh tests/systemd.sh \
	tests/support/authority.sh \
	tests/support/block_map.py tests/support/browser.py \
	tests/support/command.sh \
	tests/support/corpus.sh tests/support/cppcheck.h \
	tests/support/false_clamd.py tests/support/false_fetch.py \
	tests/support/free_sector.py tests/support/greedy_client.py \
	tests/support/hostile_client.py tests/support/installed.sh \
	tests/support/journal_rows.py tests/support/kexinit.py \
	tests/support/leaving_client.py \
	tests/support/lib.sh tests/support/page_hashes.py \
	tests/support/paramiko_client.py tests/support/piv_card.py \
	tests/support/programs.sh \
	tests/support/protocol-tables.awk tests/support/reading_order.py \
	tests/support/reference.py tests/support/report_page.py \
	tests/support/second-token.sh \
	tests/support/sources.sh \
	tests/support/clamav.sh tests/support/timestamps.sh tests/support/tsa_server.py \
	tests/support/uploads.sh tests/support/valgrind.supp \
	tests/support/virustotal.py \
	tests/support/worst_client.py \
	tests/unit/store-8.sql

# --- what tests are linked with -----------------------------------------------
#
# A program has one source, which is called like it, unless a line here says more.
# It may use all that there is; the linker takes what it needs.

LDADD = libtesting.a libhtsign.a libadmin.a libshell.a libcommand.a libsshd.a libkeyd.a libparent.a \
	libsshcert.a libtoken.a libfetch.a libpump.a libreader.a libformats.a libspc.a libstore.a libconf.a \
	libprotocol.a libbase.a $(CMOCKA_LIBS) $(CONF_LIBS) \
	$(EDIT_LIBS) $(SQLITE_LIBS) $(SSH_LIBS) $(CURL_LIBS) $(JSON_LIBS) $(CRYPTO_LIBS) $(ZLIB_LIBS) \
	$(SECCOMP_LIBS)

libtesting_a_SOURCES = \
	tests/fuzz/format.c tests/fuzz/format.h \
	tests/support/attack.c tests/support/attack.h \
	tests/support/cab_image.c tests/support/cab_image.h \
	tests/support/catalog.c tests/support/catalog.h \
	tests/support/cfb_image.c tests/support/cfb_image.h \
	tests/support/core_client.c tests/support/core_client.h \
	tests/support/core_scratch.c tests/support/core_scratch.h \
	tests/support/core_fetch.c tests/support/core_fetch.h \
	tests/support/core_token.c tests/support/core_token.h \
	tests/support/endpoint.c tests/support/endpoint.h \
	tests/support/mutate.c tests/support/mutate.h \
	tests/support/no_memory.c tests/support/no_memory.h \
	tests/support/package.c tests/support/package.h \
	tests/support/pe_image.c tests/support/pe_image.h \
	tests/support/peer.c tests/support/peer.h \
	tests/support/run.c tests/support/run.h \
	tests/support/samples.c tests/support/samples.h \
	tests/support/sandbox_needs.c tests/support/sandbox_needs.h \
	tests/support/scratch.c tests/support/scratch.h \
	tests/support/shell.c tests/support/shell.h \
	tests/support/signable.c tests/support/signable.h \
	tests/support/signed.c tests/support/signed.h \
	tests/support/signing.c tests/support/signing.h \
	tests/support/ssh_ca.c tests/support/ssh_ca.h \
	tests/support/stand.c tests/support/stand.h \
	tests/support/store_scratch.c tests/support/store_scratch.h \
	tests/support/strip.c tests/support/strip.h \
	tests/support/tsa.c tests/support/tsa.h \
	tests/support/unsigned.c tests/support/unsigned.h \
	tests/support/upload.c tests/support/upload.h

# The main of a fuzz target: libFuzzer's, or ours.
if FUZZING
$(fuzz_targets): AM_LDFLAGS += -fsanitize=fuzzer
else
libtesting_a_SOURCES += tests/fuzz/replay.c
endif

# Where the tests find the programs.
$(libtesting_a_OBJECTS) $(unit_tests:=.$(OBJEXT)): | tests/support/builddir.h
CLEANFILES += tests/support/builddir.h
tests/support/builddir.h: Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	echo '#define HT_BUILDDIR "$(abs_top_builddir)"' >$@

# With tests/support/core_scratch.c a test has a clock of its own, and with
# core_token.c a token.
core_ldflags = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime -Wl,--wrap=time
core_token_ldflags = $(core_ldflags) -Wl,--wrap=token_submit \
	-Wl,--wrap=token_cancel
tests_unit_test_clients_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime \
	-Wl,--wrap=arc4random_uniform
tests_unit_test_door_LDFLAGS = $(core_ldflags) $(no_memory_ldflags) \
	-Wl,--wrap=proc_socketpair
tests_unit_test_identity_LDFLAGS = $(core_ldflags) $(no_memory_ldflags)
tests_unit_test_identity_stands_LDFLAGS = $(core_ldflags) -Wl,--wrap=store_step
tests_unit_test_keyd_begin_LDFLAGS = $(core_ldflags)
tests_unit_test_keyd_disk_LDFLAGS = $(core_ldflags) -Wl,--wrap=fstatvfs \
	-Wl,--wrap=posix_fallocate
tests_unit_test_keyd_link_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime
tests_unit_test_keyd_sign_LDFLAGS = $(core_token_ldflags) $(no_memory_ldflags) \
	-Wl,--wrap=quota_charge
tests_unit_test_keyd_look_LDFLAGS = $(core_token_ldflags)
tests_unit_test_keyd_archive_LDFLAGS = $(core_token_ldflags)
tests_unit_test_keyd_pump_LDFLAGS = $(core_token_ldflags)
tests_unit_test_keyd_rates_LDFLAGS = $(core_token_ldflags)
tests_unit_test_keyd_stamp_LDFLAGS = $(core_token_ldflags)
tests_unit_test_policy_LDFLAGS = $(core_ldflags) -Wl,--wrap=token_state \
	-Wl,--wrap=token_check_now -Wl,--wrap=token_jobs \
	-Wl,--wrap=token_readiness \
	-Wl,--wrap=store_step
tests_unit_test_shell_run_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=keyd_link_ask_cancel
tests_unit_test_store_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sqlite3_exec
tests_unit_test_request_content_LDFLAGS = $(core_token_ldflags) \
	$(no_memory_ldflags)

# With tests/support/no_memory.c a test says which allocation fails.
no_memory_ldflags = -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=strndup
tests_unit_test_appx_LDFLAGS = $(AM_LDFLAGS) $(no_memory_ldflags)
tests_unit_test_environment_LDFLAGS = $(AM_LDFLAGS) $(no_memory_ldflags)
tests_unit_test_script_LDFLAGS = $(AM_LDFLAGS) $(no_memory_ldflags)
tests_unit_test_sshcert_issue_LDFLAGS = $(AM_LDFLAGS) $(no_memory_ldflags) \
	-Wl,--wrap=EVP_MD_CTX_new -Wl,--wrap=RAND_bytes -Wl,--wrap=EVP_Digest
tests_unit_test_ticket_LDFLAGS = $(AM_LDFLAGS) $(no_memory_ldflags) \
	-Wl,--wrap=HMAC
tests_unit_test_timestamp_LDFLAGS = $(AM_LDFLAGS) $(no_memory_ldflags)

# --- programs that tests use --------------------------------------------------

support_programs = tests/bench/make-msi tests/bench/measure \
	tests/support/attack-shell tests/support/lying-token.so \
	tests/support/flip-proxy tests/support/make-appx \
	tests/support/make-cab tests/support/make-cat tests/support/make-pe \
	tests/support/sign-pe

# Small PE files from nothing; quickstart's sample is one, too.
tests_support_make_pe_SOURCES = tests/support/make-pe.c \
	tests/support/pe_image.c tests/support/pe_image.h
tests_support_make_pe_LDADD = libbase.a

# The shell, taken over by the first bytes of its input.
tests_support_attack_shell_SOURCES = htsign-shell/main.c \
	tests/support/attack_hook.c tests/support/pump_hook.c
tests_support_attack_shell_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=format_detect \
	-Wl,--wrap=keyd_client_begin -Wl,--wrap=input_stream
tests_support_attack_shell_LDADD = libtesting.a \
	$(htsign_shell_htsign_shell_LDADD)

# Loaded by htsign-token, so without the flags that make a program.
tests_support_lying_token_so_SOURCES = tests/support/lying_token.c
tests_support_lying_token_so_CFLAGS = -std=c11 -Wall -Wextra -fPIC
tests_support_lying_token_so_LDFLAGS = -shared
tests_support_lying_token_so_LDADD =

# --- bench --------------------------------------------------------------------
#
# make bench, as root: tests/bench/bench.sh tells what of.  It installs the
# programs where a package would; a build for elsewhere makes one for that.
# No other build needs the bench's programs, nor p11-kit's headers.

bench_programs = tests/bench/channels tests/bench/clamd-sink \
	tests/bench/pkcs11-loop tests/support/make-pe
EXTRA_PROGRAMS = $(bench_programs)
CLEANFILES += $(bench_programs)
tests_bench_channels_LDADD = $(SSH_LIBS)
tests_bench_clamd_sink_LDADD =
tests_bench_pkcs11_loop_CPPFLAGS = $(AM_CPPFLAGS) \
	`$(PKG_CONFIG) --cflags p11-kit-1`
tests_bench_pkcs11_loop_LDADD =

# make bench-formats: tests/bench/formats.sh tells what of.
bench-formats: all $(support_programs)
	@$(AM_TESTS_ENVIRONMENT) bash $(srcdir)/tests/bench/formats.sh

# make bench-tokens: tests/bench/tokens.sh tells what of.
bench-tokens: all $(support_programs) tests/bench/channels
	@$(AM_TESTS_ENVIRONMENT) bash $(srcdir)/tests/bench/tokens.sh

bench:
	@if test '$(prefix)$(sysconfdir)' = /usr/etc; then \
	    $(MAKE) all $(bench_programs) && \
	    $(AM_TESTS_ENVIRONMENT) bash $(srcdir)/tests/bench/bench.sh; \
	else \
	    $(MKDIR_P) build-bench && cd build-bench && \
	    { test -f Makefile || $(abs_srcdir)/configure -q --prefix=/usr \
	        --sysconfdir=/etc --disable-tests CC='$(CC)' \
	        CFLAGS='$(CFLAGS)'; } && \
	    $(MAKE) bench; \
	fi
.PHONY: bench bench-formats bench-tokens
distclean-local:
	-rm -rf build-bench
