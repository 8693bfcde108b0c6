"""Compares what commands print here with what they printed on the real kernel. A transcript has "$ LINE", what the line printed, and
"= STATUS"; transcript.sh writes it. "# differs: REASON" before a line: pocketcan answers it differently."""
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIMIT_S = 100


def entries(text, plain):
    """Yields (line, what it prints and its status, the reason why pocketcan differs or "")."""
    line, output, reason, differs = None, [], "", ""
    for now in [*text.splitlines(), "# end"]:
        if not now.startswith(("$ ", "# ")):
            output.append(now)
            continue
        if line:
            yield line, plain("\n".join(output)), differs
        line, output, differs, reason = now[2:], [], reason, ""
        if now.startswith("#"):
            line, reason = None, now.removeprefix("# differs: ") if now.startswith("# differs: ") else ""


def play(tap, name, plain, cwd=None):
    """One test for every line of the transcript. plain(text) takes out what is different each time."""
    wanted = (HERE / name).read_text()
    played = subprocess.run(["sh", HERE / "transcript.sh"], input=wanted, stdout=subprocess.PIPE, text=True, timeout=LIMIT_S, cwd=cwd)
    tap.is_(f"{name} was played", played.returncode, 0)
    for (line, output, _), (wanted_line, wanted_output, differs) in zip(entries(played.stdout, plain), entries(wanted, plain), strict=True):
        assert line == wanted_line, line
        tap.is_(line, output, wanted_output, differs)
