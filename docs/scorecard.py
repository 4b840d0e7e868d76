"""Prints the figures of docs/scorecard.md that can be counted, from the checkout it lies in. `cargo` is not needed."""

import pathlib
import re
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def rust(folder):
    return sorted((ROOT / folder).rglob("*.rs"))


def is_test(path):
    """Whether a file is compiled for tests alone."""
    parts = path.relative_to(ROOT).parts
    return parts[0] in ("tests", "benches", "examples") or "tests" in parts or path.stem.endswith("tests")


def split(path):
    """Lines of the program and lines of its unit tests in one file."""
    lines = path.read_text().splitlines()
    if is_test(path):
        return [], lines
    for number, line in enumerate(lines):
        if line == "#[cfg(test)]" and number + 1 < len(lines) and lines[number + 1].startswith("mod tests {"):
            return lines[:number], lines[number:]
    return lines, []


def functions(lines):
    """Lengths of functions, from their line to the brace that closes at the same depth."""
    for number, line in enumerate(lines):
        found = re.match(r"( *)(pub(\([a-z: ]+\))? )?(async )?(const )?fn \w+", line)
        if found:
            end = next((n for n in range(number, len(lines)) if lines[n] == found.group(1) + "}"), number)
            yield end - number + 1


def main():
    program, tests = [], []
    lengths, sizes = [], []
    for path in rust("src"):
        ours, theirs = split(path)
        program += ours
        tests += theirs
        sizes.append(len(ours) + len(theirs))
        lengths += functions(ours)
    for path in rust("tests"):
        lines = path.read_text().splitlines()
        tests += lines
        sizes.append(len(lines))
    sizes.sort()
    comments = [line for line in program if line.lstrip().startswith("//")]
    unwraps = [line for line in program if re.search(r"\.(unwrap|expect)\(", line) and not line.lstrip().startswith("//")]
    sleeps = [line for line in tests if re.search(r"\bsleep\(", line)]
    marks = subprocess.run(["git", "-C", ROOT, "grep", "-cE", r"\b(TO" + "DO|FIX" + "ME)\b", "--", "src"], capture_output=True, text=True)
    packages = (ROOT / "Cargo.lock").read_text().count("[[package]]")
    print(f"lines of the program {len(program)}, of tests {len(tests)}, ratio {len(tests) / len(program):.2f}")
    print(f"file lines: median {statistics.median(sizes):.0f}, p90 {sizes[len(sizes) * 9 // 10]}, max {sizes[-1]}, of {len(sizes)}")
    print(f"functions over 70 lines: {sum(length > 70 for length in lengths)} of {len(lengths)}")
    print(f"comment share {len(comments) / len(program):.0%}")
    print(f"unwrap or expect outside tests: {len(unwraps)}, per 1000 lines {1000 * len(unwraps) / len(program):.2f}")
    print(f"sleeps in tests: {len(sleeps)}; marks of things left for later in src: {marks.stdout.strip() or 0}; packages: {packages}")


main()
