"""Names of group spaces: KooDrive's rules, and the laws of :func:`group_space_name`."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from typing import TYPE_CHECKING

import pytest
import regex
from hypothesis import assume, example, given
from hypothesis import strategies as st

from airflow_provider_koodrive.exceptions import KooDriveValidationError
from airflow_provider_koodrive.naming import check_group_space_name, group_space_name

if TYPE_CHECKING:
    from pathlib import Path

FAMILY = "👨‍👩‍👧‍👦"
SINGAPORE = "🇸🇬"
ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
LONG = "Department for Business, Innovation & Skills"

# Plain letters alone would hardly ever meet a rule: each piece is something that a rule is about.
_pieces = st.sampled_from(
    [
        *'<>|:"*?/\\.~ -,',
        *("..", "\n", "\x00", "\x1c", "\x7f", "\u00a0", "\u2028", "\ud800", "\udfff"),
        *("\u200b", "\u200d", "\ufeff", "\u202e", "\u0301", "e\u0301", "é", "\u0d4e", "\u3164"),
        *("각", "ᄀ", "ᅡ", "ᆨ", FAMILY, "👍🏽", SINGAPORE, "🇸", ENGLAND, "க்ஷி", "財務部"),
        *("Department ", "~aaaaaaaaa"),
    ]
)
texts = st.one_of(st.lists(_pieces, max_size=45).map("".join), st.text(max_size=60))
suffixes = st.sampled_from(["", " (files)", ".", "~", "-2026", " 🇸🇬", "ᅡ", "각", "🇬", "x" * 19])


def short_ascii(value: object) -> str:
    return ascii(value)[:40]


def characters(text: str) -> list[str]:
    return regex.findall(r"\X", text)


def normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def is_blank(text: str) -> bool:
    return all(c.isspace() or regex.match(r"\p{Default_Ignorable_Code_Point}", c) for c in text)


departments = texts.filter(lambda text: not is_blank(text))


class TestCheck:
    @pytest.mark.parametrize(
        "name",
        [
            "Finance",
            "x" * 30,
            "...",
            ".x",
            "R&D (2026)",
            "財務部",
            FAMILY * 30,
            SINGAPORE * 30,
            "é" * 30,
            "{{ x }}",
        ],
        ids=short_ascii,
    )
    def test_allows(self, name: str) -> None:
        check_group_space_name(name)

    @pytest.mark.parametrize(
        ("name", "rule"),
        [
            ("x" * 31, "at most 30 characters, not 31"),
            (FAMILY * 31, "at most 30 characters, not 31"),
            (".", "'.' or '..'"),
            ("..", "'.' or '..'"),
            ("", "blank"),
            (" \t", "blank"),
            ("\u200b\ufeff", "blank"),
            *((f"a{mark}", "must not begin or end with") for mark in " \t\u00a0\u200b\u200e\ufeff"),
            *((f"{mark}a", "must not begin or end with") for mark in " \n\u3000\u202e\u2060\u00ad"),
            *((f"a{character}b", "must not contain any of") for character in '<>|:"*?/\\'),
            ("a\nb", "line breaks"),
            ("a\u2028b", "line breaks"),
            ("a\x00b", "control characters"),
            ("a\x85b", "control characters"),
            ("a\ud800b", "surrogate"),
            (None, "must be a string, not NoneType"),
            (7, "must be a string, not int"),
            (b"Finance", "must be a string, not bytes"),
        ],
        ids=short_ascii,
    )
    def test_refuses_with_the_rule_and_the_value(self, name: str, rule: str) -> None:
        with pytest.raises(KooDriveValidationError) as caught:
            check_group_space_name(name)
        assert rule in str(caught.value)
        assert repr(name)[:100] in str(caught.value)

    def test_does_not_repeat_a_huge_value(self) -> None:
        with pytest.raises(KooDriveValidationError) as caught:
            check_group_space_name("x" * 1_000_000)
        assert "not 1000000" in str(caught.value)
        assert len(str(caught.value)) < 400


class TestExamples:
    @pytest.mark.parametrize(
        ("department", "name"),
        [
            ("Finance", "Finance"),
            ("  Human \n\t Resources ", "Human Resources"),
            ("Cafe\u0301", "Café"),
            ("x" * 30, "x" * 30),
            (FAMILY * 30, FAMILY * 30),
            (f"{ENGLAND} England", f"{ENGLAND} England"),
            ("{{ var.value.secret }}", "{{ var.value.secret }}"),
        ],
        ids=short_ascii,
    )
    def test_a_legal_text_is_the_name(self, department: str, name: str) -> None:
        assert group_space_name(department) == name

    # Hashes are written out: another one would make a second space for every department on the next night.
    @pytest.mark.parametrize(
        ("department", "name"),
        [
            (LONG, "Department for~2arki76he"),
            ("R&D / Ops", "R&D - Ops~g4dizsfgj"),
            ('The "A" <team>', "The 'A' (team)~jxk2kgfkx"),
            ("x" * 31, "xxxxxxxxxxxxxxxxxxxx~b5dojmeaf"),
            (".", ".~zw2o4kxkn"),
            ("..", "..~l3a7pzya6"),
            ("\ud800", "-~sgtidomyk"),
            ("\x00", "-~ny2axhh7w"),
            ("Finance\u200b", "Finance~v72fngtjo"),
            ("Foo~abcdefghi", "Foo~abcdefghi~h5hfcthgg"),
            (FAMILY * 31, FAMILY * 20 + "~wdagndvge"),
        ],
        ids=short_ascii,
    )
    def test_a_changed_text_gets_a_hash_for_good(self, department: str, name: str) -> None:
        assert group_space_name(department) == name

    @pytest.mark.parametrize(
        "department", ["", " ", "\n\t\u2003", "\u200b", "\ufeff\u200d", "\x1c", "\u3164", None, 7]
    )
    def test_refuses_a_blank_department(self, department: str) -> None:
        with pytest.raises(KooDriveValidationError, match="not blank"):
            group_space_name(department)

    @pytest.mark.parametrize(
        ("suffix", "rule"),
        [
            ("x" * 20, "at most 19 characters"),
            ("/files", "must not contain any of"),
            ("\n(files)", "line breaks"),
            (" ", "white space"),
            ("files ", "white space"),
            ("\u0301", "joins"),
            ("\u200d👩", "joins"),
            ("\ud800", "surrogate"),
            (None, "must be a string"),
        ],
        ids=short_ascii,
    )
    @pytest.mark.parametrize("department", ["A", LONG], ids=["short", "long"])
    def test_refuses_a_suffix_for_every_department(self, department: str, suffix: str, rule: str) -> None:
        with pytest.raises(KooDriveValidationError, match=rule):
            group_space_name(department, suffix=suffix)

    def test_a_suffix_counts(self) -> None:
        assert group_space_name("Finance", suffix=" (files)") == "Finance (files)"
        name = group_space_name("x" * 23, suffix=" (files)")
        assert name == "x" * 12 + "~kzfri2zhz (files)"
        assert len(name) == 30

    @pytest.mark.parametrize(
        ("department", "suffix"), [("🇸", "🇬"), ("가", "ᆨ"), ("ᄀ", "ᅡ"), (".", ".")], ids=short_ascii
    )
    def test_a_suffix_does_not_join_the_department(self, department: str, suffix: str) -> None:
        name = group_space_name(department, suffix=suffix)
        assert name != department + suffix
        assert characters(name)[-1] == suffix

    def test_cuts_inside_a_word_where_the_end_of_a_word_would_lose_too_much(self) -> None:
        assert group_space_name("The Telecommunications Inspectorate").startswith("The Telecommunicatio~")


class TestLaws:
    @given(departments, suffixes)
    def test_legal_and_not_longer_than_30(self, department: str, suffix: str) -> None:
        name = group_space_name(department, suffix=suffix)
        check_group_space_name(name)
        assert len(characters(name)) <= 30
        assert name == name.strip()

    @given(departments, suffixes)
    def test_ends_with_the_suffix_as_characters_of_their_own(self, department: str, suffix: str) -> None:
        name = group_space_name(department, suffix=suffix)
        assert characters(name)[len(characters(name)) - len(characters(suffix)) :] == characters(suffix)

    @given(departments)
    @example("e\u0301" * 31)
    @example("ᄀ" + "ᅡ" * 40)
    def test_splits_no_character(self, department: str) -> None:
        text = normal(department)
        # Replaced characters change the text itself; what is left whole is compared here.
        assume(
            not regex.search(r'[<>|:"*?/\\\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]', text)
        )
        head = regex.sub(r"~[a-z2-7]{9}\Z", "", group_space_name(department))
        assert characters(text)[: len(characters(head))] == characters(head)

    @given(departments)
    def test_the_same_for_texts_that_differ_in_form_only(self, department: str) -> None:
        name = group_space_name(department)
        assert group_space_name(unicodedata.normalize("NFD", department)) == name
        assert group_space_name(f"\t{department}\u00a0\n") == name
        assert group_space_name(normal(department)) == name

    @given(departments, departments, suffixes)
    @example("R&D / Ops", "R&D - Ops", "")
    @example("Finance", "Finance\u200b", "")
    @example("\ud800", "\udc00", "")
    def test_different_for_different_departments(self, one: str, other: str, suffix: str) -> None:
        assume(normal(one) != normal(other))
        assert group_space_name(one, suffix=suffix) != group_space_name(other, suffix=suffix)

    @given(departments, suffixes)
    def test_a_department_called_like_another_s_name_gets_another_name(
        self, department: str, suffix: str
    ) -> None:
        name = group_space_name(department)
        assume(name != normal(department))
        assert group_space_name(name, suffix=suffix) != group_space_name(department, suffix=suffix)

    def test_many_departments_that_begin_alike(self) -> None:
        names = {group_space_name(f"Directorate for Regional Affairs, unit {n}") for n in range(20_000)}
        assert len(names) == 20_000


def test_importing_costs_no_regex(tmp_path: Path) -> None:
    code = "import sys, airflow_provider_koodrive.naming; sys.exit('regex' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
