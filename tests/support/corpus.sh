#!/bin/bash
# corpus.sh FOLDER: real PE files, from Debian packages that are taken apart
# without being installed.  Each is FOLDER/PACKAGE,NAME; what is there already
# is not fetched again, and not every Debian has every package.

set -u
export LC_ALL=C
folder=$1
mkdir -p "$folder/packages" || exit 1
cd "$folder" || exit 1
exec 9>lock
flock 9 || exit 1

# take PACKAGE PATTERN ...: the files that match.
take()
{
	local package=$1 deb file
	shift
	[ ! -e "packages/$package" ] || return 0
	apt-cache policy "$package" | grep -q 'Candidate: [^(]' || {
		echo "$package: not in this Debian"
		return 0
	}
	rm -rf unpacked "$package"_*.deb
	apt-get -q download "$package" >download.log 2>&1 || {
		cat download.log >&2
		return 1
	}
	deb=$(echo "$package"_*.deb)
	mkdir unpacked
	dpkg-deb --fsys-tarfile "$deb" |
	    tar -x -C unpacked --wildcards "${@/#/./}"
	while read -r file; do
		[ -s "$file" ] && mv "$file" "$package,${file##*/}"
	done < <(find unpacked -type f | sort)
	rm -rf unpacked "$deb"
	: >"packages/$package"
}

failed=0
# Launchers, ARM64 among them; Windows programs built with Visual Studio.
take python3-distlib '*/distlib/*.exe' || failed=1
take nsis-common '*/UIs/modern*.exe' '*/x86-unicode/System.dll' || failed=1
# EFI applications: with gaps, with payloads, and some that are signed already.
take shim-unsigned '*.efi' || failed=1
take shim-signed '*.signed' || failed=1
take systemd-boot-efi '*/systemd-boot*.efi' || failed=1
take grub-efi-amd64-bin '*/monolithic/grubx64.efi' || failed=1
take grub-efi-amd64-signed '*/grubx64.efi.signed' || failed=1
take fwupd-amd64-signed '*.signed' || failed=1
take ipxe '*/snponly.efi' 'boot/ipxe.efi' || failed=1
take memtest86+ '*.efi' || failed=1
take efitools '*.efi' || failed=1
take refind '*/refind_x64.efi' '*/drivers_x64/ext*.efi' || failed=1
# .NET assemblies.
take libmono-system4.0-cil '*/System.dll' || failed=1
take libmono-system-core4.0-cil '*/System.Core.dll' || failed=1
take libmono-system-xml4.0-cil '*/System.Xml.dll' || failed=1
# Windows libraries built with mingw, programs of Wine's, drivers, controls.
take libwine '*/x86_64-windows/adv*.dll' '*/x86_64-windows/reg*.exe' \
    '*/x86_64-windows/win*.exe' '*/x86_64-windows/[bc]a*.dll' \
    '*/x86_64-windows/*.cpl' '*/x86_64-windows/*.ocx' \
    '*/x86_64-windows/[mu]*.sys' || failed=1
exit "$failed"
