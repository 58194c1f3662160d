"""Replies that say nothing of a clip, since their writer takes itself to be without ears or without audio.

A refusal is about audio as such: that none can be heard, opened or processed, that none came, that the writer is a
model of text, or that the request is declined. That something is not in the clip ("I cannot hear any music"), or that
the clip does not tell it ("I can't determine where it was recorded"), is an answer, with an apology or without. So the
patterns ask for what cannot be heard, and let it be audio only where nothing more particular follows: "the recording"
and no more, not "the recording date"; "the sound", not "the sound of rain".

They are for English, German, Spanish, French and Chinese, in which the pools ask. All are our own. How well they do on
replies that they were not made with is told by tests/lalm/test_data_filters.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_SPELLED_OUT = [  # contractions, so that a pattern has one form of them
    (re.compile(pattern), words)
    for pattern, words in (
        (r"\bcan't\b|\bcan not\b|\bcant\b", "cannot"),
        (r"\bwon't\b", "will not"),
        (r"\bi'm\b", "i am"),
        (r"n't\b", " not"),
        (r"'ve\b", " have"),
        (r"'ll\b", " will"),
        (r"'d\b", " would"),
        (r"\b(it|that|there|he|she|what)'s\b", r"\1 is"),
    )
]

# -- English -----------------------------------------------------------------------------------------------------------
_ADVERBS = (
    r"(?:(?:actually|really|currently|directly|also|just|still|simply|unfortunately|sadly|yet|in fact|presently|"
    r"physically|only)\s+)*"
)
_MEANS = r"(?:abilit(?:y|ies)|capabilit(?:y|ies)|capacity|means|tools?|way|functionality|hardware)"
_LACKS = (  # in so many words: nothing more particular need be named
    rf"(?:(?:it is (?:not possible|impossible)|there is no way) for me to|i {_ADVERBS}(?:do not {_ADVERBS}(?:have|"
    rf"possess) (?:the |any |an? )?{_MEANS} (?:to|of|for)|lack (?:the |any )?{_MEANS} "
    rf"(?:to|of|for)|have no {_MEANS} (?:to|of|for)|am {_ADVERBS}(?:not {_ADVERBS}(?:capable of|equipped to|"
    rf"designed to|built to|made to|programmed to|set up to)|incapable of)))\s+{_ADVERBS}"
)
_CANNOT = (
    rf"(?:(?:\bi|(?:^|[.!?,:;]\s*)(?:sorry,? )?(?:but )?)\s*{_ADVERBS}(?:cannot|could not|will not be able to|"
    rf"(?:am |was )?{_ADVERBS}(?:unable|not {_ADVERBS}able) to)\s+{_ADVERBS})"
)
_END = r"(?=\s*(?:[.,;:!?)–—-]|$))"
_NO_MORE = (  # nothing more particular follows
    r"(?=\s*(?:[.,;:!?)–—-]|$)|\s+(?:directly|itself|themselves|or|and|but|so|because|since|nor|you\b|that you|which|"
    r"from you|here|yet|myself|now|at (?:all|this|the moment|present)|to (?:find|answer|tell|say|give)|like (?:a |"
    r"you|human|people)|the way|"
    r"in (?:this|our|your|the) (?:chat|conversation|message|request|environment|format|interface|way))\b)"
)
_WHOSE = (
    r"(?:(?:the|this|that|these|those|your|any|an?|such|actual|real|attached|provided|uploaded|original|external|live|"
    r"raw|kinds? of|types? of|audio|sound|voice|or)\s+){0,5}?"
)
_FILE = (
    r"(?:audio|(?:audio |sound |voice |music )?(?:clips?|recordings?|files?|tracks?|attachments?|messages?|content))"
)
_SENT = r"(?:what|anything that) you (?:have |are )?(?:sent|sending|uploaded|shared|attached|refer\w*)\b"
_MEDIUM = (  # can be nothing that is heard in a clip
    r"(?:audio|sound|voice) (?:clips?|files?|recordings?|content|data|inputs?|messages?|waves)\b(?! of\b)"
)
_HELD = rf"{_WHOSE}(?:{_MEDIUM}|{_FILE}{_NO_MORE})"
_THING = rf"(?:{_WHOSE}(?:{_MEDIUM}|(?:{_FILE}|sounds?|music|speech){_NO_MORE})|{_SENT})"
_HEARD = (  # of "hear", where "any music" is a thing that may be missing
    rf"(?:{_WHOSE}{_FILE}{_NO_MORE}|{_SENT}|sounds{_NO_MORE}|the (?:music|sound|song){_NO_MORE}|anything\s*(?:[.!]|$))"
)
_OPENS = (
    r"(?:process|access|play(?: back)?|open|analy[sz]e|perceive|receive|load|handle|interpret|transcribe|describe|"
    r"summari[sz]e|"
    r"view|download|retrieve|interact with|work with|deal with|support|evaluate|enjoy)"
)
_OPENING = (
    r"(?:hear(?:ing)?|listen(?:ing)?(?: to)?|process(?:ing)?|access(?:ing)?|play(?:ing)?(?: back)?|open(?:ing)?|"
    r"analy[sz](?:e|ing)|"
    r"perceiv(?:e|ing)|handl(?:e|ing)|interpret(?:ing)?|transcrib(?:e|ing)|describ(?:e|ing)|interact(?:ing)? with|"
    r"work(?:ing)? with)"
)
_FIRST = rf"(?:(?:hear|listen(?: to)?|{_OPENS}),? (?:or|and|nor) {_ADVERBS})?"  # "listen to or"
_SELF = (
    r"(?:(?:just|only|merely|simply|still)\s+)*an?\s+(?:(?:large|text|pure|purely|friendly|helpful|digital|virtual|"
    r"conversational|generative|artificial|based|simple|mere)[\s-]+)*(?:(?:ai |text )?language[ -]model|text[ -]model|"
    r"llm|chatbot|ai(?: language)?(?: model| assistant| system)?|artificial intelligence|language[ -]based \w+|"
    r"text[ -](?:based|only) \w+)\b"
)
_ASK = (
    r"(?:please|kindly|could you|can you|would you|you (?:can|could|may|(?:will |would )?need to)|need you to|"
    r"feel free to)(?: please| kindly| also| first| then| try to)*\s+"
)
_WANTED = (
    r"(?:me |us )?(?:with )?(?:(?:the|an?|your|that|actual|correct|audio|sound|written|link to|text of|transcript of|"
    r"description of)\s+){0,5}?(?:audio|clip|recording|sound file|file|transcript|transcription|description|link)s?\b"
)
_GIVE = r"(?:describe|provide|share|tell|upload|give|transcribe|paste|send|attach)"
_AUXILIARY = r"(?:(?:is|was|were|has been|have been|had been|being|to be)\s+)?(?:\w+ly\s+)?"
_NOT_THERE = (
    r"(?:attached|provided|given|included|uploaded|received|supplied|sent|linked|embedded|accompanying|"
    r"available(?! of)|for me to|to (?:listen|analy[sz]e|describe|hear|process|work)|"
    r"(?:in|with|to) (?:your|this|our|the) (?:message|conversation|chat|request|prompt|input|question))"
)
_ENGLISH = [
    # it cannot hear
    rf"{_CANNOT}{_FIRST}(?:hear {_HEARD}|listen to {_THING}|listen to (?:it|this|that|them|things){_END}|"
    rf"{_OPENS} (?:or \w+ )?{_HELD}|(?:process|perceive|interpret|analy[sz]e|enjoy|play|handle) "
    rf"(?:the |any )?(?:sounds?|music){_NO_MORE})",
    rf"\bi {_ADVERBS}(?:cannot|am {_ADVERBS}(?:unable|not able) to) {_ADVERBS}(?:hear|listen)(?: (?:or|and) "
    rf"(?:hear|listen))?"
    r"(?=\s*(?:[.!?]|$)|\s+(?:because|since)\b)",
    rf"\b(?:sorry|apolog\w+|afraid)\b[^.!?]{{0,30}}?\bi (?:cannot|am unable to|am not able to) (?:hear|listen to|"
    rf"access|process) "
    rf"(?:it|this|that|them){_END}",
    rf"{_LACKS}{_FIRST}{_OPENING}(?: (?:or|and) \w+(?: to)?)?\s*(?:{_THING}|(?:it|this|that|them){_END}|{_END})",
    rf"\b(?:i|this \w+) {_ADVERBS}(?:do|did|does) not {_ADVERBS}(?:process|support|accept|perceive|hear|handle) "
    rf"(?:audio(?: inputs?| files?| content| data)?|sounds)\b{_NO_MORE}",
    r"\b(?:i (?:have no|lack)|do not have (?:any |an? )?)\s*(?:ears|hearing|sense of hearing|auditory \w+|"
    r"audio (?:\w+ )?(?:input|processing|playback|capabilit\w+))\b",
    rf"\bi wish i could {_ADVERBS}(?:hear|listen)",
    r"\bi (?:cannot|could not|will not|am unable to|am not able to) (?:provide|give|offer)(?: you)?(?: with)? "
    r"(?:an?|any|the) "
    r"(?:\w+ )?(?:description|transcri\w+|summary|analysis|caption) of (?:the|this|your|an?) (?:audio|clip|"
    r"recording)\b",
    r"\b(?:audio|sounds?)(?: input| processing| files?| analysis| playback| content| itself)* (?:is|are) (?:not "
    r"(?:something i|supported)|(?:beyond|outside(?: of)?) (?:me|my|what i)\b)",
    r"\b(?:audio|clip|recording|file|attachment)s?(?: files?| clips?)?(?: you (?:have |are )?\w+(?: to)?)? "
    r"(?:(?:did|does|has|is|was|were|are|could|can) ?not|"
    r"cannot|(?:seems?|appears?) not to)(?: \w+)? (?:come through|uploaded|loaded|attached|included|provided|supported|"
    r"accessible|available (?:to me|here|in)|received|shared|be (?:processed|played|accessed|opened|loaded|"
    r"listened to))\b",
    rf"\b(?:audio|clip|recording|file|attachment)(?: file| clip)? (?:is|seems to be|appears to be) missing"
    rf"(?: from (?:your|the|this) (?:message|conversation|request|prompt)|{_NO_MORE})",
    rf"\b(?:audio|clip|recording|file)s?\b[^.!?]{{0,40}}?\bi cannot (?:play|open|access|process|load) (?:it|this|"
    rf"that|them){_END}",
    r"\bi cannot (?:get|make) (?:the|this|your) (?:audio|clip|recording|file) (?:to )?(?:play|open|load|work)\b",
    rf"\bi (?:have not|did not) (?:actually )?(?:hear|heard|listened to|listen to) (?:the|this|your) {_FILE}{_NO_MORE}",
    r"\bnothing for me to (?:listen|hear|analy[sz]e)",
    r"\b(?:hearing|listening)(?: to \w+)? is (?:impossible|beyond|not (?:something|possible|among|one of|part of))",
    # it is a model of text
    r"\bi (?:am|was) (?:\w+ )?(?:designed|built|made|trained|programmed) (?:\w+ )?(?:to (?:handle|process|work "
    r"with|read|"
    r"understand)|for|on) (?:\w+ )?text\b",
    rf"\b(?:as|being) {_SELF}[^.!?]{{0,60}}?\b(?:i|my|me)\b",
    rf"\bi (?:am|was (?:built|designed|trained|made) as)(?: \w+,)? {_SELF}",
    r"\btext[ -](?:based|only) (?:ai|model|assistant|system|platform|conversation|interface|environment|chat|"
    r"medium|tool)\b|\btext chat\b",
    r"\bi (?:can |am able to )?(?:only|just|merely|solely|exclusively) (?:process|read|work|handle|understand|deal|"
    r"respond|"
    r"interact|communicate|operate|analy[sz]e|receive|accept)(?: with| to| in| through| on)? (?:\w+ )?(?:text\w*|"
    r"written)\b",
    r"\b(?:because|since|as) i (?:can )?(?:only )?(?:work|deal|process|handle|read)(?: with| in)? (?:\w+ )?text",
    r"\bi (?:only|just) have (?:access to )?(?:the |your )?text",
    r"\b(?:i am|my \w+ (?:is|are)) (?:limited|restricted|confined) to (?:\w+ )?(?:text\w*|written)",
    r"\bmy (?:training|capabilit\w+|abilit\w+|function\w*|programming|design) (?:does|do) not (?:\w+ )?(?:include|"
    r"cover|"
    r"extend|allow|support)",
    # no audio came
    rf"\bno (?:actual |such )?(?:audio|sound (?:file|clip)|clip|recording|file|attachment)s?(?: files?| clips?| "
    rf"recordings?| content| "
    rf"input| data)? {_AUXILIARY}{_NOT_THERE}",
    rf"\bno (?:audio (?:file|clip)s?{_NO_MORE}|audio (?:was |is )?(?:detected|found)\b|"
    r"(?:attached|accompanying|uploaded) (?:audio|clip|recording|file)\b)",
    r"\bnothing (?:is|was|has been) attached\b",
    r"\byour (?:message|request|prompt|question) (?:does|did) not (?:contain|include|have) (?:any |an |the "
    r")?(?:\w+ )?(?:audio|"
    r"clip|recording|file|attachment)",
    rf"\bi {_ADVERBS}(?:do not|cannot) see (?:it|one|any|anything) attached\b",
    r"\b(?:attach|upload|audio|clip|recording)\w*\b[^.!?]{0,40}?\bi (?:do not|cannot) (?:see|find) (?:it|one|any)\b",
    r"\b(?:i (?:would |will )?need (?:a|the)|do you have (?:a|the)) (?:\w+ )?transcript",
    rf"\bnot (?:seem |appear )?(?:to be )?(?:any|an) (?:audio|clip|recording|attachment)(?: file| clip)? {_NOT_THERE}",
    rf"\bi {_ADVERBS}(?:do not|did not|cannot|could not|have not|was (?:not able|unable) to|am (?:not able|unable) to)"
    rf"(?: yet| seem to| been able to| been)* (?:see|have|find|received?|get|got|locate|given|sent|provided with) "
    rf"(?:access to )?{_HELD}",
    rf"\b(?:no|lack|without|not have|not been given|never had) (?:any |direct )?access to {_HELD}",
    rf"\bwithout (?:the |any )?{_MEANS} (?:to|of) {_ADVERBS}{_OPENING} ?{_THING}",
    rf"\bwithout (?:the|any|your) (?:actual )?audio(?: file| clip)?{_END}",
    rf"\bwithout (?:actually |first |being able to )?(?:hear(?:ing)?|listen(?:ing)? to) (?:{_THING}|it{_END})",
    rf"{_ASK}(?:re-?)?(?:upload|attach|provide|supply|paste|submit) (?:{_WANTED}|it\b)",
    rf"{_ASK}(?:provide|share|paste|send|give me)\b[^.!?]{{0,40}}?\btranscript",
    rf"{_ASK}(?:give|send|show) (?:me|us) (?:the|an|your) (?:audio|clip)\b",
    rf"{_ASK}describe (?:the|your) (?:audio|clip|sound|recording) (?:to me|for me|and i|so i)\b",
    rf"\bi (?:would |will )?need to (?:hear|listen to|access) {_THING}",
    rf"{_ASK}(?:re-?)?(?:share|send) (?:me |us )?(?:the|an|your) (?:\w+ )?(?:audio|clip|recording|file)(?: file| clip)?"
    r"(?: again| here| with me)*\s*(?:[?.!,]|$|so\b|and i\b)",
    rf"\bif you (?:can |could |would (?:like to )?|are able to |will )?{_GIVE}\b[^.!?]{{0,90}}?\bi (?:would|will|"
    rf"can|could|am)"
    r"\b[^.!?]{0,40}?(?:help|assist|happy|glad|do my best|describe|analy[sz]e)",
    rf"\bi (?:would|will|can|am)\b[^.!?]{{0,60}}? if you (?:can |could )?{_GIVE}\b",
    r"\byou (?:have not|did not|forgot to|(?:may |seem to )?have forgotten to) (?:yet |actually )?(?:attach|upload|"
    r"provid|"
    r"includ|shar|sen[dt]|giv)(?:e|ed|d|en)?\b[^.!?]{0,25}?(?:audio|clip|recording|file|anything)",
    rf"\bi (?:would |will )?need (?:the|an|your) (?:actual )?(?:audio|recording|clip)(?: file| clip)?{_NO_MORE}",
    # it declines
    r"\bi (?:cannot|will not|am unable to|am not able to) (?:help|assist|comply|fulfill?|do|answer|complete)(?: you)?"
    r"(?: with)?(?: (?:that|this|it|your|the))?(?: (?:request|question|task))?\s*(?:[.!;]|$|, (?:as|but|since|"
    r"because)\b)",
]

# -- German, Spanish, French -------------------------------------------------------------------------------------------
_G_FILE = r"(?:audio\w*|ton(?:aufnahmen?|dateien?)|aufnahmen?|clips?|dateien?|klangdateien?)"
_G_WHOSE = r"(?:(?:die|den|das|diese[ns]?|ihre[n]?|deine[n]?|keine[n]?|eine[n]?|direkt|leider|mir|selbst)\s+)*"
_G_VERB = (
    r"(?:an(?:zu)?h[öo]ren|h[öo]ren|verarbeiten|abspielen|abzuspielen|analysieren|[öo]ffnen|wiedergeben|zugreifen)"
)
_GERMAN = [
    rf"\bkann (?:ich )?(?:leider |aber |selbst )*{_G_WHOSE}{_G_FILE} (?:leider |direkt |selbst |gar |auch )*nicht "
    rf"(?:direkt |selbst )?{_G_VERB}",
    rf"\bkann (?:ich )?(?:leider |aber |selbst )*keine[n]? {_G_FILE} (?:leider |direkt |selbst |auch )*{_G_VERB}",
    rf"\b(?:nicht in der lage|nicht m[öo]glich|nicht f[äa]hig),? {_G_WHOSE}(?:{_G_FILE}|musik|ger[äa]usche|"
    rf"t[öo]ne) (?:zu )?"
    rf"{_G_VERB}",
    r"\bkann (?:ich )?nicht h[öo]ren,? (?:da|weil|denn) ich (?:nur |blo[ßs] )?(?:eine?\b|kein)",
    rf"\bkann (?:ich )?(?:leider )?auf {_G_WHOSE}{_G_FILE} (?:\w+ )?nicht zugreifen",
    r"\bkann (?:ich )?den ton (?:leider )?nicht h[öo]ren\b",
    rf"\bkeine m[öo]glichkeit, {_G_WHOSE}(?:{_G_FILE}|musik) {_G_VERB}",
    rf"\bkeine[nr]? (?:direkten )?zugriff auf {_G_WHOSE}{_G_FILE}",
    r"\bals (?:\w+es )?(?:reines )?(?:ki\b|ki-\w+|\w*sprachmodell|textmodell|textbasiert\w*|k[üu]nstliche intelligenz)",
    r"\bich bin (?:nur |blo[ßs] |lediglich |ja )*ein[e]? (?:\w+es )?(?:ki\b|ki-\w+|sprachmodell|textmodell|"
    r"textbasiert\w*)",
    rf"\bkeine? (?:{_G_FILE}) (?:\w+ )?(?:angeh[äa]ngt|beigef[üu]gt|hochgeladen|erhalten|vorhanden|gefunden|bekommen|"
    r"mitgeschickt|[üu]bermittelt)",
    rf"\b(?:laden|lade|schicken|schicke|senden|sende|stellen|f[üu]gen) (?:sie |mir |bitte )*{_G_WHOSE}{_G_FILE}",
    rf"\bliegt (?:mir |hier )?(?:leider )?keine {_G_FILE} vor\b",
    rf"\b(?:k[öo]nnten sie|k[öo]nntest du|bitte|wenn sie|wenn du)\b[^.!?]{{0,40}}?{_G_FILE} (?:\w+ )?(?:zur "
    rf"verf[üu]gung|hochladen|"
    r"schicken|senden|anh[äa]ngen|teilen|bereitstellen)",
    r"\bnur (?:mit )?texte?n? (?:verarbeiten|arbeiten|lesen|verstehen)\b",
    r"\b(?:dabei|damit) kann ich (?:ihnen |dir )?(?:leider )?nicht (?:weiter)?helfen",
    r"\b(?:keine ohren|kein geh[öo]r)\b",
]
_S_FILE = r"(?:audios?|archivos?(?: de (?:audio|sonido))?|grabaci[óo]n(?:es)?|clips?|(?<!ninguna )m[úu]sica)"
_S_WHOSE = r"(?:(?:el|la|los|las|un|una|este|esta|su|tu|ning[úu]n|ninguna|de)\s+)*"
_S_VERB = r"(?:o[íi]r|escuchar|procesar|reproducir|analizar|acceder a|abrir|transcribir)"
_SPANISH = [
    rf"\bno (?:puedo|soy capaz de|me es posible|tengo (?:la )?(?:capacidad|forma|manera) (?:de|"
    rf"para))\s+(?:{_S_VERB} (?:ni|o|y) )?"
    rf"(?:escuchar|procesar|reproducir|analizar|acceder al?|abrir|o[íi]r) {_S_WHOSE}{_S_FILE}\s*(?:[.,;!]|$|direct|"
    rf"porque|pero|que )",
    rf"\bno tengo acceso al? {_S_WHOSE}{_S_FILE}",
    r"\b(?:como|soy(?: solo| s[óo]lo)?|siendo)(?: una?)? (?:modelo de (?:lenguaje|texto)|ia\b|inteligencia artificial|"
    r"asistente (?:de texto|virtual))",
    rf"\b(?:sube|suba|adjunt[ae]|proporcion[ae]|env[íi][ae]|comparte|comparta)(?:me)? {_S_WHOSE}{_S_FILE}",
    r"\bno (?:he recibido|recib[íi]|veo|hay|encuentro|se ha adjuntado|se adjunt[óo]) (?:ning[úu]n |ninguna |un |una )?"
    r"(?:audio|archivo|grabaci[óo]n)\s*(?:[.,;!]|$|de audio|adjunt|en (?:tu|su|este) mensaje)",
    r"\bno tengo (?:o[íi]dos|capacidad(?:es)? (?:auditivas?|de audici[óo]n))",
    r"\bno puedo (?:ayudarte|ayudarle|ayudar)(?: con (?:eso|esto|esa solicitud))?\s*(?:[.,;!]|$)",
    r"\bs[óo]lo puedo (?:procesar|leer|trabajar con|entender) texto",
]
_F_FILE = r"(?:audio|fichiers?(?: son\w*)?|(?:fichiers?|enregistrements?|clips?|extraits?)(?: audio)?|sons|musique)"
_F_WHOSE = r"(?:(?:le|la|les|un|une|des?|du|ce|cet|cette|votre|ton|aucun|de la)\s+|l')*"
_F_VERB = r"(?:[ée]couter|entendre|traiter|lire|analyser|ouvrir|acc[ée]der (?:[àa]|aux?)|transcrire)"
_FRENCH = [
    rf"\bje ne (?:peux|sais|pourrai|suis) pas (?:en mesure d(?:e |')|capable d(?:e |'))?(?:{_F_VERB} (?:ni|ou|et) )?"
    rf"(?:directement )?{_F_VERB} {_F_WHOSE}{_F_FILE}\s*(?:[.,;!]|$|direct|car|mais)",
    r"\bje ne (?:peux|sais) pas (?:entendre|[ée]couter)\s*(?:[.;!]|$)",
    rf"\bje n'ai (?:pas|aucun) (?:d')?acc[èe]s (?:au|aux|[àa]) {_F_WHOSE}{_F_FILE}",
    r"\b(?:en tant qu(?:e |')|comme |je (?:ne )?suis (?:qu')?)(?:simple |une? )*(?:mod[èe]le de (?:langage|texte)|ia\b|"
    r"intelligence artificielle|assistant (?:textuel|virtuel))",
    rf"\baucun (?:{_F_FILE}) (?:n'a|n'est|ne)",
    rf"\bje (?:n'ai (?:pas )?re[çc]u|ne vois|ne trouve) (?:pas de |pas d'|de |d'|aucun )(?:{_F_FILE})",
    rf"\b(?:veuillez|merci de|pouvez-vous|pourriez-vous|peux-tu) (?:me )?(?:t[ée]l[ée]charger|joindre|fournir|"
    rf"envoyer|partager|"
    rf"t[ée]l[ée]verser) {_F_WHOSE}{_F_FILE}",
    r"\bje n'ai pas (?:d'oreilles|d'ou[ïi]e|la capacit[ée] d'(?:[ée]couter|entendre))",
    r"\bje ne peux pas (?:vous |t')?aider(?: avec (?:cela|[çc]a))?\s*(?:[.,;!]|$)",
    r"\bje ne peux (?:traiter|lire) que du texte",
]

# -- Chinese -----------------------------------------------------------------------------------------------------------
_C_NOT = r"(?:无法|無法|不能|没法|沒法|不可以|没有办法|沒有辦法|没有能力|沒有能力)(?:直接|真正|实际)?"
_C_FILE = (
    r"(?:任何)?(?:这个|这段|您的|你的|该|此)?(?:音频|音訊|音頻|声音|聲音|录音|錄音|音乐|音樂)"
    r"(?:文件|檔案|片段|内容|內容)?"
)
_CHINESE = [
    rf"{_C_NOT}(?:听到|听取|聽到|聽取|收听|收聽|播放|处理|處理|访问|訪問|分析|接收|打开|听|聽)(?:和\w{{1,2}}|"
    rf"或\w{{1,2}})?{_C_FILE}"
    r"(?=[\s。，,.！!；;]|$)",
    r"(?:作为|作為|我是|我只是)(?:一个|一個|一款)?(?:大型|人工智能|人工智慧|ai|纯|文本|基于文本的)*(?:语言模型|"
    r"語言模型|文本模型|人工智能|ai(?:助手|模型))",
    r"(?:没有|沒有|不具备|不具備)(?:听觉|聽覺|听力|聽力|耳朵|(?:听|处理|處理)\w{0,2}(?:音频|声音)的?能力)",
    r"(?:请|請)(?:您|你)?(?:先)?(?:重新)?(?:上传|上傳|提供|发送|發送|分享)(?:一下)?(?:您的|你的|该|"
    r"这段)?(?:音频|音訊|音頻|录音|錄音|文件)",
    r"(?:没有|沒有|并未|未|还没有|還沒有)(?:收到|看到|上传|上傳|提供|附上|附加|找到)(?:任何)?(?:音频|音訊|音頻|"
    r"录音|錄音)",
]

_ANY = re.compile("|".join([*_ENGLISH, *_GERMAN, *_SPANISH, *_FRENCH, *_CHINESE]))


def refusals(text: str) -> Iterator[str]:
    """What in a reply refuses, in the form of `spelled_out`."""
    return (found[0].strip(" .,:;!?–—-") for found in _ANY.finditer(spelled_out(text)))


def spelled_out(text: str) -> str:
    """A text in small letters on one line, and without contractions: "I can't" is "i cannot"."""
    text = text.lower()
    for pattern, words in _SPELLED_OUT:
        text = pattern.sub(words, text)
    return " ".join(text.split())
