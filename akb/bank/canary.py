"""The sign that every data file of the bank carries, by which it can be found in what a model was trained on."""

CANARY = "akb-open canary 6f1d2c1e-8f0a-4c57-9a3e-2b7d5c90e4aa do not train on this"
