"""A bundle opens as it was saved; anything else is refused with the member and the way out."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import conv, random_bundle

from edgehar import archive
from edgehar.bundle import Bundle, open_bundle, save_bundle, signed_bytes, verify_bundle
from edgehar.contract import Contract, check_contract, contract_diff
from edgehar.errors import ContractError, EdgeHarError, InputError, MissingError, Reason
from edgehar.types import StreamSpec

FAMILIES = ("cnn", "csieffnet", "dscnn", "fastgrnn", "fusion", "gru", "l2mu")


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    steps = [{"op": "concat", "parts": [[{"op": "median3"}], [{"op": "median3"}]]}, {"op": "select", "channels": ["a"]}]
    return random_bundle("fastgrnn", hidden=9, rank_u=2, preprocess=steps)


@pytest.fixture
def saved(bundle: Bundle, tmp_path: Path) -> Path:
    save_bundle(bundle, tmp_path / "m.edgehar")
    return tmp_path / "m.edgehar"


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def rewrite(path: Path, change: Callable[[dict[str, bytes]], object], method: int = zipfile.ZIP_STORED) -> None:
    content = members(path)
    change(content)
    with zipfile.ZipFile(path, "w", method) as zipped:
        for name, member in content.items():
            zipped.writestr(name, member)


def edit_manifest(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    def apply(content: dict[str, bytes]) -> None:
        document = json.loads(content["manifest.json"])
        change(document)
        content["manifest.json"] = json.dumps(document).encode()

    rewrite(path, apply)


def refusal(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        open_bundle(path)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("family", FAMILIES)
def test_saving_and_opening_gives_the_same_bundle(family: str, tmp_path: Path) -> None:
    bundle = random_bundle(family)
    digest = save_bundle(bundle, tmp_path / "a.edgehar")
    opened = open_bundle(tmp_path / "a.edgehar")
    assert opened.sha256 == digest == verify_bundle(tmp_path / "a.edgehar")["sha256"]
    assert opened.manifest == bundle.manifest
    assert opened.evaluation == bundle.evaluation
    for name in ("weights", "golden"):
        before, after = getattr(bundle, name), getattr(opened, name)
        assert set(after) == set(before)
        assert all(np.array_equal(after[k], before[k]) for k in before)


def test_equal_content_gives_equal_bytes(bundle: Bundle, saved: Path, tmp_path: Path) -> None:
    again = replace(bundle, weights=dict(reversed(bundle.weights.items())))
    save_bundle(again, tmp_path / "again.edgehar")
    save_bundle(open_bundle(saved), tmp_path / "reopened.edgehar")
    assert (
        (tmp_path / "again.edgehar").read_bytes() == saved.read_bytes() == (tmp_path / "reopened.edgehar").read_bytes()
    )


def test_failed_save_leaves_the_old_file_and_nothing_else(bundle: Bundle, saved: Path) -> None:
    before = saved.read_bytes()
    spoiled = {**bundle.weights, "b_z": np.full_like(bundle.weights["b_z"], np.nan)}
    with pytest.raises(InputError, match="b_z"):
        save_bundle(replace(bundle, weights=spoiled), saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]
    with pytest.raises(MissingError, match="no such directory"):
        save_bundle(bundle, saved.parent / "none" / "m.edgehar")
    (saved.parent / "d.edgehar").mkdir()
    with pytest.raises(MissingError, match="cannot be written"):
        save_bundle(bundle, saved.parent / "d.edgehar")
    assert {p.name for p in saved.parent.iterdir()} == {saved.name, "d.edgehar"}


@pytest.mark.parametrize("name", ["manifest.json", "weights.safetensors", "golden.npz", "evaluation.json"])
def test_damage_is_laid_at_the_members_door(saved: Path, name: str) -> None:
    content = bytearray(saved.read_bytes())
    place = content.index(members(saved)[name]) + len(members(saved)[name]) // 2
    content[place] ^= 0x10
    saved.write_bytes(content)
    error = refusal(saved)
    assert error.reason is Reason.DAMAGED
    assert name in str(error)


@pytest.mark.parametrize("name", ["weights.safetensors", "golden.npz", "evaluation.json"])
def test_exchanged_member_has_the_wrong_hash(saved: Path, name: str) -> None:
    def exchange(content: dict[str, bytes]) -> None:
        content[name] = content[name][:-1] + bytes([content[name][-1] ^ 1])

    rewrite(saved, exchange)
    assert f"{name} has SHA-256" in str(refusal(saved))
    rewrite(saved, lambda content: content.update({name: content[name] + b" "}))
    assert "bytes, manifest.json says" in str(refusal(saved))


def test_every_truncation_is_refused(saved: Path) -> None:
    content = saved.read_bytes()
    for kept in [*range(0, len(content), 997), len(content) - 1]:
        saved.write_bytes(content[:kept])
        error = refusal(saved)
        assert error.reason is (Reason.TRUNCATED if kept >= 4 else Reason.FORMAT)


def test_flipped_bytes_never_raise_anything_but_our_errors(saved: Path) -> None:
    content = saved.read_bytes()
    rng = np.random.default_rng(0)
    # The zip's own records are at the end and before every member; spend half of the flips there.
    places = [*rng.integers(0, len(content), 150), *rng.integers(len(content) - 400, len(content), 150)]
    refused = 0
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        saved.write_bytes(damaged)
        try:
            open_bundle(saved)
        except EdgeHarError:
            refused += 1
    assert refused > 150


def test_unknown_twice_listed_and_missing_members_are_refused(saved: Path) -> None:
    good = saved.read_bytes()
    rewrite(saved, lambda content: content.update({"../evil.py": b"print()"}))
    assert "'../evil.py' is not a bundle member" in str(refusal(saved))
    saved.write_bytes(good)
    with zipfile.ZipFile(saved, "a") as zipped, pytest.warns(UserWarning, match="Duplicate"):
        zipped.writestr("manifest.json", b"{}")
    assert "listed twice" in str(refusal(saved))
    saved.write_bytes(good)
    rewrite(saved, lambda content: content.pop("golden.npz"))
    assert "golden.npz is missing" in str(refusal(saved))


def test_zip_bomb_is_refused_before_it_is_unpacked(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MEMBERS", {**archive.MEMBERS, "evaluation.json": 1000})
    rewrite(saved, lambda content: content.update({"evaluation.json": b" " * 1_000_000}), zipfile.ZIP_DEFLATED)
    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("unpacked"))
        assert "unpacks to 1000000 bytes" in str(refusal(saved))


def test_bomb_inside_golden_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, x=np.zeros(1_000_000))
    monkeypatch.setattr(archive, "MEMBERS", {**archive.MEMBERS, "golden.npz": 100_000})
    with pytest.raises(InputError, match="unpacks to more than"):
        archive.read_npz(stream.getvalue(), "m")


def test_array_that_announces_more_than_it_holds_is_refused_without_allocating() -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(117) + b"\n"
    raw = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\x00" * 8
    with pytest.raises(InputError, match=r"x\.npy: announces"):
        archive.read_npz(archive.write_zip({"x.npy": raw}), "m")


def test_pickled_array_is_refused() -> None:
    stream = io.BytesIO()
    np.savez(stream, x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match=r"x\.npy"):
        archive.read_npz(stream.getvalue(), "m")


@pytest.mark.parametrize(("version", "hint"), [(2, "pip install -U edgehar"), (0, "write the bundle again")])
def test_other_schema_versions_are_named(saved: Path, version: int, hint: str) -> None:
    edit_manifest(saved, lambda document: document.update(schema_version=version))
    error = refusal(saved)
    assert error.reason is Reason.VERSION
    assert f"schema_version is {version}" in str(error)
    assert hint in error.hint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(window=0), "window is 0, must be a whole number from 1"),
        (lambda d: d.update(hop=True), "hop is True, must be a whole number"),
        (lambda d: d.pop("labels"), "labels is None, must be present"),
        (lambda d: d.update(labels=["a", "a", "b", "c"]), "labels is ['a', 'a', 'b', 'c'], must be names that differ"),
        (lambda d: d.update(author="x"), "author is 'x', must be absent (unknown field)"),
        (lambda d: d["contract"].update(rate_hz=0), "contract.rate_hz is 0, must be a number above 0"),
        (lambda d: d["contract"].update(units=["g"]), "contract.units is ['g'], must be one unit for each of 6"),
        (
            lambda d: d["decision"].update(min_coverage=1.5),
            "decision.min_coverage is 1.5, must be a number from 0 to 1",
        ),
        (lambda d: d["model"].update(family="lstm"), "model.family is 'lstm', must be one of cnn,"),
        (lambda d: d["model"].update(classes=7), "model.classes is 7, must be 4"),
        (lambda d: d["model"].update(hidden=-1), "model.hidden is -1"),
        (lambda d: d["model"].update(hiden=3), "model.hiden is 3, must be absent"),
        (lambda d: d["preprocess"][0]["parts"][1][0].update(op="fft"), "preprocess[0].parts[1][0].op is 'fft'"),
        (
            lambda d: d["preprocess"].append({"op": "scale", "factors": "abc"}),
            "preprocess[2].factors is 'abc', must be",
        ),
        (lambda d: d["preprocess"].append({"op": "scale", "factors": [1, [2]]}), "factors is [1, [2]], must be"),
        (lambda d: d["preprocess"].append({"op": "sos", "sos": [[1, 2], [3]]}), "sos is [[1, 2], [3]], must be"),
        (lambda d: d["preprocess"].append({"op": "scale", "factors": [True]}), "factors is [True], must be"),
        (lambda d: d["preprocess"].append({"op": "scale", "factors": [10**400]}), "preprocess[2].factors is"),
        (lambda d: d["preprocess"][1].update(channels="a"), "preprocess[1].channels is 'a', must be a list"),
        (
            lambda d: d["preprocess"].append({"op": "magnitude", "groups": [["a"], "bc"]}),
            "preprocess[2].groups[1] is 'bc', must be a list of channel names",
        ),
        (lambda d: d["decision"].update(temperature=10**400), "decision.temperature is 1000"),
        (lambda d: d.pop("members"), "members.weights.safetensors is None"),
    ],
)
def test_field_errors_name_path_value_and_what_is_allowed(
    saved: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    edit_manifest(saved, change)
    assert message in str(refusal(saved))


def test_json_that_is_not_json_is_refused(saved: Path) -> None:
    for raw in (b"{", b"[1]", b'{"schema_version": NaN}', b"\xff", b"[" * 100_000):
        rewrite(saved, lambda content, raw=raw: content.update({"manifest.json": raw}))
        assert "manifest.json" in str(refusal(saved))


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("b_z", None, "'b_z' is missing"),
        ("U", np.zeros((9, 9), np.float32), "'U' is unknown to the family fastgrnn"),
        ("fc_w", np.zeros((4, 8), np.float32), "'fc_w' is float32 [4, 8], must be float32 [4, 9]"),
        ("fc_b", np.zeros(4, np.float64), "'fc_b' is float64 [4]"),
        ("b_h", np.full(9, np.inf, np.float32), "'b_h' is not finite at [0]"),
    ],
)
def test_tensor_errors_name_the_tensor(bundle: Bundle, name: str, tensor: Any, message: str) -> None:
    from edgehar.runtimes.layout import check_tensors

    tensors = {k: v for k, v in {**bundle.weights, name: tensor}.items() if v is not None}
    with pytest.raises(InputError) as caught:
        check_tensors(bundle.manifest, tensors)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("layers", "hop", "message"),
    [
        ([conv("a", 4, 3, 2)], 15, "hop is 15, must be a multiple of 2"),
        ([conv("a", 4, 33)], 16, "layers[0].kernel is 33, must be at most 32"),
        ([conv("a", 4, 3, 1, 4)], 16, "layers[0].groups is 4, must be a divisor of 6"),
        ([conv("a", 4, 3), conv("a", 4, 3)], 16, "layers[1].name is 'a', must be a name that no other layer has"),
        ([{"op": "residual", "body": [conv("a", 6, 2, relu=False)]}], 16, "an even sum of (kernel - 1)"),
        ([{"op": "residual", "body": [conv("a", 6, 3, 2, relu=False)]}], 16, "body[0].stride is 2, must be 1"),
        ([{"op": "pool"}], 16, "layers[0].op is 'pool', must be one of conv, residual"),
    ],
)
def test_impossible_networks_are_refused(layers: list[dict[str, Any]], hop: int, message: str) -> None:
    with pytest.raises(InputError) as caught:
        random_bundle("cnn", window=32, hop=hop, layers=[*layers, {"op": "mean"}, {"op": "linear", "name": "fc"}])
    assert message in str(caught.value)


def test_verify_notices_a_changed_weight(bundle: Bundle, tmp_path: Path) -> None:
    weights = {**bundle.weights, "b_z": bundle.weights["b_z"] + np.float32(0.01)}
    save_bundle(replace(bundle, weights=weights), tmp_path / "m.edgehar")
    open_bundle(tmp_path / "m.edgehar")
    with pytest.raises(InputError, match="the reference runtime gives"):
        verify_bundle(tmp_path / "m.edgehar")


def test_verify_wants_enough_windows(tmp_path: Path) -> None:
    save_bundle(random_bundle("gru", golden_windows=7), tmp_path / "m.edgehar")
    with pytest.raises(InputError, match="holds 7 windows"):
        verify_bundle(tmp_path / "m.edgehar")


def test_absent_and_odd_paths(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no such bundle"):
        open_bundle(tmp_path / "none.edgehar")
    with pytest.raises(InputError, match="is a directory"):
        open_bundle(tmp_path)
    (tmp_path / "f").touch()
    with pytest.raises(MissingError, match="cannot be read: Not a directory"):
        open_bundle(tmp_path / "f" / "m.edgehar")
    (tmp_path / "t.edgehar").write_text("hello")
    assert "is not a bundle" in str(refusal(tmp_path / "t.edgehar"))


def test_signature_is_kept_and_checked_where_possible(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "m.edgehar"
    save_bundle(replace(bundle, signature=b"k" * 96), path)
    assert open_bundle(path).signature == b"k" * 96
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        assert verify_bundle(path)["signature"].startswith("not checked")
        return
    with pytest.raises(InputError, match="signature does not fit"):
        verify_bundle(path)
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    save_bundle(replace(bundle, signature=public + key.sign(signed_bytes(bundle))), path)
    assert verify_bundle(path)["signature"] == f"valid: key {public.hex()}"


CONTRACT = Contract("imu", ("acc_x", "acc_y"), ("g", "g"), 50.0, placement="waist")


@pytest.mark.parametrize(
    "change", [{}, {"rate_hz": 52.0}, {"placement": "waist"}, {"session_id": "x"}, {"simulated": True}]
)
def test_streams_within_the_contract_pass(change: dict[str, Any]) -> None:
    spec = StreamSpec(**{"kind": "imu", "channels": ("acc_x", "acc_y"), "rate_hz": 50.0, "units": ("g", "g"), **change})
    assert contract_diff(spec, CONTRACT) is None
    check_contract(spec, CONTRACT)


def test_streams_outside_get_a_two_line_diff_of_what_differs() -> None:
    spec = StreamSpec("imu", ("acc_x", "acc_y"), 100.0, ("mps2", "mps2"), placement="wrist")
    diff = contract_diff(spec, CONTRACT)
    assert diff is not None
    assert diff.splitlines() == [
        "stream: units=(mps2, mps2)  rate_hz=100         placement='wrist'",
        "bundle: units=(g, g)        rate_hz=50 (+-5 %)  placement='waist'",
    ]
    with pytest.raises(ContractError) as caught:
        check_contract(spec, CONTRACT)
    assert "channels" not in str(caught.value)
    assert caught.value.exit_code == 6


def test_manifest_knows_the_operations_that_the_preprocessing_runs() -> None:
    """Two lists, so that opening a bundle does not import Numba; they must not drift apart."""
    from edgehar.dsp.graph import OPERATIONS
    from edgehar.manifest import PREPROCESS_OPS

    assert sorted(OPERATIONS) == sorted(PREPROCESS_OPS)
