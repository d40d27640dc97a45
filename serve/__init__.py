if __name__ != "hairline.serve":  # under two names every class would exist twice
    raise ImportError(
        f"this folder is the package hairline.serve: write `import hairline.serve`, not `import {__name__}`"
    )
