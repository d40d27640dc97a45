if __name__ != "hairline.pipeline":  # under two names every class would exist twice
    raise ImportError(
        f"this folder is the package hairline.pipeline: write `import hairline.pipeline`, not `import {__name__}`"
    )
