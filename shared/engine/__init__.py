"""The engine: one command, one hop. It receives, dispatches to a stage, folds the answer into the row, and sends."""
