//! Words that say nothing of what is looked for, in the languages whose questions we have seen.

/// English, German and French, without accents. What is also a word of another meaning is left out where it matters.
const WORDS: &str = "\
a about an and any are as at be been but by can could did do does for from had has have he her him his how i if in into is it its me \
my of on or our she should so than that the their them there these they this those to us was we were what when where which \
who whom whose why will with would you your \
aber als am auch auf aus bei bin bist da das dass dem den der des die dies diese dieser doch ein eine einem einen einer \
eines er es fur hat haben hatte ich ihr im ist ja kann kein mein mit nach nicht noch nur oder sein sich sie sind und uns \
unser unsere unserem unseren unserer vom von vor war warum was wann wem wen wenn wer werden wie wieso wir wird wo \
womit worin zu zum zur uber \
au aux avec c ce ces cet cette comment d dans de des du elle en est et etait etre il ils j je l la le les leur leurs m \
mais mes mon n ne nos notre nous on ou par pas pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa se ses \
son sont sur t ta te tes ton un une vos votre vous y";

/// Pairs of characters of questions in Chinese, Japanese and Korean.
const PAIRS: &str = "什么 怎么 哪里 哪个 哪些 我们 如何 是什 么样 是否 多少 为什 有什 何で 何を 何が 何の 教え";

/// Whether a word says nothing. It comes folded.
pub(super) fn is_stop_word(word: &str) -> bool {
    WORDS.split(' ').any(|each| each == word)
}

/// Whether a pair of characters says nothing: those of questions, and those of hiragana alone, which inflect.
pub(super) fn is_stop_pair(pair: &str) -> bool {
    pair.chars().all(|c| ('\u{3041}'..='\u{309f}').contains(&c)) || PAIRS.split(' ').any(|each| each == pair)
}
