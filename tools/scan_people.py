"""What is written on the test scans: made-up companies, people and forms, in three worlds that share nothing.

The worlds `tuning`, `final` and `other` have their own names, companies, domains, towns, seals and partly fonts, so
that what was tuned on one cannot have been learnt from another. Everything follows from a seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from config import forms
from config.request_types import Need, RequestType, Table

Value = str | date | bool

WORLDS = ("tuning", "final", "other")

# Surname, reading. Every third belongs to one world; about one name in eight has a variant letter, see VARIANTS.
_SURNAMES = """
佐藤 Sato|鈴木 Suzuki|田中 Tanaka|伊藤 Ito|山本 Yamamoto|中村 Nakamura|小林 Kobayashi|加藤 Kato|吉田 Yoshida
山田 Yamada|佐々木 Sasaki|山口 Yamaguchi|松本 Matsumoto|井上 Inoue|木村 Kimura|林 Hayashi|清水 Shimizu
山崎 Yamazaki|森 Mori|池田 Ikeda|橋本 Hashimoto|阿部 Abe|石川 Ishikawa|山下 Yamashita|中島 Nakajima|小川 Ogawa
前田 Maeda|岡田 Okada|長谷川 Hasegawa|藤田 Fujita|後藤 Goto|近藤 Kondo|村上 Murakami|遠藤 Endo|青木 Aoki
坂本 Sakamoto|福田 Fukuda|太田 Ota|西村 Nishimura|藤井 Fujii|岡本 Okamoto|藤原 Fujiwara|三浦 Miura|金子 Kaneko
中野 Nakano|原田 Harada|松田 Matsuda|竹内 Takeuchi|小野 Ono|中川 Nakagawa|和田 Wada|石井 Ishii|上田 Ueda
森田 Morita|原 Hara|柴田 Shibata|酒井 Sakai|工藤 Kudo|宮本 Miyamoto|内田 Uchida|木下 Kinoshita|高木 Takagi
島田 Shimada|谷口 Taniguchi|大野 Ono|今井 Imai|丸山 Maruyama|河野 Kono|藤本 Fujimoto|村田 Murata|武田 Takeda
上野 Ueno|杉山 Sugiyama|増田 Masuda|平野 Hirano|小山 Koyama|千葉 Chiba|久保 Kubo|松井 Matsui|岩崎 Iwasaki
野口 Noguchi|菊地 Kikuchi|佐野 Sano|大塚 Otsuka|渡部 Watanabe|久保田 Kubota|五十嵐 Igarashi|小池 Koike
永井 Nagai|市川 Ichikawa
"""
_GIVEN = """
太郎 Taro|花子 Hanako|一郎 Ichiro|健 Ken|健太 Kenta|翔 Sho|大輔 Daisuke|直樹 Naoki|美咲 Misaki|陽子 Yoko
裕子 Yuko|智子 Tomoko|真由美 Mayumi|由美子 Yumiko|恵子 Keiko|和夫 Kazuo|正 Tadashi|誠 Makoto|浩 Hiroshi
浩二 Koji|隆 Takashi|修 Osamu|茂 Shigeru|進 Susumu|明 Akira|勝 Masaru|実 Minoru|さくら Sakura|あゆみ Ayumi
ひろし Hiroshi|ゆかり Yukari|綾 Aya|彩 Aya|優 Yu|拓也 Takuya|達也 Tatsuya|哲也 Tetsuya|和也 Kazuya|雅人 Masato
雄一 Yuichi|慎一 Shinichi|賢治 Kenji|博 Hiroshi|幸子 Sachiko|久美子 Kumiko|京子 Kyoko|千尋 Chihiro|純 Jun
薫 Kaoru|孝 Takashi|晃 Akira|亮 Ryo|涼 Ryo|凛 Rin|蓮 Ren|湊 Minato|葵 Aoi|結衣 Yui|菜々子 Nanako|みどり Midori
カオリ Kaori|エリカ Erika|伸一郎 Shinichiro|剛 Tsuyoshi|俊介 Shunsuke|慶太 Keita
"""
# Names with a letter that fonts, encodings and recognisers take for its common sister.
VARIANTS: Mapping[str, str] = {
    "tuning": """
髙橋 Takahashi|山﨑 Yamazaki|渡邉 Watanabe|齋藤 Saito|栁田 Yanagida|濵口 Hamaguchi|黒澤 Kurosawa|𠮷田 Yoshida
""",
    "final": """
髙田 Takada|岡﨑 Okazaki|田邉 Tanabe|齊藤 Saito|栁沢 Yanagisawa|濵田 Hamada|瀧川 Takigawa|𠮷川 Yoshikawa
""",
    "other": """
髙島 Takashima|宮﨑 Miyazaki|渡邊 Watanabe|齋木 Saiki|栁原 Yanagihara|濵野 Hamano|廣瀬 Hirose|𠮷村 Yoshimura
""",
}
_VARIANT_GIVEN = {"tuning": "惠子 Keiko", "final": "惠美 Emi", "other": "惠一 Keiichi"}
_VARIANT_SHARE = 0.12

# The core of a company's name, and how it is written in English.
_CORES = """
あさひ Asahi|みずほ台 Mizuhodai|東亜 Toa|大和田 Owada|三栄 Sanei|カワセ Kawase|オリオン Orion|北斗 Hokuto
ニッセイ Nissei|双葉 Futaba|日昭 Nissho|第一協和 Daiichi Kyowa|サンライズ Sunrise|フジミ Fujimi|協栄 Kyoei
丸十 Marujyu|ヤマキ Yamaki|新光 Shinko|共立 Kyoritsu|大成 Taisei|エヌ・ケイ NK|アール・テック R-Tech|ABC ABC
K&M K&M|テクノ・ワン Techno One|イースト East|みらい Mirai|ひまわり Himawari|若葉 Wakaba|青葉 Aoba|太陽 Taiyo
昭和 Showa|関東 Kanto|近畿 Kinki|九州 Kyushu|中央 Chuo|南海 Nankai|東洋 Toyo|西日本 Nishi-Nippon|信越 Shinetsu
グリーン Green|ブルー Blue|メイプル Maple|アクア Aqua|ユニバーサル Universal|トータル Total|スカイ Sky
パシフィック Pacific|ハーモニー Harmony|シティ City
"""
_INDUSTRIES = """
電機 Electric|商事 Trading|工業 Industries|製作所 Works|化学工業 Chemical|物流 Logistics|運輸 Transport
システム Systems|産業 Sangyo|食品 Foods|薬品 Pharma|建設 Construction|印刷 Printing|テクノロジー Technologies
ソリューションズ Solutions|エンジニアリング Engineering|サービス Service|マテリアル Materials
ネットワーク Network|コーポレーション Corporation|精機 Seiki|硝子 Glass|鋼業 Steel|電子 Electronics
メディカル Medical|ロジテック Logitec|インターナショナル International
"""
_LEGAL = (
    ("株式会社{}", 0.40),
    ("{}株式会社", 0.36),
    ("㈱{}", 0.05),
    ("{}㈱", 0.05),
    ("有限会社{}", 0.06),
    ("合同会社{}", 0.04),
    ("{}合同会社", 0.02),
    ("一般社団法人{}協会", 0.02),
)
_LEGAL_EN = ("{} Co., Ltd.", "{} Co., Ltd", "{} Corporation", "{}, Inc.", "{} K.K.", "{} LLC", "{} CO.,LTD.")
_DEPARTMENTS = """
総務部|情報システム部|購買部 購買課|経理部|営業本部 第一営業部|資材部|管理本部 総務部|業務課|ITソリューション部
物流管理グループ

総務課|情報システム課|調達部 調達グループ|財務経理部|東日本営業部|資材調達課|経営企画室|業務推進部|DX推進室
受発注センター

庶務課|システム企画部|購買管理課|経理財務グループ|西日本支社 営業部|生産管理部|企画管理室|事務センター|EDI推進課
ロジスティクス部
"""
_TITLES = """
部長|課長|係長|主任|主事|室長|マネージャー|グループリーダー

次長|課長代理|主査|担当部長|リーダー|チーフ|部長

所長|班長|専任課長|参事|主幹|課長補佐|主任
"""
_TOWNS = """
東京都千代田区神田錦町|大阪府大阪市北区梅田|愛知県名古屋市中区栄|福岡県福岡市博多区博多駅前
宮城県仙台市青葉区一番町|埼玉県川口市並木

東京都港区芝浦|大阪府堺市堺区南瓦町|神奈川県横浜市西区高島|広島県広島市中区紙屋町|静岡県浜松市中央区板屋町
千葉県船橋市本町

東京都品川区西五反田|京都府京都市下京区四条通|兵庫県神戸市中央区磯上通|北海道札幌市中央区北一条西
新潟県長岡市大手通|岡山県倉敷市水島
"""
_BUILDINGS = """
錦町第2ビル3階|栄スクエア|ABCタワー12F|中央ビルディング

芝浦シーサイドビル5F|本町ビル201号|高島センタービル|プラザ南館

五反田ウエスト7階|四条烏丸ビル|磯上K'sビル|大手通パーク8F
"""
_AREA_CODES = ("03 06 052 092 048", "045 03 082 053 047", "075 078 011 0258 086")
_OFFICES = ("soumu info edi-user jimu", "somu kanri edi_support purchase", "gyomu edi.admin office keiri")
_REMARKS = """
至急お願いします。|退職に伴う手続きです。|ご不明な点は申請者までご連絡ください。|4月1日付の人事異動のため。
PC入替のため再発行を希望します。

よろしくお願いいたします。|組織変更のため。|結婚による改姓のため。|前回の証明書は期限切れです。
電話は午前中にお願いします。

社名変更に伴うものです。|パソコン故障のため。|後任者への引継ぎ済み。|新規取引開始のため申請します。
書類は別便で送付します。
"""


@dataclass(frozen=True, slots=True)
class Font:
    """A font of the form; `digit` is the width of its digits at 11 points in pixels."""

    name: str
    digit: float


_SHARED_FONTS = (
    Font("IPAPGothic", 8.6),
    Font("IPAPMincho", 8.6),
    Font("Noto Sans CJK JP", 8.14),
    Font("IPAexGothic", 8.6),
)
FONTS: Mapping[str, tuple[Font, ...]] = {
    "tuning": (*_SHARED_FONTS, Font("IPAGothic", 7.33), Font("VL PGothic", 8.1)),
    # These two are seen by nobody before the final set is read.
    "final": (*_SHARED_FONTS, Font("Noto Serif CJK JP", 7.9), Font("M PLUS 1", 8.2)),
    "other": (*_SHARED_FONTS, Font("IPAexMincho", 8.6), Font("M PLUS 2", 8.2)),
}


@dataclass(frozen=True, slots=True)
class Person:
    surname: str
    given: str
    surname_en: str
    given_en: str
    gap: str

    @property
    def name(self) -> str:
        return f"{self.surname}{self.gap}{self.given}"


@dataclass(frozen=True, slots=True)
class Company:
    name: str
    english: str
    domain: str


@dataclass(frozen=True, slots=True)
class Filled:
    """One filled form: what is written, and what a right reading of it says for its dates (`days`)."""

    kind: RequestType
    version: str
    values: Mapping[str, Value]
    days: Mapping[str, date]
    received_on: date
    company: Company
    surname: str
    font: Font
    margin: float
    columns: tuple[float, ...]
    heights: float
    snapped: bool = False
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class World:
    """The pools of one of the three worlds."""

    name: str
    surnames: tuple[tuple[str, str], ...]
    variants: tuple[tuple[str, str], ...]
    given: tuple[tuple[str, str], ...]
    variant_given: tuple[str, str]
    cores: tuple[tuple[str, str], ...]
    industries: tuple[tuple[str, str], ...]
    number: int

    def pick(self, rng: Random, pools: str) -> str:
        """One word of this world's own list: the three are parted by empty lines."""
        return rng.choice(pools.strip().split("\n\n")[self.number].replace("\n", "|").split("|"))


def world(name: str) -> World:
    """The world of that name; ValueError where there is none."""
    number = WORLDS.index(name)
    return World(
        name,
        _pairs(_SURNAMES)[number::3],
        _pairs(VARIANTS[name]),
        _pairs(_GIVEN)[number::3],
        _pairs(_VARIANT_GIVEN[name])[0],
        _pairs(_CORES)[number::3],
        _pairs(_INDUSTRIES)[number::3],
        number,
    )


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    words = [word for line in text.strip().splitlines() for word in line.split("|")]
    return tuple((japanese, english) for japanese, _, english in (word.partition(" ") for word in words))


def make_person(rng: Random, here: World) -> Person:
    surname, given = rng.choice(here.surnames), rng.choice(here.given)
    if rng.random() < _VARIANT_SHARE:
        # The rarest of them is outside of the basic plane: once in a while is enough.
        pool = here.variants if rng.random() < 0.25 else here.variants[:-1]
        surname, given = (rng.choice(pool), given) if rng.random() < 0.85 else (surname, here.variant_given)
    gap = rng.choices((" ", "　", ""), (0.6, 0.3, 0.1))[0]
    return Person(surname[0], given[0], surname[1], given[1], gap)


def make_company(rng: Random, here: World) -> Company:
    (core, core_en), (industry, industry_en) = rng.choice(here.cores), rng.choice(here.industries)
    legal = rng.choices([form for form, _ in _LEGAL], [share for _, share in _LEGAL])[0]
    english = rng.choice(_LEGAL_EN).format(f"{core_en} {industry_en}")
    stem = "".join(char for char in core_en.lower() if char.isalnum() or char == "-")
    tail = "".join(char for char in industry_en.lower() if char.isalnum())
    host = rng.choice((f"{stem}-{tail}", f"{stem}{tail}", f"{stem}-{tail[:3]}", f"{stem}{tail[:1]}"))
    ending = rng.choices(("co.jp", "com", "jp", "ne.jp", "group.co.jp", "example"), (0.6, 0.12, 0.1, 0.05, 0.05, 0.08))[
        0
    ]
    return Company(legal.format(core + industry), english, f"{host}.{ending}")


def make_mail(rng: Random, person: Person, company: Company) -> str:
    """A business address; one in ten has what recognisers trip over."""
    sur, given = person.surname_en.lower(), person.given_en.lower()
    if rng.random() < 0.10:
        local = rng.choice(
            (
                f"{given[0]}_{sur}",
                f"{sur}.l1",
                f"{sur}+edi",
                f"{sur}{rng.randint(1, 99):02d}",
                f"{given}_{sur[0]}-{rng.randint(100, 999)}",
                f"il{rng.randint(0, 1)}{sur[:3]}O0",
                f"a{rng.randint(10000, 99999)}",
            )
        )
    else:
        local = rng.choice(
            (f"{given}.{sur}", f"{sur}", f"{given[0]}.{sur}", f"{given[0]}-{sur}", f"{sur}-{given}", f"{sur}.{given}")
        )
    return f"{local}@{company.domain}"


def english_name(rng: Random, person: Person) -> str:
    sur, given = person.surname_en, person.given_en
    return rng.choices(
        (f"{given} {sur.upper()}", f"{given} {sur}", f"{sur.upper()} {given}", f"{given.upper()} {sur.upper()}"),
        (5, 4, 1, 1),
    )[0]


def make_phone(rng: Random, here: World) -> str:
    code = rng.choice(_AREA_CODES[here.number].split())
    # Ten digits together; the last four are one group.
    middle = "".join(str(rng.randint(2, 9)) for _ in range(6 - len(code)))
    last = f"{rng.randint(0, 9999):04d}"
    if rng.random() < 0.08:
        code, middle = rng.choice(("070", "080", "090")), f"{rng.randint(1000, 9999)}"
    return rng.choices(("{}-{}-{}", "{}({}){}", "（{}）{}-{}", "{}−{}−{}", "{}{}{}"), (78, 8, 4, 4, 6))[0].format(
        code, middle, last
    )


def make_address(rng: Random, here: World) -> str:
    town, building = here.pick(rng, _TOWNS), here.pick(rng, _BUILDINGS)
    a, b, c = (rng.randint(1, 28) for _ in range(3))
    lot = rng.choices((f"{a}-{b}-{c}", f"{a}丁目{b}番{c}号", f"{a}丁目{b}-{c}", f"{a}-{b}"), (6, 2, 2, 1))[0]
    if rng.random() < 0.12:
        lot = lot.translate(str.maketrans("0123456789-", "０１２３４５６７８９－"))
    tail = f"{rng.choice((' ', '　', ''))}{building}" if rng.random() < 0.5 else ""
    return f"{town}{lot}{tail}"


def written_date(rng: Random, day: date) -> Value:
    """A date as people write it; two in three take the cell's own format."""
    if rng.random() < 0.62:
        return day
    year = day.year - 2018
    return rng.choice(
        (
            f"{day.year}/{day.month}/{day.day}",
            f"{day.year}/{day.month:02d}/{day.day:02d}",
            f"{day:%Y-%m-%d}",
            f"令和{year}年{day.month}月{day.day}日",
            f"R{year}.{day.month}.{day.day}",
            f"{day.year}.{day.month}.{day.day}",
            f"{day.year} 年 {day.month} 月 {day.day} 日",
        )
    )


def make_filled(rng: Random, here: World, table: Table) -> Filled:
    """A form as people fill it in: mostly right, some of it left blank or forgotten."""
    kind = rng.choice(tuple(RequestType))
    form = forms.form("2021-04" if rng.random() < 0.12 else "2024-07")
    company, people = make_company(rng, here), [make_person(rng, here) for _ in range(3)]
    values: dict[str, Value] = {"request_type": table.types[kind].word}
    blocks = {"applicant": _applicant(rng, here, company, people[0])}
    for key, person in (("user", people[1]), ("before", people[1]), ("after", people[2])):
        blocks[key] = _member(rng, person, company)
    if kind is RequestType.REGISTRATION_CHANGE:
        blocks["after"] = blocks["before"] | {"email": make_mail(rng, people[1], make_company(rng, here))}
    for block in table.blocks:
        if block.needs[kind] is Need.REQUIRED:
            values |= {f"{block.key}.{name}": text for name, text in blocks[block.key].items() if rng.random() > 0.012}
        elif rng.random() < 0.02:
            values[f"{block.key}.name_ja"] = people[2].name
    days = _days(rng, form.has_wished_date, table, kind)
    values |= {key: written_date(rng, day) for key, day in days.items()}
    if rng.random() < 0.35:
        values["remarks"] = here.pick(rng, _REMARKS)
    for row in table.confirmations:
        wanted = row.needs[kind] in (Need.REQUIRED, Need.WARN)
        values[row.key] = wanted if rng.random() > 0.05 else not wanted
    spread = [rng.uniform(0.88, 1.14) for _ in range(7)]
    columns = tuple(width * factor for width, factor in zip((21, 8, 22, 39, 18, 39, 38), spread, strict=True))
    return Filled(
        kind,
        form.version,
        values,
        days,
        days.get("application_date", date(2026, 5, 11)) + timedelta(days=rng.randint(0, 6)),
        company,
        people[0].surname,
        rng.choice(FONTS[here.name]),
        rng.choice((10.0, 12.0, 15.0, 20.0)),
        tuple(round(width * 185 / sum(columns), 1) for width in columns),
        # Excel gives rows other heights than LibreOffice, in steps of a quarter of a point.
        rng.choice((1.0, 1.0, rng.uniform(0.93, 1.12))),
        rng.random() < 0.4,
    )


def _days(rng: Random, has_wished: bool, table: Table, kind: RequestType) -> dict[str, date]:  # noqa: FBT001
    applied = date(2024, 8, 1) + timedelta(days=rng.randint(0, 900))
    days = {"application_date": applied} if rng.random() < 0.97 else {}
    wished = table.row(forms.WISHED_DATE).needs[kind] is Need.OPTIONAL
    if has_wished and wished and rng.random() < 0.5:
        days[forms.WISHED_DATE] = applied + timedelta(days=rng.randint(3, 27))
    return days


def _applicant(rng: Random, here: World, company: Company, person: Person) -> dict[str, str]:
    office = rng.random() < 0.25
    code = f"{rng.randint(1, 999):03d}-{rng.randint(0, 9999):04d}"
    full = {
        "company": company.name,
        "department": here.pick(rng, _DEPARTMENTS),
        "title": here.pick(rng, _TITLES),
        "name": person.name,
        "phone": make_phone(rng, here),
        "postal_code": rng.choices((code, f"〒{code}", code.replace("-", "")), (7, 2, 1))[0],
        "address": make_address(rng, here),
        "email": f"{rng.choice(_OFFICES[here.number].split())}@{company.domain}"
        if office
        else make_mail(rng, person, company),
    }
    blank = {"department": 0.18, "title": 0.3, "postal_code": 0.25, "address": 0.2}
    return {name: text for name, text in full.items() if rng.random() >= blank.get(name, 0)}


def _member(rng: Random, person: Person, company: Company) -> dict[str, str]:
    return {
        "company_ja": company.name,
        "company_en": company.english,
        "name_ja": person.name,
        "name_en": english_name(rng, person),
        "email": make_mail(rng, person, company),
    }
