"""The stages of the pipeline: plain Python, torch and OpenCV. Nothing in this folder imports ray."""

if __name__ != "hairline.stages":  # under two names every class would exist twice
    raise ImportError(
        f"this folder is the package hairline.stages: write `import hairline.stages`, not `import {__name__}`"
    )
