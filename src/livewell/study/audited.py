"""How the audit of a study's labels ended, as everything that learns from them has to say."""

from pathlib import Path

from livewell.study.runs import label_hash, split_hashes
from livewell.study.study import Study
from livewell.tables.metadata import AuditMeta, AuditSummary

FILE = "audit.json"


def audit_folder(study: Study, labels: str) -> Path:
    """Where the audit of these labels lies."""
    return study.folder / "audits" / labels


def audit_state(study: Study, labels: str) -> AuditSummary:
    """The state of the audit of these labels; stale where they, or its split, were made anew."""
    path = audit_folder(study, labels) / FILE
    if not path.is_file():
        return AuditSummary()
    meta = AuditMeta.read(path)
    now = labels in study.label_names() and label_hash(study, labels) == meta.labels_sha256
    if now and meta.split:
        there = meta.split in study.split_names()
        now = there and split_hashes(study, meta.split) == dict(meta.split_sha256)
    return meta.summary if now else AuditSummary(state="stale", headline=meta.headline)
