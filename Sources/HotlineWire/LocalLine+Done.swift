package import HotlineCore

extension LocalLine {
  /// `hotline.done`: the last line of every accepted request; no member is ever left out.
  package struct Done: Hashable, Sendable {
    package var requestID: [UInt8]
    package var outcome: Outcome
    package var responseID: ByteString?
    /// The upstream's configured name.
    package var upstream: String?
    package var connection: ConnectionNumber?
    /// Whether the connection was warm when the request was given to it.
    package var isReused: Bool?
    package var isResent: Bool
    /// The upstream's own JSON, as it is spelt.
    package var usage: [UInt8]?
    /// In US dollars; written with at most nine decimals.
    package var cost: Double?
    /// From arrival to the hand-over to a connection.
    package var queued: Duration?
    /// From arrival to the first event.
    package var firstEvent: Duration?
    /// From arrival to the first event that carries text.
    package var firstText: Duration?
    /// From arrival to this line.
    package var total: Duration?
    /// The upstream's events delivered.
    package var eventCount: Int

    /// Everything that is not given is unknown, false or zero.
    package init(requestID: [UInt8], outcome: Outcome, isResent: Bool = false, eventCount: Int = 0)
    {
      self.requestID = requestID
      self.outcome = outcome
      self.isResent = isResent
      self.eventCount = eventCount
    }

    package func append(to bytes: inout [UInt8]) {
      LocalLine.appendLine(to: &bytes) { line in
        line.member("type", "hotline.done")
        line.member("request_id", spelling: requestID)
        line.member("outcome", outcome.rawValue)
        line.name("response_id")
        if let responseID { line.string(responseID.bytes) } else { line.null() }
        line.member("upstream", upstream)
        line.member("connection", connection?.rawValue)
        line.member("reused", isReused)
        line.member("resent", isResent)
        line.member("usage", spelling: usage)
        line.name("cost_usd")
        if let cost { line.decimal(cost, decimalsMax: 9) } else { line.null() }
        line.name("timing_ms")
        line.beginObject()
        line.member("queued", queued)
        line.member("first_event", firstEvent)
        line.member("first_text", firstText)
        line.member("total", total)
        line.endObject()
        line.member("events", eventCount)
      }
    }
  }
}
