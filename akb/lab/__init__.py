"""The laboratory: small models and made audio on which every part of akb runs for real without a download.

What is measured on them says that the machinery works, and nothing about models that people use.
The embedded language model (adapters/akb-tiny) comes from here, whole and from nothing but this folder:

    python -m akb.lab.train --out adapters/akb-tiny      # corpus, tokenizer, weights; see docs/design/lab.md
    python -m akb.lab.score --model adapters/akb-tiny    # what it knows of words it never heard of
"""
