if __name__ != "hairline.evaluation":  # under two names every class would exist twice
    raise ImportError(
        f"this folder is the package hairline.evaluation: write `import hairline.evaluation`, not `import {__name__}`"
    )
