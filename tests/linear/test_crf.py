from pipeline.linear.crf import Tagger, describe_words, draw_shape, fit_field

SENTENCES = [["Maria", "sings"], ["Tom", "runs", "fast"], ["the", "dog", "runs"]] * 5
TAGS = [["N", "V"], ["N", "V", "A"], ["D", "N", "V"]] * 5


def test_shapes() -> None:
    assert [draw_shape(word) for word in ("Maria", "U.S.", "1995-96", "iPhone", "日本")] == [
        "Xxxx", "X.X.", "ddd-dd", "xXxxx", "xx",
    ]  # fmt: skip


def test_features_name_the_word_its_parts_and_its_neighbours() -> None:
    first, second = describe_words(["Dr.", "ABC-9"])
    assert {"word=dr.", "shape=Xx.", "first=dr", "last=r.", "-1:edge", "1:word=abc-9", "1:shape=XXX-d"} <= {*first}
    assert {"digit", "hyphen", "capitals", "-1:word=dr.", "1:edge"} <= {*second}
    assert not {"digit", "hyphen", "capitals"} & {*first}


def test_it_learns_and_is_the_same_again() -> None:
    fields = [fit_field(SENTENCES, TAGS, penalty=0.1, max_iter=50) for _ in range(2)]
    assert fields[0] == fields[1]
    assert [*map(Tagger(fields[0]).tag, [["the", "cat", "sings"], []])] == [["D", "N", "V"], []]


def test_an_opened_field_weighs_the_tags_that_it_gives() -> None:
    tagger = Tagger(fit_field(SENTENCES, TAGS, penalty=0.1, max_iter=50))
    for words in (["the", "cat", "sings"], []):
        weighed, probabilities = tagger.weigh(words)
        assert weighed == tagger.tag(words)
        assert len(probabilities) == len(words)
        assert all(0.5 < probability < 1 for probability in probabilities)
