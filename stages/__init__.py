"""The stages of the pipeline: plain Python, torch and OpenCV. Nothing in this folder imports ray."""
