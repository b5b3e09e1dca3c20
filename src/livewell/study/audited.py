"""How the audit of a study's labels ended, as everything that learns from them has to say."""

from hashlib import sha256
from pathlib import Path

from livewell.study.runs import label_hash, split_hashes
from livewell.study.study import Study
from livewell.tables.metadata import AuditMeta, AuditSummary

FILE = "audit.json"


def audit_folder(study: Study, labels: str) -> Path:
    """Where the audit of these labels lies."""
    return study.folder / "audits" / labels


def fields_hash(study: Study) -> str:
    """Hash of what is known of a study's images: further columns make an audit stale."""
    return sha256(study.fields().to_csv(index=False).encode()).hexdigest()


def audit_state(study: Study, labels: str) -> AuditSummary:
    """The state of the audit of these labels, or of those that they were taken from.

    It is stale where labels, its split, or what is known of images have changed since.
    """
    path = audit_folder(study, labels) / FILE
    there = labels in study.label_names()
    if not path.is_file():
        source = study.label_meta(labels).source if there else None
        return AuditSummary() if source is None else audit_state(study, source.labels)
    meta = AuditMeta.read(path)
    now = there and label_hash(study, labels) == meta.labels_sha256
    now = now and meta.fields_sha256 in ("", fields_hash(study))
    if now and meta.split:
        there = meta.split in study.split_names()
        now = there and split_hashes(study, meta.split) == dict(meta.split_sha256)
    return meta.summary if now else AuditSummary(state="stale", headline=meta.headline)
