#!/bin/bash
# Packages, bundles and catalogs: what comes back is verified by osslsigncode,
# and of catalogs its bytes are osslsigncode's.  A package is signed by its
# publisher alone; a profile that does not name catalogs signs none.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode unzip zip python3 openssl
endpoint 2540
check "a profile with an EC key" p256_profile '"appx", "cat"'

# --- packages ------------------------------------------------------------------

publisher="CN=htsign quickstart (test)"

# make_package NAME WORD ...: $work/NAME
make_package()
{
	local name=$1
	shift
	"$builddir/tests/support/make-appx" publisher="$publisher" "$@" >"$work/$name"
}

# packed NAME FOLDER COMMAND ...: what the command packs from the folder, with
# the block map of just that.  A bundle's manifest changes it once more.
packed()
{
	local name=$1 folder=$2
	shift 2
	for _ in 1 2 3; do
		"$@" >"$work/$name" &&
		    python3 "$srcdir/tests/support/block_map.py" "$work/$name" \
		        "$folder" || return
	done
	"$@" >"$work/$name"
}

# zipped FOLDER OPTION ...: the packages of a bundle come first, so that nothing
# moves them.
zipped()
{
	local folder=$1
	shift
	# shellcheck disable=SC2046
	(cd "$folder" && zip -q -r -D "$@" - $(compgen -G "*.msix") .)
}

# make_zipped NAME OPTION ...: the same parts as zip(1) packs them.
make_zipped()
{
	local name=$1 parts=$work/parts
	shift
	rm -rf "$parts"
	mkdir "$parts" || return
	unzip -q "$work/plain.msix" -d "$parts" || return
	head -c 60000 /dev/urandom >"$parts/random.bin"
	head -c 60000 /dev/zero >"$parts/zeros.bin"
	packed "$name" "$parts" zipped "$parts" -X "$@"
}

# zip_again NAME OTHER [OPTION]: the parts of another one as they are.
zip_again()
{
	local parts=$work/others
	rm -rf "$parts"
	mkdir "$parts" && unzip -q "$work/$2" -d "$parts" &&
	    packed "$1" "$parts" zipped "$parts" ${3:+"$3"}
}

# make_with_python NAME [WORD]: and as Python packs them.
make_with_python()
{
	packed "$1" "$work/parts" packed_by_python "$work/parts" "${2-}"
}

packed_by_python()
{
	python3 - "$@" 3>&1 <<-'PYTHON'
	import os, sys, zipfile
	parts, word = sys.argv[1:]
	method = zipfile.ZIP_STORED if word == "stored" else zipfile.ZIP_DEFLATED
	out = open(3, "wb")
	if word == "stream":
	    out.seekable = lambda: False
	with zipfile.ZipFile(out, "w", method) as package:
	    for folder, _, files in sorted(os.walk(parts)):
	        for file in sorted(files):
	            path = os.path.join(folder, file)
	            with open(path, "rb") as part:
	                entry = zipfile.ZipInfo(os.path.relpath(path, parts))
	                entry.compress_type = method
	                with package.open(entry, "w",
	                        force_zip64=word == "zip64") as to:
	                    to.write(part.read())
	PYTHON
}

# knows FILE: osslsigncode 2.9 damages, and misreads, what has extra fields.
knows()
{
	case ${1##*/} in
	times.* | zip.msixbundle | code.*) return 1 ;;
	esac
}

# same_digest FILE: as tests/support/reference.py computes it.
same_digest()
{
	"$htsign" digest "$1" >"$work/ours" &&
	    python3 "$srcdir/tests/support/reference.py" "$1" >"$work/theirs" &&
	    cmp "$work/ours" "$work/theirs"
}

# good_package PROFILE FILE: what osslsigncode would sign it says of the signed
# one, since it packs content types that change in a way of its own.
good_package()
{
	local root
	root=$(root_of "$1")
	sign_both_ways "$1" "$2" && "$htsign" verify "$whole" --ca "$root" &&
	    unzip -tq "$whole" && same_digest "$whole" || return
	! knows "$2" || { verify_osslsigncode "$whole" "$root" &&
	    same_content "$whole" "$work/p7"; }
}

make_package plain.msix
make_package deflated.msix deflated
make_package descriptor.msix descriptor=16 deflated
make_package tool.msix zip64 descriptor=24 deflated files=20 size=150000
make_package zip64.msix zip64
make_package first.msix types-first deflated
make_package integrity.appx code-integrity
make_package overridden.appx overridden
make_package bundle.msixbundle bundle
make_package tool.msixbundle bundle zip64 descriptor=24 files=3 size=90000
check "zip's package" make_zipped zip.msix
check "zip's package, stored" make_zipped stored.appx -0
check "zip's package, ZIP64" make_zipped streamed.msix -fz-
check "zip's package, best" make_zipped best.msix -9
check "zip's package, fast" make_zipped fast.appx -1
check "zip's package, with times" zip_again times.msix plain.msix
check "zip's bundle" zip_again zip.msixbundle bundle.msixbundle -0
check "zip's package, CodeIntegrity.cat" zip_again code.appx integrity.appx
check "Python's package" make_with_python python.msix
check "Python's package, stored" make_with_python python-stored.appx stored
check "Python's package, streamed" make_with_python python-stream.msix stream
check "Python's package, ZIP64" make_with_python python-zip64.msix zip64
for file in "$work"/zip.* "$work"/zip*.msix* "$work"/{stored,fast,code}.appx \
    "$work"/{streamed,best,times}.msix "$work"/python*; do
	[ -s "$file" ] && echo "$file"
done | sort -u >"$work/real"
check "at least 10 by others" test "$(wc -l <"$work/real")" -ge 10
for file in "$work"/*.msix "$work"/*.appx "$work"/*.msixbundle; do
	check "${file##*/}" good_package test-signing "$file"
	check "${file##*/} under P-256" good_package p256 "$file"
done
journal_says "the journal has it" '"status":"delivered"' '"format":"appx'

request test-signing <"$work/plain.msix"
mv "$work/out" "$work/once.msix"
request test-signing <"$work/once.msix"
signed "a signed package again"
check "is the same" cmp "$work/out" "$work/once.msix"
"$builddir/tests/support/make-appx" publisher="CN=Somebody Else" >"$work/else.msix"
for reply in "" --pkcs7; do
	request test-signing $reply <"$work/else.msix"
	refused "a package of another publisher $reply" 66
	check "says why" grep "the manifest's Publisher is not" "$work/err"
	journal_says "before a token was asked" '"attempts":0' '"exit":66'
	check "which is not named" not grep '"token"' <<<"$(last_request)"
done
make_package sha512.msix method=sha512
request test-signing <"$work/sha512.msix"
signed "a block map of a stronger digest"
check "with that" grep '^sha512: ' <<<"$("$htsign" verify "$work/out" \
    --ca "$dir/ca.pem")"
check "as osslsigncode says" verify_osslsigncode "$work/out" "$dir/ca.pem"

# What Windows would not install: status 65, and the file is named.
while read -r words name; do
	# shellcheck disable=SC2086
	make_package bad.msix ${words//+/ }
	request test-signing <"$work/bad.msix"
	refused "$words" 65
	check "names the file" grep -F "$name" "$work/err"
done <<-BAD
	fault=map-hash file0.bin
	fault=map-hash+deflated+size=200000 file0.bin
	fault=map-size file0.bin
	fault=map-header file0.bin
	fault=map-packed+deflated file0.bin
	fault=map-not-here gone.txt
	fault=map-not-there extra.txt
	fault=map-twice AppxManifest.xml
	fault=two-cases Twice.TXT
	fault=two-escapes t%77ice.txt
	fault=bundle-offset+bundle part0.msix
	fault=bundle-unlisted+bundle part0.msix
BAD
{ cat "$work/plain.msix"; printf 'more'; } >"$work/behind.msix"
request test-signing <"$work/behind.msix"
refused "bytes behind the end record" 65
head -c -30 "$work/plain.msix" >"$work/cut.msix"
request test-signing <"$work/cut.msix"
refused "a cut package" 65
(cd "$work/parts" && zip -q -r - random.bin zeros.bin) >"$work/plain.zip"
request test-signing <"$work/plain.zip"
refused "a ZIP file" 65

# --- catalogs ------------------------------------------------------------------

"$builddir/tests/support/make-cat" >"$work/one.cat"
reconfigure 's/formats = .*\];/formats = [ "pe" ];/'
request test-signing <"$work/one.cat"
refused "a catalog under a profile that does not name them" 66
reconfigure 's/formats = .*\];/formats = [ "pe", "cat" ];/'

# openssl_catalog VERSION MEMBERS: a list of that many files' digests, of the
# first kind of catalogs, with SHA-1 and an attribute of its own, or the second.
openssl_catalog()
{
	local version=$1 members=$2 i digest=sha256
	[ "$version" = 2 ] || digest=sha1
	{
		cat <<-CONF
		asn1 = SEQUENCE:information
		[information]
		type = OID:pkcs7-signedData
		content = EXP:0,SEQUENCE:signed
		[signed]
		version = INTEGER:1
		algorithms = SET
		content = SEQUENCE:content
		signers = SET
		[content]
		type = OID:1.3.6.1.4.1.311.10.1
		list = EXP:0,SEQUENCE:list
		[list]
		usage = SEQUENCE:usage
		identifier = FORMAT:HEX,OCT:$(openssl rand -hex 16)
		time = UTCTIME:260722120000Z
		algorithm = SEQUENCE:algorithm
		subjects = SEQUENCE:subjects
		$([ "$version" = 2 ] || echo extensions = EXP:0,SEQUENCE:extensions)
		[usage]
		catalog = OID:1.3.6.1.4.1.311.12.1.1
		[algorithm]
		member = OID:1.3.6.1.4.1.311.12.1.$((version + 1))
		parameter = NULL
		[extensions]
		system = SEQUENCE:system
		[system]
		type = OID:1.3.6.1.4.1.311.12.2.1
		value = OCTWRAP,SEQUENCE:systemvalue
		[systemvalue]
		tag = BMP:OS
		flags = INTEGER:65537
		value = FORMAT:HEX,OCT:5800500000000000
		[digestalgorithm]
		type = OID:$digest
		parameter = NULL
		[data]
		type = OID:1.3.6.1.4.1.311.2.1.15
		[subjects]
		CONF
		for ((i = 0; i < members; i++)); do
			echo "$i = SEQUENCE:subject$i"
		done
		for ((i = 0; i < members; i++)); do
			cat <<-CONF
			[subject$i]
			identifier = FORMAT:HEX,OCT:$(echo "$i" |
			    openssl dgst -r -"$digest" | cut -d ' ' -f 1)
			attributes = SET:attributes$i
			[attributes$i]
			digest = SEQUENCE:digest$i
			[digest$i]
			type = OID:1.3.6.1.4.1.311.2.1.4
			values = SET:values$i
			[values$i]
			content = SEQUENCE:content$i
			[content$i]
			data = SEQUENCE:data
			digest = SEQUENCE:info$i
			[info$i]
			algorithm = SEQUENCE:digestalgorithm
			digest = FORMAT:HEX,OCT:$(echo "$i" |
			    openssl dgst -r -"$digest" | cut -d ' ' -f 1)
			CONF
		done
	} >"$work/catalog.conf"
	openssl asn1parse -genconf "$work/catalog.conf" -noout \
	    -out "$work/openssl-$version-$members.cat"
}

# good_catalog PROFILE FILE WORD ...
good_catalog()
{
	local root
	root=$(root_of "$1")
	sign_both_ways "$@" && verify_osslsigncode "$whole" "$root" &&
	    "$htsign" verify "$whole" --ca "$root" &&
	    content_of "$2" "$work/theirs.content" &&
	    content_of "$work/p7" "$work/ours.content" &&
	    cmp "$work/theirs.content" "$work/ours.content"
}

for version in 1 2; do
	for members in 1 2 3 5 8; do
		file=$work/openssl-$version-$members.cat
		check "a catalog of openssl's" openssl_catalog "$version" \
		    "$members"
		check "${file##*/}" good_catalog test-signing "$file" Theirs
		check "${file##*/} under P-256" good_catalog p256 "$file"
	done
done
for members in 0 1 10 100 1000; do
	"$builddir/tests/support/make-cat" "$members" >"$work/$members.cat"
	check "a catalog of $members members" good_catalog test-signing \
	    "$work/$members.cat" "Catalog $members"
done
journal_says "the journal has it" '"status":"delivered"' '"format":"cat"'
cp "$whole" "$work/signed.cat"
check "a signed catalog again" good_catalog test-signing "$work/signed.cat" Again
check "has one signature" describes "$whole" Again
check "of its own" not describes "$whole" "Catalog 1000"

"$builddir/tests/support/make-cat" 1500 >"$work/large.cat"
request test-signing <"$work/large.cat"
refused "a list longer than max_ctl" 66
head -c -1 "$work/one.cat" >"$work/cut.cat"
request test-signing <"$work/cut.cat"
refused "a cut catalog" 65
reconfigure 's/formats = \[ "pe", "cat" \];/& max_ctl = "512K";/'
check "under a profile that allows it" good_catalog test-signing \
    "$work/large.cat" Large

# The bytes are osslsigncode's, too.
for file in "$work"/openssl-*.cat "$work"/1000.cat "$work"/signed.cat; do
	check "osslsigncode's bytes of ${file##*/}" same_bytes "$file"
done
done_testing
