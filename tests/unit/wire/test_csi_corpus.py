"""Every file of the raw corpus: rows good and bad as its manifest and an independent slow parser count them."""

import gzip
import json
from collections import Counter
from pathlib import Path

import csi_reference
import pytest

from edgehar.wire.frames import Cause
from edgehar.wire.text_dialects import SAMPLE_BYTES, detect, open_decoder

FROZEN = json.loads(Path(__file__).with_name("csi_corpus.json").read_text())
BAD = {cause.value for cause in Cause} - {Cause.LOG, Cause.KIND}
DIALECTS = {
    "esp32_host_csv_varlen": "sc-columns",
    "esp32_idf33": "tabbed",
    "esp32_iqcolumns": "iq-columns",
    "esp32_uabc": "time-values",
    "esp32s3_ruview": "adr018",
    "espcsirs": "esp-csi-rs",
}


@pytest.fixture(params=FROZEN)
def corpus_file(request, shared_data):
    path = shared_data / "csi" / "raw" / request.param
    if not path.exists():
        pytest.skip(f"no raw corpus at {path.parent}")
    return path


def decode(text, name):
    decoder = open_decoder(detect(text[:SAMPLE_BYTES], name), salt="corpus")
    frames = []
    for at in range(0, len(text), 3001):
        frames += decoder.push(text[at : at + 3001])
    return frames + decoder.finish(), decoder


def test_every_good_row_has_its_values_and_every_bad_row_is_counted(corpus_file):
    text, frozen = gzip.decompress(corpus_file.read_bytes()), FROZEN[corpus_file.name]
    frames, decoder = decode(text, corpus_file.name)
    told = [
        (int(meta["t_us"]), int(meta["rssi_dbm"]), values.tolist())
        for run in frames
        for meta, values in zip(run.meta, run.iq, strict=True)
    ]
    assert decoder.counts["frames"] == len(told) == frozen["frames"]
    assert sum(decoder.counts[cause] for cause in BAD) == frozen["bad"]
    assert csi_reference.digest(told) == frozen["sha256"]


@pytest.mark.parametrize(
    "corpus_file", [name for name in FROZEN if not name.startswith(tuple(DIALECTS))], indirect=True
)
def test_the_manifest_counts_the_same_rows(corpus_file):
    manifest = json.loads((corpus_file.parent / "manifest.json").read_text())
    entry = next(entry for entry in manifest if entry["file"] == corpus_file.name)
    frames, decoder = decode(gzip.decompress(corpus_file.read_bytes()), corpus_file.name)
    assert decoder.counts["frames"] == entry["csi_rows"] - entry["csi_rows_malformed"]
    assert sum(decoder.counts[cause] for cause in BAD) == entry["csi_rows_malformed"]
    lengths: Counter[str] = Counter()
    for run in frames:
        lengths[str(run.iq.shape[1])] += len(run)
    assert lengths == entry["values_per_row"]


def test_the_independent_parser_still_says_what_was_frozen(corpus_file):
    text = gzip.decompress(corpus_file.read_bytes()).decode("latin-1")
    frames, bad = csi_reference.parse(corpus_file.name, text)
    assert {"frames": len(frames), "bad": bad, "sha256": csi_reference.digest(frames)} == FROZEN[corpus_file.name]


def test_a_file_tells_its_own_dialect(corpus_file):
    expected = next((name for start, name in DIALECTS.items() if corpus_file.name.startswith(start)), "espcsi")
    assert detect(gzip.decompress(corpus_file.read_bytes())[:SAMPLE_BYTES], corpus_file.name) == expected
