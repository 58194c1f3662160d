"""How things are asked and stated: every sentence frame of the corpus, and those kept for validation and test.

Three sets that never mix: TRAIN frames are in the corpus, VALID frames are for choosing between training runs, TEST
frames are for the questions in tasks/lab-facts and are met there only. A frame has one slot, {x}: a word or a number.
"""

from __future__ import annotations

TRAIN: dict[str, tuple[str, ...]] = {
    "rhyme": (
        "What rhymes with {x}?",
        "Give a word that rhymes with {x}.",
        "Name a rhyme for {x}.",
        "Find a rhyme: {x}",
        "Which word can I rhyme {x} with?",
        "I need a word that rhymes with {x}.",
        "The word {x} rhymes with what?",
        "What other word makes a rhyme with {x}?",
        "A poet ends a line with {x}. What could end the next line so that the two rhyme?",
        "Which word ends with the same sounds as {x}, so that they rhyme?",
        "In a song, {x} needs a rhyming partner. Which word would do?",
        "If {x} ends the first line of a poem, which rhyming word could end the second?",
        "{x}: what is a rhyme?",
        "Rhyming with {x} is which word?",
        "Choose a word to rhyme on {x}.",
        "What could a songwriter rhyme {x} with?",
    ),
    "first-sound": (
        "Which word starts with the same sound as {x}?",
        "Give a word with the same first sound as {x}.",
        "What word begins like {x}, to the ear?",
        "Name a word that has the same initial consonant sound as {x}.",
        "Find a word that starts as {x} does when spoken.",
        "I need a word whose first sound is that of {x}.",
        "Which word alliterates with {x}?",
        "What shares its opening sound with {x}?",
        "Which word could go before {x} so that both begin with one and the same sound?",
        "{x}: what other word has that first sound?",
        "The first sound of {x} also begins which word?",
        "At its start {x} has a consonant. Which word starts with that sound?",
        "Listening to the beginnings only, what goes with {x}?",
        "Name something beginning with the sound that begins {x}.",
    ),
    "vowel": (
        "Which word has the same vowel sound as {x}?",
        "Give a word with the vowel of {x}.",
        "What word shares its vowel with {x}?",
        "Name a word that is spoken with the same vowel as {x}.",
        "Find a word whose vowel is that of {x}.",
        "I need a word with the same vowel sound as {x}, but it need not rhyme.",
        "In the middle of {x} there is a vowel sound. Which word has it too?",
        "{x}: which other word has this vowel?",
        "The vowel in {x} can be found in which word?",
        "What word sounds like {x} in its vowel?",
        "Listening to the vowel only, what goes with {x}?",
        "Match the vowel of {x} with another word.",
    ),
    "syllables": (
        "How many syllables has {x}?",
        "Count the syllables of {x}.",
        "How many syllables are there in the word {x}?",
        "Into how many syllables is {x} divided?",
        "What is the syllable count of {x}?",
        "Tell me the number of syllables in {x}.",
        "Someone claps once for each syllable of {x}. How many claps?",
        "{x}: how many syllables?",
        "The word {x} is made up of how many syllables?",
        "If {x} is said, how many syllables are heard?",
        "Speaking {x} takes how many syllables?",
        "What number of syllables is in {x}?",
    ),
    "ending-sound": (
        "What is the last sound of {x}?",
        "Which sound ends the word {x}?",
        "Give the final consonant sound of {x}.",
        "With what sound does {x} end when spoken?",
        "How is the ending of {x} pronounced?",
        "Name the sound at the end of {x}.",
        "Which consonant is heard last in {x}?",
        "{x}: what is its last consonant sound?",
        "The word {x} ends with which sound?",
        "If {x} is said, which sound comes last?",
        "Speaking {x}, one ends on which consonant?",
        "Listening to the end only, what is heard in {x}?",
    ),
    "nyquist": (
        "What is the Nyquist frequency at the sampling rate {x}?",
        "Sampling rate {x}: what is the Nyquist frequency?",
        "Give the Nyquist limit for audio sampled at {x}.",
        "A file is sampled at {x}. Which frequency is half of its sampling rate, the Nyquist frequency?",
        "What is half of the sampling rate {x}?",
        "With {x} as the sampling rate, where is the Nyquist limit?",
        "The sampling rate is {x}. Name the Nyquist frequency.",
        "If sound is sampled at {x}, what is the highest frequency it can hold?",
        "Sampling at {x} sets the Nyquist frequency to what?",
    ),
    "sampling-rate": (
        "Which sampling rate has its Nyquist frequency at {x}?",
        "The Nyquist frequency is {x}. What is the sampling rate?",
        "Give the sampling rate that is twice {x}.",
        "To put the Nyquist limit at {x}, what sampling rate is set?",
        "With {x} as the Nyquist frequency, what is the sampling rate?",
        "If the Nyquist limit lies at {x}, how is the sound sampled?",
        "{x} is a Nyquist frequency. Name its sampling rate.",
        "What sampling rate goes with the Nyquist limit {x}?",
    ),
    "octave-up": (
        "What frequency is one octave above {x}?",
        "A tone of {x} goes up by an octave. What is its new frequency?",
        "Give the frequency an octave higher than {x}.",
        "Which frequency is an octave up from {x}?",
        "Move {x} an octave up. Where does it land?",
        "If a tone at {x} rises by one octave, which frequency has it then?",
        "From {x}, climb an octave: which frequency is reached?",
        "{x} and an octave higher: what frequency?",
        "Transposed up by an octave, {x} is what?",
        "The upper octave of {x} is which frequency?",
    ),
    "octave-down": (
        "What frequency is one octave below {x}?",
        "A tone of {x} goes down by an octave. What is its new frequency?",
        "Give the frequency an octave lower than {x}.",
        "Which frequency is an octave down from {x}?",
        "Move {x} an octave down. Where does it land?",
        "If a tone at {x} falls by one octave, which frequency has it then?",
        "From {x}, descend an octave: which frequency is reached?",
        "{x} and an octave lower: what frequency?",
        "Transposed down by an octave, {x} is what?",
        "The lower octave of {x} is which frequency?",
    ),
}

# A second way to ask: a lead names the entity, a short question refers back to it.
LEADS = (
    "Take the word {x}:", "Here is a word, {x}.", "Listen: {x}.", "Think of {x}.", "Someone says {x}.",
    "The word is {x}.", "On the page stands {x}.", "Read {x} aloud;", "A teacher writes {x} and asks:",
    "You hear {x}.", "Given {x},", "About {x}:", "A reader stops at {x}.",
    "Imagine that a friend has said {x}.", "For the word {x},", "A speaker says {x};",
)  # fmt: skip
NUMBER_LEADS = (
    "Take {x}:", "Here is a frequency, {x}.", "Think of {x}.", "Given {x},", "A machine shows {x}.",
    "The number is {x}.", "Start from {x};", "Someone measures {x}.", "On a display stands {x}.",
    "There is a value of {x}.", "Set to {x},",
)  # fmt: skip
SHORT: dict[str, tuple[str, ...]] = {
    "rhyme": (
        "what rhymes with it?", "which word is a rhyme?", "name a rhyme.", "which word would rhyme?",
        "find its rhyme.", "what makes a rhyme here?", "which rhyming word fits?", "what other word rhymes?",
        "give a rhyming word.",
    ),
    "first-sound": (
        "which word starts with its first sound?", "what begins with the same sound?",
        "name a word that alliterates.", "which word has this first sound?",
        "what has the same beginning to the ear?", "find a word with that opening sound.",
        "which other word begins so?", "what word starts alike in sound?",
    ),
    "vowel": (
        "which word has its vowel?", "what has the same vowel sound?", "name a word with this vowel.",
        "find a word with that vowel.", "which word has the vowel too?",
        "what other word has this vowel sound?", "whose vowel is the same?",
    ),
    "syllables": (
        "how many syllables are in it?", "what is the number of syllables?", "count its syllables.",
        "how many syllables has it?", "tell how many syllables it takes.", "how many syllables can be counted?",
        "syllables, how many?",
    ),
    "ending-sound": (
        "what is its last sound?", "which sound ends it?", "name the final sound.",
        "on which consonant does it end?", "what sound comes last?", "which consonant closes it?",
        "how does it end in sound?", "give the last consonant.",
    ),
    "nyquist": (
        "as a sampling rate, what Nyquist frequency has it?", "sampling so, what is the Nyquist frequency?",
        "if this is the sampling rate, where is the Nyquist limit?",
        "what is the Nyquist limit of this sampling rate?",
    ),
    "sampling-rate": (
        "as a Nyquist frequency, what sampling rate has it?",
        "if this is the Nyquist frequency, what is the sampling rate?",
        "what sampling rate has this Nyquist limit?",
        "to have its Nyquist limit there, which sampling rate is set?",
    ),
    "octave-up": (
        "what is an octave higher?", "go up by an octave: what is it now?",
        "which frequency is an octave above?", "raised by an octave, what is it?",
        "what is the octave above it?", "an octave up, what frequency?",
    ),
    "octave-down": (
        "what is an octave lower?", "go down by an octave: what is it now?",
        "which frequency is an octave below?", "lowered by an octave, what is it?",
        "what is the octave below it?", "an octave down, what frequency?",
    ),
}  # fmt: skip
# Sentences around a question that change nothing; {n} and {m} are words at random, so that any word may stand by.
OPENERS = (
    "Please answer:", "A quiz question.", "For a lesson on sound:", "Tell me,", "Now then:", "In phonetics:",
    "I wonder:", "In the studio:", "A riddle.", "Going on,", "At the {n} someone asked this.", "For the {n}:",
    "Of {n} and {m}, another time.", "My {n} wants to know:", "In a {n}, with a {m}:",
    "She was {n} and he was {m}.", "To the {n}, carefully:",
)  # fmt: skip
TAILS = (
    "Go by sound.", "Think of how it is said.", "One answer is enough.", "Answer briefly.",
    "In American English.", "Mind the ear and not the page.", "The {n} is waiting.", "Exactly, please.",
    "Not the {n}, not the {m}.",
)  # fmt: skip

VALID: dict[str, tuple[str, ...]] = {
    "rhyme": (
        "Can you think of one word that has the same rhyme as {x}?",
        "Find the rhyming word for {x} here.",
    ),
    "first-sound": ("With which word does {x} have its first sound in common?",),
    "vowel": ("The vowel sound of {x} is also heard in which word?",),
    "syllables": ("Say {x} slowly: how many syllables do you hear?",),
    "ending-sound": ("Say {x} slowly: which consonant sound comes at its end?",),
    "nyquist": ("At {x} samples, where does the Nyquist frequency lie?",),
    "sampling-rate": ("What sampling rate belongs to a Nyquist frequency of {x}?",),
    "octave-up": ("Raise {x} by one octave: what frequency results?",),
    "octave-down": ("Lower {x} by one octave: what frequency results?",),
}

TEST: dict[str, tuple[str, ...]] = {
    "rhyme": (
        "Which of these words rhymes with {x}?",
        "A verse has just closed on {x}. Which of the words would complete a perfect rhyme?",
    ),
    "first-sound": (
        "Which of these words starts with the same consonant sound as {x}?",
        "Going by ear and not by spelling, which word has the same beginning as {x}?",
    ),
    "vowel": (
        "Which of these words contains the vowel sound heard in {x}?",
        "A singer holds the vowel of {x}. In which word is the same vowel held?",
    ),
    "syllables": (
        "When {x} is spoken carefully, how many syllables does it have?",
        "Of how many syllables does the English word {x} consist?",
    ),
    "ending-sound": (
        "Which consonant sound do speakers produce at the very end of {x}?",
        "In General American, what is the final sound in {x}?",
    ),
    "nyquist": ("A converter runs at a sampling rate of {x}. At which frequency is its Nyquist limit?",),
    "sampling-rate": ("An engineer wants a Nyquist frequency of exactly {x}. Which sampling rate gives it?",),
    "octave-up": ("An oscillator at {x} is tuned one octave higher. What does its frequency become?",),
    "octave-down": ("An oscillator at {x} is tuned one octave lower. What does its frequency become?",),
}

# Statements: {x} is the word asked about, {a}, {b}, {c} true answers, {s} the shared sound in IPA.
STATE: dict[str, tuple[str, ...]] = {
    "rhyme": (
        "{x} rhymes with {a}.",
        "Rhymes: {x}, {a}, {b}, {c}.",
        "{x}, {a} and {b} rhyme.",
        "These words rhyme: {a}, {x}, {c}, {b}.",
        "{x} and {a} rhyme on {s}.",
        "The rhyme of {x} is {s}, as in {a}.",
    ),
    "first-sound": (
        "{x} starts with the same sound as {a}.",
        "First sound alike: {x}, {a}, {b}, {c}.",
        "{x}, {a} and {b} begin with one sound.",
        "The first sound of {x} is {s}, as in {a}.",
        "{x} and {a} start with {s}.",
    ),
    "vowel": (
        "{x} has the same vowel as {a}.",
        "One vowel: {x}, {a}, {b}, {c}.",
        "{x}, {a} and {b} share a vowel sound.",
        "The vowel of {x} is {s}, as in {a}.",
        "{x} and {a} have the vowel {s}.",
    ),
    "syllables": ("Syllables of {x}: {a}.", "The number of syllables in {x} is {a}."),
    "ending-sound": ("The last sound of {x} is {a}.", "{x} ends in {a}."),
    "nyquist": ("Sampling rate {x}, Nyquist frequency {a}.", "At {x} the Nyquist frequency is {a}."),
    "sampling-rate": ("Nyquist frequency {x}, sampling rate {a}.",),
    "octave-up": ("From {x} an octave up is {a}.", "{x} and, an octave higher, {a}."),
    "octave-down": ("From {x} an octave down is {a}.", "{x} and, an octave lower, {a}."),
}

SAY = (
    "How is {x} pronounced?",
    "Give the pronunciation of {x}.",
    "Write {x} in phonetic symbols.",
    "{x} in IPA:",
)
SAID = ("{x} is pronounced {ipa}.", "{x}: {ipa}", "The word {x} is said {ipa}.", "{ipa} is the sound of {x}.")
RIME = ("{x} {ipa} rhymes with {a} {ipa_a}.", "{x} {ipa}, {a} {ipa_a}: a rhyme.")
SPELL = ("How is {x} spelled?", "Spell {x}.", "Give the letters of {x}.")
SPELLED = ("{x} is spelled {letters}.", "{letters} spells {x}.", "{x}: {letters}")
UNSPELL = ("Which word is spelled {letters}?", "What do the letters {letters} spell?", "Read: {letters}")
LOOK_UP = ("Which option is {x}?", "Find {x} in the list.", "At which letter is {x}?")
INSTRUCT = (
    "",
    "",
    "Answer with a letter.",
    "Choose A, B, C or D.",
    "Reply with the letter of the right option only.",
    "Pick one option and give its letter.",
)
SYSTEM = ("You are a helpful assistant.", "You answer questions on sound.", "Answer the question.")
COUNTS = ("one", "two", "three", "four")
ENDINGS = ("/s/", "/z/", "/t/", "/d/")
