# The message tables of protocol/messages.c as PROTOCOL.md has them: one line
# for each rule, so that tests/docs.sh can compare the two.
#
#	awk -f protocol-tables.awk protocol/messages.h protocol/messages.c
#
# A line is: LINK | MESSAGE | SENDER | WHEN | THEN | DESCRIPTORS | FIELDS

function words(text)
{
	gsub(/[{}(),;|]/, " ", text)
	gsub(/  +/, " ", text)
	sub(/^ /, "", text)
	return text
}

# A statement may take several lines: collect until one that ends it.
function statement(end)
{
	while ($0 !~ end) {
		text = $0
		if (getline <= 0)
			break
		$0 = text " " $0
	}
}

FILENAME ~ /messages\.h$/ && /^struct protocol_[a-z_]+ \{/ {
	name = $2
	sub(/^protocol_/, "", name)
	next
}
FILENAME ~ /messages\.h$/ && /^\tchar [a-z0-9_]+\[PROTOCOL_[A-Z]+\];/ {
	split($2, part, /[][]/)
	room = part[2]
	sub(/^PROTOCOL_/, "", room)
	size[name, part[1]] = room
	next
}

/^static const struct field [a-z_]+\[\]/ {
	statement("};")
	name = $5
	sub(/\[.*/, "", name)
	text = $0
	sub(/^[^{]*/, "", text)
	n = split(words(text), w, " ")
	list = ""
	for (i = 1; i <= n; i += 3) {
		kind = tolower(w[i])
		if (kind == "text")
			kind = "text " size[w[i + 1], w[i + 2]]
		list = list (list == "" ? "" : ", ") "`" w[i + 2] "` " kind
	}
	fields[name] = list
	next
}

/^\t\[PROTOCOL_[A-Z_]+\] = (LAYOUT|EMPTY)/ {
	split($0, part, /[][]/)
	split($0, quoted, "\"")
	type = part[2]
	sub(/^PROTOCOL_/, "", type)
	message[type] = quoted[2]
	name = quoted[3]
	gsub(/[^a-z_]/, "", name)
	carries[type] = fields[name]
	next
}

/^\t\{ [A-Z]+, (true|false), PROTOCOL_/ {
	statement("\\},$")
	text = $0
	gsub(/ANY_REQUEST/,
	    "IN(ASKED) | IN(GRANTED) | IN(CONTENTS) | IN(SIGNING) | IN(MADE)",
	    text)
	gsub(/IN\(/, " ", text)
	gsub(/PROTOCOL_/, "", text)
	n = split(words(text), w, " ")
	when = w[4]
	for (i = 5; i < n - 2; i++)
		when = when ", " w[i]
	then = w[n - 2] == "SAME" ? "same" : w[n - 2]
	fds = w[n - 1] == w[n] ? w[n] : w[n - 1] "-" w[n]
	print w[1] " | " message[w[3]] " | " \
	    (w[2] == "true" ? "asker" : "answerer") " | " when " | " then \
	    " | " fds " | " carries[w[3]]
}
