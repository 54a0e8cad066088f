#!/bin/bash
# The report, deploy/report/report.html, in Chromium: a real endpoint's journal and
# 10,000 made-up rows, filtered, sorted, printed; strings stay text, and nothing is
# asked of any network.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util chromium pdftotext python3
page=$srcdir/deploy/report/report.html
support=$srcdir/tests/support

endpoint 2960
sample app.exe
request test-signing --name=app.exe <"$work/app.exe"
signed "a file"
request test-signing "'<img src=x onerror=document.title=1>'" <"$work/app.exe"
signed "one with markup for a description"
request nowhere <"$work/app.exe"
refused "one by a profile that is not granted" 77
admin 'log --json --limit=0' >"$work/real.json"
admin 'events --json --limit=0' >"$work/real-events.json"
admin 'certificate list --json' >"$work/real-certificate-list.json"
admin 'certificates --json' >"$work/real-certificates.json"

python3 "$support/journal_rows.py" 10000 >"$work/log.json"
python3 "$support/journal_rows.py" --events >"$work/log-events.json"
PYTHONDONTWRITEBYTECODE=1 python3 "$support/report_page.py" "$page" "$work" ||
    failures=$((failures + 1))

# --- on paper --------------------------------------------------------------------

pdftotext -layout "$work/report.pdf" "$work/report.txt"
pages=$(tr -cd '\f' <"$work/report.txt" | wc -c)
# A line of the table begins with the request's number.
numbers=$(sed -nE 's/^\f? *([0-9]+) +2026-.*/\1/p' "$work/report.txt" | sort -nu)
check "$pages pages have all 10,000 requests" \
    test "$numbers" = "$(seq 10000)" -a "$pages" -gt 100
check "and what was filtered and sorted" grep -q 'All 10,000 requests' \
    "$work/report.txt"
check "each page of them has the table's head" test \
    "$(grep -c 'No\. *Asked *Client' "$work/report.txt")" -ge $((pages - 5))
check "a description is text there, too" \
    grep -q '<img src=x' "$work/report.txt"
check "no control is printed" not grep -qE 'Reset|Add files|Choose files' \
    "$work/report.txt"
pdftotext "$work/request.pdf" "$work/request.txt"
check "a request that is open is printed" grep -q '^Request 17' \
    "$work/request.txt"
check "and only that" not grep -q '10,000' "$work/request.txt"
done_testing
