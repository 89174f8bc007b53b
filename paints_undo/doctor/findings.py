"""What an examination of this machine finds: lines for people, or plain values for programs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from paints_undo.errors import Sentence

FINE, NOTE, PROBLEM = "fine", "note", "problem"
_MARKS = {FINE: " ", NOTE: "-", PROBLEM: "!"}


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at and what was found."""

    subject: str
    text: Sentence
    state: str = FINE  # NOTE: worth knowing; PROBLEM: no run can succeed
    where: str = ""  # a path of this machine, or a command with one, which is nobody else's business
    values: dict[str, Any] = field(default_factory=dict)  # plain


@dataclass
class Report:
    """Everything found, and whether a run can succeed."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        return all(finding.state != PROBLEM for finding in self.findings)

    @property
    def verdict(self) -> Sentence:
        return Sentence("ready: a run can start" if self.ready else "not ready")

    def add(self, subject: str, text: Sentence, state: str = FINE, where: object = "", **values: Any) -> None:
        self.findings.append(Finding(subject, text, state, str(where), values))

    def text(self, paths: bool = True) -> str:
        """One line for each finding, and the verdict; without the machine's paths where strangers may read it."""
        lines, before = [], ""
        for found in self.findings:
            subject, before = found.subject if found.subject != before else "", found.subject
            place = f" ({found.where})" if paths and found.where else ""
            lines.append(f"{_MARKS[found.state]} {subject:<10} {found.text}{place}")
        return "\n".join([*lines, self.verdict + ("" if self.ready else ": see the lines marked with !")])

    def to_json(self) -> dict[str, Any]:
        """Plain values: ready, and the findings in order."""
        return {"ready": self.ready, "findings": [dataclasses.asdict(finding) for finding in self.findings]}
