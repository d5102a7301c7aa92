"""Numbers in words of ten languages: every number below a thousand and some above is read as it was spelled, whole."""

from __future__ import annotations

import random
import re

import pytest
from patience import problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge
from vlrl.verify.values.number_words import LANGUAGES, spoken_number, spoken_numbers

ONES = {
    "english": "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen",
    "german": "ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn "
    "siebzehn achtzehn neunzehn",
    "french": "un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept "
    "dix-huit dix-neuf",
    "spanish": "uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis "
    "diecisiete dieciocho diecinueve",
    "portuguese": "um dois três quatro cinco seis sete oito nove dez onze doze treze catorze quinze dezesseis "
    "dezessete dezoito dezenove",
    "russian": "один два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать тринадцать "
    "четырнадцать пятнадцать шестнадцать семнадцать восемнадцать девятнадцать",
    "arabic": "واحد اثنان ثلاثة أربعة خمسة ستة سبعة ثمانية تسعة عشرة",
}
TENS = {
    "english": "twenty thirty forty fifty sixty seventy eighty ninety",
    "german": "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
    "french": "vingt trente quarante cinquante soixante soixante quatre-vingt quatre-vingt",
    "spanish": "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
    "portuguese": "vinte trinta quarenta cinquenta sessenta setenta oitenta noventa",
    "russian": "двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто",
    "arabic": "عشرون ثلاثون أربعون خمسون ستون سبعون ثمانون تسعون",
}
HUNDREDS = {
    "spanish": "ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos",
    "portuguese": "cento duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos novecentos",
    "russian": "сто двести триста четыреста пятьсот шестьсот семьсот восемьсот девятьсот",
}
HAN = "一二三四五六七八九"
NATIVE = re.findall(r"\w+", "하나 둘 셋 넷 다섯 여섯 일곱 여덟 아홉 열 스물 서른 마흔 쉰 예순 일흔 여든 아흔")


def spelled(number: int, language: str) -> str:
    """A number from 1 to 999 in words."""
    if language in ("chinese", "japanese"):
        hundreds, tens, ones = number // 100, number // 10 % 10, number % 10
        zero = "零" if language == "chinese" and hundreds and ones and not tens else ""
        head = ("一" if language == "chinese" or hundreds > 1 else "") if hundreds == 1 else HAN[hundreds - 1 :][:1]
        text = head + "百" if hundreds else ""
        return text + (("" if tens == 1 else HAN[tens - 1]) + "十" if tens else zero) + (HAN[ones - 1] if ones else "")
    if language == "korean" and number < 100:
        return (NATIVE[8 + number // 10] if number > 9 else "") + (NATIVE[number % 10 - 1] if number % 10 else "")
    if language == "korean":
        digits = "일이삼사오육칠팔구"
        parts = [(number // 100, "백"), (number // 10 % 10, "십"), (number % 10, "")]
        return "".join(("" if n == 1 and sign else digits[n - 1]) + sign for n, sign in parts if n)
    if number >= 100:
        above, rest = divmod(number, 100)
        if language in HUNDREDS:
            word = HUNDREDS[language].split()[above - 1]
        else:
            one = "" if above == 1 and language in ("french", "arabic") else ONES[language].split()[above - 1]
            sign = {"english": " hundred", "german": "hundert", "french": " cent", "arabic": "مئة"}[language]
            word = "مئتان" if language == "arabic" and above == 2 else (one.removesuffix("ة") + sign).strip()
        joint = {"english": " and ", "german": "", "portuguese": " e ", "arabic": " و"}.get(language, " ")
        return word + joint + spelled(rest, language) if rest else word
    ones = ONES[language].split()
    if number <= len(ones):
        return ones[number - 1]
    if language == "arabic" and number < 20:
        return ("أحد" if number == 11 else "اثنا" if number == 12 else ones[number - 11]) + " عشر"
    tens, rest = TENS[language].split()[number // 10 - 2], number % 10
    if language == "french" and number // 10 in (7, 9):
        rest += 10
    if not rest:
        return tens
    one = ones[rest - 1]
    if language == "german":
        return f"{one}und{tens}"
    if language == "arabic":
        return f"{one} و{tens}"
    if language == "french":
        return f"{tens} et {one}" if rest in (1, 11) and number < 80 else f"{tens}-{one}"
    if language == "spanish" and number < 30:
        return "veinti" + {"dos": "dós", "tres": "trés", "seis": "séis"}.get(one, one)
    return tens + {"english": "-", "spanish": " y ", "portuguese": " e "}.get(language, " ") + one


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_is_read_whole_and_is_no_other_one(language):
    words = {number: spelled(number, language).lower() for number in range(1, 1000)}
    for number, word in words.items():
        assert spoken_number(word, language) == (number, len(word)), word
    random.seed(language)
    parted = language not in ("chinese", "japanese", "korean")
    for _ in range(200):
        one, other = random.sample(range(1, 100), 2)
        written = f"{words[one]} {words[other]}" if parted else words[one % 9 + 1] + words[other % 9 + 1]
        value, end = spoken_number(written, language)
        said = {words.get(value, "").replace(joint, " ") for joint in ("-", " y ", " e ")}  # joints may be left out
        assert not end or {written, written.replace("-", " ")} & said, (written, value)  # two numbers are not one


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("english", "one million two hundred thousand", 1_200_000), ("german", "dreitausendfünfhundert", 3500),
        ("french", "mille neuf cent quatre-vingt-sept", 1987), ("russian", "две тысячи двадцать", 2020),
        ("chinese", "三万二千", 32_000), ("spanish", "mil novecientos ochenta y siete", 1987),
        ("korean", "이만 오천", 25_000),
    ],
)  # fmt: skip
def test_thousands_multiply_what_stands_before(language, text, value):
    assert spoken_number(text, language) == (value, len(text))


@pytest.mark.parametrize("text", ["hundred", "ten three", "twenty and one", "three four", "twenty thirteen", "twoish"])
def test_what_english_does_not_join_is_no_number(text):
    assert spoken_number(text, "english") == (0, 0)


def test_signs_that_are_parts_of_other_words_are_no_numbers():
    for text, language in (("一共有鸟", "chinese"), ("이 그림", "korean"), ("vierecke", "german"), ("사람", "korean")):
        assert spoken_numbers(text, language) == [], text
    assert spoken_numbers("图中有十三只鸟", "chinese") == [(3, 5, 13)]


QUESTIONS = {  # a question, and an answer in a sentence
    "english": ("How many apples are in the basket?", "There are {} apples in the basket."),
    "chinese": ("篮子里有几个苹果？", "篮子里有{}个苹果。"),
    "japanese": ("かごにりんごは何個ありますか。", "{}個です。"),
    "korean": ("바구니에 사과가 몇 개 있나요?", "{} 개입니다."),
    "russian": ("Сколько яблок в корзине?", "{} яблок."),
    "german": ("Wie viele Äpfel sind im Korb?", "Im Korb sind {} Äpfel."),
    "french": ("Combien de pommes y a-t-il dans le panier ?", "{} pommes."),
    "spanish": ("¿Cuántas manzanas hay en la cesta?", "Hay {} manzanas en la cesta."),
    "portuguese": ("Quantas maçãs há na cesta?", "Há {} maçãs na cesta."),
    "arabic": ("كم عدد التفاح في السلة؟", "{}"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_in_words_is_right_for_its_number_alone(language):
    question, answer = QUESTIONS[language]
    for number in random.Random(7).sample(range(13, 99), 12):
        said = answer.format(spelled(number, language))
        assert judge(problem("number", str(number), question), said).correct, said
        assert not judge(problem("number", str(number + 1), question), said).correct, said


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [("كم عدد الكتب على الطاولة؟", "هناك 17 كتابًا على الطاولة.", "هناك 17 قلمًا على الطاولة."),
     ("كم عدد الطلاب في الصف؟", "17 طالبًا", "17 كرسيًا")],
)  # fmt: skip
def test_arabic_nouns_are_known_by_their_consonants(question, right, wrong):
    assert judge(problem("number", "17", question), right).correct
    assert not judge(problem("number", "17", question), wrong).correct
