if __name__ != "hairline.configs":  # under two names every class would exist twice
    raise ImportError(
        f"this folder is the package hairline.configs: write `import hairline.configs`, not `import {__name__}`"
    )
