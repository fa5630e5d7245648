/// A server of the upstream's kind on Python's `websockets`, which shares no line with ours.
enum PythonServer {
  /// Arguments: certificate, key and compression (`deflate` or `none`); prints `port N`.
  static let script = #"""
    import asyncio, json, ssl, sys
    import websockets
    from websockets.asyncio.server import serve

    def event(kind, **members):
        return json.dumps({"type": kind, **members}, ensure_ascii=False)

    async def answer(connection, number, text):
        if text == "fragments":
            whole = event("response.output_text.delta", delta=text)
            await connection.send(piece for piece in (whole[:1], whole[1:20], "", whole[20:]))
        elif text == "ping":
            pong = await connection.ping()
            await asyncio.wait_for(pong, 20)
            await connection.send(event("response.output_text.delta", delta="pong"))
        elif text == "close":
            await connection.close(1012, "service restart")
            return
        else:
            await connection.send(event("response.output_text.delta", delta=text))
        response = {"id": f"resp_{number}", "status": "completed", "output": [], "usage": None}
        await connection.send(event("response.completed", response=response))

    async def handler(connection):
        headers = connection.request.headers
        number = 0
        try:
            async for text in connection:
                number += 1
                message = json.loads(text)
                known = {"authorization": headers.get("Authorization"),
                         "beta": headers.get("OpenAI-Beta")}
                response = {"id": f"resp_{number}", "status": "in_progress", "output": []}
                shown = dict(message)
                words = message["response"].get("input", "")
                shown["response"] = {k: v for k, v in message["response"].items() if k != "input"}
                await connection.send(event(
                    "response.created", response=response, headers=known, message=shown))
                await answer(connection, number, words)
        except websockets.ConnectionClosed:
            pass
        print("closed by peer with", connection.close_code, flush=True)

    async def main():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        async with serve(handler, "127.0.0.1", 0, ssl=context, max_size=None,
                         compression=None if sys.argv[3] == "none" else sys.argv[3],
                         ) as server:
            print("port", server.sockets[0].getsockname()[1], flush=True)
            await server.wait_closed()

    asyncio.run(main())
    """#
}
