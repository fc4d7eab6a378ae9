"""What templates of pages know."""

import pytest
from jinja2 import UndefinedError

from dedupindex.reports.page_environment import page_environment
from tests.reports.samples import hostile_report


def test_what_comes_from_outside_is_escaped():
    template = page_environment().from_string("{{ name | shown }}")
    assert template.render(name="<b>\u202e") == "&lt;b&gt;\\u202e"


def test_an_unknown_name_is_an_error():
    with pytest.raises(UndefinedError):
        page_environment().from_string("{{ nothing }}").render()


def test_the_first_of_a_group_has_no_words_and_the_others_have():
    [group, *_] = [group for group in hostile_report().groups if group.pairs]
    template = page_environment().from_string("{{ member_words(member, pair) | join('; ') }}")
    first, pair = group.members[0], group.pairs[0]
    assert template.render(member=first, pair=pair) == ""
    other = next(member for member in group.members if member.image.id in (pair.a.id, pair.b.id) and member != first)
    assert template.render(member=other, pair=pair)
    assert template.render(member=other, pair=None) == ""
