-- SELECT * FROM firehose.search(q = 'flat white'): rows of post_texts that have all words of q, in any order and spelling
AS WITH
    /* in_one_spelling, emoji_of */
SELECT * FROM ops.post_texts WHERE hasAllTokens(words, in_one_spelling({q:String}))
