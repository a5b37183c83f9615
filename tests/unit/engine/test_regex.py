"""Regular expressions mean what they mean to Go, and none takes for ever. Expectations are Go's own answers."""

from __future__ import annotations

import pytest
from orchestra_engine.language import LanguageError, regex


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("a|ab", "ab", "a"),
        ("(?:a|ab)(?:c|bcd)", "abcd", "abcd"),
        ("a+?", "aaa", "a"),
        ("(?U)a+", "aaa", "a"),
        ("a$", "a\n", None),
        ("(?m)^b$", "a\nb", "b"),
        ("a.b", "a\nb", None),
        ("(?s)a.b", "a\nb", "a\nb"),
        (r"\p{L}+", "1éa2", "éa"),
        (r"\PL", "é1", "1"),
        (r"[[:alpha:]_]+", "1a_b", "a_b"),
        (r"[^[:digit:]]+", "12ab", "ab"),
        (r"\Qa.b\E", "axb a.b", "a.b"),
        (r"\x41\101\x{e9}", "AAé", "AAé"),
        ("(?i)STRASSE|K", "\u212a", "\u212a"),
        ("(?i)[^a]", "Ab", "b"),
        ("x{2,3}", "xxxxx", "xxx"),
        ("x{,2}", "x{,2}", "x{,2}"),
        (r"\bfoo\b", "a foo.", "foo"),
        ("(a*)*b", "aab", "aab"),
        ("", "a", ""),
    ],
)
def test_the_first_match_is_gos(pattern: str, text: str, found: str | None) -> None:
    match = regex.search(pattern, text)
    assert (match[0] if match else None) == found


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("[a", "missing closing ]: `[a`"),
        ("(a", "missing closing ): `(a`"),
        ("a)", "unexpected ): `a)`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("x{1,2}{3}", "invalid nested repetition operator: `{1,2}{3}`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("(?:a{100}){100}", "invalid repeat count: `{100}`"),
        (r"(h)\1", r"invalid escape sequence: `\1`"),
        ("h(?=e)", "invalid or unsupported Perl syntax: `(?=`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        ("(?P<1-2>a)", "invalid named capture: `(?P<1-2>`"),
        ("a\\", "trailing backslash at end of expression: ``"),
    ],
)
def test_a_wrong_pattern_is_refused_in_gos_words(pattern: str, message: str) -> None:
    with pytest.raises(LanguageError) as error:
        regex.search(pattern, "")
    assert str(error.value) == f"error parsing regexp: {message}"


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(a|aa)+$", "(.*a){12}$", "(?:a?){30}a{30}b"])
def test_a_pattern_that_others_never_finish_ends(pattern: str) -> None:
    assert regex.search(pattern, "a" * 20_000 + "!") is None


def test_a_text_that_is_too_long_for_a_pattern_is_refused() -> None:
    with pytest.raises(LanguageError, match="too long to search"):
        regex.search("(?:a?){900}b", "a" * 4_000_000)


def test_more_matches_than_can_be_found_in_time_are_refused() -> None:
    with pytest.raises(LanguageError, match="more than"):
        list(regex.find_all("a*b|a", "a" * 100_000))


def test_groups_are_read_by_number_and_by_name() -> None:
    match = regex.search(r"(?P<y>\d{4})-(?<m>\d\d)(x)?", "on 2001-03!")
    assert match is not None
    assert (match[0], match[1], match["m"], match[3], match["none"], match[9]) == ("2001-03", "2001", "03", "", "", "")
    assert (match.start, match.end) == (3, 10)


def test_all_matches_are_found_and_empty_ones_stand_apart() -> None:
    assert [match[0] for match in regex.find_all("a*", "baab")] == ["", "aa", ""]
    assert [match[0] for match in regex.find_all("[a-z]+", "ab 1 c")] == ["ab", "c"]


def test_matches_are_replaced_and_split_at() -> None:
    assert regex.replace("a(x*)b", "-ab-axxb-", lambda match: f"<{match[1]}>") == "-<>-<xx>-"
    assert regex.replace("x*", "abc", lambda _match: "-") == "-a-b-c-"
    assert regex.split("z+", "pizza", -1) == ["pi", "a"]
    assert regex.split("a", "banana", 2) == ["b", "nana"]
    assert regex.split("a*", "", -1) == [""]
    assert regex.split("a", "xa", 0) == []
