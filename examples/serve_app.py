"""Cut-outs inside a Ray Serve application of your own.

serve run serve_app:app
curl --data-binary @cat.jpg http://127.0.0.1:8000/ -o cat.png
"""

import asyncio

from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

import hairline


@serve.deployment(ray_actor_options={"num_cpus": 1})
class CutOut:
    def __init__(self) -> None:
        self.cutter = hairline.Cutter(threads=1, keep_rejects=True)  # the networks, loaded once for each replica

    async def __call__(self, request: Request) -> Response:
        cutout = await self.of(await request.body())
        if not cutout.ok:
            return JSONResponse({"reason": cutout.reason, "detail": cutout.detail}, 422)
        return Response(await asyncio.to_thread(cutout.encode), media_type="image/png")

    @serve.batch(max_batch_size=8)  # what comes while a batch runs goes together
    async def of(self, pictures: list[bytes]) -> list[hairline.Cutout]:
        return await asyncio.to_thread(lambda: list(self.cutter.cut_many(pictures)))


app = CutOut.bind()
