"""Results of policy tests as JUnit's XML, which every CI shows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from authsvc.policy.testing import Result

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(results: Mapping[str, Sequence[Result]]) -> bytes:
    """Render the results of each file."""
    root = ET.Element("testsuites")
    for file, listed in results.items():
        failures = sum(bool(result.failure) for result in listed)
        suite = ET.SubElement(
            root,
            "testsuite",
            {"name": _text(file), "tests": str(len(listed)), "failures": str(failures)},
        )
        for result in listed:
            case = result.case
            names = {"classname": _text(case.test), "name": _text(case.question)}
            element = ET.SubElement(suite, "testcase", names)
            if result.failure:
                ET.SubElement(element, "failure", {"message": _text(result.failure)})
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
