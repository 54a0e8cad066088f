#!/bin/bash
# Crowds: 100 connections that each sign a file with one token, and 60 logins
# at the same moment.  None may fail, and none may be dropped.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode
endpoint 2406
sample app.exe

# crowd N NAME WORD ...: N connections at once; their results are
# $work/NAME.I, and their statuses $work/NAME.I.status.
crowd()
{
	local n=$1 name=$2 i pids=()
	shift 2
	for i in $(seq "$n"); do
		{
			ssh -F "$dir/ssh_config" sign "$@" <"$work/app.exe" \
			    >"$work/$name.$i" 2>"$work/$name.$i.err"
			echo $? >"$work/$name.$i.status"
		} &
		pids+=($!)
	done
	wait "${pids[@]}"
}

# all_zero NAME N: every one of them succeeded.
all_zero()
{
	cat "$work/$1".*.err >&2
	[ "$(cat "$work/$1".*.status | grep -cx 0)" -eq "$2" ]
}

all_verify()
{
	local i
	for i in $(seq "$2"); do
		verify_osslsigncode "$work/$1.$i" || return
	done
}

before=$(requests)
started=$SECONDS
crowd 100 sign test-signing
ok "100 connections took $((SECONDS - started)) seconds"
check "100 at once: none fails" all_zero sign 100
check "all verify" all_verify sign 100
check "all are in the journal" test "$(requests)" -eq $((before + 100))
# shellcheck disable=SC2016
check "all as delivered" test "$(admin 'log --json' | tail -n 100 |
    grep -c '"status":"delivered"')" -eq 100

no_shell()
{
	[ -z "$(descendants "$(cat "$dir/sshd-sign.pid")" htsign-shell)" ]
}

started=$SECONDS
crowd 60 login profiles
ok "60 logins took $((SECONDS - started)) seconds"
check "60 logins at once: none is dropped" all_zero login 60
check "no shell is left" within 20 no_shell
done_testing
