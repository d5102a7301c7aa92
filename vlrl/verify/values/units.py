"""Units of measure: a closed table with exact conversions, and products, quotients and powers of them.

A text that is no unit of this table is none: `million`, `plus 1` and `apples` are no units.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from vlrl.verify.values.normaliser import plain_characters

Dimension = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Unit:
    """A unit as a multiple of base units: `km/h` is 5/18 of m·s⁻¹. `name` is its first spelling in the table."""

    name: str
    dimension: Dimension
    factor: Fraction


_TABLE = """
m 1 m | m meter metre mètre metro метр м 米 公尺 メートル 미터 متر
m 1/100 cm | cm centimeter centimetre zentimeter centimètre centímetro сантиметр см سم 厘米 公分
m 1/100 cm | センチ センチメートル 센티미터
m 1/1000 mm | mm millimeter millimetre millimètre milímetro миллиметр мм ملم 毫米 ミリ ミリメートル 밀리미터
m 1/10 dm | dm decimeter decimetre 分米
m 1000 km | km kilometer kilometre kilomètre kilómetro quilômetro километр км كم 千米 公里 キロメートル 킬로미터 كيلومتر
m 1/1000000 μm | μm um micrometer micrometre micron
m 1/1000000000 nm | nm nanometer nanometre
m 127/5000 in | in inch inche zoll ″ ''
m 381/1250 ft | ft foot feet ′
m 1143/1250 yd | yd yard
m 201168/125 mi | mi mile meile milla milha
g 1 g | g gram gramme gramm gramo grama г грамм граммов 克 グラム 그램
g 1000 kg | kg kilogram kilogramme kilogramm kilogramo kilo кг килограмм كغ كجم kgs 千克 公斤 キログラム キロ 킬로그램
g 1/1000 mg | mg milligram
g 1000000 t | t ton tonne metric_ton 吨 トン
g 45359237/100000 lb | lb lbs
g 45359237/100000 pound | pound
g 45359237/1600000 oz | oz ounce
s 1 s | s sec second sekunde seconde segundo с секунд секунда 秒 초 ثانية
s 1/1000 ms | ms millisecond
s 60 min | min minute minuten minuto мин минут минута 分 分钟 分鐘 분 دقيقة
s 3600 h | h hr hrs hour stunde stunden heure hora ч час часа часов 小时 小時 時間 시간 ساعة ساعات
s 86400 d | d day tag tage jour día dia день дня дней 天 日 일 يوم أيام
s 604800 week | week wk woche wochen semaine semana неделя недель 周 星期 週間
year 1 year | year yr yrs y.o year_old years_old jahr jahre année an año ano год года лет 年 岁 歳 年間 살 년 سنة سنوات
year 1/12 month | month monat monate mois mes мес месяц месяцев 个月 ヶ月 か月 개월
year 10 decade | decade
year 100 century | century centurie
m3 1/1000 l | l L liter litre litro литр л 升 リットル 리터
m3 1/1000000 ml | ml mL milliliter millilitre mililitro cc мл 毫升 ミリリットル 밀리리터
m3 1/100000 cl | cl centiliter
m3 473176473/125000000000 gal | gal gallon
m3 473176473/500000000000 qt | qt quart
m3 473176473/1000000000000 pt | pt pint
m3 473176473/2000000000000 cup | cup
m2 10000 ha | ha hectare
m2 316160658/78125 acre | acre
° 1 ° | ° degree deg grad grado grau градус градуса градусов 度 도 درجة
rad 1 rad | rad radian
°C 1 °C | °C celsius degree_celsius degrees_celsius ℃
°F 1 °F | °F fahrenheit degree_fahrenheit degrees_fahrenheit
K 1 K | K kelvin
m/s 1397/3125 mph | mph
m/s 5/18 kmh | kmh kph km/hr
m/s 463/900 knot | knot kt
N 1 N | N newton
J 1 J | J joule
J 523/125 cal | cal calorie
J 4184 kcal | kcal
J 3600000 kWh | kWh
J 1602176634/10000000000000000000000000000 eV | eV electronvolt electron_volt
W 1 W | W watt
Pa 1 Pa | Pa pascal
Pa 101325 atm | atm
Pa 100000 bar | bar
V 1 V | V volt
A 1 A | A amp ampere
Ω 1 Ω | Ω Ω ohm
F 1 F | F farad
C 1 C | C coulomb
T 1 T | T tesla
H 1 H | H henry
Hz 1 Hz | Hz hertz
mol 1 mol | mol mole
byte 1 byte | byte
byte 1000 KB | KB kB kilobyte
byte 1000000 MB | MB megabyte
byte 1000000000 GB | GB gigabyte
byte 1000000000000 TB | TB
bit 1 bit | bit
dB 1 dB | dB decibel
px 1 px | px pixel
rpm 1 rpm | rpm
unit 1 unit | unit einheit unité unidad unidade единиц 单位 単位 단위
$ 1 $ | $ USD usd dollar dólar доллар долларов 美元 ドル 달러 دولار US$
$ 1/100 cent | cent ¢
€ 1 € | € EUR eur euro евро 欧元 ユーロ
£ 1 £ | £ GBP gbp pound_sterling
¥ 1 ¥ | ¥
円 1 円 | 円 JPY yen 日元
元 1 元 | 元 CNY RMB yuan 人民币 块
₹ 1 ₹ | ₹ INR rupee rs
₽ 1 ₽ | ₽ RUB рубль рублей рубля
₩ 1 ₩ | ₩ KRW won 원
"""
_ATOM = re.compile(
    r"(?:(square|sq\.?|cubic|cu\.?)\s?(?![a-z]\b))?"
    r"([^\W\d_]+(?:\s(?:celsius|fahrenheit|old|ton|sterling))?|[°$€£¥₹₽₩¢Ω′″'%]+[CF]?)\.?"
    r"(?:\s?\^\s?\{?\s?([-+]?[1-4])\s?\}?|([23])(?![0-9])|\s(squared|cubed))?",
    re.IGNORECASE,
)
_RUSSIAN_CASE = re.compile(r"(?<=[\u0400-\u04ff]{3})(?:ов|а|у|ы|и)$")
_FRACTION = re.compile(r"\\frac\s?\{([^{}\\]{1,30})\}\s?\{([^{}\\]{1,30}(?:\^\{-?[1-4]\})?)\}")
_CHINESE_POWER = {"平方": 2, "立方": 3}
_OVER = re.compile(r"\s?/\s?|\sper\s|\spro\s|\spar\s|\spor\s")
_TIMES = re.compile(r"\s?(?:\\times|[·*×])\s?|\s")


_PREFIXES = {
    "p": -12, "n": -9, "μ": -6, "u": -6, "m": -3, "c": -2, "k": 3, "M": 6, "G": 9, "T": 12, "pico": -12, "nano": -9,
    "micro": -6, "milli": -3, "centi": -2, "kilo": 3, "mega": 6, "giga": 9, "tera": 12,
}  # fmt: skip
_PREFIXED = frozenset(
    re.findall(r"\w+", "m g s N J eV W Pa V A Ω F C T H Hz mol cal l L")
)  # what may follow a one-letter prefix
_DERIVED = {  # in g, m, s, A, and the power of ten that makes kilograms of grams
    "N": (3, "g 1 m 1 s -2"), "J": (3, "g 1 m 2 s -2"), "W": (3, "g 1 m 2 s -3"), "Pa": (3, "g 1 m -1 s -2"),
    "V": (3, "g 1 m 2 s -3 A -1"), "Ω": (3, "g 1 m 2 s -3 A -2"), "F": (-3, "g -1 m -2 s 4 A 2"), "C": (0, "A 1 s 1"),
    "T": (3, "g 1 s -2 A -1"), "H": (3, "g 1 m 2 s -2 A -2"), "Hz": (0, "s -1"),
}  # fmt: skip


def _base(text: str) -> Dimension:
    if text in _DERIVED:
        parts = _DERIVED[text][1].split()
        return tuple(sorted((base, int(power)) for base, power in zip(parts[::2], parts[1::2], strict=True)))
    if text == "m/s":
        return (("m", 1), ("s", -1))
    return (("m", int(text[1])),) if text in ("m2", "m3") else ((text, 1),)


def _read_table() -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for line in _TABLE.strip().splitlines():
        head, names = line.split(" | ")
        base, factor, name = head.split(" ")
        unit = Unit(name, _base(base), Fraction(factor) * Fraction(10) ** _DERIVED.get(base, (0, ""))[0])
        for spelling in names.split():
            units.setdefault(spelling.replace("_", " "), unit)
    return units


_UNITS = _read_table()
DEGREE = _UNITS["°"]
_FOLDED = {name.casefold(): unit for name, unit in _UNITS.items() if len(name) > 2}


@lru_cache(maxsize=4096)
def read_unit(text: str) -> Unit | None:
    """The unit that a text is, `cm`, `square metres`, `m/s^2`, `miles per hour`; None for every other text."""
    text = plain_characters(text).strip().strip("()").strip()
    if not text or len(text) > 60:
        return None
    if (fraction := _FRACTION.fullmatch(text)) is not None:
        text = f"{fraction[1].strip()}/{fraction[2].strip()}"
    if (found := _named(text)) is not None:
        return found
    over = _OVER.split(text)
    if len(over) > 3:
        return None
    dimension: dict[str, int] = {}
    factor, names = Fraction(1), []
    for place, part in enumerate(over):
        for name, unit, power in _factors(part.strip().strip("()")):
            if unit is None:
                return None
            power = -power if place else power
            names.append(unit.name + ("" if power == 1 else str(power)))
            factor *= unit.factor**power
            for base, exponent in unit.dimension:
                dimension[base] = dimension.get(base, 0) + exponent * power
            del name
    return Unit(" ".join(names), tuple(sorted((b, e) for b, e in dimension.items() if e)), factor) if names else None


def _factors(text: str) -> list[tuple[str, Unit | None, int]]:
    found: list[tuple[str, Unit | None, int]] = []
    position = 0
    while position < len(text):
        match = _ATOM.match(text, position)
        if match is None or match.end() == position:
            return [("", None, 1)]
        name, power = match[2], int(match[3] or match[4] or 1)
        if name[:2] in _CHINESE_POWER:
            name, power = name[2:], _CHINESE_POWER[name[:2]]
        if match[1]:
            power *= 2 if match[1][0] in "sS" else 3
        if match[5]:
            power *= 2 if match[5].casefold() == "squared" else 3
        found.append((name, _named(name), power))
        position = match.end()
        if (times := _TIMES.match(text, position)) is not None:
            position = times.end()
        elif position < len(text):
            return [("", None, 1)]
    return found or [("", None, 1)]


def _named(text: str) -> Unit | None:
    """The unit of this name, also in the plural and, for names of three letters or more, in any case."""
    text = text.removesuffix(".")
    if (found := _UNITS.get(text)) is not None:
        return found
    lower = _RUSSIAN_CASE.sub("", text.casefold())
    for form in (lower, lower.removesuffix("s"), lower.removesuffix("es"), lower.removesuffix("n")):
        if (found := _FOLDED.get(form)) is not None:
            return found
    return _prefixed(text)


def _prefixed(text: str) -> Unit | None:
    """A multiple of a unit, `kΩ` or "microcoulombs"; "5 pm" is a time."""
    for length in (1, *range(4, 6)):
        power, rest = _PREFIXES.get(text[:length] if length == 1 else text[:length].casefold()), text[length:]
        if power is None or text == "pm" or (length == 1 and rest not in _PREFIXED):
            continue
        unit = _UNITS.get(rest) if length == 1 else _FOLDED.get(rest.casefold().removesuffix("s"))
        if unit is not None and unit.name in _PREFIXED:
            return Unit(
                text if length == 1 else f"{text[:length]}{unit.name}",
                unit.dimension,
                unit.factor * Fraction(10) ** power,
            )
    return None
