"""Result rows merge by id; README's table is built from them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def modules(monkeypatch):
    """The scripts of benchmarks/, importable as they are when one of them runs."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import readme
    import rows

    yield rows, readme
    for name in ("rows", "readme"):
        sys.modules.pop(name, None)


def row(rows, name, value, **extras):
    given = {"title": "a task", "model": "cnn", "seconds": 30, "stamps": [], **extras}
    return rows.Row(name, value, "%", 0.5, 3, "python benchmarks/accuracy.py x", split="s", extras=given)


def test_merge_replaces_by_id_and_keeps_the_rest(modules, tmp_path):
    rows, _ = modules
    path = tmp_path / "accuracy.jsonl"
    rows.merge_rows(path, [row(rows, "b", 1.0), row(rows, "a", 2.0)])
    rows.merge_rows(path, [row(rows, "b", 3.0)])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["id"], line["value"]) for line in lines] == [("a", 2.0), ("b", 3.0)]
    keys = {"id", "value", "unit", "std", "n", "command", "machine", "date", "commit", "bundle_sha256", "split"}
    assert keys <= set(lines[0])


def test_readme_table(modules, tmp_path):
    rows, readme = modules
    text = "before\n<!-- table:accuracy begin -->\nold\n<!-- table:accuracy end -->\nafter\n"
    assert "Not measured yet" in readme.filled(text, tmp_path)
    forest = row(rows, "acc.t.rf", 96.0, model="rf", macro_f1=95.0)
    stamped = row(rows, "acc.t.cnn", 95.0, macro_f1=94.0, parameters=12345, stamps=["TEST-SELECTED"], seconds=7200)
    spiking = row(rows, "acc.t.l2mu", 94.0, model="l2mu", rates={"u": 0.05, "m": 0.1234})
    rows.merge_rows(tmp_path / "accuracy.jsonl", [stamped, forest, spiking])
    filled = readme.filled(text, tmp_path)
    lines = filled.splitlines()
    assert lines[0] == "before"
    assert lines[-1] == "after"
    assert lines[4] == "| a task | random forest | 96.00 ± 0.50 | 95.00 |  | 3 | 30 s | `acc.t.rf` |"
    assert lines[5].startswith("|  | L2MU, below the forest (spikes %: u 5.0, m 12.3) | 94.00 ± 0.50 |")
    cells = "CNN `TEST-SELECTED`, below the forest | 95.00 ± 0.50 | 94.00 | 12,345 | 3 | 2.0 h | `acc.t.cnn`"
    assert lines[6] == f"|  | {cells} |"
    assert readme.filled(filled, tmp_path) == filled


def test_fusion_table(modules, tmp_path):
    rows, readme = modules
    told = {"macro_f1": 85.0, "std_subjects": 4.0, "worst_subject": 80.25}
    made = [
        row(rows, "fusion.dsads.both.rf", 88.0, model="rf", **told),
        row(rows, "fusion.dsads.both", 89.0, model="fusion", **told),
        row(rows, "fusion.dsads.wrist_lost.cnn", 86.0, **told),
        row(rows, "fusion.dsads.wrist_lost", 87.0, model="fusion", **told),
    ]
    rows.merge_rows(tmp_path / "fusion.jsonl", made)
    filled = readme.filled("<!-- table:fusion begin -->\n<!-- table:fusion end -->\n", tmp_path).splitlines()
    cells = "89.00 | ± 4.00 | 80.2 | 85.00 | 3 | `fusion.dsads.both`"
    assert filled[3] == f"| both sensors | fusion, head on all sensors | {cells} |"
    assert filled[4].startswith("|  | random forest | 88.00")
    assert filled[5].startswith("| wrist lost | fusion, head on leg alone | 87.00")
    assert filled[6].startswith("|  | CNN trained on the leg alone | 86.00")


def test_speed_table(modules, tmp_path):
    rows, readme = modules
    timed = {"fused": 2.0, "snntorch_loop": 0.25}
    made = [
        rows.Row(f"train_speed.l2mu.{n}", v, "epochs/s", 0.01, 30, "c", extras={"batch": 32}) for n, v in timed.items()
    ]
    rows.merge_rows(tmp_path / "train_speed.jsonl", made)
    filled = readme.filled("<!-- table:train_speed begin -->\n<!-- table:train_speed end -->\n", tmp_path)
    assert filled.splitlines()[3] == "| L2MU | fused | 2 ± 0.01 | 0.5 | 32 | `c` |"
    assert filled.splitlines()[4].startswith("| L2MU | snntorch loop | 0.25 ± 0.01 | 4.0 |")


def test_compress_and_mcu_tables(modules, tmp_path):
    rows, readme = modules
    small = {"title": "a task", "scheme": "int8", "ranks": [7, 6], "rodata": 2812, "base": 97.0, "stamps": ["LEAKY"]}
    drop = {"title": "a task", "float": 90.0, "int8": 89.5, "int8x16": 89.9}
    made = [
        rows.Row("compress.t.fastgrnn.3kb", 96.0, "%", 0.5, 3, "c", extras=small),
        rows.Row("compress.int8drop.cnn", 0.5, "points", 0.1, 3, "c", extras=drop),
        rows.Row("compress.int8rmse.l2mu", 0.2, "logit", 0.01, 3, "c", extras={"logit_rms": 2, "aeq": 0.4, "tf": 0.5}),
        rows.Row("compress.gmp.cnn.90", 94.0, "%", 0.1, 3, "c"),
        rows.Row("compress.t.fastgrnn.3kb.bytes", 2812, "bytes", 0.0, 3, "c"),
    ]
    rows.merge_rows(tmp_path / "compress.jsonl", made)
    core = {"scheme": "int8", "weights": "random", "constant_bytes": 8066, "code_bytes": 2460}
    rows.merge_rows(
        tmp_path / "mcu.jsonl", [rows.Row("mcu.m4f.g80.int8", 15946.0, "instructions", 0, 1, "c", extras=core)]
    )
    marks = "".join(f"<!-- table:{name} begin -->\n<!-- table:{name} end -->\n" for name in ("compress", "mcu"))
    lines = readme.filled(marks, tmp_path).splitlines()
    assert lines[3].endswith("float 90.00 %, int8 89.50 %, int8x16 89.90 % | `compress.int8drop.cnn` |")
    assert lines[4].startswith("| int8 TFLite L2MU against float: logit rmse (logit rms 2.0) | 0.200 ± 0.010 |")
    assert "FastGRNN, int8, ranks 7, 6, 2,812 bytes of flash for constants `LEAKY` | 96.00 ± 0.50 % |" in lines[5]
    assert lines[6] == "<!-- table:compress end -->"
    assert lines[10] == "| g80.int8, int8; weights random | 15,946 | 8,066 | 2,460 | `mcu.m4f.g80.int8` |"


def test_table_of_int8_files_in_litert(modules, tmp_path):
    rows, readme = modules
    extras = {"worst": 99.61, "enough": 12, "tflite": 98.3, "tflite_worst": 94.9, "tflite_enough": 3}
    extras |= {"cpu_ratio": 1.2, "title": "a task", "model": "csieffnet", "base": "acc.t", "stamps": []}
    row = rows.Row("compress.litert_int8.csieffnet", 99.97, "%", 0.1, 12, "c", extras=extras)
    rows.merge_rows(tmp_path / "compress.jsonl", [row])
    marks = "".join(f"<!-- table:{name} begin -->\n<!-- table:{name} end -->\n" for name in ("compress", "litert_int8"))
    lines = readme.filled(marks, tmp_path).splitlines()
    assert lines[3] == "<!-- table:compress end -->"
    cells = "99.97, 99.61 | 12 of 12 | 98.30, 94.90 | 3 of 12 | 1.2"
    assert lines[7] == f"| CSI EfficientNet: a task | {cells} | `compress.litert_int8.csieffnet` |"


def test_speed_of_runtimes_table(modules, tmp_path):
    rows, readme = modules
    ratio = {"ours_cpu_us": 10.0, "peer_cpu_us": 49.0, "peer": "window file"}
    made = [
        rows.Row("speed.start.c", 0.25, "s", 0.0, 7, "c"),
        rows.Row("speed.cnn.hop.vs_litert_f32", 4.9, "x", 0.0, 1, "c", extras=ratio),
    ]
    rows.merge_rows(tmp_path / "speed.jsonl", made)
    lines = readme.filled("<!-- table:speed begin -->\n<!-- table:speed end -->\n", tmp_path).splitlines()
    assert lines[3] == "| `speed.cnn.hop.vs_litert_f32` | 4.9 | 10.0 / 49.0 | window file |"
    assert lines[4] == "| `speed.start.c` | 0.25 s |  |  |"


def test_headlines_have_a_line_for_each_task_and_hide_no_forest(modules, tmp_path):
    rows, readme = modules
    made = [
        row(rows, "acc.t.cnn", 95.0, macro_f1=47.0),
        row(rows, "acc.t.gru", 93.0, model="gru", macro_f1=92.0),
        row(rows, "acc.t.rf", 96.0, model="rf", macro_f1=95.0),
        row(rows, "acc.t.cnn.test_selected", 99.0, stamps=["TEST-SELECTED"]),
        row(rows, "acc.t.cnn.free_running", 98.0, title="a task: raw stream, windows at the free-running hop"),
        row(rows, "acc.u.cnn", 60.0, title="another", stamps=["MIXED-SUBJECT"]),
        row(rows, "acc.v.rf", 60.0, title="forest alone", model="rf"),
    ]
    rows.merge_rows(tmp_path / "accuracy.jsonl", made)
    text = "<!-- table:accuracy_headlines begin -->\n<!-- table:accuracy_headlines end -->\n"
    lines = readme.filled(text, tmp_path).splitlines()
    assert lines[3] == "| a task | CNN | 95.00 ± 0.50 | 47.0 | 96.00 ± 0.50 | 95.0 | `acc.t.cnn` |"
    assert lines[4] == "| another | CNN `MIXED-SUBJECT` | 60.00 ± 0.50 |  |  |  | `acc.u.cnn` |"
    assert lines[5] == "<!-- table:accuracy_headlines end -->"


def test_headlines_say_rows_in_words(modules, tmp_path):
    rows, readme = modules
    made = [
        rows.Row("speed.rss.c", 42.36, "MiB", 0.0, 7, "c"),
        rows.Row("speed.cnn.hop.vs_litert_f32", 4.912, "x", 0.0, 1, "c"),
        rows.Row("speed.push_over_step", 5.0, "x", 0.0, 1, "c"),
    ]
    rows.merge_rows(tmp_path / "speed.jsonl", made)
    text = "<!-- table:speed_headlines begin -->\n<!-- table:speed_headlines end -->\n"
    lines = readme.filled(text, tmp_path).splitlines()
    assert lines[3].endswith("| 4.91 times faster | `speed.cnn.hop.vs_litert_f32` |")
    assert lines[4].endswith("| 42.4 MiB | `speed.rss.c` |")
    assert len(lines) == 6


def test_every_headline_is_a_row_that_was_measured(modules):
    rows, _ = modules
    import headlines

    held = {name: rows.read_rows(rows.RESULTS / f"{name}.jsonl") for name in ("speed", "mcu", "csi", "compress")}
    asked = {"speed": headlines.SPEED, "mcu": headlines.MCU, "csi": headlines.CSI, "compress": headlines.SMALL}
    assert not [name for kind, names in asked.items() for name in names if name not in held[kind]]
