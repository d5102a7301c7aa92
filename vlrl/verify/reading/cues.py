"""The words by which a text declares, concludes and states its answer, in ten languages.

English, Chinese, Japanese, Korean, Russian, French, German, Spanish, Portuguese, Arabic. Patterns for `re.IGNORECASE`.
"""

from __future__ import annotations

import re

LATIN_ANSWER = (
    r"(?:la\s|die\s|a\s|das\s|l['’]|ma\s|meine\s|mi\s|(?:\bla\s)?(?:bonne|richtige|korrekte|endgültige)\s)*"
    r"\b(?:réponse|antwort|respuesta|resposta|ergebnis|lösung)\b"
    r"(?:\s(?:finale?|correcta?|correcte|correta|exacte|definitiva|juste|richtig))?\s{0,3}"
    r"(?::|=|\b(?:est|ist|lautet|es|é|são|sera|wäre|sería|será)\b\s{0,3}:?)"
    r"|\b(?:opción|alternativa|opção|option|proposition)\s(?:correcta|correta|correcte|exacte)\s{0,3}(?::|\b(?:es|é|est)\b)"
    r"|\brichtige\s(?:option|auswahl)\s(?:ist|lautet)\b|\brichtig\sist\b"
    r"|\b(?:правильный|верный)\sвариант(?:\sответа)?\s{0,3}(?::|—|–|-|это\b)"
)
OTHER_ANSWER = (  # none of it is ASCII
    r"(?:最终|正确|所以|因此|故|最後の|最終)?的?[【\[]?(?:答案|结果|結果|答え|解答|正解|回答|选项|選項)[】\]]?\s{0,2}(?:应该|應該|应|應)?"
    r"(?:(?:是|为|為|选|選|は|：|:|=|，)\s{0,2}[：:、]?|(?<=[】\]])|(?=[（(]?[A-Z](?![A-Za-z])))"
    r"|(?:故|应该|应|應|所以|因此)?(?<![不未没沒别勿非])(?:选择|選擇|选|選)[:：]?(?=\s{0,2}[（(]?[A-Z](?![A-Za-z]))"
    r"|(?:최종\s)?(?:정답|답|해답|결과)(?:은|는|이|가)?\s{0,2}(?::|：|=|(?<=[은는이가]\s)|(?<=[은는이가]))\s{0,2}"
    r"|(?:правильный\s|окончательный\s|верный\s)?(?<!\w)ответ(?:ом)?\s{0,2}(?::|=|—|–|-|это|является|"
    r"равен|будет|(?=\s?[(\"«*$]{0,2}[0-9A-ZА-Я]))\s{0,2}"
    r"|(?:ال)?(?:إجابة|جواب|حل|ناتج)(?:\s(?:الصحيحة?|النهائية?|الصحيح|النهائي))?\s{0,2}(?::|=|هو|هي)\s{0,2}:?"
)
CONCLUDES = re.compile(
    r"^\W{0,4}(?:grand\s)?(?:total|sum|result)(?:\s\w+){0,3}\s?[:=]"
    r"|^\W{0,6}(?:so|therefore|thus|hence|in conclusion|in summary|overall|finally|in general|"
    r"this means|consequently|as a result)\b"
    r"|\b(?:therefore|thus|hence|in conclusion|in summary|consequently|as a result|finally)\b|(?:[,;:]|and) so\b"
    r"|∴|所以|因此|因而|故|综上|綜上|于是|於是|よって|したがって|従って|ゆえに|따라서|그러므로|그래서|결론적으로"
    r"|\b(?:следовательно|поэтому|итак|таким образом|значит|donc|ainsi|par conséquent|daher|somit|folglich|demnach|"
    r"por (?:lo )?tanto|por consiguiente|así que|entonces|portanto|logo|assim)\b|"
    r"^\W{0,4}also\b(?=\s(?:ist|sind|es|gibt|beträgt|hat|bleiben))"
    r"|إذن|إذًا|لذلك|وبالتالي|بالتالي|لذا",
    re.IGNORECASE,
)
COURTESY = re.compile(
    r"[?？؟]\W*$|\b(?:hope (?:this|that|it)|let me know|feel free|glad to|happy to|i can help|i see the image|"
    r"i understand|here is|here's|here are|would you like|you're welcome)\b|:\W*$"
    r"|^\W*(?:is there anything|do you (?:have|want|need)|please (?:let|note|feel)|sure\b|if you (?:have|"
    r"need|want)|thank)",
    re.IGNORECASE,
)
STATES_ABROAD = (  # verbs right before a value
    r"est|sont|il y a|vaut|valent|égale?|reste|obtient|ist|sind|beträgt|ergibt|gibt es|bleiben|kostet|hat|"
    r"es|son|hay|tiene|"
    r"vale|quedan|cuesta|é|são|há|tem|restam|custa|igual a|это|равно|равен|равна|составляет|всего|имеется|"
    r"получаем|получим|осталось|оста[её]тся|изображении|картинке|valeur de|wert|valor de|"
    r"sitzen|stehen|liegen|befinden sich|parken|fahren|zähle|sehe|zeigt|enthält|trägt|compte|voit|dénombre|contient|"
    r"transporte|comporte|montre|cuento|veo|vemos|contiene|lleva|transporta|muestra|conto|vejo|contém|leva|mostra|"
    r"находится|стоит|стоят|сидит|сидят|вижу|видно|лежит|лежат|изображено|насчитывается|везёт|содержит|"
    r"рисунке|фото|الصورة|es gibt|restent|son las|es la|são as|сейчас|الساعة|يتبقى|يبقى|تبقى"
)
STATES_JOINED = (
    r"是|为|為|有|共|等于|等於|得|得到|剩下?|了|は|が|で|に|を|은|는|이|가|총|모두|약|约|約|大约"
    r"|现在|現在|지금|현재|今|هو|هي|يساوي|يوجد|هناك|تساوي|لدينا"
)
TAIL_ABROAD = re.compile(  # what closes a sentence after its value: is, are left, are seen
    r"\s?(?:[がはも]?\s?(?:です|である|だ|(?:に|と)(?:なります|なる)|あり(?:ます)?|ある|い(?:る|ます)|見え(?:る|ます)|"
    r"残(?:って(?:いる|います)|る|ります|りました))|剩下?了?|剩余|留下了?|"
    r"[가이은는도]?\s?(?:입니다|이다|이에요|예요|임|있(?:습니다|다|어요)|남(?:습니다|는다|았(?:습니다|다)|아\s?있(?:습니다|다))|"
    r"됩니다|보입니다))\s?[。．.!！]?$"
)
SETUP = re.compile(
    r"\b(?:initially|originally|at first|at the (?:start|beginning)|given|suppose|let|first|step \d+|"
    r"we start|start(?:s|ed)? with|"
    r"to (?:find|determine|calculate|solve))\b|^\W*(?:find|read|add|subtract|multiply|divide|look|count|"
    r"compare|use|calculate)\b|最初|一开始|原来|はじめ|처음|сначала|au début|anfangs|al principio|inicialmente|"
    r"في البداية",
    re.IGNORECASE,
)
SCENE = re.compile(  # how things were before, which is no answer to how they are
    r"\b(?:initially|originally|at first|at the (?:start|beginning|outset)|(?:to (?:begin|start)|starting) with|"
    r"in the beginning|used to (?:be|have)|(?:start|beg[ai]n)(?:s|ed)? with|"
    r"сначала|изначально|au début|anfangs|am anfang|zu beginn|al principio|inicialmente|no início|"
    r"a principio)\b|最初|一开始|原来|起初|はじめ|初めに|처음|في البداية",
    re.IGNORECASE,
)
NOW = re.compile(
    r"\b(?:so|now|then|left|leav\w+|remain\w*|after\w*|finally|donc|ahora|jetzt|теперь|agora)\b|现在|剩|残|남|今",
    re.IGNORECASE,
)
_DOUBT_WORDS = (  # no, not, never, perhaps, or, except
    r"nicht|keine?|niemals|nein|vielleicht|möglicherweise|vermutlich|wahrscheinlich|oder|außer|weder|pas|"
    r"jamais|peut-être|ou|"
    r"probablement|sauf|quizás?|tal vez|nunca|jamás|no es|tampoco|salvo|probablemente|não|talvez|"
    r"provavelmente|exceto|forse|né|"
    r"oppure|non|niet|geen|misschien|не|нет|возможно|может|наверное|вероятно|вряд|или|либо|кроме|ни|değil|belki|veya"
)
_DOUBT_JOINED = (
    r"不(?![同变變规規难難妨])|[没沒未勿别]|并非|除了|排除|可能|也许|或许|大概|或者?|还是|错误|または|もしくは|ではない|じゃない|ではあり|ません|かもしれ|おそらく|たぶん|わから|"
    r"아니|아닙|않|또는|혹은|아마|모르|ليس|ليست|غير|ربما|لعل|ـ?أو\s|إما|لا\s|لن\s"
)
DOUBTS_ABROAD = rf"\b(?:{_DOUBT_WORDS})\b|{_DOUBT_JOINED}"
