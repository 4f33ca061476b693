"""Body text: HTML to text, flowed lines put together, and the part of a reply that its author wrote."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

# The author's words stand at the top; beyond this there are only ever quotations of quotations.
MAX_HTML = 200_000

# The line in our own letters above which staff are asked to write.
MARKER = "▲▲▲ この線より上にご記入ください ▲▲▲"

_BLOCKS = re.compile(
    r"address|article|aside|blockquote|center|d[dlt]|details|div|field(?:set)?|fig(?:caption|ure)|footer|form|h[1-6r]|"
    r"header|li|main|nav|ol|p|pre|section|table|tbody|tfoot|thead|tr|ul"
)
_SILENT = frozenset({"script", "style", "title", "noscript", "template"})

# What mail programs put on the element that holds or opens the quoted mail. Outlook prefixes ids with x_ when it
# quotes another Outlook's markup.
_QUOTE_MARK = re.compile(
    r"(?:^|\s)(?:x_)*(?:gmail_quote|gmail_quote_container|gmail_extra|gmail_attr|divRplyFwdMsg|appendonsend|"
    r"OLK_SRC_BODY_SECTION|yahoo_quoted|yahooQuotedMessage|protonmail_quote|moz-cite-prefix|moz-forward-container|"
    r"ms-outlook-mobile-reference-message|mail-editor-reference-message-container|reply-intro|zmail_extra)(?:\s|$)",
    re.IGNORECASE,
)
# The rule that Outlook for Windows draws above the header block of the quoted mail.
_OUTLOOK_RULE = re.compile(r"border-top:\s*solid\s*#(?:E1E1E1|B5C4DF)", re.IGNORECASE)


def _opens_quote(tag: str, attributes: dict[str, str | None]) -> bool:
    marks = f"{attributes.get('class') or ''} {attributes.get('id') or ''}"
    style = attributes.get("style") or ""
    if _QUOTE_MARK.search(marks) or _OUTLOOK_RULE.search(style):
        return True
    # Writers indent their own words with a bare blockquote; one that quotes says so or has a bar on its left.
    cited = attributes.get("type") == "cite" or "cite" in attributes or "border-left" in style.lower()
    return tag == "blockquote" and cited


@dataclass(slots=True)
class _Lines:
    """The lines written so far; a quoted one begins with `> ` as in plain text."""

    done: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)
    blank_due: bool = False

    def add(self, text: str) -> None:
        words = re.split(r"[ \t\r\n\f\xa0]+", text)
        self.blank_due = self.blank_due or not words[0]
        for word in words:
            if word:
                if self.blank_due and self.current:
                    self.current.append(" ")
                self.current.append(word)
                self.blank_due = True
        self.blank_due = not words[-1]

    def end(self, *, quoted: bool, even_empty: bool = False) -> None:
        if self.current or even_empty:
            self.done.append(("> " if quoted else "") + "".join(self.current))
        self.current, self.blank_due = [], False


class _Reader(HTMLParser):
    """Turns markup into lines. Everything from the first sign of a quoted mail on is marked as quoted: what an author
    writes below a quotation is never read as a command anyway."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines = _Lines()
        self.quoted = False
        self.silent: list[str] = []
        self.preformatted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self.silent.append(tag)
        if tag == "body":
            # A head that was never closed must not swallow the text.
            self.silent.clear()
        opens_quote = _opens_quote(tag, dict(attrs))
        if tag == "br" or opens_quote or _BLOCKS.fullmatch(tag):
            self.lines.end(quoted=self.quoted, even_empty=tag == "br")
        elif tag in ("td", "th"):
            self.lines.blank_due = True
        self.quoted = self.quoted or opens_quote
        self.preformatted += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        if tag in self.silent:
            del self.silent[self.silent.index(tag) :]
        if tag == "head":
            self.silent.clear()
        if _BLOCKS.fullmatch(tag):
            self.lines.end(quoted=self.quoted)
        if tag == "p":
            self.lines.end(quoted=self.quoted, even_empty=True)
        if tag == "pre" and self.preformatted:
            self.preformatted -= 1

    def handle_data(self, data: str) -> None:
        if self.silent:
            return
        if not self.preformatted:
            self.lines.add(data)
            return
        for count, line in enumerate(data.split("\n")):
            if count:
                self.lines.end(quoted=self.quoted, even_empty=True)
            self.lines.current.append(line)


def _without_declarations(html: str) -> str:
    """Markup without comments and declarations, ending at its last closed tag.

    html.parser looks for the end of each of these from every place where one might begin: text that opens thousands
    and closes none would keep it busy for minutes. Nothing in them is ever shown.
    """
    shown: list[str] = []
    at = 0
    while (start := html.find("<", at)) >= 0:
        if not html.startswith(("<!", "<?"), start):
            end = start + 1
            shown.append(html[at:end])
        else:
            shown.append(html[at:start])
            close = "-->" if html.startswith("<!--", start) else ">"
            end = html.find(close, start)
            if end < 0:
                return "".join(shown)
            end += len(close)
        at = end
    text = "".join([*shown, html[at:]])
    last = text.rfind(">") + 1
    return text[:last] + text[last:].replace("<", " ")


def html_to_text(html: str) -> str:
    """The text of an HTML body, one line a block, with quoted mail marked by `> ` at the start of its lines.

    Markup beyond MAX_HTML characters is not read. Never raises.
    """
    reader = _Reader()
    reader.feed(_without_declarations(html[:MAX_HTML]))
    reader.close()
    reader.lines.end(quoted=reader.quoted)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(reader.lines.done)).strip("\n")


def unflow(text: str, *, delsp: bool) -> str:
    """Put the paragraphs of format=flowed together again (RFC 3676 section 4)."""
    paragraphs: list[list[str]] = []
    open_depth: int | None = None
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip(">"))
        body = line[depth:].removeprefix(" ")
        if open_depth != depth or body == "-- ":
            paragraphs.append([f"{'>' * depth} " if depth else ""])
        flowed = body.endswith(" ") and body != "-- "
        paragraphs[-1].append(body[:-1] if flowed and delsp else body)
        open_depth = depth if flowed else None
    return "\n".join("".join(paragraph) for paragraph in paragraphs)


_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")

# Lines that stand alone above a quoted mail. A line must match from its first character to its last, and none of them
# is a sentence that an author would write below a command: what is cut off here is not read.
_RULES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r".*▲▲▲ *この線より上.*",
        r"[>＞].*",
        r"_{20,}",
        r"[-－─━]{2,}\s*Original (?:Message|Appointment)\s*[-－─━]{2,}",
        r"[-－─━]{2,}\s*Forwarded (?:message|by .*?)\s*[-－─━]{2,}",
        r"[-－─━]{2,}\s*(?:元のメッセージ|元のメール|引用元|返信元メッセージ|転送(?:された)?(?:メッセージ|メール))\s*[-－─━]{2,}",
        r"[-－]{4,}\s*[^-－].{0,120}<[^<>\s]+@[^<>\s]+>\s*[-－]{4,}",
        r"Begin forwarded message:",
    )
)
_DATE = r"20\d\d\s*(?:年|[-/.])\s*\d{1,2}\s*(?:月|[-/.])\s*\d{1,2}"
# Lines that name the author of what follows. A narrow window may have broken one into two or three.
_ATTRIBUTIONS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # Gmail, Apple, Thunderbird in Japanese: a date, a name or an address, and a colon at the end.
        rf"[(（]?{_DATE}.*(?:のメール|のメッセージ|wrote|さん[はが]書きました|@[^\s>]+[>＞)])\s*[:：]",
        # The same in English; also Becky! and others that print the Date header.
        r"On\b\D{0,60}\d.*\bwrote\s*[:：]",
        r"At\b\D{0,40}\d.*\bwrote\s*[:：]",
        r".*<[^<>\s]+@[^<>\s]+>\s*(?:さん)?\s*(?:wrote|のメール|[はが]書きました)\s*[:：]",
        r".*(?:さん|様|氏)\s*[はが](?:書きました|書かれました)\s*[:：]",
    )
)
_HEADING_START = re.compile(r"(?:On\b\D{0,60}\d|[(（]?" + _DATE + r").*", re.IGNORECASE)
# The field names of a quoted header block. One alone may be an author's words; two in neighbouring lines are not.
_FIELD = re.compile(
    r"[*＊]?(?:差出人|送信者|発信者|送信元|From|送信日時|送信日|日時|日付|受信日時|Sent|Date|宛先|To|CC|BCC|件名|Subject|題名)"
    r"[*＊]?\s*[:：].*",
    re.IGNORECASE,
)
# No mail program writes a longer heading, and no command has more lines; the limits keep the search linear.
_MAX_HEADING = 300
_MAX_LINES = 1000


def own_lines(text: str) -> tuple[str, ...]:
    """The lines of a reply before anything that is quoted, invisible characters and blanks at the ends removed; at
    most the first thousand.

    The lists of headings are narrow on purpose. A heading that is not known leaves quoted lines in the result, and then
    the reply is unclear and asked back; nothing quoted can become a decision by that.
    """
    lines = [_INVISIBLE.sub("", line).strip() for line in text.splitlines()[:_MAX_LINES]]
    end = next((at for at in range(len(lines)) if _is_heading(lines, at)), len(lines))
    return tuple(lines[:end])


def _is_heading(lines: list[str], at: int) -> bool:
    line = lines[at]
    if line.startswith((">", "＞")):
        return True
    if not line or len(line) > _MAX_HEADING:
        return False
    if any(heading.fullmatch(line) for heading in (*_RULES, *_ATTRIBUTIONS)):
        return True
    following = [other[:_MAX_HEADING] for other in lines[at + 1 : at + 4] if other]
    if _FIELD.fullmatch(line) and following and _FIELD.fullmatch(following[0]):
        return True
    if not _HEADING_START.fullmatch(line):
        return False
    joined = [" ".join((line, *following[:count])) for count in (1, 2)]
    return any(heading.fullmatch(text) for heading in _ATTRIBUTIONS for text in joined)
