if __name__ != "hairline.training":  # under two names every class would exist twice
    raise ImportError(
        f"this folder is the package hairline.training: write `import hairline.training`, not `import {__name__}`"
    )
