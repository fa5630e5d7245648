import HotlineWire

/// The line that `ask` sends.
struct AskRequest: Hashable {
  /// What the daemon itself is told.
  struct Delivery: Hashable {
    var upstream: String?
    /// Longest whole request.
    var timeoutMilliseconds: Int?
    var conversation: String?
    var isBatch = false
    var tag: String?
  }

  /// The only request of its connection.
  static let requestID = "ask"

  var parts: [InputPart]
  var model: String?
  var instructions: String?
  /// The response that this one follows.
  var previousResponseID: String?
  /// The form of the answer, a JSON object: see ``OutputSchema``.
  var format: [UInt8]?
  var delivery = Delivery()

  /// With its LF. What is not given is left to the daemon.
  var line: [UInt8] {
    LocalLine.line { line in
      line.member("type", "response.create")
      line.member("request_id", Self.requestID)
      if delivery != Delivery() {
        line.name("hotline")
        delivery.append(to: &line)
      }
      line.name("response")
      line.beginObject()
      if let model { line.member("model", model) }
      if let instructions { line.member("instructions", instructions) }
      if let previousResponseID { line.member("previous_response_id", previousResponseID) }
      if let format {
        line.name("text")
        line.beginObject()
        line.member("format", spelling: format)
        line.endObject()
      }
      line.name("input")
      line.beginArray()
      appendMessage(to: &line)
      line.endArray()
      line.endObject()
    }
  }

  private func appendMessage(to line: inout JSONWriter) {
    line.beginObject()
    line.member("type", "message")
    line.member("role", "user")
    line.name("content")
    line.beginArray()
    for part in parts { part.append(to: &line) }
    line.endArray()
    line.endObject()
  }

  static let cancelLine = LocalLine.line { line in
    line.member("type", "response.cancel")
    line.member("request_id", requestID)
  }
}

extension AskRequest.Delivery {
  fileprivate func append(to line: inout JSONWriter) {
    line.beginObject()
    if let upstream { line.member("upstream", upstream) }
    if let timeoutMilliseconds { line.member("timeout_ms", timeoutMilliseconds) }
    if let conversation { line.member("conversation", conversation) }
    if isBatch { line.member("priority", "batch") }
    if let tag { line.member("tag", tag) }
    line.endObject()
  }
}

extension LocalLine {
  /// One line with LF.
  static func line(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
    var bytes: [UInt8] = []
    appendLine(to: &bytes, body)
    return bytes
  }
}
