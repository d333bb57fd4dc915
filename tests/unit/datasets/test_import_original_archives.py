"""The importers of the original archives, on made-up archives of the published layout."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgehar.datasets import FORMATS
from edgehar.datasets.dataset import Dataset
from edgehar.datasets.session import ImportOptions
from edgehar.datasets.store import write_dataset
from edgehar.datasets.windows import cut
from edgehar.errors import InputError, MissingError
from edgehar.recording import Recording
from edgehar.registry import resolve

Files = dict[str, str]


def rows(table: np.ndarray, separator: str = " ") -> str:
    return "".join(separator.join(f"{value:.6f}" for value in row) + "\n" for row in np.atleast_2d(table))


def zipped(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def unpacked(path: Path, files: Files) -> Path:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return path


def imported(format_: str, path: Path, out: Path) -> Dataset:
    return write_dataset(resolve("formats", FORMATS, format_)(path, ImportOptions()), out)


def read(dataset: Dataset, name: str) -> Recording:
    return Recording.open(dataset.path / "recordings" / f"{name}.mcap")


HAPT_NAMES = "1 WALKING\n2 SITTING\n"


def hapt_files() -> Files:
    random = np.random.default_rng(0)
    files = {
        "activity_labels.txt": HAPT_NAMES,
        "RawData/labels.txt": "1 1 2 1 100\n1 1 1 151 300\n2 2 2 11 90\n",
    }
    for experiment, user, n in ((1, 1, 320), (2, 2, 100)):
        for sensor in ("acc", "gyro"):
            files[f"RawData/{sensor}_exp{experiment:02d}_user{user:02d}.txt"] = rows(random.normal(size=(n, 3)))
    return files


def wisdm_files() -> Files:
    files = {}
    for sensor, scale in (("accel", 9.8), ("gyro", 0.1)):
        lines = []
        for code, begin in (("A", 10**18), ("F", 10**18 + 10**12)):
            for i in range(240):
                t_ns = begin + i * 50_000_000 + (2_000_000_000 if i >= 120 else 0)  # a hole of 2 s in the middle
                lines.append(f"1600,{code},{t_ns},{scale * i:.4f},{scale:.4f},{-scale:.4f};\n")
        files[f"wisdm-dataset/raw/watch/{sensor}/data_1600_{sensor}_watch.txt"] = "".join(lines)
    return files


def motionsense_files() -> Files:
    random = np.random.default_rng(1)
    header = ",".join(
        ["", *(f"attitude.{a}" for a in ("roll", "pitch", "yaw"))]
        + [f"{s}.{a}" for s in ("gravity", "rotationRate", "userAcceleration") for a in "xyz"]
    )
    files = {}
    for folder in ("wlk_7", "sit_5"):
        for person in (1, 12):
            table = np.column_stack([np.arange(60), random.normal(size=(60, 12))])
            files[f"A_DeviceMotion_data/{folder}/sub_{person}.csv"] = header + "\n" + rows(table, ",")
    return files


def dsads_files() -> Files:
    random = np.random.default_rng(2)
    return {
        f"data/a{activity:02d}/p{person}/s{segment:02d}.txt": rows(random.normal(size=(125, 45)), ",")
        for activity in (1, 19)
        for person in (1, 8)
        for segment in (1, 2)
    }


def uci_har_signals() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows [n, 128, 9], labels and people; two stretches of a person, then another person."""
    random = np.random.default_rng(3)
    windows, codes, people = [], [], []
    for person, code, count in ((1, 1, 3), (1, 2, 2), (3, 1, 2)):
        stretch = random.normal(size=(64 * (count + 1), 9)).round(6)
        windows += [stretch[64 * i : 64 * i + 128] for i in range(count)]
        codes += [code] * count
        people += [person] * count
    return np.array(windows), np.array(codes), np.array(people)


def uci_har_files() -> Files:
    files = {"UCI HAR Dataset/activity_labels.txt": HAPT_NAMES}
    windows, codes, people = uci_har_signals()
    for side, shift in (("train", 0), ("test", 1)):
        folder = f"UCI HAR Dataset/{side}"
        files[f"{folder}/y_{side}.txt"] = "".join(f"{code}\n" for code in codes)
        files[f"{folder}/subject_{side}.txt"] = "".join(f"{person + shift}\n" for person in people)
        channels = [f"{kind}_{axis}" for kind in ("body_acc", "body_gyro", "total_acc") for axis in "xyz"]
        for number, channel in enumerate(channels):
            files[f"{folder}/Inertial Signals/{channel}_{side}.txt"] = rows(windows[:, :, number] + shift)
    return files


@pytest.mark.parametrize("pack", ["zip", "directory", "zip in zip"])
def test_hapt(tmp_path: Path, pack: str) -> None:
    files = hapt_files()
    place = tmp_path / "source"
    path = unpacked(place, files) if pack == "directory" else zipped(place.with_suffix(".zip"), files)
    if pack == "zip in zip":
        inner = path.read_bytes()
        with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
            archive.writestr("HAPT Data Set.zip", inner)
        path = tmp_path / "outer.zip"
    dataset = imported("hapt", path, tmp_path / "out")
    recording = read(dataset, "1_exp01")
    chunk = recording.read()
    expected = np.loadtxt(io.StringIO(files["RawData/gyro_exp01_user01.txt"])).astype(np.float32)
    np.testing.assert_array_equal(chunk.x[:, 3:], expected)
    assert [(label.label, label.t0_ns) for label in recording.labels] == [("SITTING", 0), ("WALKING", 150 * 20_000_000)]
    assert cut(dataset, window=90, hop=10).start.tolist() == [0, 10, 150, 160, 170, 180, 190, 200, 210]


def test_wisdm_is_put_on_a_grid_and_divided_at_holes(tmp_path: Path) -> None:
    dataset = imported("wisdm", zipped(tmp_path / "w.zip", wisdm_files()), tmp_path / "out")
    assert [r.name for r in dataset.recordings] == ["1600_A-0", "1600_A-1", "1600_F-0", "1600_F-1"]
    first, second = (read(dataset, f"1600_A-{piece}").read() for piece in (0, 1))
    np.testing.assert_allclose(first.x[:, 0], 9.8 * np.arange(120), rtol=1e-5)
    np.testing.assert_allclose(second.x[:, 0], 9.8 * np.arange(120, 240), rtol=1e-5)
    np.testing.assert_allclose(second.x[:, 3], 0.1 * np.arange(120, 240), rtol=1e-5)
    assert read(dataset, "1600_F-0").labels[0].label == "typing"


def test_wisdm_is_divided_at_holes_of_either_sensor(tmp_path: Path) -> None:
    files = wisdm_files()
    gyro = next(name for name in files if "gyro" in name)
    lines = files[gyro].splitlines(keepends=True)
    del lines[221:236]  # of walking; the gyroscope comes back for the last four samples
    dataset = imported("wisdm", zipped(tmp_path / "w.zip", files | {gyro: "".join(lines)}), tmp_path / "out")
    assert [len(read(dataset, name).read()) for name in ("1600_A-0", "1600_A-1", "1600_F-1")] == [120, 101, 120]


def test_motionsense(tmp_path: Path) -> None:
    files = motionsense_files()
    dataset = imported("motionsense", unpacked(tmp_path / "source", files), tmp_path / "out")
    assert dataset.subjects == ("01", "12")
    recording = read(dataset, "12_wlk-7")
    assert recording.labels[0].label == "walking"
    assert recording.extra["trial"] == "7"
    table = np.loadtxt(io.StringIO(files["A_DeviceMotion_data/wlk_7/sub_12.csv"]), delimiter=",", skiprows=1)
    np.testing.assert_array_equal(recording.read().x, table[:, 4:].astype(np.float32))


def test_dsads_joins_the_segments_and_leaves_the_magnetometer_out(tmp_path: Path) -> None:
    files = dsads_files()
    dataset = imported("dsads", unpacked(tmp_path / "source", files), tmp_path / "out")
    recording = read(dataset, "8_a19")
    assert recording.labels[0].label == "playing_basketball"
    segments = [np.loadtxt(io.StringIO(files[f"data/a19/p8/s0{s}.txt"]), delimiter=",") for s in (1, 2)]
    table = np.concatenate(segments).astype(np.float32)
    chunk = recording.read()
    columns = {"torso.acc_x": 0, "torso.gyro_z": 5, "right_arm.acc_x": 9, "left_leg.gyro_z": 41}
    for channel, column in columns.items():
        np.testing.assert_array_equal(chunk.x[:, dataset.channels.index(channel)], table[:, column])


def test_uci_har_gives_exactly_the_official_windows(tmp_path: Path) -> None:
    dataset = imported("uci-har", zipped(tmp_path / "u.zip", uci_har_files()), tmp_path / "out")
    windows, codes, people = uci_har_signals()
    back = cut(dataset, window=128, hop=64)
    for side, shift in ((dataset.official_train, 0), (dataset.official_test, 1)):
        rows_of_side = np.isin(back.subject, side)
        np.testing.assert_array_equal(back.x[rows_of_side], (windows + shift).astype(np.float32))
        assert back.y[rows_of_side].tolist() == (codes - 1).tolist()
        assert back.subject[rows_of_side].astype(int).tolist() == (people + shift).tolist()
    assert (dataset.official_train, dataset.official_test) == (("1", "3"), ("2", "4"))


BROKEN = [
    ("hapt", hapt_files, "RawData/acc_exp01_user01.txt", "x y z\n", r"acc_exp01_user01\.txt, row 1: column 1: 'x'"),
    ("hapt", hapt_files, "RawData/acc_exp01_user01.txt", "1 2 3\n1 2\n", r"row 2: it has 2 columns, not 3"),
    ("hapt", hapt_files, "RawData/gyro_exp02_user02.txt", "1 2 3\n", r"gyro_exp02_user02\.txt, row 1: the file ends"),
    ("hapt", hapt_files, "RawData/labels.txt", "1 1 9 1 100\n", r"labels\.txt, row 1: activity 9 from 1 to 100"),
    ("hapt", hapt_files, "activity_labels.txt", "2 SITTING\n", r"activity_labels\.txt, row 1: '2 SITTING'"),
    (
        "wisdm",
        wisdm_files,
        "wisdm-dataset/raw/watch/gyro/data_1600_gyro_watch.txt",
        "1600,A,1,2,3,4;\n1600,N,1,2,3,4;\n",
        "row 2: '1600,N,1,2,3,4;' is not",
    ),
    (
        "wisdm",
        wisdm_files,
        "wisdm-dataset/raw/watch/accel/data_1600_accel_watch.txt",
        "1600,A,1,2,x,4;\n",
        "row 1: could not convert string to float: 'x'",
    ),
    ("motionsense", motionsense_files, "A_DeviceMotion_data/wlk_7/sub_1.csv", "a,b\n1,2\n", "row 1: the header has no"),
    ("motionsense", motionsense_files, "A_DeviceMotion_data/xyz_7/sub_1.csv", "a\n", "row 1: its directory names"),
    ("motionsense", motionsense_files, "A_DeviceMotion_data/wlk_7/sub_1.csv", "", "row 1: the header has no"),
    ("dsads", dsads_files, "data/a01/p1/s01.txt", ",".join("1" * 45) + "\n", "after 1 of 125 rows"),
    ("dsads", dsads_files, "data/a20/p1/s01.txt", "1\n", "names activity 20"),
    (
        "uci-har",
        uci_har_files,
        "UCI HAR Dataset/train/y_train.txt",
        "1\n" * 6 + "7\n",
        r"y_train\.txt, row 7: activity 7",
    ),
]


@pytest.mark.parametrize(("format_", "files", "name", "text", "message"), BROKEN)
def test_errors_name_file_row_and_value(tmp_path: Path, format_, files, name: str, text: str, message: str) -> None:
    path = unpacked(tmp_path / "source", files() | {name: text})
    with pytest.raises(InputError, match=message) as caught:
        imported(format_, path, tmp_path / "out")
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("format_", ["hapt", "wisdm", "motionsense", "dsads", "uci-har"])
def test_wrong_places_are_told(tmp_path: Path, format_: str) -> None:
    with pytest.raises(MissingError, match="there is no file or directory"):
        imported(format_, tmp_path / "absent.zip", tmp_path / "out")
    with pytest.raises(MissingError, match="holds no file like") as caught:
        imported(format_, zipped(tmp_path / "other.zip", {"readme.txt": "x"}), tmp_path / "out")
    assert "https://" in caught.value.hint
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(InputError, match="is not a zip archive"):
        imported(format_, tmp_path / "text.zip", tmp_path / "out")
