import HotlineCore
import HotlineSystem
import HotlineWire

extension RequestEnd {
  /// One object, of which no member is ever left out: what is not known is null.
  func append(to line: inout JSONWriter) {
    line.beginObject()
    line.member("time", LogOutput.timestamp())
    line.member("client", client.rawValue)
    line.member("pid", processID)
    line.member("uid", uid)
    line.member("command", command)
    line.member("request_id", spelling: idSpelling)
    line.member("tag", tag)
    line.member("model", model)
    line.member("outcome", completion.outcome.rawValue)
    line.member("code", error?.rawValue)
    line.name("response_id")
    if let id = completion.responseID { line.string(id.bytes) } else { line.null() }
    line.member("upstream", upstream)
    line.member("connection", completion.connection?.rawValue)
    line.member("reused", completion.isReused)
    line.member("resent", completion.isResent)
    line.member("input_tokens", usage?.input)
    line.member("cached_input_tokens", usage?.cachedInput)
    line.member("output_tokens", usage?.output)
    line.name("cost_usd")
    if let cost { line.decimal(cost, decimalsMax: 9) } else { line.null() }
    line.name("timing_ms")
    line.beginObject()
    line.member("queued", completion.queued)
    line.member("first_event", completion.firstEvent)
    line.member("first_text", completion.firstText)
    line.member("total", completion.total)
    line.endObject()
    line.member("events", completion.events)
    line.endObject()
  }
}
