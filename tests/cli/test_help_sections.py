"""The help lists every command once, in a section."""

from collections import Counter

from driftline.cli.main import COMMANDS, SECTIONS


def test_each_command_stands_in_one_section():
    """A new command needs a place in the help."""
    assert Counter(name for names in SECTIONS.values() for name in names) == Counter(
        COMMANDS.keys()
    )
