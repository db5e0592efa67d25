"""Tables that are nearly right: cells, rows and line ends as they may come."""

from __future__ import annotations

from mutations import Rng, choose

CELLS = ("1", "0", "-2.5", "3e4", "1e308", "5e-324", "+1", ".5", "5.", " 7 ", "7\t", "1_0", "0x10", "nan", "inf")
CELLS += ("-inf", "1e999", "", " ", '"4"', '"4', '4"', '""', '"a""b"', '"a,b"', '"1\n"', '"\r\n"', "'1'", "#1")
CELLS += ("# x", "\\", "\\n", "1\x00", "\x00", "\x1b[2J", "é", "٣", "\u00a01", "1\u2028", "1\x85", "1\x0c", "1\x1c")
CELLS += ("\ufeff1", "1j", "True", "1.7976931348623159e308", "9" * 400, "1" * 5000, "0." + "3" * 2000, "a", "b")
CELLS += ("None", "1 2", "1d5", "1f", "infinity")
ENDS = ("\n", "\n", "\n", "\r\n", "\r", "\n\n", "\n \n", "\r\r\n", "\n\r", "")


def hostile_table(rng: Rng, delimiter: str, kinds: str) -> str:
    """A table, with cells, columns and line ends as they may come."""
    columns, rows = choose(rng, (1, 2, 2, 3, 5)), int(2 ** rng.uniform(0, 7))
    wrong = choose(rng, (0, 0, 0.002, 0.02, 0.1))
    end = choose(rng, ENDS[:5])
    lines = [delimiter.join(f"c{i}" for i in range(columns))]
    for _ in range(rows):
        cells = [f"{rng.normal():.4g}" for _ in range(columns - 1)] + [choose(rng, kinds)]
        cells = [choose(rng, CELLS) if rng.random() < wrong else cell for cell in cells]
        if rng.random() < wrong / 3:
            cells = cells[1:] if rng.random() < 0.5 else cells * int(2 ** rng.uniform(0, 10))
        lines.append(delimiter.join(cells))
    text = "".join(line + (choose(rng, ENDS) if rng.random() < wrong else end) for line in lines)
    if rng.random() < 0.02:
        at = int(rng.integers(len(text) + 1))
        many = choose(rng, ('"', "9", "\0", "\n", delimiter, " ", "é")) * int(2 ** rng.uniform(0, 22))
        text = text[:at] + many + text[at:]
    return text
