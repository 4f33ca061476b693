"""Links to a file that lies elsewhere: the services by which companies here send files, known by their addresses.

Nothing is ever fetched from such a link: it may be forged, it counts its visitors, and it leads out of the house. It is
only noticed, so that the sender can be told to attach the form. Pure; by the sender's own words only, so that neither a
quotation nor a link in a signature to somebody's home page counts.
"""

import re
import unicodedata
from urllib.parse import urlsplit

from parsers.bodies import own_lines

# Hosts, with everything below them, whose only business is to hand over files, or that are so used.
_HOSTS = (
    "gigafile.nu",
    "firestorage.jp",
    "datadeliver.net",
    "okurin.bitpark.co.jp",
    "securesamba.com",
    "transfer.hennge.com",
    "fileforce.jp",
    "directcloud.jp",
    "wetransfer.com",
    "we.tl",
    "tenpu.me",
    "1drv.ms",
    "onedrive.live.com",
    "sharepoint.com",
    "box.com",
    "box.net",
    "drive.google.com",
    "docs.google.com",
    "dropbox.com",
    "db.tt",
    "transferxl.com",
    "mega.nz",
)
# Products that a company runs at an address of its own: a word in the address gives them away.
_PRODUCTS = re.compile(
    r"(?:^|[./_-])(?:filezen|smoothfile|proself|eteransporter|etransporter|crypt(?:o)?bin|securedownload|secure-download|"
    r"filetransfer|file-transfer|filedownload|file-download|fileshare|file-share|filebox|takuhai|okuru|dlfile|"
    r"downloadfile|tempfile|activegate|mailgates?|mtransfer|largefile)(?:$|[./_?=-])",
    re.IGNORECASE,
)
# Words of a sender that make any link near them one to a file.
_INVITES = re.compile(
    r"ダウンロード(?:して|を|用|い|URL|リンク|先|ください|願)|ファイル(?:を|は).{0,12}(?:格納|アップロード|共有|保管|受け取|受取)|"
    r"(?:下記|以下|次)の?(?:URL|リンク|アドレス)(?:から|より|に|へ).{0,20}(?:ファイル|申請書|資料|取得|受け?取)|"
    r"添付ファイルは.{0,20}(?:URL|リンク|サーバ)|download (?:the|your|link|here|file)|"
    r"shared? (?:a )?(?:file|folder|link)",
    re.IGNORECASE,
)
_URL = re.compile(r"https?://[!-~]{4,2000}", re.IGNORECASE)
_MOST_LINES = 300
# How many lines an invitation reaches up and down.
_REACH = 5


def has_download_link(text: str) -> bool:
    """Whether the sender's own words point to a file to be fetched elsewhere. Never raises."""
    lines = [unicodedata.normalize("NFKC", line) for line in own_lines(text)[:_MOST_LINES]]
    with_links = {at: _URL.findall(line[:4000]) for at, line in enumerate(lines) if "://" in line}
    if any(_is_file_service(link) for links in with_links.values() for link in links):
        return True
    invited = [at for at, line in enumerate(lines) if _INVITES.search(line[:400])]
    return any(abs(at - place) <= _REACH for at, links in with_links.items() if links for place in invited)


def _is_file_service(link: str) -> bool:
    try:
        parts = urlsplit(link)
        host = (parts.hostname or "").lower()
    except ValueError:
        return False
    if any(host == known or host.endswith(f".{known}") for known in _HOSTS):
        # The front page of such a service, as in a signature, is no file.
        return len(parts.path.strip("/")) > 2 or bool(parts.query)
    return bool(_PRODUCTS.search(host) or _PRODUCTS.search(parts.path))
