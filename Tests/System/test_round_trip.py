"""Random data is written, read back and compared, by one process; and texts that are no data end in an error, never in a crash.

The seed is fixed, so every run is the same; SX_SEED=n tries other data, and a failure names the seed.
"""

import os
import random

SEED = int(os.environ.get("SX_SEED", "20240611"))
CASES = 1500

SYMBOLS = ["a", "x-y", "->", "host/comp--pred?", "set!", "~card", "+", "...", "été", "a:b", "x#1", "nil?", "-", "/", "λ"]
CHARACTERS = ["#\\a", "#\\space", "#\\newline", "#\\(", '#\\"', "#\\\\", "#\\é", "#\\😀", "#\\x0", "#\\x301", "#\\xa0", "#\\xfeff", "#\\;", "#\\#"]
FLOATS = ["0.0", "-0.0", "1.0", "0.1", "1e21", "1e-7", "5e-324", "1.7976931348623157e308", "-2.5", "+inf.0", "-inf.0", "123456789.125", "1e22"]


def text(rng: random.Random) -> str:
    pool = ['\\"', "\\\\", "\\n", "\\t", "\\r", "\\u0000", "\\u001b", "\\u2028", "a", "é", "😀", " ", "`", "|", "#", ";", "(", "{", ":", "\\`", "\\d", "e\u0301"]
    return '"' + "".join(rng.choice(pool) for _ in range(rng.randrange(8))) + '"'


def atom(rng: random.Random) -> str:
    match rng.randrange(12):
        case 0:
            return str(rng.choice([0, 1, -1, 2**62, -(2**62) - 1, 2**63 - 1, -(2**63), rng.randint(-(10**6), 10**6)]))
        case 1:
            return f"{rng.randint(-(10**9), 10**9)}/{rng.randint(1, 10**9)}"
        case 2:
            return rng.choice(FLOATS)
        case 3:
            return repr(rng.uniform(-1, 1) * 10.0 ** rng.randint(-300, 300))
        case 4 | 5:
            return text(rng)
        case 6:
            return rng.choice(SYMBOLS)
        case 7:
            return ":" + rng.choice(SYMBOLS)
        case 8:
            return rng.choice(["nil", "true", "false", "()", "{}", "#()", "#u8()"])
        case 9:
            return rng.choice(CHARACTERS)
        case 10:
            return "#u8(" + " ".join(str(rng.randrange(256)) for _ in range(rng.randrange(5))) + ")"
        case _:
            return rng.choice(['#"a+"', '#"(?i)\\\\d[\\"]"', '#"é|\\\\\\\\"'])


def datum(rng: random.Random, depth: int) -> str:
    if depth == 0 or rng.random() < 0.3:
        return atom(rng)
    parts = [datum(rng, depth - 1) for _ in range(rng.randrange(5))]
    match rng.randrange(6):
        case 0 | 1:
            return "(" + " ".join(parts) + ")"
        case 2:
            return "[" + " ".join(parts) + "]"
        case 3:
            return "#(" + " ".join(parts) + ")"
        case 4:
            return "{" + " ".join(f"{text(rng) if rng.random() < 0.5 else ':' + rng.choice(SYMBOLS)} {part}" for part in parts) + "}"
        case _:
            return rng.choice(["'", "`", ",", ",@", "#;x "]) + datum(rng, depth - 1)


def quoted(source: str) -> str:
    return '"' + source.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_what_is_written_reads_back(sx):
    rng = random.Random(SEED)
    sources = [datum(rng, rng.randrange(6)) for _ in range(CASES)]
    lines = [
        "(define (check source)",
        "  (let* ((value (read source)) (text (write-to-string value)) (again (read text)))",
        "    (println (if (and (equal? value again) (= text (write-to-string again)) (= (hash value) (hash again))) \"same\" (str \"different: \" text)))))",
    ]
    lines += [f"(check {quoted(source)})" for source in sources]
    sx.write("round-trip.sx", "\n".join(lines) + "\n")
    outcome = sx("run", "round-trip.sx")
    assert outcome.status == 0, outcome.err
    results = outcome.out.splitlines()
    assert len(results) == CASES
    wrong = [f"{source}\n    {result}" for source, result in zip(sources, results) if result != "same"]
    assert not wrong, f"seed {SEED}: {len(wrong)} of {CASES} differ\n" + "\n".join(wrong[:10])


def test_json_reads_back(sx):
    rng = random.Random(SEED)

    def value(depth: int) -> str:
        if depth == 0 or rng.random() < 0.3:
            return rng.choice(["null", "true", "false", "0", "-1", "9223372036854775807", "1.5", "-2.5e-10", '""', '"é\\n\\"\\\\"', '"\\u0007"', '"😀"', "[]", "{}"])
        parts = [value(depth - 1) for _ in range(rng.randrange(4))]
        if rng.random() < 0.5:
            return "[" + ",".join(parts) + "]"
        return "{" + ",".join(f'"k{i}":{part}' for i, part in enumerate(parts)) + "}"

    texts = [value(5) for _ in range(500)]
    lines = ['(define (check text) (let ((v (json-decode text))) (println (if (and (equal? v (json-decode (json-encode v))) (equal? v (json-decode (json-pretty v)))) "same" text))))']
    lines += [f"(check {quoted(text)})" for text in texts]
    sx.write("json.sx", "\n".join(lines) + "\n")
    outcome = sx("run", "json.sx")
    assert outcome.status == 0, outcome.err
    assert outcome.out.splitlines() == ["same"] * len(texts), f"seed {SEED}"


def test_damaged_texts_are_errors_or_data(sx):
    rng = random.Random(SEED)
    sources = []
    for _ in range(CASES):
        source = list(datum(rng, 4))
        for _ in range(rng.randint(1, 3)):
            match rng.randrange(3):
                case 0 if source:
                    del source[rng.randrange(len(source))]
                case 1:
                    source.insert(rng.randint(0, len(source)), rng.choice(list("()[]{}#\"'`,;\\|:/.e-0é") + ["\u00a0", "\u0000"]))
                case _ if source:
                    source[rng.randrange(len(source))] = rng.choice(list("()#\"|\\{}"))
        sources.append("".join(source))
    lines = ['(define (check source) (guard (e (true (println "error"))) (write-to-string (read source)) (println "data")))']
    lines += [f"(check {quoted(source)})" for source in sources if "\u0000" not in source]
    sx.write("damaged.sx", "\n".join(lines) + "\n")
    outcome = sx("run", "damaged.sx")
    assert outcome.status == 0, f"seed {SEED}: {outcome.err}"
    results = outcome.out.splitlines()
    assert len(results) == len(lines) - 1
    assert set(results) == {"error", "data"}, f"seed {SEED}"
