#!/bin/bash
# htsign-admin at a terminal, which tmux is: on the machine itself and at
# OpenSSH's door.  Every verb once; completion and history; 80 columns and 200;
# Ctrl-C and hang-up; and what the journal has of it.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh script tmux softhsm2-util /usr/sbin/sshd setpriv unshare
. "$srcdir/tests/support/installed.sh"
installed_endpoint 2470 2471
sample app.exe
for title in One Two Three; do
	request test-signing "$title" <"$work/app.exe"
done
request "nothing" <"$work/app.exe"
console=/usr/sbin/htsign-admin
export TMUX_TMPDIR=$work LC_ALL=C.UTF-8

# A server of its own for each: one that is killed takes its time.
terminals=0
pane()
{
	tmux -L "htsign-$terminals" -f /dev/null "$@"
}

cleanup_more()
{
	pane kill-server 2>/dev/null
	cleanup_installed
}

# terminal COLUMNS ROWS COMMAND: a shell in a terminal of that size.
terminal()
{
	pane kill-server 2>/dev/null
	terminals=$((terminals + 1))
	pane new-session -d -x "$1" -y "$2" \
	    "$3; echo \"ended with \$?\"; sleep 1000"
	shows 'htsign>$' || { bad "no prompt"; done_testing; }
}

seen()
{
	pane capture-pane -p "$@"
}

# shows PATTERN: within ten seconds.
shows()
{
	local end=$((SECONDS + 10 * ${HTSIGN_PATIENCE:-1}))
	while ! seen | sed '/^$/d' | grep -Eq -- "$1"; do
		[ "$SECONDS" -lt "$end" ] || { seen; return 1; }
		sleep 0.05
	done
}

# keys KEY ...: as tmux names them; a text otherwise.
keys()
{
	pane send-keys "$@"
}

# types LINE: after it the prompt is back.
types()
{
	keys C-l
	within 10 alone || return
	keys -l "$1"
	keys Enter
	within 15 back
}

alone()
{
	[ "$(seen | sed '/^$/d')" = "htsign>" ]
}

# The last line is a prompt, and is not the first.
back()
{
	seen | sed '/^$/d' | tail -n +2 | tail -n 1 | grep -qx 'htsign>'
}

events()
{
	admin 'events --json --limit=1000'
}

# --- every verb, at both places --------------------------------------------------

# As keyd lists them; with these words, unless a verb can do without.
declare -A words=(
	[client add]="added%s --ttl=2h" [client change]="added%s --ttl=1h"
	[client disable]=added%s [client enable]=added%s
	[client show]=added%s [client rename]="added%s renamed%s"
	[client remove]=renamed%s
	[grant]="ci test-signing" [ungrant]="added%s test-signing"
	[revoke]=9999%s [fetch]="1 pkcs7" [freeze]="client added%s"
	[thaw]="client added%s"
)
declare -A kinds=([CLIENT]=ci [PROFILE]=test-signing [TOKEN]=softhsm
	[CERTIFICATE]=test [REQUEST]=1)

# words_for VERB ARGS: those of the table, or of their kinds if it only reads.
words_for()
{
	local word
	if [ -n "${words[$1]-}" ] || [ "$3" = acts ]; then
		echo "${words[$1]-}"
		return
	fi
	for word in $2; do
		[ -z "${kinds[$word]-}" ] || printf '%s ' "${kinds[$word]}"
	done
}

# What comes from stdin, needs another answer, or does not come back soon, has a
# test of its own below or elsewhere.
admin 'help --verbs' | awk -F '\t' 'NF == 3' >"$work/verbs"
check "keyd lists its verbs" test "$(wc -l <"$work/verbs")" -ge 15

# every_verb TEXT NUMBER: at the prompt that is open.
every_verb()
{
	local verb args kind line
	while IFS=$'\t' read -r verb args kind <&3; do
		case $verb in
		issue | lock | unlock | rebuild | backup | ca\ *) continue ;;
		esac
		if [ "$kind" = acts ] && [ -z "${words[$verb]-}" ]; then
			echo "# left out, no words for it: $verb $args"
			continue
		fi
		line="$verb $(words_for "$verb" "$args" "$kind")"
		line=${line//%s/$2}
		check "$1, $verb" types "$line"
		seen >"$work/screen"
		check "$1, $verb answers as that of one command" \
		    not grep -Eq "no such command|usage: " "$work/screen"
	done 3<"$work/verbs"
}

events >"$work/before"
terminal 200 50 "$console"
every_verb console 1
events >"$work/console"
terminal 200 50 "ssh -t -F '$dir/ssh_config' openssh-admin"
check "OpenSSH greets the administrator" shows '^admin, admin'
prompt=$(descendants "$sshd_door" htsign-admin)
check "who types into a sandbox" grep -q '^Seccomp:.*2' "/proc/$prompt/status"
check "under a uid of its own" grep -q '^Uid:.*64105.*64105' "/proc/$prompt/status"
check "which opens no file" test "$(find "/proc/$prompt/fd" -lname '/[^dp]*' |
    wc -l)" -eq 0
every_verb OpenSSH 2
events >"$work/openssh"

# new_events FILE FILE: what the second has more, without what differs.
new_events()
{
	tail -n +$(($(wc -l <"$1") + 1)) "$2" |
	    sed -E 's/.*"kind":"([^"]*)".*/\1/' | sort | uniq -c
}
new_events "$work/before" "$work/console" >"$work/first"
new_events "$work/console" "$work/openssh" >"$work/second"
check "the journal has what was done" test -s "$work/first"
check "and the same of both" diff "$work/first" "$work/second"
check "who did it, and from where, at OpenSSH's door" grep -q \
    '"actor":"admin".*"from":"127.0.0.1","client":"added2"' "$work/openssh"
check "and on the console" grep -q \
    '"actor":"root".*"role":"local".*"client":"added1"' "$work/openssh"

# --- one command, and what it is given ---------------------------------------------

ssh -F "$dir/ssh_config" openssh-admin log >"$work/out" 2>"$work/err"
check "one command at OpenSSH" grep -q 'delivered' "$work/out"
check "without escape sequences" not grep -q "$(printf '\033')" "$work/out"
"$console" log >"$work/out2"
check "the same on the console" cmp "$work/out" "$work/out2"
"$shell" --admin -c log | cmp - "$work/out"
check "and of htsign-shell" test $? -eq 0
script -qec "$console log" "$work/typescript" >/dev/null </dev/null
check "at a terminal, too" not grep -q "$(printf '\033')" "$work/typescript"
"$console" </dev/null >"$work/out" 2>"$work/err"
check "no command and no terminal is 64" test $? -eq 64
check "with the list of verbs" grep -q '^client add' "$work/err"
"$console" "client add 'a" 2>"$work/err"
check "an open quote is 64" test $? -eq 64
sleep 5 | script -qec "ssh -F '$dir/ssh_config' admin" "$work/typescript" \
    >/dev/null
check "sshd-sign says where a session is to be had" grep -q \
    "OpenSSH's door has a session" "$work/typescript"

# --- keys --------------------------------------------------------------------------

terminal 80 24 "$console"
check "the prompt is bold" shows 'htsign>'
check "as an escape sequence" grep -q "$(printf '\033\[1m')htsign>" <(seen -e)
keys -l "client l"
keys Tab
check "a verb is completed" shows '^htsign> client list$'
keys C-c
check "Ctrl-C empties the line" shows '^htsign>$'
keys -l "log --cl"
keys Tab
keys -l "c"
keys Tab
check "an option and a client" shows '^htsign> log --client=ci$'
keys C-c
keys -l "client change ci --def"
keys Tab Tab
check "a profile" shows '^htsign> client change ci --default=test-signing$'
keys C-c
admin 'client add proci'
keys -l "client enable "
keys Tab Tab
check "all clients, of whom one ends as another" shows '^ci .*proci'
keys C-c
keys -l "thaw cl"
keys Tab
keys -l "c"
keys Tab
check "a word, and what goes with it" shows '^htsign> thaw client ci$'
keys C-c
keys -l "tokens --f"
keys Tab
check "--follow, where it can be" shows '^htsign> tokens --follow$'
keys C-c
keys -l "fetch "
keys Tab
check "the numbers of requests" shows '^1 +2 +3 +4$'
keys -l "4 "
keys Tab Tab
check "a choice of words" shows '^input +output +pkcs7$'
keys C-c
keys -l "unlock s"
keys Tab
check "a token" shows '^htsign> unlock softhsm$'
keys C-c
check "a command" types "client list"
keys Up
check "the history has it" shows '^htsign> client list$'
keys Left Left Left Left
keys C-k
keys -l "add 'wi th"
keys Enter
check "an open quote is said" shows "quote.*not closed"
check "help VERB" types "help client add"
check "has its text" grep -q '^    add a client' <(seen)
check "an unknown verb" types "nonsense"
check "says where the list is" grep -q 'help. lists them' <(seen)
check "no session ends by that" types "help"
check "its own words are in the list" grep -q '^exit' <(seen)
keys -l "issue ci"
keys Enter
check "a key is asked for" shows 'Paste it'
keys -l "$(cat "$dir/ci.pub")"
keys Enter
keys C-d
check "and a certificate comes" shows 'ssh-ed25519-cert-v01'
keys -l "unlock softhsm"
keys Enter
check "a PIN is asked for" shows '^PIN:'
keys -l "secret-pin"
keys C-c
check "Ctrl-C there comes back to the prompt" shows 'interrupted'
check "no PIN is shown" not grep -q secret-pin <(seen)
check "a token is locked" types "lock softhsm"
keys -l "unlock softhsm"
keys Enter
check "and asks for its PIN" shows '^PIN:'
keys Enter
check "an empty line is that of the configuration" within 20 back
check "it is ready" types "tokens"
check "as is said" grep -q '^softhsm *ready' <(seen)
keys -l "fetch 1 input"
keys Enter
check "a file goes to no terminal, or is not kept" shows \
    'cannot go to a terminal|nothing was kept'

# --- columns, colours, --follow -------------------------------------------------------

check "80 columns" types "log"
check "a long line goes on, indented" grep -Eq '^    [^ ]' <(seen)
check "no line is cut" test "$(seen | awk '{ print length }' | sort -n |
    tail -n 1)" -le 80
check "colours" grep -q "$(printf '\033\[3[12]m')" <(seen -e)
pane resize-window -x 200 -y 50
check "200 columns" types "log"
check "a line is one line" grep -Eq 'refused .*nothing is not granted' <(seen)
pane resize-window -x 80 -y 24
keys C-l
shows '^htsign>$'
keys -l "log --follow"
keys Enter
check "--follow" shows 'every 2 seconds'
request test-signing Later <"$work/app.exe"
check "shows what is new" shows 'Later'
keys C-c
check "until Ctrl-C" within 10 back
check "--follow acts on nothing" types "client disable ci --follow"
check "and says so" grep -q 'only show something' <(seen)
check "ci still signs" ssh -F "$dir/ssh_config" sign profiles
NO_COLOR=1 terminal 80 24 "$console"
check "NO_COLOR" types "log"
check "is obeyed" not grep -q "$(printf '\033\[3')" <(seen -e)
terminal 80 24 "TERM=dumb $console"
keys -l "log --limit=1"
keys Enter
check "a dumb terminal" shows 'Later'
check "gets no escape sequences" not grep -q "$(printf '\033')" <(seen -e)
keys -l "half a line"
keys C-c
check "Ctrl-C empties a line there, too" within 10 back
terminal 80 24 "TERM=../../etc/passwd $console"
keys -l "client list"
keys Enter
check "a strange TERM" shows '^ci '
check "is dumb" not grep -q "$(printf '\033')" <(seen -e)

# --- Ctrl-C during a command ------------------------------------------------------------

# keyd_process: the one that decides, below its parent.
keyd_process()
{
	descendants "$(cat "$dir/htsign-keyd.pid")" htsign-keyd
}

terminal 80 24 "$console"
kill -STOP "$(keyd_process)"
keys -l "client disable ci"
keys Enter
sleep 1
check "keyd is slow" not back
keys C-c
check "Ctrl-C comes back to the prompt" within 5 back
check "and says what becomes of the command" grep -q 'the$\|journal has it' <(seen)
keys -l "client list"
keys Enter
sleep 1
check "the next one waits for it" not back
keys C-c
check "and Ctrl-C ends that, too" within 5 back
kill -CONT "$(keyd_process)"
check "the first one is done" types "client list"
check "as the journal says" grep -q '^ci .*disabled' <(seen)
check "and others are" types "client enable ci"
check "in the same session" grep -q '^ci .*test-signing$' <(types "client list"; seen)
check "all is on record, in order" test "$(events | grep -o \
    'client-\(disabled\|enabled\)","actor":"root".*"client":"ci"' |
    cut -c 8-15 | paste -sd ' ')" = "disabled enabled\""

# --- the end ------------------------------------------------------------------------

terminal 80 24 "$console"
keys C-d
check "Ctrl-D leaves" shows 'ended with 0'
terminal 80 24 "$console"
keys -l exit
keys Enter
check "so does exit" shows 'ended with 0'

# A line that was not sent is not done; one that was is on record.
events >"$work/before"
terminal 80 24 "TERM=dumb $console"
keys -l "client disable ci"
keys C-d C-c C-d
check "Ctrl-D leaves a dumb terminal, too" shows 'ended with 0'
terminal 80 24 "ssh -t -F '$dir/ssh_config' openssh-admin"
keys -l "client disable ci"
shows 'disable ci$'
pane kill-server
# shellcheck disable=SC2317 # for within
all_gone()
{
	[ -z "$(descendants "$sshd_door" htsign-admin)" ]
}
check "a hang-up ends it" within 10 all_gone
events >"$work/after"
check "and what was not sent is not done" cmp "$work/before" "$work/after"
terminal 80 24 "ssh -t -F '$dir/ssh_config' openssh-admin"
keys -l "client disable ci"
keys Enter
pane kill-server
check "a hang-up behind a command ends it" within 10 all_gone
done_or_not()
{
	local on_record disabled=0
	events >"$work/later"
	on_record=$(tail -n +$(($(wc -l <"$work/after") + 1)) "$work/later" |
	    grep -c '"client-disabled".*"client":"ci"')
	! admin 'client list' | grep -q '^ci .*disabled' || disabled=1
	[ "$on_record" -eq "$disabled" ]
}
check "it is done and on record, or neither" done_or_not

# keyd closes a session in which nothing was said for five minutes; here it ends.
terminal 80 24 "$console"
stop_one htsign-keyd
check "without keyd a session ends" shows 'ended with 69'
start_programs no
done_testing
