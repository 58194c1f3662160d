"""The words by which replies say what they think of an option, in the languages in which models reply.

Patterns see a text in which every mention of an option is replaced by a mark, so that an option's own words ("not
voiced", "none of the above") are never taken for the reply's. `G` is one mention, or several joined by "or", "and".
"""

from __future__ import annotations

import re

M = r"⟦\d+⟧"
_FILL = r"(?:(?:the|an?|option|maybe|perhaps|possibly|even|also|it|could|might|may|be|with|la|el|die|der|das)\s+)*"
JOIN = (
    r"[\"')\]]*(?:\s*[,、/&|]\s*(?:(?:or|and|nor)\s+)?|\s+(?:or|and|nor|und|oder|o|y|e|et|ou|ed|или|и|atau|dan|"
    r"och|eller|of|en)\s+|"
    rf"\s*(?:和|或者?|以及|と|か|や|또는|과|와)\s*){_FILL}[\"'(\[]*"
)
G = rf"{M}(?:{JOIN}{M}){{0,25}}"

_ANSWER_WORD = (
    r"\bans(?:wers?)?\b|\bverdict\b|\bconclusion\b|\bantwort\b|\blösung\b|\bréponse\b|\brespuestas?\b|\brisposta\b|"
    r"\bresposta\b|\bantwoord\b|\bответ\b|\bвідповідь\b|\bodpowied[zź]\b|\bodpověď\b|\bsvaret?\b|\bcevap\b|\byanıt\b|"
    r"\bjawaban\w*|\bđáp án\b|\bcâu trả lời\b|คำตอบ\S*|答案|答え|回答|解答|正解|正确|正確|정답|답|الإجابة|"
    r"الجواب|उत्तर|जवाब|विकल्प|"
    r"\bαπάντηση\b|תשובה|\bválasz\b|\brăspunsul\b|\bvastaus\b|\bsolution\b"
)
_RIGHT = (
    r"correct|right|best|final|likely|appropriate|suitable|accurate|plausible|probable|fitting|closest|proper|only|my|"
    r"richtig\w*|correct[ao]|bonne|buena|giusta|corretta|certa|juiste|goede|правильн\w*"
)
_NOUN = (
    r"options?|choices?|one|letter|label|selection|pick|guess|bet|match|candidate|opci[oó]n|op[cç][aã]o|opzione|"
    r"letra"
)
_LEFT = (
    r"\b(?:queda|quedan|resta|reste|il reste|bleibt|rimane|pozostaje)(?: solo| solamente| sólo| nur| que|"
    r" apenas)?(?= )|"
    r"\bwhat(?:'s left| remains| is left)\b|"
    r"\b(?:remaining|only) (?:possibility|option|choice|candidate|one)(?: left)?\b"
)
ANSWER = rf"(?:{_ANSWER_WORD}|{_LEFT}|\b(?:{_RIGHT})\s+(?:\w+\s+)?(?:{_NOUN})\b|应?该?选(?!项)择?|應該選擇?)"
LINK = (
    r"(?:\b(?:is|was|are|be|to|as|would|should|must|seems?|appears?|remains?|becomes?|est|es|sería|serait|ist|lautet|"
    r"wäre|è|é|sarebbe|seria|là|är|er|on|to|este|jest|je|olan|adalah|este|είναι)\b|[:=→：-]|—|это|是|为|為|は|"
    r"が|은|는|"
    r"이|가|هي|هو|है|คือ)"
)
GAP = r"[^.!?;\n⟦⟧]{0,40}?"
STATED = re.compile(rf"{ANSWER}(?P<gap>{GAP})(?P<named>{G})", re.IGNORECASE)
LINKED = re.compile(LINK, re.IGNORECASE)

SELECTED = re.compile(
    r"(?:\bi(?:'d| would| will|'ll| shall| must| have to)?\s+(?:\w+\s+){0,2}?(?:choose|chose|pick|select|say|"
    r"guess|submit|"
    r"opt for|go with|going with|settle on|lean(?:ing)? towards?|lean(?:ing)?|vote for|answer|conclude|bet on|take)"
    r"(?:\s+that\s+it(?:'s| is))?|\bi'm (?:going with|leaning towards?|choosing)|\b(?:let's|we(?:'ll|"
    r" can)?) (?:go with|choose|"
    r"select|pick)|\b(?:je (?:choisis|dirais)|ich (?:wähle|nehme|tippe auf|würde)|elijo|escolho|scelgo|direi|"
    r"diría|eu diria|"
    r"выбираю|wybieram)|选(?!项)择?|選ぶ|選びます|我选|고르)"
    rf"(?P<gap>[^.!?;:\n⟦⟧]{{0,24}}?)(?P<named>{G})",
    re.IGNORECASE,
)
CALLED_RIGHT = re.compile(
    rf"(?P<named>{G})[\s\"')\]]*(?:is|are|was|seems?|appears|would be|must be|has to be|is therefore|est|es|ist|è|"
    rf"é|jest|это|是|が|는|은|이|가)"
    r"\s*(?:(?:clearly|definitely|therefore|thus|most|the|my|likely|probably|very|la|le|die|das|indeed|also|then|"
    r"single|"
    r"far|by|overall|simply|actually|our|most likely)\s+)*"
    r"(?:correct\b(?!\w)|right\b|best\b(?! known)|answer\b|accurate\b|my (?:answer|choice|pick|guess)|fits? best|"
    r"fits the best|"
    r"(?:only )?(?:option|one|choice|candidate|possibility) (?:that|which|left|remaining)|better fit|best fit|"
    r"better choice|better answer|it is\b|stands\b|wins\b|what (?:we|you|i|is) (?:hear|heard)\b|most likely\b|"
    r"more likely\b|likelier\b|"
    r"(?:the )?closest(?: (?:match|fit|option|answer|choice))?(?=\s*(?:[.,;!]|$))|most plausible\b|richtig|"
    r"correct[ao]|"
    r"giusta|corretta|certa|"
    r"верн|правильн|正确|正確|正解|맞|옳|doğru|đúng|की सही|सही)",
    re.IGNORECASE,
)
CONCLUDES = (
    r"(?:so|therefore|thus|hence|then|consequently|overall|in conclusion|to conclude|in short|in summary|tl;?dr|"
    r"argmax|ergo|"
    r"finally|conclusion|verdict|final|as it stands|this leaves|that leaves|leaving|which leaves|leaves|only|just|"
    r"sure|okay|ok|well|"
    r"ah|probably|likely|most likely|i think|i believe|i guess|it must be|it has to be|must be|has to be|it's|"
    r"it is|that's|"
    r"that is|this is|definitely|clearly|my guess|guess|maybe|perhaps|here it is|here you go|here's my answer|"
    r"所以|因此|故|したがって|よって|だから|따라서|그러므로|por (?:lo )?tanto|portanto|donc|also|daher|deshalb|"
    r"folglich|quindi|"
    r"dunque|таким образом|поэтому|значит|dus|więc|the|an?|la|le|el|die|der|das|option|actually|no|yes|hmm|wait|"
    r"rather|but|queda|reste|resta|bleibt|rimane|solo|sólo|nur|noch)"
)
_LEAD = re.compile(rf"{CONCLUDES}(?![\w'])", re.IGNORECASE)
_ONLY = re.compile(
    rf"(?P<named>{G})(?:[\s,]*(?:it is|then|it must be|is it|です|입니다|である|であります|选项|選項|"
    rf"项))?[\s.!\"')\]|*;,]*",
    re.IGNORECASE,
)
_BUT_NOT = re.compile(
    rf",?\s+(?:and\s+|but\s+)?(?:not|rather than|instead of)\s+(?:the\s+|an?\s+)?{G}[\s.!\"')\]]*\Z", re.IGNORECASE
)
_PUNCTUATION = " \t\n\"'([|→=>:—–*•.,!✓✅-"


def alone(text: str) -> str | None:
    """The mention, or group of them, that is all a piece of marked text says, words of conclusion aside."""
    rest = text.lstrip(_PUNCTUATION)
    while lead := _LEAD.match(rest):
        rest = rest[lead.end() :].lstrip(_PUNCTUATION)
    only = _ONLY.fullmatch(_BUT_NOT.sub("", rest))
    return only["named"] if only else None


NOT_BEFORE = re.compile(
    r"(?:\bnot\b|n't\b|\bcannot\b|\bnever\b|\bno\b|\bneither\b|\bnor\b|\brather than\b|\binstead of\b|\bunlike\b|"
    r"\bexcept\b|"
    r"\banything but\b|\bwithout\b|\bhardly\b|\bscarcely\b|\bbarely\b|\bstops?\b|\bceases?\b|\blacks?\b|"
    r"\brules? out\b|\bruled out\b|\bruling out\b|\beliminat\w+|\bexclud\w+|"
    r"\bdiscard\w*|\breject\w*|"
    r"\b(?:wrong|incorrect|false)\b|\bless\b|\bunlikely\b|\bdismiss\w*|\bkein\w*|\bnicht\b|\bpas\b|\bnon\b|"
    r"\bno es\b|\bnão\b|"
    r"\bне\b|\bни\b|不是|不可能|并非|排除|非|ではな|아니|\bopposed to\b|\bcompared (?:to|with)\b|\bthan\b)",
    re.IGNORECASE,
)
NOT_AFTER = re.compile(
    r"[\s\"')\],:—-]*(?:which|that|it|this|also|alone|would|could|can|does|do|is|are|was|were|seems?|sounds?|"
    r"looks?|has|have|"
    r"had|be|been|simply|clearly|therefore|thus|too|both|all|hence|then|as well|on its own|obviously|certainly|being|"
    r"probably)?\s*(?:(?:therefore|thus|also|clearly|simply|both|all|be|been|already|obviously|certainly|out|then|"
    r"probably|definitely|"
    r"a|the|quite|rather|really|just|just as)\s+)*"
    r"(?:not\b(?!\s+only)|n't\b|cannot\b|never\b|wrong\b|incorrect\b|false\b|inaccurate\b|unlikely\b|impossible\b|"
    r"implausible\b|ruled out|"
    r"eliminated|excluded|out\b|rejected|discarded|tempting|too\b|less\b|lacks?\b|fails?\b|no\b|incomplete|"
    r"second[- ]best|"
    r"runner|✗|❌|✘|×|scheidet|falsch|ne\b|no es|não|не\b|不|ではな|아니|incorrecta|incorreta|sbagliat)",
    re.IGNORECASE,
)
DENIED_VERB = re.compile(
    r"^[^.!?\n⟦⟧]{0,40}?(?:\bdoes(?:n't| not)\b|\bdo(?:n't| not)\b|\bis(?:n't| not)\b|\bare(?:n't| not)\b|"
    r"\bwould(?:n't| not)\b|"
    r"\bcan(?:'t|not| not)\b|\bwas(?:n't| not)\b|\bwere(?:n't| not)\b|\bruled out\b|\beliminated\b|\bexcluded\b|"
    r"\bincorrect\b|"
    r"\bwrong\b|\bunlikely\b|\bhas no\b|\bhave no\b|\blacks?\b)",
    re.IGNORECASE,
)
WEIGHED = re.compile(
    r"(?:\bif\b(?! (?:i|we) (?:had|have|must|were|was|am) )|\bwhether\b|\bsuppose\b|\bassum(?:e|ing)\b|"
    r"\bunless\b|\bcould\b|\bmight\b|\bmay\b|\bwere\b|"
    r"\bwould (?:only|have|also|not)\b|"
    r"\bmost people\b|\bmany\b|\bstudents\b|\bsome\b(?: people| say| would| listeners| might)|\bpeople\b|"
    r"\bothers?\b|\bsomeone\b|"
    r"\btempt\w*|\bat first\b|\bfirst (?:impression|thought|glance|sight|instinct|guess|look)\b|\binitial\w*|"
    r"\bsecond[- ]best\b|"
    r"\bbetween\W*(?:the\s+|an?\s+)?$|\bwhy\b|\bcompare\b|\bconfus\w+|\bmistak\w+|\bfor example\b|"
    r"\bfor instance\b|\bsimilar to\b|"
    r"\beither\b|\brunner[- _]?up\b|\bconsider\b|\blet's (?:see|check|look)\b|\bsi (?:fuera|fuese|fosse|c'était|"
    r"la|le|el)\b|\bwenn\b|\bесли\b|如果|假如|"
    r"もし|만약|\ba prima vista\b|\bauf den ersten\b|\bbeing asked\b|\bclose to\b|\bone might\b|"
    r"\bcandidates\b|\brejected\b|"
    r"\bthe user\b|\bexpected\b|\bwrong answer\b|\bpopular\b|\bcommon(?:ly)? (?:answer|mistake|error)\b)",
    re.IGNORECASE,
)
AT_FIRST = re.compile(
    r"\bat first\b|\b(?:first|initial) (?:impression|thought|glance|sight|instinct|guess|look|reaction)\b|"
    r"\binitially\b|"
    r"\b(?:most|many|some) (?:people|listeners|students)\b|\bif\b(?! (?:i|we) (?:had|have|must|were|was|am) )|"
    r"\ba prima vista\b|\bauf den ersten\b|"
    r"\bà première vue\b|"
    r"\ba primera vista\b|虽然|有人|尽管|乍一|一見",
    re.IGNORECASE,
)
REVISED = re.compile(
    r"\b(?:wait|actually|correction|on (?:second|further|closer|reflection)|on reflection|scratch that|"
    r"let me (?:re|correct|double|check)[\w-]*|hold on|correcting|i apologi[sz]e for|slip|"
    r"i (?:take that back|was wrong|made a mistake|misread|mean)|no,|no wait|hmm|sorry,|rather|strike that|oops|"
    r"my mistake|"
    r"i stand corrected|looking (?:again|closer|more)|re-?examin\w*|re-?consider\w*|re-?check\w*|aspetta|"
    r"mi correggo|moment|"
    r"espera|perdón|attendez|attends|warte|halt|doch|постойте|подождите)|不对|等等|等一下|更正|いや|待って|訂正|아니",
    re.IGNORECASE,
)
FINAL = re.compile(
    r"\bfinal(?:ly)?\b|\bin conclusion\b|\bdéfinitive?\b|最终|最終|최종|\bendgültig\w*|\bfinale?\b|"
    r"\bdefinitiv\w*",
    re.IGNORECASE,
)
UNDECIDED = re.compile(
    r"\b(?:(?:can(?:'t|not)|could(?:n't| not)|unable to|impossible to|hard to|difficult to) (?:really )?(?:decide|"
    r"say|tell|choose|pick|"
    r"determine|know|be sure|distinguish)|not sure (?:which|whether)|no (?:majority|way to (?:say|tell|know))|"
    r"undecided|it's a tie|"
    r"equally (?:likely|possible|plausible|good|correct|valid)|both (?:are|seem|fit|could|answers)|either (?:one|"
    r"could|is|answer)|"
    r"i (?:don't|do not) know which|torn between|toss-?up)|无法确定|難以|どちらとも|nicht entscheiden|"
    r"je ne sais pas|no sé cuál",
    re.IGNORECASE,
)
ALSO_OPEN = re.compile(
    rf"(?:\b(?:could|might|may|can)\s+(?:also\s+|well\s+|equally\s+|just as well\s+|perhaps\s+)*be\s+(?:the\s+|"
    rf"an?\s+)?(?P<one>{M})"
    rf"|(?P<two>{M})\s+(?:is|seems|would be|could be|might be|are)\s+(?:also|equally|just as|too|"
    rf"likewise)\s+(?:\w+\s+)?"
    rf"(?:possible|plausible|likely|correct|right|valid|good|an option|acceptable)"
    rf"|(?P<three>{M})\s+(?:is|seems|remains)\s+(?:possible|plausible)\b"
    rf"|\b(?:or|and)\s+(?:maybe|perhaps|possibly|also)\s+(?P<four>{M}))",
    re.IGNORECASE,
)
LEFT_OVER = re.compile(
    r"\b(?:leav(?:es|ing)|left|remain(?:s|ing)?|only (?:one|option|choice)|must be the|has to be|by elimination|"
    r"process of elimination)\b|"
    r"只剩|残る|남은|reste|queda|bleibt|rimane|остается|остаётся",
    re.IGNORECASE,
)
RIGHT = re.compile(
    r"[✓✔✅☑○]|^[\s:|—–=>.,()\[\]\"'-]*yes\b|(?<!not )(?<!n't )\b(?:correct(?! answers)|right(?! (?:after|before|"
    r"hand|channel|ear|side|now))|true|richtig|vrai|juste|giust[ao]|"
    r"verdadero|corret[ao]|correct[ao]|верно|правильно|best (?:fit|match|answer|choice|option))\b|(?<!不)正确|"
    r"正確|正解|맞",
    re.IGNORECASE,
)
WRONG = re.compile(
    r"[✗✘❌×☒]|\b(?:incorrect|wrong|false|not (?:correct|right|true|it)|falsch|faux|incorrect[ao]|incorret[ao]|"
    r"sbagliat[ao]|неверно|"
    r"unlikely|ruled out|eliminated?)\b|^[\s:|—–=>.,()\[\]\"'-]*(?:no|not|doesn't|does not|isn't|is not|too)\b|错|"
    r"錯|不正确|틀",
    re.IGNORECASE,
)
DECLINES = re.compile(  # also where it says that several fit
    r"\b(?:won't|will not|wouldn't) (?:guess|choose|try|identify|speculate)|don't have (?:an? (?:audio|"
    r"recording)|access|"
    r"the ability)",
    re.IGNORECASE,
)
REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able|afraid)|i apologi[sz]e|i (?:can(?:not|'t)|won't|will not|"
    r"am not able to)\s+(?:\w+\s+){0,2}?"
    r"(?:help|assist|answer|comply|provide|hear|listen|process|access|determine|identify|play|analy[sz]e|have|"
    r"choose|tell|do that|fulfil)"
    r"|as an ai\b[^.]{0,60}\b(?:cannot|can't|unable|not)|unable to (?:answer|hear|listen|process|determine|assist|"
    r"help|provide)|no (?:audio|recording|file|sound) "
    r"(?:has|was|is|file)|lo siento|no puedo|désolé|je ne peux pas|leider|kann (?:ich )?(?:\w+ )*nicht|"
    r"mi dispiace|non posso|desculpe|"
    r"não (?:posso|consigo)|извините|не могу|к сожалению|helaas|kan ik niet|przykro|nie mogę|üzgünüm)"
    r"|抱歉|对不起|對不起|无法|無法|不能|申し訳|できません|聞くことができ|죄송|할 수 없|आवाज़ नहीं|माफ़|عذرا|"
    r"آسف|لا أستطيع|xin lỗi|không thể|\bmaaf\b|tidak (?:dapat|bisa)",
    re.IGNORECASE,
)
