"""Datasets: importers (one file per source), windows, splits and the leakage audit. Needs neither torch nor SciPy."""

from edgehar.datasets.dataset import Dataset, RecordingRef

FORMATS: dict[str, str] = {
    "npz": "edgehar.datasets.npz:open_npz",
    "uci-har-npz": "edgehar.datasets.uci_har_npz:open_uci_har_npz",
    "seglearn": "edgehar.datasets.seglearn:open_seglearn",
    "csv": "edgehar.datasets.csv_table:open_csv",
    "csi": "edgehar.datasets.csi_text:open_csi",
    "csi-npz": "edgehar.datasets.csi_npz:open_csi_npz",
    "uci-har": "edgehar.datasets.uci_har:open_uci_har",
    "hapt": "edgehar.datasets.hapt:open_hapt",
    "wisdm": "edgehar.datasets.wisdm:open_wisdm",
    "motionsense": "edgehar.datasets.motionsense:open_motionsense",
    "dsads": "edgehar.datasets.dsads:open_dsads",
}

__all__ = ["FORMATS", "Dataset", "RecordingRef"]
