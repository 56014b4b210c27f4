"""The manual page has every option, the lists of packages agree, and links lead somewhere."""
import re
import shutil
import subprocess
import sys
import unicodedata

import pytest

from support import ROOT, vmfox

sys.path.insert(0, str(ROOT / "test"))
from trials import faults, registry  # noqa: E402, F401 (imported, they are registered)

MAN = ROOT / "man" / "vmfox.1"
COMMANDS = ["run", "record", "view", "jit", "convert", "share", "symbolicate", "recover",
            "clean"]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md"),
                *ROOT.glob("examples/**/*.md")])


def options_of(command, folder):
    """The long options that `vmfox help` lists."""
    text = vmfox("help", command, cwd=folder).out
    return set(re.findall(r"^  (?:-\w,|   ) --([\w-]+)", text, re.MULTILINE))


def test_the_manual_page_has_every_option_and_no_other(tmp_path):
    found = set().union(*(options_of(command, tmp_path) for command in COMMANDS))
    assert "max-samples" in found and "output" in found
    told = set(re.findall(r"^\.It (?:Fl \w (?:Ar \w+ )?, )?Fl -([\w-]+)", MAN.read_text(),
                          re.MULTILINE))
    assert told | {"help"} == found
    assert "Fl h , Fl -help" in MAN.read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_manual_page_has_every_command(command):
    text = MAN.read_text()
    assert "\n.Cm %s\n" % command in text and "\n.It Cm %s\n" % command in text
    assert "\n.Ss %s\n" % command in text


def test_mandoc_finds_nothing_wrong():
    if not shutil.which("mandoc"):
        pytest.skip("there is no mandoc")
    done = subprocess.run(["mandoc", "-Tlint", "-Wstyle", str(MAN)], capture_output=True,
                          text=True, check=False)
    assert [line for line in done.stdout.splitlines() if "vmfox.1:" in line] == []


def anchor(heading):
    """What GitHub calls a heading."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
    return "".join("-" if c == " " else c for c in text
                   if c in "-_ " or unicodedata.category(c)[0] in "LN")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"`[^`\n]*`", "", page.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", link):
            continue
        path, _, part = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if part:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert part in map(anchor, headings), link


def test_every_page_is_in_the_list():
    listed = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("**/*.md"):
        name = str(page.relative_to(ROOT / "docs"))
        assert name == "README.md" or "](%s)" % name in listed, name


def test_the_readme_has_the_packages_that_setup_installs():
    setup = (ROOT / "scripts" / "setup").read_text()
    words = re.search(r"^setup_build\(\) \{\n(.*?)^\}", setup, re.MULTILINE | re.DOTALL)[1]
    packages = {word.split(":")[-1] for word in words.replace("\\\n", " ").split()} - {"need"}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = re.search(r"^- to build: (.*?)^- ", readme, re.MULTILINE | re.DOTALL)[1]
    missing = {name for name in packages if not re.search(r"(?<![\w-])%s(?![\w-])" % name, told)}
    assert "libisal-dev" in packages and missing <= {"libc6-dev"}


RECORDING = (ROOT / "docs" / "recording.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_is_there():
    """A name without its file is of the file named before it."""
    named, file = [], None
    for path, test in re.findall(r"`((?:cli|unit|fuzz)/[\w.]+)?(?:::(\w+))?`", RECORDING):
        file = path or file
        if path or test:
            named.append((file, test))
    assert len(named) > 40
    for path, test in named:
        text = (ROOT / "test" / path).read_text(encoding="utf-8")
        assert not test or "def %s(" % test in text or "void %s(void **state)" % test in text, test


def test_every_fault_that_is_named_is_there():
    lists = re.findall(r"\bfaults? ((?:`[\w*-]+`(?:,\s+| and )?)+)", RECORDING)
    names = [name for text in lists for name in re.findall(r"`([\w*-]+)`", text)]
    assert len(names) > 20
    for name in names:
        found = re.compile(re.escape(name).replace(r"\*", ".*"))
        assert any(found.fullmatch(fault) for fault in registry.FAULTS), name


def test_all_that_a_program_can_notice_has_its_test():
    part = RECORDING.partition("\n## What the program can notice\n")[2].partition("\n## ")[0]
    rows = [line for line in part.splitlines() if line.startswith("| ")]
    assert len(rows) > 30
    for row in rows:
        told = row.strip("| ").rpartition(" | ")[2]
        assert re.match(r"`cli/|faults? `|`bench/run recorder`$|tests$", told), row
