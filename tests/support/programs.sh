# make_programs FOLDER: small programs that compilers and installers make, each
# as FOLDER/TOOL,NAME; what is there already is not made again.
# shellcheck shell=bash

: "${work:?}"

# compile MACHINE FOLDER: what mingw makes of a few lines.
compile()
{
	local cc=$1-w64-mingw32-gcc name=$2/mingw,$1
	[ ! -e "$name.gui.exe" ] || return 0
	printf 'int main(void) { return 0; }\n' >"$work/program.c"
	printf '__declspec(dllexport) int f(void) { return 1; }\n' \
	    >"$work/library.c"
	"$cc" -o "$name.exe" "$work/program.c" &&
	    "$cc" -s -o "$name.stripped.exe" "$work/program.c" &&
	    "$cc" -shared -o "$name.dll" "$work/library.c" &&
	    { cat "$name.stripped.exe"; printf 'payload'; } \
	        >"$name.payload.exe" &&
	    "$cc" -mwindows -o "$name.gui.exe" "$work/program.c"
}

# make_installer COMPRESSOR FOLDER: it carries its files behind the last
# section.
make_installer()
{
	local installer=$2/nsis,$1.exe unicode=true
	[ ! -e "$installer" ] || return 0
	[ "$1" != zlib ] || unicode=false
	makensis -V2 - <<-NSI
	Unicode $unicode
	SetCompressor /SOLID $1
	Name "Sample"
	OutFile "$installer"
	RequestExecutionLevel user
	Section
	    SetOutPath \$TEMP
	    File "$2/mingw,x86_64.exe"
	SectionEnd
	NSI
}

make_programs()
{
	local compressor
	compile x86_64 "$1" && compile i686 "$1" || return
	for compressor in zlib bzip2 lzma; do
		make_installer "$compressor" "$1" || return
	done
}
