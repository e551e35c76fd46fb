"""The verdict as a table for people, as JSON for programs, and as JUnit XML for a CI."""

import json
import re
from collections.abc import Iterator
from textwrap import wrap
from xml.sax.saxutils import escape, quoteattr

from llmsim.grading.findings import Finding
from llmsim.grading.items import Item
from llmsim.grading.judge import Notice, Noticed, Verdict
from llmsim.grading.margins import Miss

LONGEST = 200  # characters of a name in the table


def table(verdict: Verdict, width: int) -> str:
    """What is wrong, file by file, then which incident is noticed by what."""
    parts = []
    for file in dict.fromkeys(item.file for item in verdict.items):
        mine = [finding for finding in verdict.findings if finding.item.file == file]
        parts.append(f"{file}: {_counted(verdict.items, file)}, {_found(len(mine))}\n")
        parts += [_row(finding, width) for finding in mine]
    if verdict.incidents:
        parts.append("\nincidents, and the alert that notices each\n")
        parts += [_noticed(each, width) for each in verdict.incidents]
    lists = (
        ("not tried, for they use metrics that llmsim does not simulate", verdict.unjudged),
        ("fires always (a watchdog?), for no metric is asked for", verdict.always),
    )
    for what, names in lists:
        if names:
            parts.append("\n" + "\n".join(wrap(f"{what}: {', '.join(names)}", width)) + "\n")
    return "".join(parts)


def _counted(items: tuple[Item, ...], file: str) -> str:
    kinds = [item.kind for item in items if item.file == file]
    words = (("alert", "alert"), ("record", "recording rule"), ("panel", "panel query"),
             ("variable", "variable"))  # fmt: skip
    said = [
        f"{kinds.count(kind)} {_plural(word, kinds.count(kind))}"
        for kind, word in words if kind in kinds
    ]  # fmt: skip
    return ", ".join(said)


def _plural(word: str, count: int) -> str:
    if count == 1:
        return word
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"


def _found(count: int) -> str:
    return "nothing wrong" if not count else f"{count} {_plural('finding', count)}"


def _row(finding: Finding, width: int) -> str:
    name = finding.item.name
    name = name if len(name) <= LONGEST else f"{name[:LONGEST]}..."
    head = f"  {finding.code:<16}{name}: "
    lines = wrap(head + finding.text, width, subsequent_indent=" " * 18, drop_whitespace=True)
    return "\n".join(lines) + "\n"


def _noticed(noticed: Noticed, width: int) -> str:
    if noticed.alerts:
        said = ", ".join(f"{each.alert} {_when(each)}" for each in noticed.alerts[:4])
        more = len(noticed.alerts) - 4
        said += f" and {more} more" if more > 0 else ""
    elif noticed.advice or noticed.missed:
        near = [f"{each.alert} waits for {_limit(each)}, and {each.peak:g} is the most that comes"
                for each in noticed.missed[:4]]  # fmt: skip
        would = [f"this rule would: {noticed.advice}"] if noticed.advice else []
        said = "; ".join(["no alert", *near, *would])
    else:
        said = "no alert, and no public rule that we know of"
    text = f"  {noticed.kind:<16}{said}"
    return "\n".join(wrap(text, width, subsequent_indent=" " * 18)) + "\n"


def _limit(missed: Miss) -> str:
    return f"more than {missed.limit:g}" if missed.sign == ">" else f"{missed.limit:g}"


def _when(notice: Notice) -> str:
    """When an alert fires, by the fault; and when its `for` began, if that was before the fault."""
    if round(notice.after) < 0:
        return f"{_lasting(-notice.after)} before it"
    early = f" (signs {_lasting(-notice.since)} before it)" if round(notice.since) < 0 else ""
    return f"+{_lasting(notice.after)}{early}"


def _lasting(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


# --- for programs --------------------------------------------------------------------------------


def as_json(verdict: Verdict, tried: bool) -> str:
    """The verdict as one object: findings, incidents, and what was not judged."""
    made = {
        "schema_version": 1,
        "wrong": bool(verdict.findings),
        "tried_on_runs": tried,
        "items": [
            {"file": item.file, "kind": item.kind, "name": item.name} for item in verdict.items
        ],
        "findings": [
            {
                "file": each.item.file, "kind": each.item.kind, "name": each.item.name,
                "code": each.code, "text": each.text,
                "expression": each.item.written or each.item.expression,
            }
            for each in verdict.findings
        ],
        "incidents": [
            {
                "kind": each.kind,
                "noticed_by": [
                    {
                        "alert": notice.alert,
                        "after_seconds": round(notice.after, 1),
                        "signs_after_seconds": round(notice.since, 1),
                    }
                    for notice in each.alerts
                ],
                "advice": each.advice or None,
                "missed_by": [miss._asdict() for miss in each.missed],
            }
            for each in verdict.incidents
        ],
        "not_tried": list(verdict.unjudged),
        "fires_always": list(verdict.always),
    }  # fmt: skip
    text = json.dumps(made, indent=2, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\ud800-\udfff]", lambda it: f"\\u{ord(it[0]):04x}", text) + "\n"


def as_junit(verdict: Verdict) -> str:
    """The verdict as JUnit XML: a suite a file, a case an expression."""
    files = [*dict.fromkeys(item.file for item in verdict.items)]
    failed: dict[tuple[str, str], list[Finding]] = {}
    for each in verdict.findings:
        failed.setdefault((each.item.file, _case(each.item)), []).append(each)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>\n',
        (
            f'<testsuites name="llmsim grade" tests="{len(verdict.items)}" '
            f'failures="{len(failed)}">\n'
        ),
    ]
    for file in files:
        cases = [item for item in verdict.items if item.file == file]
        mine = sum(1 for failing, _ in failed if failing == file)
        lines.append(
            f'  <testsuite name={quoteattr(_clean(file))} tests="{len(cases)}" failures="{mine}">\n'
        )
        for item in cases:
            lines += _junit_case(item, failed.get((file, _case(item)), []))
        lines.append("  </testsuite>\n")
    return "".join([*lines, "</testsuites>\n"])


def _case(item: Item) -> str:
    return f"{item.kind} {item.name}: {item.expression}"


def _junit_case(item: Item, found: list[Finding]) -> Iterator[str]:
    file, name = quoteattr(_clean(item.file)), quoteattr(_clean(_case(item)))
    head = f"    <testcase classname={file} name={name}"
    if not found:
        yield f"{head}/>\n"
        return
    yield f"{head}>\n"
    text = "\n".join(each.text for each in found)
    message = quoteattr(_clean(found[0].text))
    yield f"      <failure type={quoteattr(found[0].code)} message={message}>"
    yield f"{escape(_clean(text))}</failure>\n    </testcase>\n"


def _clean(text: str) -> str:
    """A text without the control characters and halves of pairs that XML does not have."""
    return re.sub("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]", " ", text)
