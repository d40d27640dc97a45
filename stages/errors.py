"""The kinds of trouble: the user's (`HairlineError`), a storage's (`OutageError`), one picture's (`PictureError`,
`Refused`)."""


class HairlineError(Exception):
    """A mistake in the job, a path or a flag. The message says what, where and what to do; exit code 2."""


class OutageError(HairlineError):
    """A storage was away for longer than it is waited for. Nobody's mistake: run again later; exit code 1."""


class PictureError(Exception):
    """One picture cannot be processed. It ends as `failed` with this reason; its batch goes on.

    Args:
        reason: a short code, such as `not_a_picture`, `truncated`, `too_many_pixels`, `fetch`.
        detail: one line for a person.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Refused(PictureError):
    """What a picture shows is not what a product is made of. In a run it ends as `filtered` with this reason."""
