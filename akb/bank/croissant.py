"""Croissant metadata (MLCommons, version 1.0): what the data files are and hold, told to programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
TEXT, INTEGER = "sc:Text", "sc:Integer"
# The fields of an item that a user of the data needs: type, whether it is a list, what it is.
FIELDS = {
    "id": (TEXT, False, "The item's id, stable over versions."),
    "version": (INTEGER, False, "The item's version; raised when it is changed."),
    "category": (TEXT, False, "One of six categories."),
    "subcategory": (TEXT, False, "One of 48 subcategories."),
    "question": (TEXT, False, "The stem."),
    "options": (TEXT, True, "Four options."),
    "answer": (INTEGER, False, "Index of the key, from 0."),
    "kind": (TEXT, False, "computed, table or authored."),
    "template_id": (TEXT, False, "Items of one pattern share it."),
    "rationale": (TEXT, False, "Why the key is right."),
    "dialect": (TEXT, False, "The accent that the item is about; empty where it does not matter."),
    "canary": (TEXT, False, "By which the data can be found in what a model was trained on."),
}


def metadata(
    files: Mapping[str, str], folder: Path, *, name: str, title: str, version: str, day: str, cite: str
) -> dict[str, Any]:
    """The metadata of a bank.

    Args:
        files: sha256 of each data file, by its path in `folder`.
        folder: of the bank.
        day: of publication, as YYYY-MM-DD.
        cite: BibTeX.
    """
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": title,
        "license": "https://creativecommons.org/licenses/by/4.0/",
        "version": version,
        "datePublished": day,
        "citeAs": cite,
        "creator": {"@type": "sc:Organization", "name": "The akb authors"},
        "isLiveDataset": False,
        "distribution": [_file(path, sha, folder / path) for path, sha in files.items()],
        "recordSet": [_records(path) for path in files],
    }


def _file(path: str, sha256: str, file: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "contentSize": f"{file.stat().st_size} B",
        "encodingFormat": "application/jsonlines",
        "sha256": sha256,
    }


def _records(path: str) -> dict[str, Any]:
    name = Path(path).stem
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"The items of {name}.",
        "key": {"@id": f"{name}/id"},
        "field": [_field(path, name, field) for field in FIELDS],
    }


def _field(path: str, records: str, field: str) -> dict[str, Any]:
    kind, repeated, description = FIELDS[field]
    told = {
        "@type": "cr:Field",
        "@id": f"{records}/{field}",
        "name": field,
        "description": description,
        "dataType": kind,
        "source": {"fileObject": {"@id": path}, "extract": {"column": field}},
    }
    return {**told, "repeated": True} if repeated else told
