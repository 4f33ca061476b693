"""Seeded content for forms of any layout: what a careful person writes, different for each seed."""

import random
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from config.forms import Form
from config.request_types import RequestType, Table

_COMPANIES = (
    ("株式会社みどり製作所", "Midori Works Co., Ltd."),
    ("有限会社　髙橋商店", "Takahashi Shoten Ltd."),
    ("東西運輸㈱", "Tozai Transport Inc."),
    ("合同会社サニー・ラボ", "Sunny Lab LLC"),
    ("一般財団法人 星空協会", "Hoshizora Foundation"),
)
_NAMES = (
    ("髙橋　美咲", "Misaki TAKAHASHI"),
    ("渡邉 一郎", "Ichiro WATANABE"),
    ("山崎 ニーナ", "Nina YAMAZAKI"),
    ("佐々木　渉", "Wataru SASAKI"),
    ("李 小龍", "Xiaolong LI"),
)
_DEPARTMENTS = ("総務部", "情報システム部 第二課", "営業本部　西日本グループ")
_TITLES = ("部長", "課長代理", "主任")
_PHONES = ("03-5550-1234", "(06) 5550-9876", "０４５－５５５－０１００")
_ADDRESSES = ("東京都千代田区青空町1丁目2番3号", "大阪市西区海辺3-4-5　みなとビル2F")
_DOMAINS = ("midori.example", "tozai-unyu.example", "sunny-lab.example")
_REMARKS = ("特になし", "急ぎでお願いします。")


class Content(NamedTuple):
    """What is drawn (`drawn`), and what a reading must give: raw texts by field, ticks, type."""

    drawn: Mapping[str, str]
    fields: Mapping[str, str]
    ticks: Mapping[str, bool]
    kind: RequestType


def make_content(seed: int, form: Form, table: Table, words: Mapping[RequestType, str]) -> Content:
    """One filled form. `words` are the words that the layout prints or expects for the types."""
    chance = random.Random(seed)
    kind = chance.choice(list(RequestType))
    fields = {row.key: _value(row.key, chance) for row in table.fields() if form.has(row.key)}
    # Some optional rows stay empty, and so may any other: the reading must tell an empty cell from a full one.
    for key in chance.sample(sorted(fields), k=3):
        fields[key] = ""
    ticks = {row.key: chance.random() < 0.6 for row in table.confirmations if form.has(row.key)}
    drawn = {key: text for key, text in fields.items() if text}
    drawn |= {key: "■" for key, ticked in ticks.items() if ticked}
    drawn |= {f"type:{kind}": "■", "request_type": words[kind]}
    return Content(drawn, fields, ticks, kind)


def _value(key: str, chance: random.Random) -> str:
    block, _, name = key.partition(".")
    day = date(2025, 1, 1) + timedelta(days=chance.randrange(300))
    if not name:
        dates = (
            f"{day:%Y/%m/%d}",
            f"{day.year}年{day.month}月{day.day}日",
            f"令和{day.year - 2018}年{day.month}月{day.day}日",
        )
        return chance.choice(_REMARKS if block == "remarks" else dates)
    company, person = chance.choice(_COMPANIES), chance.choice(_NAMES)
    choices: Mapping[str, Sequence[str]] = {
        "company": [company[0]],
        "company_ja": [company[0]],
        "company_en": [company[1]],
        "name": [person[0]],
        "name_ja": [person[0]],
        "name_en": [person[1]],
        "department": _DEPARTMENTS,
        "title": _TITLES,
        "phone": _PHONES,
        "postal_code": ("100-0099", "5500023"),
        "address": _ADDRESSES,
        "email": [f"{chance.choice('abkmt')}{chance.randrange(100)}.x_{block}@{chance.choice(_DOMAINS)}"],
    }
    return chance.choice(choices[name])
