#!/usr/bin/env bash
# Installs the Debian packages that the tests need (or those named), if any is missing and we may; `.ci/run` uses it too.
set -euo pipefail

# openssl, GnuTLS and NSS are the independent judges of certificates, CRLs and PKCS#12 files; tesseract's data makes the second opinion on
# scans; the forms are printed with the fonts IPAex and VL, the tests draw with those and with IPA and Noto. Dovecot and
# Postfix are the real mail servers of the tests, which start their own, each in a folder of its own. SoftHSM is the
# token of the tests for keys that lie in an HSM.
# GnuTLS, NSS and Java judge certificates beside openssl; nginx, curl and Chromium are a real relying party.
wanted=("$@")
[ ${#wanted[@]} -gt 0 ] || wanted=(
    openssl gnutls-bin libnss3-tools tesseract-ocr-eng tesseract-ocr-jpn
    fonts-ipaexfont-gothic fonts-vlgothic fonts-ipafont fonts-noto-cjk
    dovecot-imapd dovecot-lmtpd postfix
    softhsm2
    openjdk-17-jre-headless nginx curl chromium
)

missing=()
for package in "${wanted[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
        echo "please install: sudo apt-get install ${missing[*]}" >&2
        exit 2
    fi
    as_root=(sudo -n)
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
# Debian starts a server as soon as it is installed. Nothing of ours wants one to run: exit 101 forbids it
# (invoke-rc.d(8)), unless the machine has a policy of its own already.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
