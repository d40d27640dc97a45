if __name__ != "hairline.cluster":  # under two names every class would exist twice
    raise ImportError(
        f"this folder is the package hairline.cluster: write `import hairline.cluster`, not `import {__name__}`"
    )
